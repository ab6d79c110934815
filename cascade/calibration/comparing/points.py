"""Places in the cost-quality plane, and the lines through them."""

from __future__ import annotations

from dataclasses import dataclass

from cascade.calibration.plan import Plan

__all__ = ["Curve", "Point"]


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the cost-quality plane.

    Attributes:
        cost_usd: USD per request.
        quality: mean quality in [0, 1].
        name: what stands there, e.g. the plan in words; "" on a curve.
        plan: the plan that stands there, where one does.
    """

    cost_usd: float
    quality: float
    name: str = ""
    plan: Plan | None = None


Curve = tuple[Point, ...]
"""Points from cheap to dear, to be joined by straight lines (random mixing of neighbours)."""
