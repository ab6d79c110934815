"""One score from several scorers.

A tier compares one number with one threshold, so several scorers become one here. Every combination
keeps the outcomes of its parts for the trace, and takes scorers of any form: functions, objects,
coroutine functions, generators, other combinations.

A part may find a better answer than the draft's (`Score.reply`, e.g. `Agreement`'s majority). Parts
that come after it judge that answer, and the combination hands it on. So put such a part first; an
attribute `replaces = True` says that it is one, and combinations that hold one have it too.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from cascade import (
    Abstained,
    ConfigError,
    Draft,
    Failed,
    Outcome,
    Reply,
    Score,
    Scorer,
    evaluate,
)
from cascade import scorer_name as name_of

__all__ = [
    "AllOf",
    "AnyOf",
    "FirstReject",
    "Weighted",
    "all_of",
    "any_of",
    "first_reject",
    "weighted",
]

Parts = tuple[tuple[str, Outcome], ...]
Combining = Generator[Any, Any, Any]
"""What a combination returns when called; `Any` because a part's failure may be its result."""


def first_reject(*scorers: Scorer, stop_below: float = 0.5) -> FirstReject:
    """Run scorers in order and stop at the first that rejects: cheap gates before paid checks.

    The score is the lowest so far. A part that scores below `stop_below` ends the run, so later
    parts are not paid for. A part that abstains is passed over; when all abstain, so does the
    combination. A part that fails ends the run as a failure: a gate that crashed must not open.

    Pitfall: a part between `stop_below` and the tier's threshold has lost already, yet the next
    part still runs. Set `stop_below` to the tier's threshold when the next part costs money.

    Args:
        *scorers: scorers of any form, cheapest first.
        stop_below: in [0, 1]; the default suits parts that say 0 or 1.

    Raises:
        ConfigError: no scorers, something that is none, or a bound outside [0, 1].
    """
    return FirstReject(scorers, stop_below)


def all_of(*scorers: Scorer) -> AllOf:
    """Run all scorers; the score is the lowest: each must vouch for the answer.

    All parts run and are paid for, so that the trace shows each. A part that scores 0 decides.
    Otherwise a failure makes the whole fail, and an abstention makes it abstain: the minimum of
    known and unknown is unknown.

    Raises:
        ConfigError: no scorers, or something that is none.
    """
    return AllOf(scorers)


def any_of(*scorers: Scorer, stop_at: float = 1.0) -> AnyOf:
    """Run scorers in order; the score is the highest: one that vouches is enough.

    Stops at a score of at least `stop_at`, so later parts are not paid for. Parts that abstain or
    fail are passed over while another scores: they could only have raised the score. Without any
    score the combination fails if a part failed, else abstains.

    Each part judges the draft itself; an answer to return instead counts only from the part with
    the highest score.

    Args:
        *scorers: scorers of any form, cheapest first.
        stop_at: in [0, 1]; the tier's threshold is a good choice.

    Raises:
        ConfigError: no scorers, something that is none, or a bound outside [0, 1].
    """
    return AnyOf(scorers, stop_at)


def weighted(*scorers: Scorer, weights: Sequence[float]) -> Weighted:
    """Run all scorers; the score is their weighted mean.

    A failure makes the whole fail. An abstention makes it abstain: a mean of fewer parts is on
    another scale, and the threshold was chosen for this one.

    Args:
        *scorers: scorers of any form.
        weights: one positive number for each; they need not add up to 1.

    Raises:
        ConfigError: no scorers, something that is none, or weights that do not fit.
    """
    return Weighted(scorers, weights)


@dataclass(frozen=True, slots=True)
class _OfParts:
    """A scorer made of others."""

    scorers: tuple[Scorer, ...]

    name: ClassVar[str]
    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check(self.name, self.scorers)

    @property
    def replaces(self) -> bool:
        """Whether a part may find another answer to return."""
        return any(getattr(scorer, "replaces", False) for scorer in self.scorers)


@dataclass(frozen=True, slots=True)
class FirstReject(_OfParts):
    """See `first_reject`."""

    stop_below: float = 0.5

    name: ClassVar[str] = "first_reject"

    def __post_init__(self) -> None:
        _OfParts.__post_init__(self)
        _check_bound(self.name, "stop_below", self.stop_below)

    def __call__(self, draft: Draft) -> Combining:
        """Judge a draft."""
        parts: Parts = ()
        for scorer in self.scorers:
            name, outcome = name_of(scorer), (yield from evaluate(scorer, draft))
            parts = (*parts, (name, outcome))
            if isinstance(outcome, Failed):
                return Failed(f"{name} failed: {outcome.reason}", parts)
            if isinstance(outcome, Score) and outcome.value < self.stop_below:
                break
            draft = _after(outcome, draft)
        return _extreme(parts, min)

    def hopeless(self, text: str, tokens: Any, threshold: float) -> str | None:
        """Whether one part is lost already: the score is the lowest.

        With a threshold below `stop_below` an earlier part may end the run and be accepted, so only
        the first one is asked.
        """
        sure = self.scorers if threshold >= self.stop_below else self.scorers[:1]
        return _lost(sure, text, tokens, threshold)


@dataclass(frozen=True, slots=True)
class AllOf(_OfParts):
    """See `all_of`."""

    name: ClassVar[str] = "all_of"

    def __call__(self, draft: Draft) -> Combining:
        """Judge a draft."""
        parts = yield from _run_all(self.scorers, draft)
        vetoed = any(isinstance(outcome, Score) and outcome.value <= 0 for _, outcome in parts)
        return (None if vetoed else _unknown(parts)) or _extreme(parts, min)

    def hopeless(self, text: str, tokens: Any, threshold: float) -> str | None:
        """Whether one part is lost already: the score is the lowest."""
        return _lost(self.scorers, text, tokens, threshold)


