"""What can be promised instead, where the labels do not carry a promise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.betting import betting_bound, betting_p
from cascade.calibration.intervals import net_harm_bound
from cascade.calibration.labels import labels_by_formula, labels_without_harm
from cascade.calibration.noninferiority import GAMMA

__all__ = ["Advice", "advice_for", "points"]

Floats = NDArray[np.float64]

POWER = 0.8
MOST_REPEATS = 200
"""More labels than so many times those there are: nobody will make them for one promise."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What these labels carry, and how many the promise needs.

    Attributes:
        certifiable: the least epsilon that the most careful plan carries now; `None` for none.
        labels_needed: requests to certify on, in all, for that plan to carry the promise, if later
            labels are like these; `None` where no number is likely to do.
    """

    certifiable: float | None
    labels_needed: int | None

    def words(self, have: int) -> str:
        """The advice in a sentence or two; `have` is the number of requests certified on."""
        if self.certifiable is None:
            now = f"these {have} requests carry no promise at all"
        else:
            now = f"these {have} requests carry {points(self.certifiable)} with the same confidence"
        if self.labels_needed is None:
            return (
                f"{now}; more labels are not likely to help: allow more points, or improve what "
                "the answers are judged by"
            )
        more = max(self.labels_needed - have, 1)
        return f"{now}; about {more} more ({self.labels_needed} in all) would do if they are alike"


def points(share: float) -> str:
    """A share of quality in points, e.g. "2.0 points"."""
    text = f"{100 * share:.2f}"
    text = text.removesuffix("0")
    return f"{text} point" if text == "1.0" else f"{text} points"


def advice_for(
    loss: Floats,
    weights: Floats | None,
    *,
    epsilon: float,
    delta: float,
    exact: bool,
) -> Advice:
    """What to say where one plan failed its test.

    Args:
        loss: of the most careful plan that costs less than the top tier, per unit, shape (n,).
        weights: of the units; `None` where all count the same.
        epsilon: margin wanted.
        delta: error allowed.
        exact: whether the exact test is used, else the betting one.
    """
    if exact:
        return _exact(loss, epsilon, delta)
    bound = betting_bound(loss, delta, weights=weights)
    repeats = _repeats(loss, weights, epsilon, delta)
    return Advice(
        bound if bound < 1 else None, None if repeats is None else round(repeats * len(loss))
    )


def _exact(loss: Floats, epsilon: float, delta: float) -> Advice:
    harm, gain, n = int((loss > 0).sum()), int((loss < 0).sum()), len(loss)
    bound = net_harm_bound(harm, gain, n, delta, gamma=min(GAMMA, delta / 25))
    certifiable = bound if bound < 1 else None
    if epsilon <= 0 or (harm - gain) / n >= epsilon:
        return Advice(certifiable, None)
    labels = labels_by_formula(epsilon, harm / n, gain / n, delta, POWER)
    return Advice(certifiable, max(labels, labels_without_harm(epsilon, delta), n + 1))


def _repeats(loss: Floats, weights: Floats | None, epsilon: float, delta: float) -> float | None:
    """How often the same losses would have to be seen for the bet to pay off."""
    low, high = 1, 2
    while not _pays(loss, weights, epsilon, delta, high):
        if high > MOST_REPEATS:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        pays = _pays(loss, weights, epsilon, delta, middle)
        low, high = (low, middle) if pays else (middle, high)
    return high


def _pays(loss: Floats, weights: Floats | None, epsilon: float, delta: float, times: int) -> bool:
    repeated = None if weights is None else np.tile(weights, times)
    return betting_p(np.tile(loss, times), epsilon, weights=repeated) <= delta
