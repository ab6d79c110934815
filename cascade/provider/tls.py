"""The certificates that connections trust, read once for all clients: reading them takes 20 ms."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

__all__ = ["trusted"]

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def trusted() -> ssl.SSLContext:
    """The TLS settings that httpx2 would make for each client, the environment's files included."""
    return _made(tuple(os.environ.get(name) for name in VARIABLES))


@lru_cache(4)
def _made(variables: tuple[str | None, ...]) -> ssl.SSLContext:  # noqa: ARG001  the cache's key
    import httpx2  # noqa: PLC0415  comes with the SDK

    return httpx2.create_ssl_context()
