"""A judge that answers with probabilities: OpenAI's Decisions API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import Any, ClassVar, Literal

from cascade import (
    Abstained,
    Chain,
    ConfigError,
    Draft,
    Failed,
    Reply,
    Score,
    Scoring,
    Tier,
    decide,
)
from scorers.verdicts import UNTRUSTED, case_of, judges_itself, statements, undecided

__all__ = ["Decision"]

RIGHT = "The answer is a correct and complete answer to the last message of the conversation."

MOST = 400
"""Questions that one call takes."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The probability that statements about the answer are true, from the Decisions API.

    One call to `POST /v1/decisions`, whatever the number of statements; the answer's tier keeps its
    own API. Unlike a yes or no it is a graded number, and it costs input only ($0.10 per million
    tokens in November 2026, output free): half the input price of asking the cheapest chat model.

    A statement that the model declines to answer makes it abstain. A reply without one probability
    in [0, 1] for each statement has failed, and what came is named.

    Costs one call: conversation and answer in, nothing out. Images and files are only named.

    Pitfalls: a public beta of one model (`gpt-6-luna`), not available in batches. No calibration
    study of it is known: treat its probabilities as scores, and calibrate. The answer is fenced as
    data, which is no guarantee against answers that try to steer their judge.

    Args:
        statements: one or several, in the positive; that the answer is right unless given.
        combine: "mean" of the probabilities, or "min": the weakest statement decides.
        model: a model that the API serves.
        allow_self: let the model judge answers of its own.
        params: further parameters: `prompt_cache_key`, `prompt_cache_options`,
            `safety_identifier`.

    Source: OpenAI API reference, Decisions (SDK 3.54).

    Raises:
        ConfigError: no statement or more than 400, an unknown way to combine, no model.
    """

    statements: Sequence[str] | str = RIGHT
    combine: Literal["mean", "min"] = "mean"
    model: str = "gpt-6-luna"
    allow_self: bool = False
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)

    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        listed = statements("Decision", "statements", self.statements)
        object.__setattr__(self, "statements", listed)
        if len(listed) > MOST:
            raise ConfigError(f"Decision: {len(listed)} statements; one call takes {MOST}")
        if self.combine not in ("mean", "min"):
            raise ConfigError(f"Decision: combine {self.combine!r} is unknown; use 'mean' or 'min'")
        if not isinstance(self.model, str) or not self.model.strip():
            raise ConfigError(f"Decision: model {self.model!r} is no model id")
        taken = {"input", "questions", "model"}
        if not isinstance(self.params, Mapping) or taken & set(self.params):
            raise ConfigError(
                f"Decision: params {self.params!r} are no further parameters; "
                "write params={'safety_identifier': '...'}"
            )
        object.__setattr__(self, "params", dict(self.params))

    def fits(self, chain: Chain, tier: Tier) -> str | None:
        """Refuses a model that decides nothing, and to judge itself unless that is allowed."""
        itself = None if self.allow_self else judges_itself(chain, tier, self.model)
        return itself or undecided(chain, self.model)

    def __call__(self, draft: Draft) -> Scoring:
        """Ask for the probabilities, and combine them."""
        questions = [
            {"type": "predicate", "name": f"s{place}", "instructions": text}
            for place, text in enumerate(self.statements, 1)
        ]
        case = f"{UNTRUSTED}\n\n{case_of(draft)}"
        reply = yield from decide(self.model, case, questions, **self.params)
        return self._read(reply)

    def _read(self, reply: Reply) -> Score | Abstained | Failed:
        answers = reply.wire.get("answers")
        count = len(self.statements)
        if not isinstance(answers, Sequence) or len(answers) != count:
            came = f"{len(answers)} answers" if isinstance(answers, list) else str(answers)[:60]
            return Failed(f"expected {count} answers of the Decisions API, not {came}")
        found: list[tuple[float, str]] = []
        for answer, text in zip(answers, self.statements, strict=True):
            if isinstance(answer, Mapping) and answer.get("type") == "refusal":
                return Abstained(f"the model declined to decide {text[:80]!r}")
            predicate = isinstance(answer, Mapping) and answer.get("type") == "predicate"
            value = answer["probability"] if predicate and "probability" in answer else None
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                return Failed(f"no probability in [0, 1] for {text[:60]!r}: {str(answer)[:80]}")
            found.append((float(value), text))
        weakest, text = min(found)
        if count == 1:
            return Score(weakest, f"P = {weakest:.4g}")
        mean = min(1.0, fsum(value for value, _ in found) / count)
        value = weakest if self.combine == "min" else mean
        return Score(value, f"{self.combine} P = {value:.4g}; weakest {weakest:.4g}: {text[:80]!r}")
