"""Pictures for pages, drawn by a process of their own and remembered.

The process is started with the first picture and ends with the server, or when it was idle for
long. A picture that cannot be drawn is missing from its page, and nothing else is.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from markupsafe import Markup

__all__ = ["Draughtsman", "Picture"]

REMEMBERED = 200
"""Pictures kept, some ten kilobytes each."""

PATIENCE_S = 10.0
"""A picture takes a twentieth of a second, the first one a second or two."""

PAUSE_S = 30.0
"""After the process gave no answer pages do without pictures for so long, and need not wait."""

IDLE_S = 600.0

KEPT_ENV = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT", "PYTHONPATH")
"""What the process sees of the environment: no keys."""

COMMAND = ("-P", "-m", "cascade.dashboard.draw")
"""-P: what lies in the folder that the server was started in is not looked at."""

log = logging.getLogger("cascade")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a page wants.

    Attributes:
        name: unique in its page.
        chart: which of `cascade.dashboard.charts`.
        data: its arguments, as JSON has them.
        title: what it shows, for those who do not see it.
        says: the same at length.
    """

    name: str
    chart: str
    data: Mapping[str, Any]
    title: str
    says: str


class Draughtsman:
    """Draws; safe between threads, one picture at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._idle: threading.Timer | None = None
        self._kept: OrderedDict[str, Markup] = OrderedDict()
        self._paused_until = 0.0

    def draw(self, pictures: Iterable[Picture]) -> dict[str, Markup | None]:
        """Pictures by name, as elements of a page; `None` for one that cannot be drawn."""
        return {picture.name: self._drawn(picture) for picture in pictures}

    def warm_up(self) -> None:
        """Start the process in the background, so that the first page need not wait for it."""
        nothing = Picture("warm", "histogram", {"bins": [1], "threshold": None}, "", "")
        threading.Thread(target=self._drawn, args=(nothing,), daemon=True).start()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _drawn(self, picture: Picture) -> Markup | None:
        wanted = json.dumps(asdict(picture), sort_keys=True, default=str)
        with self._lock:
            found = self._kept.get(wanted)
            if found is not None:
                self._kept.move_to_end(wanted)
                return found
            answer = self._ask(wanted)
            if "svg" not in answer:
                log.warning("dashboard: picture %s: %s", picture.name, answer.get("error"))
                return None
            made = Markup(answer["svg"])  # noqa: S704  of `inline_svg`, which escapes every word
            self._kept[wanted] = made
            while len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
            return made

    def _ask(self, wanted: str) -> dict[str, str]:
        if time.monotonic() < self._paused_until:
            return {"error": "the process that draws gave no answer lately"}
        process = self._running()
        if process is None or process.stdin is None or process.stdout is None:
            return {"error": "the process that draws could not be started"}
        guard = threading.Timer(PATIENCE_S, process.kill)
        guard.daemon = True
        guard.start()
        try:
            process.stdin.write(wanted + "\n")
            process.stdin.flush()
            return dict(json.loads(process.stdout.readline()))
        except (OSError, ValueError):  # it was killed, or died: later another one is started
            self._end()
            self._paused_until = time.monotonic() + PAUSE_S
            return {"error": "the process that draws gave no answer"}
        finally:
            guard.cancel()
            self._rest_later()

    def _running(self) -> subprocess.Popen[str] | None:
        if self._process is None or self._process.poll() is not None:
            self._end()
            try:
                self._process = subprocess.Popen(  # noqa: S603  our own command
                    [sys.executable, *COMMAND],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env={name: os.environ[name] for name in KEPT_ENV if name in os.environ},
                    encoding="utf-8",
                )
            except OSError:
                return None
        return self._process

    def _rest_later(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = threading.Timer(IDLE_S, self.close)
        self._idle.daemon = True
        self._idle.start()

    def _end(self) -> None:
        process, self._process = self._process, None
        if self._idle is not None:
            self._idle.cancel()
        if process is not None:
            process.kill()
            process.communicate()
