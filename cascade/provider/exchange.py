"""One HTTP exchange with a provider: what is sent, and the `Try` that is written down for it.

Shared by the sync and the async client. An `Exchange` is a context manager around the one line that
differs between them; it writes its `Try` whatever happens inside, cancellation included, because
what was sent may have been billed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from cascade.core.budget import estimate_usage
from cascade.core.failures import CallFailure
from cascade.core.pricing import is_regional
from cascade.core.reply import Reply
from cascade.core.usage import Usage
from cascade.core.wishes import ModelCall, Try
from cascade.provider.downgrades import Downgrades
from cascade.provider.failures import classify, scrub
from cascade.wire.chat import ChunkAssembler, MalformedReply, read_reply

__all__ = ["Exchange"]

OPENAI_HOST = "api.openai.com"

MAX_DOWNGRADES = 4
"""Different parameters that one call may have to give up before it goes through."""


class Exchange:
    """One exchange for a call.

    Args:
        call: the call; the `Try` is appended to its `tries`.
        server: the client's base URL.
        memory: what models were found not to accept.
        clock: seconds.
        stream: whether the answer comes in chunks.

    Attributes:
        body: the JSON body to send.
        result: the reply or the failure, once the exchange is over.
    """

    def __init__(
        self,
        call: ModelCall,
        server: str,
        memory: Downgrades,
        clock: Callable[[], float],
        *,
        stream: bool = False,
    ) -> None:
        self.call = call
        self.server = server
        self.memory = memory
        self.clock = clock
        self.body, changed = _body(call, server, memory, stream=stream)
        self.result: Reply | CallFailure | None = None
        self._notes = changed
        self._assembler = ChunkAssembler() if stream else None
        self._shown = False
        self._request_id: str | None = None
        self._usage: Usage | None = None
        self._started = clock()

    @property
    def timeout_s(self) -> float:
        """Longest wait, in seconds: the tier's, or what is left of the request's deadline."""
        if self.call.deadline is None:
            return self.call.timeout_s
        return max(0.001, min(self.call.timeout_s, self.call.deadline - self._started))

    @property
    def options(self) -> dict[str, Any]:
        """The SDK's options: no retries of its own, the timeout, the user's headers."""
        options: dict[str, Any] = {"max_retries": 0, "timeout": self.timeout_s}
        if "extra_headers" in self.call.options:
            options["headers"] = self.call.options["extra_headers"]
        if "extra_query" in self.call.options:
            options["params"] = self.call.options["extra_query"]
        return options

    # Reading -------------------------------------------------------------------------------------

    def read(self, response: Any) -> None:
        """Take in a whole response.

        Raises:
            MalformedReply: it holds no answer.
        """
        self._request_id = response.headers.get("x-request-id")
        try:
            body = json.loads(response.content)
        except (ValueError, RecursionError):
            kind = response.headers.get("content-type", "no content type")
            start = scrub(response.text[:60])
            raise MalformedReply(f"the reply is no JSON but {kind}: {start!r}") from None
        self.result = read_reply(body)

    def feed(self, chunk: object) -> Mapping[str, Any] | None:
        """Take in one chunk of a stream; returns it if it carries something for the reader.

        Raises:
            MalformedReply: it is no chunk, or an error frame.
            TimeoutError: the request's deadline has passed.
        """
        if self.call.deadline is not None and self.clock() >= self.call.deadline:
            raise TimeoutError("the request's deadline has passed")
        return self._stream.feed(chunk)

    @property
    def settled(self) -> Reply | CallFailure:
        """The result of an exchange that is over."""
        if self.result is None:
            raise RuntimeError("the exchange is not over")
        return self.result

    def shown(self) -> None:
        """From now on the caller has seen text, so a failure can no longer be retried."""
        self._shown = True

    @property
    def _stream(self) -> ChunkAssembler:
        if self._assembler is None:
            raise TypeError("not a stream")
        return self._assembler

    def end_of_stream(self) -> None:
        """The stream ended by itself.

        Raises:
            MalformedReply: before it said why it finished.
        """
        assembler = self._stream
        if not assembler.finished:
            raise MalformedReply("the stream ended before its finish reason")
        self.result = read_reply(assembler.body())

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
            self._write(CallFailure("cancelled", "the caller went away"))
            return False
        failure = self._seen_as(classify(error))
        if isinstance(error, MalformedReply):
            self._usage = error.usage
        self.result = failure
        self._write(failure)
        return True

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Around the start of a stream: writes the `Try` only if it fails."""
        try:
            yield
        except BaseException as error:
            if not self.__exit__(type(error), error, None):
                raise

    def may_resend(self) -> bool:
        """Whether the refusal was understood, so that a changed body is worth sending."""
        return (
            isinstance(self.result, CallFailure)
            and len(self.call.tries) <= MAX_DOWNGRADES * self.call.tier.retry.max_tries
            and self.memory.learn(self.server, self.call.model, self.result, self.body)
            and self.call.may_retry()
        )

    def _seen_as(self, failure: CallFailure) -> CallFailure:
        """A failure after text was shown is an interruption; one at the deadline says so."""
        if self._shown:
            return CallFailure("interrupted", f"after text had been shown: {failure}")
        late = self.call.deadline is not None and self.clock() >= self.call.deadline
        if failure.kind == "timeout" and late:
            return CallFailure("deadline", "the request's deadline has passed")
        return failure

    def _write(self, result: Reply | CallFailure | None) -> None:
        reply = result if isinstance(result, Reply) else None
        failure = result if isinstance(result, CallFailure) else None
        usage, estimated = self._usage_of(reply)
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
                service_tier=self._service_tier(reply),
                request_id=self._request_id,
                estimated=estimated,
                regional=is_regional(self.server),
            )
        )

    def _usage_of(self, reply: Reply | None) -> tuple[Usage | None, bool]:
        """The usage, and whether it is an estimate: only a stream can be estimated."""
        known = reply.usage if reply else self._usage
        if known is not None or self._assembler is None:
            return known, False
        reported = Usage.from_wire(self._assembler.usage)
        if reported is not None:
            return reported, False
        if not self._assembler.pieces:
            return None, False
        return estimate_usage(self.body, self._assembler.pieces), True

    def _service_tier(self, reply: Reply | None) -> str | None:
        if reply is not None:
            return reply.service_tier
        if self._assembler is not None:
            tier = self._assembler.head.get("service_tier")
            return tier if isinstance(tier, str) else None
        return None


def _body(
    call: ModelCall, server: str, memory: Downgrades, *, stream: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON body of a call; keys are added only where OpenAI itself is asked."""
    body: dict[str, Any] = {"model": call.model, **call.payload}
    if call.needs.logprobs:
        body["logprobs"] = True
        most = max(call.needs.top_logprobs, body.get("top_logprobs") or 0)
        if most:
            body["top_logprobs"] = most
    is_openai = OPENAI_HOST in server
    if is_openai:
        # A project setting can make requests without it twice as dear; the reply tells the truth.
        body.setdefault("service_tier", "default")
    if stream:
        body["stream"] = True
        options = {"include_usage": True, **({"include_obfuscation": False} if is_openai else {})}
        body["stream_options"] = {**options, **(body.get("stream_options") or {})}
        body["stream_options"]["include_usage"] = True
    return body, memory.apply(server, call.model, body)
