"""One HTTP exchange with a provider: the bytes that come back, and the `Try` written down for it.

Shared by the sync and the async client. An `Exchange` is a context manager around the lines that
differ between them; it writes its `Try` whatever happens inside, cancellation included, because
what was sent may have been billed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from cascade.core.budget import estimate_usage
from cascade.core.failures import CallFailure
from cascade.core.pricing import is_regional
from cascade.core.reply import Reply
from cascade.core.tier import Endpoint
from cascade.core.usage import Usage
from cascade.core.wishes import ModelCall, Try
from cascade.errors import CascadeError
from cascade.forms.api import Api
from cascade.forms.reading import effort_of
from cascade.provider.body import body_of, options_of, secrets_in
from cascade.provider.downgrades import Downgrades, Situation
from cascade.provider.failures import classify
from cascade.provider.incoming import Incoming
from cascade.wire.faults import MalformedReply

__all__ = ["Exchange", "Way", "base_url_of"]

PATHS: Mapping[Api, str] = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "decisions": "/decisions",
}

PLAIN_CLIENTS = ("OpenAI", "AsyncOpenAI")

UNAUTHORIZED = 401

MAX_DOWNGRADES = 4
"""Different parameters that one call may have to give up before it goes through."""


DEADLINE = "the request's deadline has passed"

EARLY_S = 0.01
"""A timer may ring so much before the clock says that it is time: event loops round."""

HIDDEN = "no usage came with the stream, and how much was reasoned cannot be seen"
"""Why a stream of which something came has no usage, not even an estimated one."""


@dataclass(frozen=True, slots=True)
class Way:
    """How the calls of one client go out; the same for all of them.

    Attributes:
        base_url: the client's.
        server: the same as text.
        paths: where a call of each API goes: the whole address, which the SDK need not put together
            for each call. Other kinds of client, such as Azure's, make theirs of the path alone.
        short: a `ShortWay` to the server, where there is one.
    """

    base_url: Any
    server: str
    paths: Mapping[Api, str]
    short: Any = None

    @classmethod
    def of(cls, client: Any, short: Any = None) -> Way:
        """The way of a client."""
        base_url = base_url_of(client)
        server = str(base_url)
        plain = type(client).__name__ in PLAIN_CLIENTS and server.endswith("/")
        paths: Mapping[Api, str] = (
            {api: server[:-1] + path for api, path in PATHS.items()} if plain else PATHS
        )
        return cls(base_url, server, paths, short)


def base_url_of(client: Any) -> Any:
    """Where an SDK client sends; its property, which imports a module each time, may say it too."""
    return getattr(client, "_base_url", None) or client.base_url


class Exchange:
    """One exchange for a call.

    Args:
        call: the call; the `Try` is appended to its `tries`.
        client: the SDK client that carries it.
        memory: what models were found not to accept.
        clock: seconds.
        stream: whether the answer is asked for in chunks.
        way: how the client's calls go out; `None` reads it from the client.

    Attributes:
        body: the JSON body to send.
        timeout_s: longest wait, in seconds: the tier's, or what is left of the request's deadline.
        result: the reply or the failure, once the exchange is over.
        incoming: what has come back so far.
    """

    def __init__(
        self,
        call: ModelCall,
        client: Any,
        memory: Downgrades,
        clock: Callable[[], float],
        *,
        stream: bool = False,
        way: Way | None = None,
    ) -> None:
        self.call = call
        self.clock = clock
        self._client = client
        self._way = way if way is not None else Way.of(client)
        self._stream = stream
        self._memory = memory
        self._server = self._way.server
        self.body = body_of(call, self._server, stream=stream)
        self._notes = memory.apply(self._situation, self.body) if memory.any else ()
        self.result: Reply | CallFailure | None = None
        self.incoming = Incoming(call.api, stream=stream)
        self._reading = False
        self._shown = False
        self._request_id: str | None = None
        self._usage: Usage | None = None
        self._service_tier: str | None = None
        self._started = clock()
        left_s = self.left_s
        self.timeout_s = call.timeout_s if left_s is None else min(call.timeout_s, left_s)

    @property
    def left_s(self) -> float | None:
        """Seconds until the request's deadline; `None` without one."""
        if self.call.deadline is None:
            return None
        return max(0.001, self.call.deadline - self.clock())

    def send(self) -> Any:
        """Send it: the raw HTTP response, its body unread (awaitable on an async client)."""
        options, short = self.call.options, self._way.short
        if short is None or "extra_headers" in options or "extra_query" in options:
            return self._through_sdk()
        return short.post(
            self._way.paths[self.call.api],
            self.body,
            self.timeout_s,
            stream=self._stream,
            through_sdk=self._through_sdk,
        )

    def _through_sdk(self) -> Any:
        import httpx2  # noqa: PLC0415  comes with the SDK

        return self._client.post(
            self._way.paths[self.call.api],
            body=self.body,
            cast_to=httpx2.Response,
            options=options_of(self.call, self.timeout_s),
            stream=True,
        )

    @property
    def _situation(self) -> Situation:
        return Situation.of(self._server, self.call.model, self.call.payload, self.call.api)

    # Reading -------------------------------------------------------------------------------------

    def begin(self, response: Any) -> None:
        """Look at the head of the response."""
        self._reading = True
        self._request_id = response.headers.get("x-request-id")
        self.incoming.begin(response.headers.get("content-type", ""))

    def take(self, data: bytes) -> None:
        """Take in a piece of the response's body.

        Raises:
            TimeoutError: the try has taken too long, or the request's deadline has passed.
        """
        if self._is_late():
            raise TimeoutError(DEADLINE)
        if not self._shown and self.clock() - self._started > self.timeout_s:
            raise TimeoutError(f"not complete after {self.timeout_s:g} s")
        self.incoming.take(data)

    def settle(self) -> None:
        """Everything has been read: make it the reply; raises as `Incoming.reply`."""
        self.result = self.incoming.reply()

    @property
    def settled(self) -> Reply | CallFailure:
        """The result of an exchange that is over."""
        if self.result is None:
            raise RuntimeError("the exchange is not over")
        return self.result

    @property
    def refusal(self) -> CallFailure:
        """Why a stream could not be opened."""
        if not isinstance(self.result, CallFailure):
            raise TypeError("the stream was opened")
        return self.result

    def shown(self) -> None:
        """From now on the caller has seen text, so a failure can no longer be retried.

        A draft that is watched while it arrives is seen by nobody else.
        """
        self._shown = self.call.watch is None

    def _is_late(self, early_s: float = 0.0) -> bool:
        deadline = self.call.deadline
        return deadline is not None and self.clock() >= deadline - early_s

    # Writing it down -----------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Write the `Try`; failures become `result`, cancellation passes through."""
        if error is None:
            self._write(self.result)
            return False
        if not isinstance(error, Exception):
            stopped = self.call.stopped
            self._write(
                CallFailure("stopped", stopped)
                if stopped
                else CallFailure("cancelled", "the caller went away")
            )
            return False
        if _is_ours(error):
            self._write(CallFailure("unreachable", str(error)))
            return False
        secrets = secrets_in(self.call, self._client)
        failure = self._seen_as(classify(error, reading=self._reading, secrets=secrets))
        if isinstance(error, MalformedReply):
            self._usage, self._service_tier = error.usage, error.service_tier
        self._request_id = getattr(error, "request_id", None) or self._request_id
        self.result = failure
        self._write(failure)
        return True

    def opening(self) -> Opening:
        """Around the start of a stream: writes the `Try` only if it fails."""
        return Opening(self)

    def may_resend(self) -> bool:
        """Whether the refusal was understood, so that a changed body is worth sending."""
        return (
            isinstance(self.result, CallFailure)
            and len(self.call.tries) <= MAX_DOWNGRADES * self.call.tier.retry.max_tries
            and self._memory.learn(self._situation, self.result, self.body)
            and self.call.may_retry()
        )

    def _seen_as(self, failure: CallFailure) -> CallFailure:
        """A failure after text was shown is an interruption; one at the deadline says so."""
        is_timeout = failure.kind == "timeout"
        if self._shown:  # a deadline may have been moved since the call began: the clock decides
            if is_timeout:
                failure = replace(failure, code="timeout")
                if self._is_late(EARLY_S):
                    failure = replace(failure, kind="deadline", message=DEADLINE)
            why = failure.message if failure.kind == "deadline" else failure
            return replace(
                failure,
                kind="interrupted",
                message=f"after text had been shown: {why}",
                status=None,
                cause=failure,
            )
        if is_timeout and (self._is_late() or self.timeout_s < self.call.timeout_s):
            return CallFailure("deadline", DEADLINE)
        if failure.status == UNAUTHORIZED:
            return replace(failure, message=f"{failure.message} {self._which_key}")
        return failure

    @property
    def _which_key(self) -> str:
        """Where a key was refused, and where it comes from."""
        place = self.call.tier.client
        name = place.api_key_env if isinstance(place, Endpoint) else "OPENAI_API_KEY"
        host = urlsplit(self._server).netloc.rpartition("@")[2]
        if place is not None and not isinstance(place, Endpoint):
            return f"({host} was asked with the tier's own client: check its api_key)"
        if name is None:
            return f"({host} was asked without a key: name its variable with api_key_env)"
        return f"({host} was asked with the key in {name}, or with api_key= of your client: check)"

    def _write(self, result: Reply | CallFailure | None) -> None:
        reply = result if isinstance(result, Reply) else None
        failure = result if isinstance(result, CallFailure) else None
        self.incoming.drain()
        usage, estimated = self._usage_of(reply)
        is_hidden = usage is None and self.incoming.assembler.output_tokens > 0
        if reply is not None and self._notes:
            self.result = reply = replace(reply, notes=reply.notes + self._notes)
        self.call.tries.append(
            Try(
                outcome=failure.kind if failure else "ok",
                started=self._started,
                latency_s=self.clock() - self._started,
                failure=failure,
                reply=reply,
                usage=usage,
                service_tier=reply.service_tier if reply else self._tier_so_far(),
                request_id=self._request_id,
                estimated=estimated,
                regional=is_regional(self._server),
                notes=(HIDDEN,) if is_hidden else (),
            )
        )

    def _usage_of(self, reply: Reply | None) -> tuple[Usage | None, bool]:
        """The usage, and whether it is an estimate: only a stream can be estimated.

        And only where the model does not reason: what it thinks is billed before the first word
        and shown nowhere, so that what was seen says nothing of the cost.
        """
        if reply is not None and reply.usage is not None:
            return reply.usage, False
        known = None if reply else self._usage or Usage.from_wire(self.incoming.assembler.usage)
        stream = self.incoming.assembler
        tokens = stream.output_tokens
        if known is None and tokens:
            if self._reasons:
                return None, False
            return estimate_usage(self.body, tokens), True
        if known is not None and reply is None and stream.outrun and not stream.finish_reason:
            most = max(known.output_tokens, tokens)  # it broke off before the last count
            return replace(known, output_tokens=most), True
        return known, False

    @property
    def _reasons(self) -> bool:
        effort = effort_of(self.body)
        return self.call.reasons if effort is None else effort != "none"

    def _tier_so_far(self) -> str | None:
        tier = self._service_tier or self.incoming.assembler.head.get("service_tier")
        return tier if isinstance(tier, str) else None


def _is_ours(error: BaseException) -> bool:
    """Whether it is an error of Cascade's own: the guard against the network, in a test."""
    if isinstance(error, BaseExceptionGroup):
        return any(_is_ours(inner) for inner in error.exceptions)
    return isinstance(error, CascadeError)


class Opening:
    """Around the start of a stream: writes the `Try` only if it fails.

    No generator: in Python 3.12 and later the frame of one, held by the error that it saw, holds
    that error, and with it the request.
    """

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __enter__(self) -> None:
        """Nothing is written yet."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """As the exchange's own, where something went wrong."""
        return error is not None and self._exchange.__exit__(kind, error, trace)
