"""What a request comes back as: the answer with its trace, or a piece of it while it streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from cascade.core.dollars import dollars
from cascade.core.quick import quick
from cascade.core.reply import Reply
from cascade.core.trace import Trace

__all__ = ["Chunk", "Completion"]


SHOWN_CHARS = 60
"""How much of an answer its `repr` shows."""


@quick
@dataclass(frozen=True, repr=False)
class Completion:
    """The answer to a request, with everything it cost.

    Attributes:
        reply: the model's reply; `reply.wire` is the wire object, in the form of the API that the
            request was written for. It is untouched where a tier of that API has answered.
        trace: who was asked, what each scorer said, what each call cost.
        answer_type: the pydantic class or `TypeAdapter` that the answer was to fit.
        answer_schema: the JSON Schema that the answer was to follow.
        answer_is_json: whether JSON was asked for, with a schema or without.
    """

    reply: Reply
    trace: Trace
    answer_type: Any = field(default=None, repr=False)
    answer_schema: Mapping[str, Any] | None = field(default=None, repr=False)
    answer_is_json: bool = field(default=False, repr=False)

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= SHOWN_CHARS else f"{self.text[:SHOWN_CHARS]}..."
        cost = f"{dollars(self.cost_usd)}" if self.cost_usd is not None else "an unknown amount"
        judged = "" if self.accepted else ", not accepted"
        return f"<Completion {text!r} from {self.tier!r}{judged} for {cost}>"

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.reply.text

    @cached_property
    def parsed(self) -> Any:
        """The answer as the value that `response_format` or `text_format` asked for.

        An instance of the pydantic class, or the decoded JSON, validated against its schema; `None`
        where no structure was asked for.

        Raises:
            InvalidAnswer: it declined, was cut, is no JSON, or does not fit; the error holds this
                completion, so nothing that was paid is lost.
        """
        if self.answer_type is None and not self.answer_is_json:
            return None
        from cascade.engine.parsing import parsed  # noqa: PLC0415  the two know each other

        return parsed(self)

    @property
    def tier(self) -> str:
        """Name of the tier that answered."""
        return self.trace.tier or ""

    @property
    def accepted(self) -> bool:
        """Whether a tier accepted the answer; False flags a best draft that nobody accepted."""
        return self.trace.accepted

    @property
    def cost_usd(self) -> Decimal | None:
        """Everything paid for this request; `None` where a part is unknown."""
        return self.trace.cost_usd

    @property
    def scoring_cost_usd(self) -> Decimal | None:
        """The part of the cost that scorers caused."""
        return self.trace.scoring_cost_usd

    @property
    def cost_by_tier(self) -> dict[str, Decimal | None]:
        """Cost per tier."""
        return self.trace.cost_by_tier

    @property
    def top_tier_cost_usd(self) -> Decimal | None:
        """What this answer's tokens would have cost on the last tier; see `Trace`."""
        return self.trace.top_tier_cost_usd

    @property
    def saved_usd(self) -> Decimal | None:
        """`top_tier_cost_usd - cost_usd`; negative where the cascade cost more."""
        return self.trace.saved_usd


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a streamed answer: its text, and the wire chunk it came in."""

    text: str
    wire: Mapping[str, Any]
