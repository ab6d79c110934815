"""For every test: no network, no keys from the environment, repeatable examples."""

from __future__ import annotations

import os
import socket
from datetime import date

import pytest
from hypothesis import settings

from cascade.testing import NetworkBlocked, no_network

LOOPBACK = ("127.0.0.1", "::1", "localhost")

settings.register_profile("cascade", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "cascade")


@pytest.fixture(autouse=True)
def _same_day(monkeypatch):
    """Shutdown dates are compared with the day of the price table, whatever the day is."""
    monkeypatch.setattr("cascade.clock.today", lambda: date(2026, 11, 22))


@pytest.fixture(autouse=True)
def _sealed(request, monkeypatch):
    """Real connections fail; those to this machine only where a test says that it needs them."""
    for name in tuple(os.environ):
        if name.startswith(("OPENAI_", "AZURE_OPENAI_")):
            monkeypatch.delenv(name)
    monkeypatch.delenv("CASCADE_DATABASE_URL", raising=False)
    marks = ("loopback", "live")
    allowed = LOOPBACK if any(request.node.get_closest_marker(name) for name in marks) else ()
    real = socket.getaddrinfo

    def resolve(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        if name not in (None, *LOOPBACK):
            raise NetworkBlocked(f"a test tried to find the address of {name}")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with no_network(allow=allowed):
        yield
