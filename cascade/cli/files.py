"""A file that a command writes line by line: emptied only once there is something to write."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from cascade.cli.output import OutputError, UsageError, plain
from cascade.errors import CascadeError

__all__ = [
    "Lines",
    "check_folder",
    "check_place",
    "refuse_recording",
    "refuse_same_file",
    "store_file",
    "writing",
]


class Lines:
    """JSON lines, each of them written at once: what is finished stays, whatever happens next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._opened()
        self._fresh = False

    def write(self, data: Any) -> None:
        """Write one line; raises as `write_text`."""
        self.write_text(json.dumps(plain(data), ensure_ascii=False))

    def write_text(self, line: str) -> None:
        """Write a line of JSON.

        Raises:
            OutputError: it cannot be written, such as on a full disk.
        """
        try:
            self._begin()
            self._file.write(f"{line}\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"{self._named} cannot be written: {error.strerror}") from error

    def finish(self) -> None:
        """Empty the file where nothing was written: the command went well and had nothing to say.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self._begin()
        except OSError as error:
            raise OutputError(f"{self._named} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Close the file; what could not be written was told before."""
        with suppress(OSError):
            self._file.close()

    def _opened(self) -> TextIO:
        try:
            return self._path.open("a", encoding="utf-8", errors="replace")
        except OSError as error:
            raise UsageError(f"{self._named} cannot be written: {error.strerror}") from error

    def _begin(self) -> None:
        if not self._fresh and stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            self._file.truncate(0)
        self._fresh = True

    @property
    def _named(self) -> str:
        return f"--output {str(self._path)!r}"


@contextmanager
def writing(path: Path | None) -> Iterator[Lines | None]:
    """A file to write lines to, where one is wanted; what it held stays until the first line.

    Raises:
        UsageError: it cannot be opened.
    """
    if path is None:
        yield None
        return
    lines = Lines(path)
    try:
        yield lines
    finally:
        lines.close()


def check_place(path: Path | None, option: str = "--output") -> None:
    """Refuse a file that cannot be written, before the work that would be lost with it.

    Raises:
        UsageError: it is a folder, its own folder is not there, or it may not be written.
    """
    if path is None:
        return
    folder = path.parent
    if path.is_dir():
        why = "it is a folder; name a file in it"
    elif not folder.exists():
        why = f"there is no folder {str(folder)!r}; make it, or name another"
    elif not folder.is_dir():
        why = f"{str(folder)!r} is no folder"
    elif not os.access(path if path.exists() else folder, os.W_OK):
        why = f"{str(path if path.exists() else folder)!r} may not be written; name another place"
    else:
        return
    raise UsageError(f"{option} {str(path)!r} cannot be written: {why}")


def check_folder(path: Path | None, option: str) -> None:
    """The same for a folder, which is made with those above it where it is not there.

    Raises:
        UsageError: something else has that name, or nothing may be written there.
    """
    if path is None:
        return
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not there.is_dir():
        raise UsageError(f"{option} {str(path)!r} cannot be made: {str(there)!r} is no folder")
    if not os.access(there, os.W_OK):
        raise UsageError(f"{option} {str(path)!r}: {str(there)!r} may not be written")


def refuse_same_file(
    output: Path | None, others: Mapping[str, Path | None], written: str = "--output"
) -> None:
    """Refuse to write over what is read; `written` is the option that names the output.

    Raises:
        UsageError: the output is one of the other files, named by their options.
    """
    for option, other in others.items():
        if output is not None and other is not None and _is_same(output, other):
            raise UsageError(
                f"{written} {str(output)!r} is the same file as {option}; choose another file"
            )


def refuse_recording(path: Path, wanted: str) -> None:
    """Say that a file is a recording, where something else was wanted and not found in it.

    Raises:
        UsageError: it is one.
    """
    from cascade.calibration import read_recording  # noqa: PLC0415  loads numpy

    try:
        read_recording(path)
    except CascadeError:
        return
    raise UsageError(
        f"{str(path)!r} is a recording, not {wanted}: `cascade what-if`, `certify` and `report` "
        "take it as it is"
    )


def store_file(where: str | None) -> Path | None:
    """The file of an SQLite store; `None` for a database on a server, or no store."""
    if where is None:
        return None
    if "://" not in where:
        return Path(where).expanduser()
    kind, _, rest = where.partition("://")
    return Path(rest.partition("?")[0].removeprefix("/")) if kind.startswith("sqlite") else None


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.absolute() == other.absolute()
