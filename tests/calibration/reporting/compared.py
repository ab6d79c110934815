"""Comparisons made by hand, for tests of what a report says of them."""

import numpy as np

from cascade.calibration import Baseline, Comparison, Estimate, Plan, Point, Step
from cascade.calibration.comparing.whatif import what_if
from tests.calibration.builders import Scores, recording

NANO_TOP = Plan((Step("nano", threshold=0.5), Step("top")))
TOP = Plan((Step("top"),))


def recorded(n=20, **given):
    """Requests that nano gets right in three of four cases and top in all but the last."""
    quality = np.ones((n, 2))
    quality[::4, 0] = 0
    quality[-1] = (1, 0)
    return recording(quality, [10**9, 2 * 10**10], names=["nano", "top"], **given)


def scores(n=20):
    """Nano's scores: sure of all but every fifth request."""
    found = np.full(n, 0.9)
    found[::5] = 0.1
    return Scores({0: found})


def compared(made, plan=NANO_TOP, source=None, **changes):
    """A comparison of a recording, as far as a report looks at it."""
    found = None
    harm, gain = (), ()
    if plan is not None:
        found = what_if(plan, made, source=source or scores(len(made)), resamples=50)
        loss = made.quality[:, made.top] - found.outcomes.quality
        harm = tuple(int(row) for row in np.flatnonzero(loss > 0))
        gain = tuple(int(row) for row in np.flatnonzero(loss < 0))
    known = not np.isnan(made.quality).any()
    singles = tuple(
        Point(made.cost_pusd[:, j].mean() / 1e12, float(made.quality[:, j].mean()), name)
        for j, name in enumerate(made.names)
    )
    pair = Baseline(
        "best pair at equal quality",
        "pair",
        "two tiers, one threshold",
        Estimate(0.015, 0.014, 0.016),
        Estimate(0.9, 0.8, 0.95),
    )
    none = Baseline(
        "best single model at equal cost", "single", "no dearer", None, None, reason="none so cheap"
    )
    given = {
        "chosen": found,
        "path": (Point(0.001, 0.7, "a"), Point(0.02, 0.95, "b")),
        "singles": singles if known else (),
        "baselines": (pair, pair, none) if known else (),
        "mixing": singles if known else (),
        "oracle_router": (),
        "oracle_cascade": (Point(0.001, 0.7), Point(0.004, 1.0)) if known else (),
        "scorers": (),
        "reliability": (),
        "metrics": {},
        "harm_rows": harm,
        "gain_rows": gain,
        "top": made.names[made.top],
        "notes": ("a note",),
    }
    return Comparison(**{**given, **changes})
