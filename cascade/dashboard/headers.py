"""What every response says to the browser, and which requests are not answered at all.

Pages run no script, load nothing from elsewhere, are not framed, not cached and not told to other
sites. Where there is no login, only addresses of this machine are answered: a page elsewhere that
makes its own name point here (DNS rebinding) reads nothing.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["POLICY", "Guarded", "is_same_origin"]

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

ALWAYS = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "x-robots-tag": "noindex",
}

METHODS = ("GET", "HEAD", "POST")


class Guarded:
    """Wraps an app.

    Args:
        app: that answers.
        is_local: answer only under names of this machine.
    """

    def __init__(self, app: ASGIApp, *, is_local: bool) -> None:
        self._app = app
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in ALWAYS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refused = self._refusal(scope)
        await (refused or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Any:
        if self._is_local and not _is_this_machine(Headers(scope=scope).get("host", "")):
            return PlainTextResponse(
                "These pages are for this machine: open them as http://127.0.0.1 or localhost.\n",
                status_code=421,
            )
        if scope["method"] not in METHODS:
            return PlainTextResponse("Not allowed.\n", status_code=405)
        return None


def is_same_origin(headers: Headers) -> bool:
    """Whether a form was sent by a page of this host, as far as the browser says.

    Browsers say "null" for the origin of our own forms, because our pages send no referrer.
    """
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin", "null")
    return origin == "null" or _host_of(origin) == headers.get("host", "").lower()


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _is_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
