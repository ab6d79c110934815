"""A gateway in a thread, a provider in another, and what is kept of it all."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest
from databases import database, postgres, server, sqlite, wire  # noqa: F401

sys.path.append(str(Path(__file__).parents[1] / "wire"))  # what OpenAI's replies look like

from processes import Serving, chain_file
from upstream import Upstream

from cascade import Endpoint, Price, Tier, TraceStore
from cascade.core.chain import Chain
from cascade.gateway import Limits, create_app
from cascade.gateway.server import GatewayServer, listen
from scorers import LengthBetween


def tiers(url):
    """Two tiers: the small model's short answers are not good enough."""
    client = Endpoint(url)
    return (
        Tier(
            "small",
            scorer=LengthBetween(min_words=3),
            client=client,
            price=Price.of("1", "2"),
        ),
        Tier("big", client=client, price=Price.of("10", "20")),
    )


class Served:
    """A gateway that listens.

    Attributes:
        url: of the API, as an OpenAI client takes it.
        port: of 127.0.0.1.
        app: the ASGI app.
    """

    def __init__(self, app):
        self.app = app
        sock = listen("127.0.0.1", 0)
        self.port = sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.server = GatewayServer(app, app.turns, app.limits, sock=sock)
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()
        until(lambda: self.server.started)

    def stop(self):
        """Drain and end."""
        self.server.should_exit = True
        self.join()

    def join(self):
        self._thread.join(30)
        assert not self._thread.is_alive()


def until(true, within_s=30):
    """Wait until something is so."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it never came to be so"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def _provider():
    made = Upstream()
    yield made
    made.close()


@pytest.fixture
def upstream(_provider):
    _provider.asked.clear()
    _provider.left = 0
    _provider.release(value=False)
    return _provider


@pytest.fixture
def store(tmp_path):
    with TraceStore(tmp_path / "gateway.sqlite3") as made:
        yield made


@pytest.fixture
def serve(upstream, store):
    """Starts a gateway over the chain `support`: `serve(limits={...}, ...)`."""
    made = []

    def start(chains=None, *, limits=None, **settings):
        chain = Chain(tiers(upstream.url), name="support")
        app = create_app(
            chains or {"support": chain}, store=store, limits=Limits(**(limits or {})), **settings
        )
        made.append(Served(app))
        return made[-1]

    yield start
    for item in made:
        item.stop()


@pytest.fixture
def start(tmp_path, upstream):
    """Starts real processes over the chain `support`: `start(place, "--insecure-local", ...)`."""
    file = chain_file(tmp_path, upstream.url)
    made = []

    def serving(place, *args):
        made.append(Serving("--chain", file, "--database", place, *args, folder=tmp_path))
        assert made[-1].port, made[-1].said
        return made[-1]

    yield serving
    for item in made:
        item.__exit__()


@pytest.fixture
def traces(store):
    """All traces that were kept, oldest first."""

    def read():
        store.flush(10)
        return [store.get(row.id) for row in reversed(store.list(limit=None))]

    return read