@dataclass(frozen=True, slots=True)
class AnyOf(_OfParts):
    """See `any_of`."""

    stop_at: float = 1.0

    name: ClassVar[str] = "any_of"

    def __post_init__(self) -> None:
        _OfParts.__post_init__(self)
        _check_bound(self.name, "stop_at", self.stop_at)

    def __call__(self, draft: Draft) -> Combining:
        """Judge a draft."""
        parts: Parts = ()
        for scorer in self.scorers:
            outcome = yield from evaluate(scorer, draft)
            parts = (*parts, (name_of(scorer), outcome))
            if isinstance(outcome, Score) and outcome.value >= self.stop_at:
                break
        scored = any(isinstance(outcome, Score) for _, outcome in parts)
        return (None if scored else _unknown(parts)) or _extreme(parts, max)


@dataclass(frozen=True, slots=True)
class Weighted(_OfParts):
    """See `weighted`."""

    weights: Sequence[float]

    name: ClassVar[str] = "weighted"

    def __post_init__(self) -> None:
        _OfParts.__post_init__(self)
        weights = tuple(self.weights) if isinstance(self.weights, list | tuple) else ()
        if len(weights) != len(self.scorers) or not all(map(_positive, weights)):
            raise ConfigError(
                f"weighted: weights {self.weights!r} do not fit {len(self.scorers)} scorers; "
                "give one positive number for each, e.g. weights=[2, 1]"
            )
        object.__setattr__(self, "weights", weights)

    def __call__(self, draft: Draft) -> Combining:
        """Judge a draft."""
        parts = yield from _run_all(self.scorers, draft)
        unknown = _unknown(parts)
        if unknown is not None:
            return unknown
        total = math.fsum(self.weights)
        values = [outcome.value for _, outcome in parts if isinstance(outcome, Score)]
        mean = math.fsum(w / total * v for w, v in zip(self.weights, values, strict=True))
        shown = ", ".join(
            f"{name} {value:.3g}" for (name, _), value in zip(parts, values, strict=True)
        )
        return Score(min(1.0, mean), f"weighted mean of {shown}", parts, _replacement(parts))


def _run_all(scorers: Sequence[Scorer], draft: Draft) -> Generator[Any, Any, Parts]:
    parts: Parts = ()
    for scorer in scorers:
        outcome = yield from evaluate(scorer, draft)
        parts = (*parts, (name_of(scorer), outcome))
        draft = _after(outcome, draft)
    return parts


def _after(outcome: Outcome, draft: Draft) -> Draft:
    """The draft that later parts judge."""
    if isinstance(outcome, Score) and outcome.reply is not None:
        return replace(draft, reply=outcome.reply)
    return draft


def _replacement(parts: Parts) -> Reply | None:
    """The reply to return instead of the draft: the last one, which judges the ones before it."""
    found = [outcome.reply for _, outcome in parts if isinstance(outcome, Score) and outcome.reply]
    return found[-1] if found else None


def _unknown(parts: Parts) -> Failed | Abstained | None:
    """The first failure, else the first abstention, else nothing."""
    for kind, verb in ((Failed, "failed"), (Abstained, "abstained")):
        for name, outcome in parts:
            if isinstance(outcome, kind):
                return kind(f"{name} {verb}: {outcome.reason}", parts)
    return None


def _extreme(parts: Parts, choose: Any) -> Score | Abstained:
    """The lowest (`min`) or highest (`max`) score, with the reason of the part that gave it."""
    scores = [(outcome, name) for name, outcome in parts if isinstance(outcome, Score)]
    if not scores:
        return Abstained("; ".join(f"{name}: {outcome.reason}" for name, outcome in parts), parts)
    score, name = choose(scores, key=lambda found: found[0].value)
    reply = score.reply if choose is max else _replacement(parts)
    return Score(score.value, f"{name}: {score.reason}" if score.reason else name, parts, reply)


def _lost(scorers: Sequence[Scorer], text: str, tokens: Any, threshold: float) -> str | None:
    """What the first part that is lost says, with its name.

    Parts from the first that may replace the answer on judge another text than this one.
    """
    for scorer in scorers:
        if getattr(scorer, "replaces", False):
            return None
        hopeless = getattr(scorer, "hopeless", None)
        why = hopeless(text, tokens, threshold) if hopeless is not None else None
        if why:
            return f"{name_of(scorer)}: {why}"
    return None


def _check(name: str, scorers: object) -> None:
    if not isinstance(scorers, tuple) or not scorers:
        raise ConfigError(f"{name}: no scorers; write {name}(LogprobConfidence(), ...)")
    for place, scorer in enumerate(scorers, 1):
        if isinstance(scorer, type):
            raise ConfigError(
                f"{name}: scorer {place} is the class {scorer.__name__}; write {scorer.__name__}()"
            )
        if not callable(scorer):
            raise ConfigError(
                f"{name}: scorer {place} is {scorer!r}, which is not callable; pass scorers one by "
                "one: functions of a draft or objects like LogprobConfidence()"
            )


def _check_bound(name: str, argument: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise ConfigError(f"{name}: {argument} {value!r} is outside [0, 1]; scores are in [0, 1]")


def _positive(weight: object) -> bool:
    return (
        isinstance(weight, int | float)
        and not isinstance(weight, bool)
        and math.isfinite(weight)
        and weight > 0
    )
