"""The pictures of the pages in the documentation: `python tests/dashboard/demo_pictures.py docs/images`."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from demo_store import fill
from ui_browser import Browser

from cascade import TraceStore
from cascade.dashboard import dashboard_app

UNTIL = datetime(2026, 11, 27, 12, tzinfo=UTC)

PICTURES = {
    # file: page, width and height, dark
    "dashboard.png": ("?range=all", 1180, 1010, False),
    "dashboard-chain.png": ("chain?name=support&range=all", 1180, 940, True),
}


def take(folder):
    """Write each picture into a folder."""
    with tempfile.TemporaryDirectory() as work:
        store = TraceStore(Path(work) / "traces.sqlite3")
        fill(store, 4_000, until=UNTIL)
        app = dashboard_app(store, auth="local")
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        browser = Browser(shutil.which("chromium"), work)
        try:
            while not server.started:
                time.sleep(0.02)
            for name, (page, width, height, dark) in PICTURES.items():
                browser.size(width, height, dark=dark)
                browser.go(f"http://127.0.0.1:{listening.getsockname()[1]}/{page}")
                browser.run("document.querySelector('.who-am-i').textContent = 'traces.sqlite3'")
                browser.picture(Path(folder) / name, whole=False)
        finally:
            browser.close()
            server.should_exit = True
            thread.join()
            store.close()


if __name__ == "__main__":
    take(sys.argv[1])
