"""What a scorer sees and what it may say.

A scorer is anything callable with a `Draft`: a function, an object with settings, a coroutine
function, or a generator that asks a model with `yield from ask(...)`. It gives a `Score` in [0, 1],
abstains (no signal), or fails (it raised, or gave something else). These are three different
things: a missing signal is never a number.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

from cascade.core.copying import copy_of
from cascade.core.quick import quick
from cascade.core.reply import Reply
from cascade.core.request import Message, Request
from cascade.errors import ConfigError, ScorerError
from cascade.forms.reading import messages_of

__all__ = [
    "NO_NEEDS",
    "Abstained",
    "Ask",
    "AskAll",
    "Draft",
    "Failed",
    "Needs",
    "Outcome",
    "Score",
    "Scorer",
    "Scoring",
    "ask",
    "ask_all",
    "decide",
    "merged_needs",
    "needs_of",
    "outcome_of",
    "parts_of",
    "sample",
    "scorer_name",
]


@quick
@dataclass(frozen=True, slots=True)
class Score:
    """How good a draft seems.

    Attributes:
        value: in [0, 1]; a tier accepts when `value >= threshold`.
        reason: why, in words, for the trace.
        parts: outcomes of the scorers this one combines, as (name, outcome).
        reply: the reply to return in place of the draft: a better sample. Not on the last tier,
            whose answer stands and may have been streamed already.

    Raises:
        ValueError: `value` is NaN or outside [0, 1].
    """

    value: float
    reason: str = ""
    parts: tuple[tuple[str, Outcome], ...] = ()
    reply: Reply | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        given: object = self.value
        if type(given) is not float:
            if not isinstance(given, Real):
                raise TypeError(f"a score is a number in [0, 1], not {given!r}")
            object.__setattr__(self, "value", float(given))
        if not 0.0 <= self.value <= 1.0:  # NaN is not either
            raise ValueError(f"score {self.value!r} is outside [0, 1]")


@dataclass(frozen=True, slots=True)
class Abstained:
    """No signal: the scorer cannot tell (no log-probabilities came back, nothing to compare)."""

    reason: str = ""
    parts: tuple[tuple[str, Outcome], ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The scorer itself went wrong: it raised, timed out, or returned no score."""

    reason: str
    parts: tuple[tuple[str, Outcome], ...] = ()


Outcome = Score | Abstained | Failed


@dataclass(frozen=True, slots=True)
class Needs:
    """What a scorer needs of the model call it will judge.

    Attributes:
        logprobs: log-probabilities of the answer's tokens.
        top_logprobs: how many alternatives per token; 0 for the chosen token alone (an answer of
            1,000 tokens with 5 alternatives is a body of 345 kB).
    """

    logprobs: bool = False
    top_logprobs: int = 0

    def __or__(self, other: Needs) -> Needs:
        return Needs(self.logprobs or other.logprobs, max(self.top_logprobs, other.top_logprobs))


