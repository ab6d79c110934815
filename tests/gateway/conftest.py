"""A gateway in a thread, a provider in another, and what is kept of it all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from databases import database, postgres, server, sqlite, wire  # noqa: F401

sys.path.append(str(Path(__file__).parents[1] / "wire"))  # what OpenAI's replies look like

from bad_provider import Upstream
from gateways import Served, tiers
from serving import Serving, chain_file

from cascade import TraceStore
from cascade.core.chain import Chain
from cascade.gateway import Limits, create_app


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

    def serving(place, *args, **limits):
        where = ("--chain", file, "--database", place)
        made.append(Serving(*where, *args, folder=tmp_path, **limits))
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
