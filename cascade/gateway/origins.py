"""Pages on the web whose browsers may ask here: CORS, by starlette.

A browser lets a page read answers of another host only where that host says so, and asks it first
(a preflight) whether the page may send a key at all.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from cascade.endpoint.books import NAMES
from cascade.errors import ConfigError
from cascade.gateway.key_guard import RATE_HEADERS
from cascade.gateway.request_ids import CALLERS_OWN, names_of, new_request_id

__all__ = ["ANY", "Origins"]

ANY = "*"

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@,*]+")
"""As browsers send it: scheme, host and port where it is not the scheme's usual one; no path."""

EXPOSED = (
    *NAMES.values(),
    *(name for names in RATE_HEADERS.values() for name in names),
    "retry-after",
    "x-should-retry",
    "x-request-id",
    CALLERS_OWN.decode(),
)
"""What a page may read of an answer's headers besides the few that any may."""

CLOSED = re.compile(r"/(ui(/.*)?|metrics)", re.DOTALL)
"""The pages, whose cookie is not for others, and what may be open to whoever is in the network."""


class Origins(CORSMiddleware):
    """An ASGI app that pages of some origins may ask from browsers.

    Args:
        app: to be asked.
        allowed: the origins, or `*` for every one.

    Raises:
        ConfigError: what is no origin, and would never be met.
    """

    def __init__(self, app: Any, allowed: Collection[str]) -> None:
        origins = [origin.lower() for origin in allowed]
        for origin in origins:
            if origin != ANY and not ORIGIN.fullmatch(origin):
                raise ConfigError(
                    f"allowed origin {origin!r}: expected scheme and host alone, as in "
                    f"'https://app.example' or 'http://localhost:3000', or '{ANY}'"
                )
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            expose_headers=EXPOSED,
        )

    def concerns(self, scope: Mapping[str, Any]) -> bool:
        """Whether a request comes from a browser's page, and is for what pages may ask."""
        return (
            any(name == b"origin" for name, _ in scope["headers"])
            and CLOSED.fullmatch(scope["path"]) is None
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Starlette's answer, with the names that every answer has."""
        answer = super().preflight_response(request_headers)
        answer.headers.update(names_of(new_request_id(), dict(request_headers.raw)))
        return answer
