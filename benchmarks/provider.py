"""A provider on this machine that costs its clients nothing but their own work.

Answers chat completions with prepared bytes, in a process of its own. What comes back depends on
the request alone, so that every client gets the same:

- a path under `/slow` waits 20 ms, one under `/paced` sends the events of a stream 1 ms apart, and
  so does a prompt that says "(slow)" or "(paced)": a gateway sends everything to one path;
- `"logprobs":true` gets log-probabilities, with `"top_logprobs":5` 200 tokens of them; in a stream
  each token's own;
- a prompt that says "(hard)" gets low ones from the model `CHEAP`, so that a cascade escalates;
- `GET /counts` tells how many connections and requests there were.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

CHEAP, DEAR = "gpt-5.4-nano", "gpt-5.4-mini"

TOKENS = 32
LONG = 200
ALTERNATIVES = 5
SLOW_S = 0.020
PACE_S = 0.001

HEADERS = {
    "date": "Sun, 22 Nov 2026 12:00:00 GMT",
    "connection": "keep-alive",
    "access-control-expose-headers": "X-Request-ID",
    "openai-organization": "user-5f1c2b7d90ab",
    "openai-processing-ms": "214",
    "openai-project": "proj_7Hq2mVtXcBn1",
    "openai-version": "2020-10-01",
    "x-envoy-upstream-service-time": "231",
    "x-ratelimit-limit-requests": "30000",
    "x-ratelimit-limit-tokens": "150000000",
    "x-ratelimit-remaining-requests": "29999",
    "x-ratelimit-remaining-tokens": "149999967",
    "x-ratelimit-reset-requests": "2ms",
    "x-ratelimit-reset-tokens": "0s",
    "x-request-id": "req_0123456789abcdef0123456789abcdef",
    "server": "cloudflare",
    "cf-ray": "9a1b2c3d4e5f6789-FRA",
}
"""What OpenAI's own servers send beside the length and the type."""


def _entry(place: int, p: float, alternatives: int) -> dict[str, Any]:
    def one(token: str, mass: float) -> dict[str, Any]:
        return {"token": token, "logprob": math.log(mass), "bytes": list(token.encode())}

    rivals = [one(f" or{place}{n}", (1 - p) / 2**n) for n in range(1, alternatives)]
    chosen = one(_word(place), p)
    return {**chosen, "top_logprobs": [chosen, *rivals] if alternatives else []}


def _word(place: int) -> str:
    return f" word{place % 10}" if place else "word"


def _usage(tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": 30,
        "completion_tokens": tokens,
        "total_tokens": 30 + tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _completion(model: str, tokens: int, p: float | None, alternatives: int = 0) -> dict[str, Any]:
    logprobs = None
    if p is not None:
        entries = [_entry(place, p, alternatives) for place in range(tokens)]
        logprobs = {"content": entries, "refusal": None}
    return {
        "id": "chatcmpl-CfPqN1aBcDeFgHiJkLmNoPqRsTuVw",
        "object": "chat.completion",
        "created": 1795300000,
        "model": f"{model}-2026-03-17",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "".join(map(_word, range(tokens))),
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": logprobs,
                "finish_reason": "stop",
            }
        ],
        "usage": _usage(tokens),
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _events(model: str, p: float | None) -> list[bytes]:
    head = {
        "id": "chatcmpl-CfPqN1aBcDeFgHiJkLmNoPqRsTuVw",
        "object": "chat.completion.chunk",
        "created": 1795300000,
        "model": f"{model}-2026-03-17",
        "service_tier": "default",
        "system_fingerprint": None,
    }

    def chunk(
        delta: Mapping[str, Any], finish: str | None = None, logprobs: object = None
    ) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return {**head, "choices": [choice], "usage": None}

    def surely(place: int) -> dict[str, Any] | None:
        return None if p is None else {"content": [_entry(place, p, 0)], "refusal": None}

    chunks = [
        chunk({"role": "assistant", "content": "", "refusal": None}),
        *(chunk({"content": _word(n)}, logprobs=surely(n)) for n in range(TOKENS)),
        chunk({}, "stop"),
        {**head, "choices": [], "usage": _usage(TOKENS)},
    ]
    data = [f"data: {_json(item)}\n\n".encode() for item in chunks]
    return [*data, b"data: [DONE]\n\n"]


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _head(extra: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**HEADERS, **extra}.items())
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode()


