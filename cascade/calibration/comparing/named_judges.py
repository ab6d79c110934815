"""What judges a step, by name: some sources of scores know it, for others the recording does."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from cascade.calibration.plan import ScoreSource

__all__ = ["NamesJudges", "judge_of"]


@runtime_checkable
class NamesJudges(Protocol):
    """A `ScoreSource` that may know what judges its steps."""

    def judge(self, asks: int) -> str | None:
        """The name of what judges the step that asks a tier; `None` where it does not know."""
        ...


def judge_of(source: ScoreSource, asks: int) -> str | None:
    """The name of what judges the step that asks a tier, where the source knows it."""
    return source.judge(asks) if isinstance(source, NamesJudges) else None
