"""Requests from a file of JSON lines; a line that is none is named by its number."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cascade.cli.output import UsageError
from cascade.core.request import Asked
from cascade.errors import RequestError

__all__ = ["Line", "check_readable", "count_lines", "read_lines", "with_system"]

ENDPOINTS = ("/v1/chat/completions", "/v1/responses")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file.

    Attributes:
        number: from 1, blank lines counted.
        asked: the request; `None` where the line holds none.
        error: why it holds none.
        custom_id: the caller's own id, as in files for the Batch API.
    """

    number: int
    asked: Asked | None = None
    error: str | None = None
    custom_id: str | None = None


def read_lines(path: Path, system: str | None = None) -> Iterator[Line]:
    """The requests of a file, read as they are needed; "-" is standard input.

    A line is a JSON string, `{"prompt": ...}` with further parameters beside it, a payload of Chat
    Completions (`messages`) or of Responses (`input`), or a line for the Batch API. Blank lines are
    passed over.

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


def with_system(asked: Asked, system: str | None) -> Asked:
    """The request with a system message in front."""
    if system is None:
        return asked
    message = {"role": "system", "content": system}
    if isinstance(asked, str):
        return [message, {"role": "user", "content": asked}]
    if isinstance(asked, Mapping) and "input" in asked:
        given = asked.get("instructions")
        return {**asked, "instructions": f"{system}\n\n{given}" if given else system}
    if isinstance(asked, Mapping):
        messages = asked.get("messages")
        listed = messages if isinstance(messages, list) else []
        return {**asked, "messages": [message, *listed]} if listed else asked
    return [message, *asked]


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
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return Line(number, error=f"line {number}: this is no JSON: {error}")
    custom_id = data.get("custom_id") if isinstance(data, dict) else None
    name = custom_id if isinstance(custom_id, str) else None
    try:
        return Line(number, with_system(_asked(data), system), custom_id=name)
    except RequestError as error:
        return Line(number, error=f"line {number}: {error}", custom_id=name)


def _asked(data: Any) -> Asked:
    if isinstance(data, str):
        return data
    if not isinstance(data, dict):
        raise RequestError(f"expected a JSON string or object, got {type(data).__name__}")
    if "body" in data:
        return _batch_body(data)
    if "prompt" in data:
        prompt = data["prompt"]
        if not isinstance(prompt, str):
            raise RequestError(f"prompt is {prompt!r}; expected text")
        rest = {name: value for name, value in data.items() if name not in ("prompt", "custom_id")}
        return {**rest, "messages": [{"role": "user", "content": prompt}]}
    if "messages" in data or "input" in data:
        return {name: value for name, value in data.items() if name != "custom_id"}
    raise RequestError(f"neither prompt, messages, input nor body among its keys {sorted(data)}")


def _batch_body(data: dict[str, Any]) -> Asked:
    url, body = data.get("url", ENDPOINTS[0]), data["body"]
    if url not in ENDPOINTS:
        raise RequestError(f"url is {url!r}; a chain answers {' and '.join(ENDPOINTS)}")
    if not isinstance(body, dict):
        raise RequestError("body is no object; expected a Chat Completions or Responses payload")
    return body
