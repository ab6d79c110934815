"""uvicorn, embedded: it stops without losing anything, and looks after slow clients."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

import uvicorn

from cascade.gateway.connection import Connection
from cascade.gateway.limits import Limits
from cascade.gateway.turns import Turns

__all__ = ["GatewayServer", "listen"]

CUT_S = 5.0
"""How long requests that were broken off may take to write their books."""

CLOSE_S = 5.0
"""How long clients may take to fetch the rest of answers that are complete."""

BACKLOG = 2048
"""Connections that may wait to be taken, as uvicorn has it."""

GARBAGE = 100_000
"""Objects until Python looks for cycles among them; at its own 700 that is a tenth of all work, and
requests leave hardly any; those of a thousand requests under way are as many."""

SWITCH_S = 0.0005
"""How long a thread that writes traces may keep the event loop waiting; Python's own 5 ms are as
long as ten requests."""

FILES = 256
"""File descriptors for everything but clients and models: databases, the spool, pages."""

TICKS_PER_CHECK = 10
"""uvicorn ticks ten times a second."""

log = logging.getLogger("cascade")


class GatewayServer(uvicorn.Server):
    """Serves a gateway until it is told to stop.

    The first signal lets requests in flight finish; new ones are told to go elsewhere meanwhile. A
    second one breaks them off. In both cases books are closed and traces written.

    Args:
        app: the ASGI app.
        turns: of that app.
        limits: of the gateway.
        sock: a socket that listens already.
        ready: called once requests are answered.

    Attributes:
        cut: requests that were broken off.
    """

    def __init__(
        self,
        app: Any,
        turns: Turns,
        limits: Limits,
        *,
        sock: socket.socket | None = None,
        ready: Callable[[], None] | None = None,
    ) -> None:
        self.cut = 0
        self._ready = ready
        self._turns = turns
        self._limits = limits
        self._socket = sock
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # every answer says what went wrong
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection.bounded(
                    replace(limits, max_connections=connections(limits, files_allowed(limits)))
                ),
                ws="none",
                loop="uvloop",
                lifespan="on",
                interface="asgi3",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=limits.keep_alive_s,
            )
        )

    def serve_forever(self) -> None:
        """Run in an event loop of its own until a signal ends it."""
        gc.collect()
        gc.freeze()  # what is there stays: nothing of it is looked at again
        gc.set_threshold(GARBAGE, 20, 50)
        sys.setswitchinterval(SWITCH_S)
        self.run(sockets=[self._socket] if self._socket is not None else None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and say so where that went well."""
        await super().startup(sockets)
        if self.started and self._ready is not None:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Look after slow clients now and then."""
        if counter % TICKS_PER_CHECK == 0:
            now = time.monotonic()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.check_times(now)
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the usual signals, and SIGHUP of a terminal that is closed: it would end us at once.

        Where somebody has seen to it, as `nohup` does, it is left alone.
        """
        closed = getattr(signal, "SIGHUP", None)  # not on Windows
        with super().capture_signals():
            if (
                closed is None
                or signal.getsignal(closed) is not signal.SIG_DFL
                or threading.current_thread() is not threading.main_thread()  # as uvicorn
            ):
                yield
                return
            signal.signal(closed, self._hang_up)
            try:
                yield
            finally:
                signal.signal(closed, signal.SIG_DFL)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; the second time at once."""
        del sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True

    def _hang_up(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a terminal says so twice, by its shell and by its end, and means it once."""
        del sig, frame
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then close. The listening socket stays until then, to say that this is the end."""
        self._turns.drain()
        await self._drained()
        if self._turns.in_flight:
            self.cut = self._turns.cancel()
            what = "1 request was" if self.cut == 1 else f"{self.cut} requests were"
            log.warning("%s broken off; the traces say so", what)
            await self._turns.idle(CUT_S)
        self.force_exit = False  # the app's own end is not to be skipped
        self.config.timeout_graceful_shutdown = int(CLOSE_S)
        await super().shutdown(sockets)

    async def _drained(self) -> None:
        end = time.monotonic() + self._limits.drain_s
        counter = 0
        while self._turns.in_flight and not self.force_exit and time.monotonic() < end:
            await self._turns.idle(0.1)
            counter += 1
            await self.on_tick(counter)


def connections(limits: Limits, files: int) -> int:
    """How many clients may be connected where a process may have so many files open.

    Whoever opens connections and says nothing must not take the descriptors that models, databases
    and the spool need: traces would be lost.
    """
    left = files - FILES
    return max(1, min(limits.max_connections, left - min(limits.max_concurrent, left // 2)))


def files_allowed(limits: Limits) -> int:
    """How many files this process may have open; raised to what the limits need, where it may."""
    wanted = limits.max_connections + limits.max_concurrent + FILES
    if sys.platform == "win32":
        return wanted
    import resource  # noqa: PLC0415  not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    more = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
    except (OSError, ValueError):  # a system that has a lower bound of its own
        return soft
    return more


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any.

    Raises:
        OSError: the address is not ours, or in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(BACKLOG)  # whoever reads the address may connect before the loop runs
    except OSError:
        made.close()
        raise
    return made
