"""Stores to look at, pages over them, and a browser, where there is one."""

import shutil
import socket
import threading
import time
from datetime import UTC, datetime

import pytest
import uvicorn
from demo_store import fill
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from ui_app import app_of
from ui_browser import Browser

from cascade import TraceStore
from cascade.accounts import Accounts

HERE = "http://127.0.0.1"


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A store of some hundred traces; the id of a request with children."""
    path = tmp_path_factory.mktemp("demo") / "traces.sqlite3"
    with TraceStore(path) as store:
        root = fill(store, 300, seed=6, until=datetime.now(UTC))  # one with all that may happen
    return path, root


@pytest.fixture
def store(demo, tmp_path):
    """The same store for one test."""
    path = tmp_path / "traces.sqlite3"
    shutil.copy(demo[0], path)
    with TraceStore(path) as made:
        yield made


@pytest.fixture
def empty(tmp_path):
    """A store without a trace."""
    with TraceStore(tmp_path / "empty.sqlite3") as made:
        yield made


@pytest.fixture
def accounts(tmp_path):
    """Keys of a gateway."""
    made = Accounts(tmp_path / "keys.sqlite3", cache_s=0)
    yield made
    made.close()


@pytest.fixture
def visit():
    """A client of pages over a store, on this machine, without a login."""

    def make(store, **options):
        return TestClient(app_of(store, auth="local", **options), base_url=HERE)

    return make


@pytest.fixture
def serve():
    """Listens with an app, mounted at /ui, in a thread; gives its address."""
    running = []

    def start(app):
        mounted = Starlette(routes=[Mount("/ui", app)])
        config = uvicorn.Config(mounted, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        listening = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        running.append((server, thread, listening, app))
        end = time.monotonic() + 10
        while not server.started and time.monotonic() < end:
            time.sleep(0.01)
        return f"{HERE}:{listening.getsockname()[1]}/ui/"

    yield start
    for server, thread, listening, app in running:
        server.should_exit = True
        thread.join(10)
        listening.close()
        app.state.site.draughtsman.close()
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A headless Chromium for all tests of this room."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium on this machine")
    made = Browser(found, tmp_path_factory.mktemp("chromium"))
    yield made
    made.close()


@pytest.fixture
def browser(chromium):
    """The browser, without anyone's cookies, with a window of usual size."""
    chromium.send("Network.clearBrowserCookies")
    chromium.size(1280, 900)
    return chromium
