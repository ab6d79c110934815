"""OpenAI as clients of the gateway meet it: what is asked decides what is answered.

The cheapest model is unsure of every answer, so that a request escalates once.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from cascade.wire.chat import chunks_of
from cascade.wire.events import events_of
from cascade.wire.replies import read_reply
from tests.wire import fake_openai as fake

CHEAP = "gpt-5.4-nano"
CITY = json.dumps({"name": "Paris", "country": "France"})
ERRORS = {
    "Fail with 500": fake.BROKEN,
    "Fail with 400": fake.UNKNOWN_KEY,
    "Fail with 429": fake.limited(headers={"retry-after": "1"}),
}


def _last_text(payload: dict) -> str:
    """The last thing a user said, in either API's form."""
    asked = payload.get("messages") or payload["input"]
    if isinstance(asked, str):
        return asked
    said = [item.get("content") for item in asked if item.get("role") == "user"]
    last = said[-1] if said else ""
    if isinstance(last, list):
        return " ".join(part.get("text", "") for part in last if isinstance(part, dict))
    return last if isinstance(last, str) else ""


def _has_tool_result(payload: dict) -> bool:
    asked = payload.get("messages") or payload["input"]
    return isinstance(asked, list) and any(
        item.get("role") == "tool" or item.get("type") == "function_call_output" for item in asked
    )


def _chat(payload: dict, text: str) -> dict:
    sure = 0.3 if payload["model"] == CHEAP else 0.99
    if text.startswith("Use the tool") and not _has_tool_result(payload):
        call = fake.tool_call("lookup", '{"city":"Oslo"}')
        return fake.completion(
            None, model=payload["model"], tool_calls=[call], finish_reason="tool_calls"
        )
    return fake.sure(_answer(payload, text), sure, model=payload["model"])


def _response(payload: dict, text: str) -> dict:
    sure = 0.3 if payload["model"] == CHEAP else 0.99
    if text.startswith("Use the tool") and not _has_tool_result(payload):
        return fake.response(fake.call_item("lookup", '{"city":"Oslo"}'), model=payload["model"])
    return fake.sure_response(_answer(payload, text), sure, model=payload["model"])


def _answer(payload: dict, text: str) -> str:
    if _has_tool_result(payload):
        return "It rains in Oslo."
    return CITY if text.startswith("As JSON") else "Paris"


async def _answered(request: Request, *, chat: bool) -> Response:
    payload = await request.json()
    text = _last_text(payload)
    for words, error in ERRORS.items():
        if text.startswith(words):
            kept = {"content-type", "x-request-id", "retry-after"}
            headers = {name: value for name, value in error.headers.items() if name in kept}
            return Response(error.content, error.status_code, headers)
    body = _chat(payload, text) if chat else _response(payload, text)
    if not payload.get("stream"):
        return JSONResponse(body, headers={"x-request-id": "req_upstream"})
    pause_s = 0.05 if text.startswith("Slowly") else 0.0
    pieces = _chat_stream(body) if chat else _events(body)
    return StreamingResponse(_slowly(pieces, pause_s), media_type="text/event-stream")


def _chat_stream(body: dict) -> Iterator[str]:
    for piece in chunks_of(read_reply(body), list):
        yield f"data: {json.dumps(piece)}\n\n"
    last = fake.chunk(counts=body["usage"], model=body["model"])
    yield f"data: {json.dumps(last)}\n\n"
    yield "data: [DONE]\n\n"


def _events(body: dict) -> Iterator[str]:
    for event in events_of(body, list):
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


async def _slowly(pieces: Iterator[str], pause_s: float) -> AsyncIterator[str]:
    for piece in pieces:
        await asyncio.sleep(pause_s)
        yield piece


async def _chat_completions(request: Request) -> Response:
    return await _answered(request, chat=True)


async def _responses(request: Request) -> Response:
    return await _answered(request, chat=False)


APP = Starlette(
    routes=[
        Route("/v1/chat/completions", _chat_completions, methods=["POST"]),
        Route("/v1/responses", _responses, methods=["POST"]),
    ]
)


@contextmanager
def upstream() -> Iterator[str]:
    """The server on a port of its own; gives its base URL."""
    server = uvicorn.Server(uvicorn.Config(APP, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            threading.Event().wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        thread.join()
