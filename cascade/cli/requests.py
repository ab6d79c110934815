"""Requests from a file of JSON lines; a line that is none is named by its number."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from cascade.cli.output import UsageError
from cascade.core.asked import asked_in, decoded_line, with_system
from cascade.core.budget import Budget
from cascade.core.request import Asked, Request
from cascade.core.tier import is_positive
from cascade.errors import ConfigError, RequestError

__all__ = ["Line", "check_readable", "count_lines", "read_lines"]

OPTIONS = ("budget", "deadline_s", "start_at", "stop_at", "tags", "parent")
"""Keys of a line that are keywords of `complete`; `metadata` goes to the API, which has it too."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file.

    Attributes:
        number: from 1, blank lines counted.
        asked: the request; `None` where the line holds none.
        options: what the line says about its request alone, as keywords of `complete`.
        error: why it holds none.
        custom_id: the caller's own id, as in files for the Batch API.
    """

    number: int
    asked: Asked | None = None
    error: str | None = None
    custom_id: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def read_lines(path: Path, system: str | None = None) -> Iterator[Line]:
    """The requests of a file, read as they are needed; "-" is standard input.

    A line is a JSON string, `{"prompt": ...}` with further parameters beside it, a payload of Chat
    Completions (`messages`) or of Responses (`input`), or a line for the Batch API. An object may
    also hold keywords of `complete` (`budget`, `deadline_s`, `start_at`, `stop_at`, `tags`,
    `parent`), which apply to it alone. Blank lines are passed over.

    Raises:
        UsageError: the file cannot be read.
    """
    with _opened(path) as file:
        for number, raw in enumerate(file, 1):
            if raw.strip():
                yield _line(number, raw, system)


def check_readable(path: Path) -> None:
    """Refuse a file that cannot be read; a pipe is not touched, since it can be read only once.

    Raises:
        UsageError: it cannot be read.
    """
    if str(path) == "-" or (path.exists() and not path.is_file() and not path.is_dir()):
        return
    with _opened(path):
        pass


def count_lines(path: Path) -> int | None:
    """How many requests a file holds, for progress; `None` where only reading it could tell."""
    if str(path) == "-" or not path.is_file():
        return None
    with _opened(path) as file:
        return sum(1 for raw in file if raw.strip())


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise UsageError(f"--input {str(path)!r} cannot be read: {error.strerror}") from error


def _line(number: int, raw: bytes, system: str | None) -> Line:
    try:
        data = decoded_line(raw)
    except RequestError as error:
        return Line(number, error=f"line {number}: {error}")
    custom_id = data.get("custom_id") if isinstance(data, dict) else None
    name = custom_id if isinstance(custom_id, str) else None
    try:
        options = _options(data) if isinstance(data, dict) else {}
        return Line(number, with_system(asked_in(data), system), custom_id=name, options=options)
    except RequestError as error:
        return Line(number, error=f"line {number}: {error}", custom_id=name)


def _options(data: dict[str, Any]) -> dict[str, Any]:
    """Take the keywords of `complete` out of a line; raises `RequestError` for a wrong value."""
    found = {name: data.pop(name) for name in OPTIONS if name in data}
    options = {name: value for name, value in found.items() if value is not None}
    budget = options.get("budget")
    if isinstance(budget, float):  # as it was written: JSON has no other way to say 0.01
        options["budget"] = str(budget)
    try:
        Budget.of(options.get("budget"))
    except ConfigError as error:
        raise RequestError(str(error)) from error
    if not is_positive(options.get("deadline_s", 1)):
        value = options["deadline_s"]
        raise RequestError(f"deadline_s is {value!r}; expected a number of seconds above 0")
    for name in ("start_at", "stop_at"):
        if not isinstance(options.get(name, ""), str):
            raise RequestError(f"{name} is {options[name]!r}; expected the name of a tier")
    Request.build("?").marked(options.get("tags"), options.get("parent"))
    return options
