"""What it means that a plan costs less than always asking the top tier.

Costs are measured and not promised: a certificate bounds what quality is lost, and says beside it
what the plan cost on the requests that it was tested on. A plan must have cost less twice: on the
learn part, where it was chosen, and on the certify part, where nobody chose it.
"""

from __future__ import annotations

import numpy as np

from cascade.calibration.money import in_usd
from cascade.calibration.plan import Outcomes
from cascade.calibration.recording import Recording

__all__ = ["LEAST_SAVING", "cost_share", "saves"]

LEAST_SAVING = 0.005
"""A smaller share is none: it would be printed as "100 %" of the top tier's cost."""


def cost_share(outcomes: Outcomes, recording: Recording) -> float | None:
    """Mean cost as a share of always asking the top tier, over requests where both are known.

    Args:
        outcomes: of the plan.
        recording: that they are of.

    Returns:
        The share; 1 where the top tier is free, `None` where no request's cost is known.
    """
    cost = in_usd(np.column_stack([outcomes.cost_pusd, recording.cost_pusd[:, recording.top]]))
    known = ~np.isnan(cost).any(axis=1)
    if not known.any():
        return None
    plan, top = np.average(cost[known], axis=0, weights=recording.weights[known])
    return float(plan / top) if top else 1.0


def saves(outcomes: Outcomes, recording: Recording) -> bool:
    """Whether a plan costs less than always asking the top tier, by `LEAST_SAVING` at least.

    A cost that nobody knows is not held against it: its certificate says so.

    Args:
        outcomes: of the plan.
        recording: that they are of.
    """
    share = cost_share(outcomes, recording)
    return share is None or share <= 1 - LEAST_SAVING
