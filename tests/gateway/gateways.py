"""Gateways in threads, and waiting for what will be so."""

from __future__ import annotations

import threading
import time

from cascade import Endpoint, Price, Tier
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
