"""A provider on this machine, as faithful as OpenAI's and as bad as a prompt wants.

What it does stands in the last message: "hard" is too much for the model `small`; "hang" is never
answered, "stall" streams two words and no more; "hold" waits until it is released,
"wait 0.5" takes so long; "drop" is cut off; "garbage", "html" and three-digit statuses
come back as such; "long 100" streams so many kilobytes, "trickle 0.5" pauses so long after each of its words.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from contextlib import suppress

from aiohttp import web
from fake_openai import (
    completion,
    error_body,
    message_item,
    response,
    response_events,
    response_usage,
    text_chunks,
    text_part,
    usage,
)

WORDS = ("The ", "answer ", "is ", "this.")
ERRORS = {
    400: error_body("Invalid value: 'x'.", param="messages", code="invalid_value"),
    429: error_body("Rate limit reached.", kind="requests", code="rate_limit_exceeded"),
    500: error_body("The server had an error.", kind="server_error"),
}


class Upstream:
    """The provider, in a thread with a loop of its own.

    Attributes:
        asked: a (model, words) pair for each request, in order.
        left: requests whose client went away before the answer.
        under_way: requests that are answered now.
    """

    def __init__(self):
        self.asked = []
        self.left = 0
        self.under_way = 0
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._started.wait(10)

    def close(self):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def release(self, value=True):
        """Answer what was told to hold; `False` holds again."""
        change = self._released.set if value else self._released.clear
        self._loop.call_soon_threadsafe(change)

    async def _run(self):
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._released = asyncio.Event()
        app = web.Application(client_max_size=2**27)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/responses", self._responses)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/v1"
        self._started.set()
        await self._end.wait()
        await runner.cleanup()

    async def _chat(self, request):
        body = await request.json()
        return await self._serve(request, body, words_of(body["messages"][-1]["content"]))

    async def _responses(self, request):
        body = await request.json()
        asked = body["input"]
        asked = asked if isinstance(asked, str) else asked[-1]["content"]
        return await self._serve(request, body, words_of(asked))

    async def _serve(self, request, body, words):
        self.asked.append((body["model"], words))
        self.under_way += 1
        try:
            return await self._answer(request, body, words)
        except (asyncio.CancelledError, ConnectionResetError):
            self.left += 1
            raise
        finally:
            self.under_way -= 1

    async def _answer(self, request, body, words):
        if "hang" in words and not body.get("stream"):
            await asyncio.sleep(60)
        if "hold" in words:
            await self._released.wait()
        if found := re.search(r"\bwait ([\d.]+)", words):
            await asyncio.sleep(float(found[1]))
        if found := re.search(r"\b(400|429|500)\b", words):
            headers = {"x-request-id": "req_up"} | (
                {"retry-after": "7"} if found[1] == "429" else {}
            )
            return web.json_response(ERRORS[int(found[1])], status=int(found[1]), headers=headers)
        if "garbage" in words:
            return web.Response(body=b'{"id": "chatcmpl-1", "choi', content_type="application/json")
        if "html" in words:
            return web.Response(text="<html>Bad Gateway</html>", content_type="text/html")
        if body.get("stream"):
            return await self._streamed(request, body, words)
        if "drop" in words:
            request.transport.close()
            return web.Response()
        text = text_of(body, words)
        whole = chat_of(body, text) if "messages" in body else response_of(body, text)
        return web.json_response(whole, headers={"x-request-id": "req_up"})

    async def _streamed(self, request, body, words):
        answer = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await answer.prepare(request)
        pause = re.search(r"\btrickle ([\d.]+)", words)
        for number, frame in enumerate(frames_of(body, words)):
            await answer.write(frame)
            if "drop" in words and number == 3:
                request.transport.close()
                return answer
            if "stall" in words and number == 2:
                await asyncio.sleep(60)
            if pause:
                await asyncio.sleep(float(pause[1]))
        with suppress(ConnectionResetError):
            await answer.write_eof()
        return answer


def words_of(content):
    return content if isinstance(content, str) else content[-1]["text"]


def text_of(body, words):
    if body["model"] == "small" and "hard" in words:
        return "dunno"
    if found := re.search(r"\blong (\d+)", words):
        return "x" * 1024 * int(found[1])
    return '{"text": "what it says here"}' if "as json" in words else "".join(WORDS)


def chat_of(body, text):
    return completion(text, model=f"{body['model']}-2026", counts=usage(100, 10))


def response_of(body, text):
    item = message_item(text_part(text))
    return response(item, model=f"{body['model']}-2026", counts=response_usage(100, 10))


def frames_of(body, words):
    text = text_of(body, words)
    pieces = (
        [text[at : at + 8192] for at in range(0, len(text), 8192)] if len(text) > 100 else WORDS
    )
    pieces = ("dunno",) if text == "dunno" else pieces
    if "messages" in body:
        for piece in text_chunks(*pieces):
            yield f"data: {json.dumps({**piece, 'model': body['model']})}\n\n".encode()
        yield b"data: [DONE]\n\n"
    else:
        for event in response_events(*pieces, body=response_of(body, text)):
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
