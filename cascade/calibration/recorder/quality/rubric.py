"""A judge whose criteria may speak of the right answer of each request."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar

from cascade.calibration.recorder.quality.metric import reference_of
from cascade.config import registered_scorers
from cascade.core.chain import Chain
from cascade.core.scoring import Abstained, Draft, Outcome
from cascade.core.tier import Tier

__all__ = ["Rubric"]

PLACE = "{reference}"


@dataclass(frozen=True, slots=True)
class Rubric:
    """The registered scorer `judge`, with `{reference}` filled in for each request.

    Abstains where a criterion speaks of a reference and there is none.

    Args:
        model: who judges: a model id, or the name of a tier.
        criteria: statements that a good answer makes true.

    Raises:
        ConfigError: as the judge.
    """

    model: str
    criteria: tuple[str, ...]

    name: ClassVar[str] = "judge"
    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._judge("")

    @property
    def reads_reference(self) -> bool:
        """Whether a criterion speaks of the right answer."""
        return any(PLACE in text for text in self.criteria)

    def fits(self, chain: Chain, tier: Tier) -> str | None:
        """As the judge: it must have a price, and must not judge its own answers."""
        problem: str | None = self._judge("").fits(chain, tier)
        return problem

    def __call__(self, draft: Draft) -> Generator[Any, Any, Outcome]:
        """Ask the judge."""
        known = reference_of(draft.request)
        if known is None and self.reads_reference:
            return Abstained("no right answer is known")
        outcome: Outcome = yield from self._judge(known or "")(draft)
        return outcome

    def _judge(self, known: str) -> Any:
        criteria = [text.replace(PLACE, known) for text in self.criteria]
        return registered_scorers()["judge"].load()(self.model, criteria)
