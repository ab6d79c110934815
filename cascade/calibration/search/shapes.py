"""Shapes of plans: which steps in which order, before anyone knows the thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from cascade.calibration.plan import Gate, Plan, Step
from cascade.calibration.search.thresholds import NEVER

__all__ = ["Shape", "ladders", "with_gates", "with_witnesses"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A plan without its thresholds, in indices of a recording's tiers.

    Attributes:
        steps: pairs of what is asked and whose answer is judged; the last one's answer stands.
        start_at: place of the step to begin with where the query gate is shut; 0 for no gate.
    """

    steps: tuple[tuple[int, int], ...]
    start_at: int = 0

    @property
    def gated(self) -> bool:
        """Whether the request alone may let it begin higher up."""
        return self.start_at > 0

    @property
    def axes(self) -> int:
        """How many thresholds it has; the gate's is the first."""
        return len(self.steps) - 1 + self.gated

    @property
    def asked(self) -> tuple[int, ...]:
        """What it asks, in order."""
        return tuple(asks for asks, _ in self.steps)

    @property
    def size(self) -> int:
        """How much there is to it: steps, and one for a gate."""
        return len(self.steps) + self.gated

    @property
    def plain(self) -> bool:
        """Whether it asks one tier, or two with a threshold between them."""
        return self.size <= 2  # noqa: PLR2004

    def plan(self, names: Sequence[str], thresholds: Sequence[float]) -> Plan | None:
        """The plan with these thresholds; `None` where one accepts nothing: leave its step out.

        Args:
            names: of the recording's tiers.
            thresholds: of each axis.
        """
        if NEVER in thresholds:
            return None
        at_steps = [*thresholds[self.gated :], 1.0]
        steps = tuple(
            Step(names[asks], names[returns], threshold)
            for (asks, returns), threshold in zip(self.steps, at_steps, strict=True)
        )
        if not self.gated:
            return Plan(steps)
        return Plan(steps, Gate(steps[self.start_at].asks, thresholds[0]))


def ladders(tiers: Sequence[int], max_steps: int) -> Iterator[Shape]:
    """Every choice of tiers in their order, the last of which may be any, shortest first.

    Args:
        tiers: indices of tiers, cheapest first.
        max_steps: steps in front of the last at most.
    """
    for size in range(1, min(max_steps + 1, len(tiers)) + 1):
        for chosen in combinations(tiers, size):
            yield Shape(tuple((tier, tier) for tier in chosen))


def with_witnesses(shape: Shape, witnesses: Sequence[int], max_steps: int) -> Iterator[Shape]:
    """The shape with one more step: a witness on an answer, behind all else asked about it.

    Args:
        shape: what to add to; not gated.
        witnesses: indices of what may be asked to compare.
        max_steps: steps in front of the last at most.
    """
    if len(shape.steps) > max_steps:
        return
    asked = shape.asked
    for place in range(len(shape.steps) - 1):
        judged = shape.steps[place][1]
        if shape.steps[place + 1][1] == judged:
            continue  # behind the witnesses that are there already
        for witness in witnesses:
            if witness not in asked:
                steps = (*shape.steps[: place + 1], (witness, judged), *shape.steps[place + 1 :])
                yield Shape(steps)


def with_gates(shape: Shape) -> Iterator[Shape]:
    """The shape with a query gate, to each of its later steps that asks a tier."""
    for place, (asks, returns) in enumerate(shape.steps):
        if place and asks == returns:
            yield Shape(shape.steps, start_at=place)
