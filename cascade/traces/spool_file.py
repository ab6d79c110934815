"""A file of traces that wait, a JSON text a line, held by one process at a time.

What `append` has taken is on the disk. A file whose process is gone is free for the next one; a
last line that was cut off by its end is no trace and is passed over.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

__all__ = ["SpoolFile"]

BLOCK = 1 << 20
"""Bytes read at once."""

MOST = 1 << 24
"""Bytes given out at once, unless a single line has more."""


class SpoolFile:
    """A spool file that this process holds.

    Not for use by several threads at once.

    Attributes:
        path: where it is.
        count: lines that have not been passed yet.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle
        self._size = os.fstat(handle).st_size
        self._passed = 0  # bytes
        self._shown = 0  # bytes up to where lines were given out
        self._lines = 0  # that were given out and not passed
        self.count = sum(block.count(b"\n") for block in self._blocks(0)) + self._has_rest()

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new file, held.

        Raises:
            OSError: it cannot be made.
        """
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        _lock(handle)
        _sync_folder(path.parent)  # else a power cut may forget that it is there
        return cls(path, handle)

    @classmethod
    def adopt(cls, path: Path) -> Self | None:
        """The file at a path, held; `None` where another process holds it or it is gone."""
        try:
            handle = os.open(path, os.O_RDWR | os.O_APPEND | _BINARY)
        except OSError:
            return None
        if _lock(handle) and _is_at(path, handle):
            return cls(path, handle)
        os.close(handle)
        return None

    @property
    def size(self) -> int:
        """Bytes in it."""
        return self._size

    def append(self, lines: Iterable[bytes]) -> int:
        """Take lines on, in order; each is on the disk or not in the file at all.

        Returns:
            How many were taken: fewer than given where the disk is full.

        Raises:
            OSError: none was.
        """
        data = b"".join(line + b"\n" for line in lines)
        done, trouble = 0, None
        if os.fstat(self._handle).st_size != self._size:  # what failed could not be undone then
            os.ftruncate(self._handle, self._size)
        try:
            while done < len(data):
                done += os.write(self._handle, memoryview(data)[done:])
        except OSError as error:  # full: what came in whole stays
            trouble = error
            done = data.rfind(b"\n", 0, done) + 1
            os.ftruncate(self._handle, self._size + done)
        if trouble is not None and not done:
            raise trouble
        try:
            os.fsync(self._handle)
        except OSError:
            os.ftruncate(self._handle, self._size)
            raise
        self._size += done
        taken = data.count(b"\n", 0, done)
        self.count += taken
        return taken

    def first(self, most: int) -> list[bytes]:
        """The next lines, up to so many; the same ones again until they are `passed`."""
        found: list[bytes] = []
        data, size = b"", 0
        for block in self._blocks(self._passed):
            *lines, data = (data + block).split(b"\n")
            for line in lines:
                if len(found) == most or size > MOST:
                    break
                found.append(line)
                size += len(line) + 1
            else:
                continue
            break
        else:
            if data and len(found) < most:  # cut off, or whole but for its end
                found.append(data)
                size += len(data)
        self._shown, self._lines = self._passed + size, len(found)
        return found

    def passed(self) -> None:
        """The lines that `first` gave have been taken care of."""
        self._passed, self.count = self._shown, self.count - self._lines
        self._lines = 0

    def remove(self) -> None:
        """Delete the file and let go of it."""
        with suppress(OSError):
            if sys.platform == "win32":  # which deletes no file that is open
                self.close()
            self.path.unlink()
        self.close()

    def close(self) -> None:
        """Let go of it: it is there for the next one to adopt."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def _blocks(self, start: int) -> Iterable[bytes]:
        os.lseek(self._handle, start, os.SEEK_SET)
        while block := os.read(self._handle, BLOCK):
            yield block

    def _has_rest(self) -> bool:
        """Whether the last line has no end."""
        if not self._size:
            return False
        os.lseek(self._handle, -1, os.SEEK_END)
        return os.read(self._handle, 1) != b"\n"


_BINARY = getattr(os, "O_BINARY", 0)


if sys.platform == "win32":
    import msvcrt

    FAR = 1 << 40

    def _lock(handle: int) -> bool:
        os.lseek(handle, FAR, os.SEEK_SET)  # a byte that nobody reads: locks there forbid reading
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _sync_folder(folder: Path) -> None:
        """Its folders need none."""
else:
    import fcntl

    def _lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _sync_folder(folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_at(path: Path, handle: int) -> bool:
    """Whether the file is still the one at its path: its last holder may have deleted it."""
    try:
        there, held = path.stat(), os.fstat(handle)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)