def _whole(body: object) -> bytes:
    data = _json(body).encode()
    return _head({"content-type": "application/json", "content-length": str(len(data))}) + data


def _chunked(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


PLAIN = {model: _whole(_completion(model, TOKENS, None)) for model in (CHEAP, DEAR)}
SURE = {model: _whole(_completion(model, TOKENS, 0.98)) for model in (CHEAP, DEAR)}
UNSURE = _whole(_completion(CHEAP, TOKENS, 0.30))
WIDE = {model: _whole(_completion(model, LONG, 0.98, ALTERNATIVES)) for model in (CHEAP, DEAR)}
STREAM_HEAD = {
    "content-type": "text/event-stream; charset=utf-8",
    "transfer-encoding": "chunked",
}
STREAMED = {
    (model, p): [_head(STREAM_HEAD), *map(_chunked, _events(model, p)), b"0\r\n\r\n"]
    for model in (CHEAP, DEAR)
    for p in (None, 0.98)
}


class Connection(asyncio.Protocol):
    """One connection: whole requests in, prepared bytes out."""

    opened = 0
    requests = 0

    def __init__(self) -> None:
        self._data = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        Connection.opened += 1
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not of that class

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._data += data
        while True:
            head, found, rest = self._data.partition(b"\r\n\r\n")
            if not found:
                return
            length = 0
            for line in head.split(b"\r\n")[1:]:
                if line[:15].lower() == b"content-length:":
                    length = int(line[15:])
            if len(rest) < length:
                return
            body, self._data = rest[:length], rest[length:]
            self._answer(head.split(b" ", 2), body)

    def _answer(self, line: list[bytes], body: bytes) -> None:
        path = line[1]
        if line[0] == b"GET":
            counts = {"connections": Connection.opened, "requests": Connection.requests}
            self._transport.write(_whole(counts))
            return
        Connection.requests += 1
        model = CHEAP if CHEAP.encode() in body else DEAR
        if b'"stream":true' in body or b'"stream": true' in body:
            pieces = STREAMED[model, 0.98 if b'"logprobs"' in body else None]
            self._stream(pieces, paced=path.startswith(b"/paced") or b"(paced)" in body)
            return
        if b'"top_logprobs"' in body:
            answer = WIDE[model]
        elif b'"logprobs"' in body:
            answer = UNSURE if model == CHEAP and b"(hard)" in body else SURE[model]
        else:
            answer = PLAIN[model]
        if path.startswith(b"/slow") or b"(slow)" in body:
            asyncio.get_running_loop().call_later(SLOW_S, self._transport.write, answer)
        else:
            self._transport.write(answer)

    def _stream(self, pieces: list[bytes], *, paced: bool) -> None:
        if paced:
            self._pace(iter(pieces))
        else:
            self._transport.write(b"".join(pieces))

    def _pace(self, pieces: Iterator[bytes]) -> None:
        """Send one piece, and see to the next one after the pace."""
        piece = next(pieces, None)
        if piece is not None and not self._transport.is_closing():
            self._transport.write(piece)
            asyncio.get_running_loop().call_later(PACE_S, self._pace, pieces)


async def serve() -> None:
    """Listen on a free port, print it, and go on until the parent closes our input."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Make uvloop's event loop, where there is one: a provider must not be what is measured."""
    try:
        import uvloop  # noqa: PLC0415  of the extra `gateway`
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve())
