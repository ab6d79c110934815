"""For test suites, yours and ours: scripted models, a manual clock, a guard against the network.

```python
from cascade import Cascade, Tier
from cascade.testing import ScriptedModels, reply

models = ScriptedModels({"small": reply("42", probabilities=[0.4]), "big": "forty-two"})
tiers = [Tier("small", scorer=..., price=Price.of("1", "2")), Tier("big", ...)]
llm = Cascade(tiers, models=models)
assert llm.complete("6 * 7?").tier == "big"
```
"""

from __future__ import annotations

import math
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from threading import Lock
from typing import Any, Literal

from cascade.core.failures import KINDS, RETRYABLE, CallFailure, FailureKind
from cascade.core.reply import Reply
from cascade.core.wishes import ModelCall, Try
from cascade.errors import CascadeError
from cascade.wire.chunks import chunk_text
from cascade.wire.feed import stream_of
from cascade.wire.replies import read_reply
from cascade.wire.translate import reply_in

__all__ = [
    "ManualClock",
    "NetworkBlocked",
    "ScriptExhausted",
    "ScriptedModels",
    "failure",
    "no_network",
    "reply",
]

Line = str | Reply | CallFailure | Callable[[ModelCall], "str | Reply | CallFailure"]
Script = Line | Sequence[Line]

DEFAULT_INPUT_TOKENS = 10

SCRIPTED_ID = "chatcmpl-scripted"
"""The id of every reply, unless answers are to be told apart."""

_numbers = count(1)


class ScriptExhausted(CascadeError):  # noqa: N818  a test's own mistake, said plainly
    """A model was asked more often than its script has lines."""


class NetworkBlocked(CascadeError):  # noqa: N818
    """Something tried to open a connection inside `no_network()`."""


def reply(
    text: str | None = "",
    *,
    model: str = "scripted",
    input_tokens: int | None = DEFAULT_INPUT_TOKENS,
    output_tokens: int | None = None,
    cached_tokens: int = 0,
    probabilities: Sequence[float] | None = None,
    logprobs: Sequence[Mapping[str, Any]] | None = None,
    finish_reason: str | None = "stop",
    refusal: str | None = None,
    tool_calls: Sequence[Mapping[str, Any]] | None = None,
    service_tier: str | None = "default",
    api: Literal["chat", "responses"] = "chat",
) -> Reply:
    """A reply as a provider would send it.

    Args:
        text: the answer.
        model: what the provider says has answered.
        input_tokens: prompt tokens; `None` leaves out the usage, so the cost is unknown.
        output_tokens: answer tokens; the number of words unless given.
        cached_tokens: part of the prompt read from the cache.
        probabilities: one per word of the text, made into log-probabilities.
        logprobs: log-probability entries in wire format, instead of `probabilities`.
        finish_reason: as on the wire.
        refusal: the model's words when it declined.
        tool_calls: as on the wire.
        service_tier: as on the wire.
        api: the API that sends it; all else is given in Chat's form.
    """
    words = (text or "").split()
    if logprobs is None and probabilities is not None:
        for p in probabilities:
            if not 0 < p <= 1:
                raise ValueError(f"probability {p!r} is outside (0, 1]")
        spelled = [words[0], *(f" {word}" for word in words[1:])] if words else [""]
        logprobs = [
            {"token": token, "logprob": math.log(p), "bytes": None, "top_logprobs": []}
            for token, p in zip(spelled, probabilities, strict=False)
        ]
    usage = None
    if input_tokens is not None:
        out = output_tokens if output_tokens is not None else max(1, len(words))
        usage = {
            "prompt_tokens": input_tokens,
            "completion_tokens": out,
            "total_tokens": input_tokens + out,
            "prompt_tokens_details": {"cached_tokens": cached_tokens},
        }
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if refusal is not None:
        message.update(content=None, refusal=refusal)
    if tool_calls is not None:
        message["tool_calls"] = list(tool_calls)
    made = read_reply(
        {
            "id": SCRIPTED_ID,
            "object": "chat.completion",
            "created": 0,
            "model": model,
            "service_tier": service_tier,
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "finish_reason": finish_reason,
                    "logprobs": {"content": list(logprobs)} if logprobs is not None else None,
                }
            ],
            "usage": usage,
        }
    )
    return made if api == "chat" else read_reply(reply_in(api, made, {}).wire)