NO_NEEDS = Needs()
"""Nothing but the answer."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer that a tier proposes.

    Attributes:
        request: what was asked.
        reply: what the model answered.
        tier: name of the tier that answered.
        model: the model that tier asks.
        payload: the wire payload as sent to that tier, its overrides and preamble included.
        earlier: drafts of lower tiers for the same request, oldest first: all already paid for.
    """

    # Copies, because what anybody's code does to them must stay with it. Few scorers look at them,
    # so `lent` leaves their slots empty, and `__getattr__`, which is asked for an empty slot alone,
    # makes them.

    request: Request
    reply: Reply
    tier: str = ""
    model: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)
    earlier: tuple[Draft, ...] = ()
    _lent: tuple[Request, Mapping[str, Any]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    @classmethod
    def lent(
        cls,
        request: Request,
        reply: Reply,
        *,
        tier: str,
        model: str,
        payload: Mapping[str, Any],
        earlier: tuple[Draft, ...],
    ) -> Draft:
        """A draft for code that is not ours: it sees copies of the request and the payload."""
        draft = cls.__new__(cls)
        put = object.__setattr__
        put(draft, "reply", reply)
        put(draft, "tier", tier)
        put(draft, "model", model)
        put(draft, "earlier", earlier)
        put(draft, "_lent", (request, payload))
        return draft

    if not TYPE_CHECKING:  # which would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            if name not in ("request", "payload"):
                raise AttributeError(f"a Draft has no attribute {name!r}", name=name, obj=self)
            request, payload = self._lent
            copied = copy_of(request.payload if name == "request" else payload)
            made = replace(request, payload=copied) if name == "request" else copied
            object.__setattr__(self, name, made)
            return made

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.reply.text

    @property
    def messages(self) -> list[Message]:
        """The conversation as sent to that tier, as Chat's messages, whichever API it went to."""
        return messages_of(self.payload or self.request.payload)


@dataclass(frozen=True, slots=True)
class Ask:
    """A scorer's wish to ask a model; made by `ask`, or by hand for `ask_all`.

    Attributes:
        model: as in `ask`.
        messages: the conversation; not read where a payload is given.
        params: wire parameters, laid over a payload; `None` removes one.
        payload: a whole wire payload, e.g. a draft's own; its form says which API it goes to.
    """

    model: str | None
    messages: tuple[Message, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    payload: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class AskAll:
    """A scorer's wish to ask several questions at once; made by `ask_all`."""

    asks: tuple[Ask, ...]


Scoring = Generator[Any, Any, Outcome | float]
"""What a generator scorer returns; annotate yours with it."""

Scorer = Callable[[Draft], Outcome | float | Awaitable[Outcome | float] | Scoring]
"""Anything callable with a draft. `bool` is a `float` here: `True` scores 1.0."""


def ask(
    model: str | None, prompt: str | Sequence[Message], **params: Any
) -> Generator[Ask, Reply, Reply]:
    """Ask a model from inside a generator scorer; the cost lands in the request's own ledger.

    Args:
        model: a model id, the name of a tier of the chain, or `None` for the model that wrote the
            draft. It is asked through the client of the tier that uses it, else the chain's own.
        prompt: a prompt or messages.
        **params: wire parameters of this call, e.g. `max_completion_tokens=16`.

    Returns:
        The reply.

    Raises:
        ScorerError: the call failed after its retries, or the budget does not allow it.
    """
    messages = ({"role": "user", "content": prompt},) if isinstance(prompt, str) else tuple(prompt)
    reply = yield Ask(model, messages, params)
    return reply


def ask_all(*asks: Ask) -> Generator[AskAll, list[Reply | ScorerError], list[Reply | ScorerError]]:
    """Ask several questions at once from inside a generator scorer.

    Args:
        *asks: the questions; none gives an empty list and asks nobody.

    Returns:
        For each question its reply, or the error that `ask` would have raised.
    """
    if not asks:
        return []
    results = yield AskAll(asks)
    return results


def sample(
    draft: Draft, count: int, **params: Any
) -> Generator[AskAll, list[Reply | ScorerError], list[Reply | ScorerError]]:
    """Ask the draft's own tier again, `count` times at once, exactly as it was asked.

    Args:
        draft: whose call is repeated.
        count: how many further answers, from 0.
        **params: wire parameters laid over the call, e.g. `temperature=0.7`; `None` removes one.

    Returns:
        As `ask_all`.
    """
    again = Ask(draft.tier, params=params, payload=draft.payload)
    return (yield from ask_all(*[again] * count))


def decide(
    model: str,
    asked: str | Sequence[Message],
    questions: Sequence[Mapping[str, Any]],
    **params: Any,
) -> Generator[Ask, Reply, Reply]:
    """Put questions to OpenAI's Decisions API, which answers with probabilities.

    Args:
        model: a model that it serves.
        asked: the text or messages that the questions are about.
        questions: as on the wire, 1 to 400.
        **params: further wire parameters, e.g. `safety_identifier=...`.

    Returns:
        The reply; `reply.wire` is the decoded body.

    Raises:
        ScorerError: as `ask`.
    """
    matter = asked if isinstance(asked, str) else list(asked)
    body = {"input": matter, "questions": list(questions)}
    reply = yield Ask(model, params=params, payload=body)
    return reply


def outcome_of(result: object) -> Outcome:
    """Read what a scorer returned; anything that is no score is a failure that names it."""
    if isinstance(result, Score | Abstained | Failed):
        return result
    if isinstance(result, Decimal):
        result = float(result)
    if getattr(result, "ndim", None) == 0 and hasattr(result, "item"):
        result = result.item()  # a numpy scalar: its booleans are no numbers to Python
    if isinstance(result, Real):
        try:
            return Score(float(result))
        except ValueError as error:
            return Failed(f"{error}; return a Score, a bool, or a number in [0, 1]")
    if result is None:
        return Failed("returned None; return a Score, a bool, a number in [0, 1], or Abstained()")
    return Failed(
        f"returned {type(result).__name__} {str(result)[:80]!r}; "
        "return a Score, a bool, or a number in [0, 1]"
    )


def needs_of(scorer: object) -> Needs:
    """What a scorer declares in its attribute `needs`; nothing where it has none.

    Raises:
        ConfigError: it is something else.
    """
    needs = getattr(scorer, "needs", None)
    if needs is None:
        return NO_NEEDS
    if not isinstance(needs, Needs):
        raise ConfigError(
            f"scorer {scorer_name(scorer)!r}: needs is {needs!r}: expected e.g. "
            "Needs(logprobs=True)"
        )
    return needs


def merged_needs(scorer: object) -> Needs:
    """What a scorer and all it holds need of the call they judge."""
    total = needs_of(scorer)
    for part in parts_of(scorer):
        total |= merged_needs(part)
    return total


def parts_of(scorer: object) -> tuple[Any, ...]:
    """The scorers that a combinator holds in its attribute `scorers`."""
    parts = getattr(scorer, "scorers", ())
    return tuple(parts) if isinstance(parts, list | tuple) else ()


def scorer_name(scorer: object) -> str:
    """How a scorer is called in traces: its `name`, else its function's or class's name."""
    for candidate in (getattr(scorer, "name", None), getattr(scorer, "__name__", None)):
        if isinstance(candidate, str) and candidate:
            return candidate
    inner = getattr(scorer, "func", None)  # functools.partial
    return scorer_name(inner) if inner is not None else type(scorer).__name__
