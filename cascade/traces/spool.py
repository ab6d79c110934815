"""Traces on the disk of this machine, while the place where they belong cannot be written.

Each process writes a file of its own and delivers it in order. Files that a process left behind are
delivered by the next one that opens a store of the same place with the same folder. A trace may be
delivered twice, which changes nothing: it is kept under its id.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

from cascade.errors import StoreError
from cascade.traces.spool_file import SpoolFile

__all__ = ["SPOOL_BYTES", "Spool", "default_spool"]

SPOOL_BYTES = 1 << 30
"""How much may wait for a place: at 5 kilobytes a trace some 200,000 of them."""

LOOK_S = 10.0
"""How often to look for files that other processes left behind."""

VARIABLE = "CASCADE_SPOOL"

log = logging.getLogger("cascade")


def default_spool() -> Path:
    """The folder for a program whose user named none: `CASCADE_SPOOL`, else the user's state."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "cascade" / "spool"


class Spool:
    """The traces that wait for one place. Used by one thread; `count` by any.

    Args:
        folder: where files are kept; made if it is missing, for this user alone.
        place: what the traces are for; a folder may serve several.
        most: bytes that may wait for the place, files of other processes included.

    Raises:
        StoreError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path, place: str, most: int = SPOOL_BYTES) -> None:
        self.folder = folder.expanduser().absolute()
        self._most = most
        self._prefix = hashlib.sha256(place.encode()).hexdigest()[:16]
        self._own: SpoolFile | None = None
        self._adopted: SpoolFile | None = None
        self._refused: set[Path] = set()
        self._look_at = 0.0
        self._is_full = False
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise self._unusable("it cannot be written")

    @property
    def count(self) -> int:
        """Traces that wait: this process's, and those of the file that it has adopted."""
        files = (self._own, self._adopted)
        return sum(file.count for file in files if file is not None)

    @property
    def is_used(self) -> bool:
        """Whether traces of this process wait."""
        return self._own is not None and self._own.count > 0

    def append(self, texts: Sequence[str]) -> list[Exception]:
        """Take traces on, as JSON.

        Returns:
            One error for each that was not: the spool is full, or its disk is.
        """
        lines = [text.encode() for text in texts]
        room, wanted = self._most - self._size(), 0
        for place, line in enumerate(lines):
            wanted += len(line) + 1
            if wanted > room:
                return self._taken(lines[:place], len(lines), f"{self._most:,} bytes wait in it")
        return self._taken(lines, len(lines), "")

    def first(self, most: int) -> list[bytes]:
        """The next traces to deliver, as JSON; the same ones again until they are `passed`."""
        if not self.is_used and self._adopted is None:
            self._adopted = self._left_behind()
        file = self._current
        return file.first(most) if file is not None else []

    def passed(self) -> None:
        """The traces that `first` gave have been delivered."""
        file = self._current
        if file is None:
            return
        file.passed()
        if not file.count:
            file.remove()
            self._forget(file)
        self._is_full = False

    def refuse(self) -> None:
        """Leave the file that `first` read to a newer version of the program."""
        file = self._current
        if file is not None:
            log.warning(
                "%s holds traces of a newer version of Cascade and is left to it", file.path
            )
            self._refused.add(file.path)
            file.close()
            self._forget(file)

    def close(self) -> None:
        """Leave what waits to the next process."""
        for file in (self._own, self._adopted):
            if file is not None and not file.count:
                file.remove()
            elif file is not None:
                file.close()
        self._own = self._adopted = None

    def forget(self) -> None:
        """In a forked child: what waits is its parent's."""
        for file in (self._own, self._adopted):
            if file is not None:
                file.close()
        self._own = self._adopted = None

    @property
    def _current(self) -> SpoolFile | None:
        """The file that is being delivered: what this process left to others comes after its own.

        A trace kept twice under one id counts as it was kept last, so a file goes out in order.
        """
        return self._own if self.is_used else self._adopted

    def _forget(self, file: SpoolFile) -> None:
        if file is self._own:
            self._own = None
        else:
            self._adopted = None

    def _taken(self, lines: list[bytes], wanted: int, trouble: str) -> list[Exception]:
        taken = 0
        try:
            if lines:
                self._own = self._own or self._new_file()
                taken = self._own.append(lines)
                trouble = trouble if taken == len(lines) else "the disk is full"
        except OSError as error:
            trouble = error.strerror or str(error)
        if taken == wanted:
            return []
        full = StoreError(f"the spool {self.folder} takes no more: {trouble}")
        if not self._is_full:
            log.warning("%s; traces are being dropped until there is room", full)
        self._is_full = True
        return [full] * (wanted - taken)

    def _new_file(self) -> SpoolFile:
        moment, drawn = int(time.time() * 1000), os.urandom(4).hex()
        name = f"{self._prefix}-{moment:012x}-{os.getpid()}-{drawn}.jsonl"
        return SpoolFile.create(self.folder / name)

    def _files(self) -> list[Path]:
        """The files of this place, oldest first."""
        return sorted(self.folder.glob(f"{self._prefix}-*.jsonl"))

    def _size(self) -> int:
        sizes = 0
        for path in self._files():
            try:
                sizes += path.stat().st_size
            except OSError:  # delivered meanwhile
                continue
        return sizes

    def _left_behind(self) -> SpoolFile | None:
        """A file whose process is gone; there is a look every few seconds."""
        if time.monotonic() < self._look_at:
            return None
        for path in self._files():
            file = SpoolFile.adopt(path) if path not in self._refused else None
            if file is None:
                continue
            if file.count:
                return file
            file.remove()
        self._look_at = time.monotonic() + LOOK_S
        return None

    def _unusable(self, why: object) -> StoreError:
        return StoreError(f"the spool {self.folder} cannot be used: {why}; name another folder")