def failure(kind: FailureKind, message: str = "scripted failure", **details: Any) -> CallFailure:
    """A failed try; `details` are `status`, `type`, `code`, `param`, `retry_after_s`."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of failure; there are {', '.join(sorted(KINDS))}")
    return CallFailure(kind, message, **details)


class ManualClock:
    """A clock that moves only when told to; pass it as `clock=`."""

    def __init__(self, now_s: float = 0.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


class ScriptedModels:
    """Answers model calls from a script; pass it as `models=` to either cascade.

    Args:
        script: by tier name or model: one line for every call, or a list whose lines are used up in
            order. A line is a text, a `reply(...)`, a `failure(...)`, or a function of the
            `ModelCall` that returns one of these. Each line is one try: a failure worth retrying
            is followed by the next line, as the tier's `Retry` allows.
        scorers: the same for questions that scorers ask; falls back to `script`.
        clock: moved on by `latency_s` with each try.
        latency_s: how long a try takes by that clock, in seconds.

    Attributes:
        calls: every call made, in order.
    """

    in_order = True

    def __init__(
        self,
        script: Mapping[str, Script],
        *,
        scorers: Mapping[str, Script] | None = None,
        clock: ManualClock | None = None,
        latency_s: float = 0.0,
    ) -> None:
        for name, lines in {**script, **(scorers or {})}.items():
            _check_lines(name, lines)
        self._script = {"draft": dict(script), "scorer": dict(scorers or {})}
        self._used: dict[tuple[str, str], int] = defaultdict(int)
        self._lock = Lock()
        self._clock: Callable[[], float] = clock or time.perf_counter
        self._manual = clock
        self._latency_s = latency_s
        self._tells_apart = False
        self.calls: list[ModelCall] = []

    def tell_apart(self) -> None:
        """Give each answer an id of its own from now on, as a provider does; else all have one.

        Drop-in clients ask for it: what frameworks make of an answer leads to its trace by the id.
        """
        self._tells_apart = True

    def call(self, call: ModelCall) -> Reply | CallFailure:
        """Answer a call, retries included."""
        self.calls.append(call)
        while True:
            result = self._try(call)
            again = isinstance(result, CallFailure) and result.kind in RETRYABLE
            if not again or len(call.tries) >= call.tier.retry.max_tries or not call.may_retry():
                return result

    def stream(self, call: ModelCall) -> ScriptedStream:
        """Answer a call in chunks."""
        return ScriptedStream(self, call)

    def _try(self, call: ModelCall) -> Reply | CallFailure:
        line = self._line(call)
        started = self._clock()
        if self._manual is not None:
            self._manual.advance(self._latency_s)
        result = line(call) if callable(line) else line
        if isinstance(result, str):
            result = self._named(reply(result, model=call.model))
            if call.api == "responses":
                result = read_reply(reply_in("responses", result, call.payload).wire)
        elif isinstance(result, Reply):
            result = self._named(result)
        answer = result if isinstance(result, Reply) else None
        call.tries.append(
            Try(
                outcome=result.kind if isinstance(result, CallFailure) else "ok",
                started=started,
                latency_s=self._latency_s,
                failure=result if isinstance(result, CallFailure) else None,
                reply=answer,
                usage=answer.usage if answer else None,
                service_tier=answer.service_tier if answer else None,
            )
        )
        return result

    def _named(self, made: Reply) -> Reply:
        if not self._tells_apart or made.id != SCRIPTED_ID:  # the script's own id stays
            return made
        name = f"{SCRIPTED_ID}-{next(_numbers)}"
        return replace(made, id=name, wire={**made.wire, "id": name})

    def _line(self, call: ModelCall) -> Line:
        for purpose in (call.purpose, "draft"):
            for name in (call.tier.name, call.model):
                script = self._script[purpose].get(name)
                if script is None:
                    continue
                if isinstance(script, str) or not isinstance(script, Sequence):
                    return script
                with self._lock:
                    place = self._used[purpose, name]
                    self._used[purpose, name] += 1
                if place >= len(script):
                    raise ScriptExhausted(
                        f"{name!r} was asked {place + 1} times; its script has {len(script)} lines"
                    )
                return script[place]
        raise ScriptExhausted(f"no script for tier {call.tier.name!r} (model {call.model!r})")


class ScriptedStream:
    """A scripted answer as chunks, one per word."""

    def __init__(self, models: ScriptedModels, call: ModelCall) -> None:
        self._models = models
        self._call = call
        self.outcome: Reply | CallFailure | None = None

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        self.outcome = self._models.call(self._call)
        if isinstance(self.outcome, Reply):
            words = 0
            try:
                for chunk in stream_of(self.outcome, _words):
                    words += bool(chunk_text(chunk))
                    yield chunk
            except GeneratorExit:
                self._left(words)
                raise

    def _left(self, words: int) -> None:
        """The reader has left: what was read is paid for, and only estimated."""
        entry = self._call.tries.pop()
        kind: FailureKind = "stopped" if self._call.stopped else "cancelled"
        why = CallFailure(kind, self._call.stopped or "the caller went away")
        usage = replace(entry.usage, output_tokens=words) if entry.usage else None
        self._call.tries.append(
            replace(entry, outcome=kind, failure=why, reply=None, usage=usage, estimated=True)
        )


def _check_lines(name: str, lines: object) -> None:
    """Raise `TypeError` unless this is a line, or a sequence of lines."""
    listed = lines if isinstance(lines, Sequence) and not isinstance(lines, str) else [lines]
    for line in listed:
        if not isinstance(line, str | Reply | CallFailure) and not callable(line):
            raise TypeError(
                f"ScriptedModels: the script of {name!r} holds {line!r}: expected a text, a "
                "reply(...), a failure(...), a function of the call, or a list of these"
            )


def _words(text: str) -> list[str]:
    head, *words = text.split(" ")
    return [head, *(f" {word}" for word in words)]


@contextmanager
def no_network(*, allow: Sequence[str] = ()) -> Iterator[None]:
    """Make every attempt to connect to a host fail, so that a test cannot spend money by accident.

    Args:
        allow: hosts that may be reached, e.g. `("127.0.0.1",)`.

    Raises:
        NetworkBlocked: inside the block, when something connects elsewhere.
    """
    real = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex")}

    def guard(name: str) -> Callable[..., Any]:
        def connect(self: socket.socket, address: Any) -> Any:
            host = address[0] if isinstance(address, tuple) else None
            if host is not None and host not in allow:
                raise NetworkBlocked(f"a test tried to connect to {host}:{address[1]}")
            return real[name](self, address)

        return connect

    for name in real:
        setattr(socket.socket, name, guard(name))
    try:
        yield
    finally:
        for name, method in real.items():
            setattr(socket.socket, name, method)
