"""What the decision loop asks its driver for.

`escalate()` yields these and is sent the results; it never waits itself. A driver is complete when
it can carry out the five of them: `ModelCall`, `Together`, `Run`, `Await` and `Wait`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cascade.core.failures import CallFailure, FailureKind
from cascade.core.quick import quick
from cascade.core.reply import Reply
from cascade.core.scoring import Needs
from cascade.core.tier import Tier
from cascade.core.usage import Usage
from cascade.forms.api import Api

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = [
    "Await",
    "ModelCall",
    "Purpose",
    "Ran",
    "Run",
    "Together",
    "Try",
    "Wait",
    "Watch",
    "Wish",
]

Purpose = Literal["draft", "scorer"]

Watch = Callable[[str, Sequence[Any]], str | None]
"""Looks at the text and the raw log-probability entries of an answer that is still arriving; says
why it cannot be accepted any more, or `None`."""


@quick
@dataclass(frozen=True, slots=True)
class Try:
    """One HTTP exchange, or the attempt at one; whoever makes it appends it to `ModelCall.tries`.

    Attributes:
        outcome: "ok" or a failure kind.
        started: clock reading when it began, in seconds.
        latency_s: how long it took.
        failure: what went wrong.
        reply: what came back.
        usage: tokens it used, read or estimated; `None` where nobody knows.
        estimated: the usage is an estimate (a stream that broke before its usage arrived).
        regional: it went to a regional host, which costs more on recent models.
        batch: it came from a batch, at batch prices.
        notes: what its charge should say beside its cost.
    """

    outcome: Literal["ok"] | FailureKind
    started: float
    latency_s: float
    failure: CallFailure | None = None
    reply: Reply | None = None
    usage: Usage | None = None
    service_tier: str | None = None
    request_id: str | None = None
    estimated: bool = False
    regional: bool = False
    batch: bool = False
    notes: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class ModelCall:
    """Ask a model; the result is a `Reply` or a `CallFailure`.

    Attributes:
        number: running number of the call within its request.
        tier: whose client, retry policy and timeout apply.
        model: the model to ask.
        payload: wire payload without `model` and `stream`, in the form that `api` takes.
        api: where it goes.
        purpose: a draft, or a scorer's question.
        needs: log-probabilities to request where the model can give them.
        final: this answer will stand in any case, so it may be streamed straight through.
        attempt: name of the tier whose turn it is; a scorer may ask another one.
        scorer: name of the scorer that asks, for purpose "scorer".
        tries: every exchange made for this call, the last one decides. Appended by the driver's
            model client as it goes, so that nothing is lost when the request is cancelled.
        may_begin: asked by the driver right before it makes the call; False where the request has
            been left meanwhile. A call that it was not asked about is known to cost nothing.
        may_retry: whether the budget has room for one more try.
        options: transport options of the request (headers, query).
        timeout_s: longest wait for one try, in seconds.
        deadline: clock reading at which the request's time is over; set by the driver.
        watch: looks at the answer while it arrives; what it says ends the reading.
        stopped: why the reading was ended, written by the driver before it closes the stream.
        reasons: whether the model is known to reason where the payload names no effort.
    """

    number: int
    tier: Tier
    model: str
    payload: Mapping[str, Any]
    purpose: Purpose = "draft"
    needs: Needs = field(default_factory=Needs)
    final: bool = False
    attempt: str = ""
    scorer: str | None = None
    tries: list[Try] = field(default_factory=list)
    may_begin: Callable[[], bool] = lambda: True
    may_retry: Callable[[], bool] = lambda: True
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # may hold secrets
    timeout_s: float = 600.0
    deadline: float | None = None
    watch: Watch | None = None
    stopped: str | None = None
    api: Api = "chat"
    reasons: bool = False


@dataclass(frozen=True, slots=True)
class Together:
    """Make several model calls at once; the result is a list with what became of each."""

    calls: tuple[ModelCall, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Run a plain function of the user's; the result is a `Ran`. It may be slow or never return."""

    function: Callable[[], Any]
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Await:
    """Await a coroutine of the user's; the result is a `Ran`. Only async drivers can."""

    awaitable: Awaitable[Any]
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for what a thread brings, as long as the request has time; the result is a `Ran`."""

    future: Future[Any]


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a `Run`, `Await` or `Wait`: a value or the exception it raised.

    A `KeyboardInterrupt` or the like is carried too and raised again in the decision loop, which it
    ends.
    """

    value: Any = None
    error: BaseException | None = None


Wish = ModelCall | Together | Run | Await | Wait
Answer = Reply | CallFailure | list[Reply | CallFailure] | Ran
