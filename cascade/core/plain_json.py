"""Values as JSON, and where a value lies that JSON cannot hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from cascade.errors import RequestError

__all__ = ["NotJson", "as_json", "decoded_size", "strict_json"]

DEEPEST = 50
"""Levels that a message about a culprit goes down; deeper is hostile."""


class NotJson(RequestError):  # noqa: N818  it is the value that is none
    """A value of a kind that JSON does not have, such as a number without end."""


def as_json(value: object, where: str) -> bytes:
    """A value as JSON bytes; raises `RequestError` with the path of what JSON cannot hold.

    The SDK's own objects, such as a message or an output item handed back, are written as the SDK
    writes them.
    """
    try:
        return _write(value).encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair
        culprit = _find_culprit(value, where)
        words = f"{culprit} is not valid Unicode text; repair or drop it"
        raise RequestError(words, param=_param_of(value, where)) from error
    except (TypeError, ValueError, RecursionError) as error:
        param, cycle = _param_of(value, where), _find_cycle(value, where, {})
        if cycle is not None:
            words = f"{cycle} holds itself; pass plain data without cycles"
            raise RequestError(words, param=param) from error
        culprit = _find_culprit(value, where)
        raise NotJson(
            f"{culprit} cannot be sent as JSON; pass plain dicts, lists, strings, finite numbers, "
            "booleans or None",
            param=param,
        ) from error


def decoded_size(data: object, where: str) -> int:
    """The bytes that data read from JSON takes as JSON; raises as `as_json`.

    Reading turns a number like 1e999 into one that JSON cannot hold.
    """
    try:
        return len(strict_json(data))
    except ValueError:
        return len(as_json(data, where))


def strict_json(data: object) -> bytes:
    """Plain data as JSON, in a tenth of the time that `json` takes.

    Raises:
        ValueError: it holds what JSON cannot.
    """
    written = _writer()(data)
    if b"NaN" in written or b"Infinity" in written:  # or a word of somebody's text
        json.dumps(data, allow_nan=False)  # refuses a number, lets a text pass
    return written


@cache
def _writer() -> Callable[[object], bytes]:
    from pydantic_core import to_json  # noqa: PLC0415  not with the package

    return to_json


def _dumped(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    if dump is None or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return dump(mode="json", by_alias=True, exclude_unset=True)


_write = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, default=_dumped, separators=(",", ":")
).encode


def _find_cycle(value: object, where: str, above: Mapping[int, str]) -> str | None:
    """Path of the first part that holds itself; `None` where there is none near the surface."""
    if id(value) in above or len(above) > DEEPEST:
        return above.get(id(value))
    below = {**above, id(value): where}
    found = (_find_cycle(part, f"{where}[{key!r}]", below) for key, part in _entries(value))
    return next((path for path in found if path is not None), None)


def _entries(value: object) -> Iterable[tuple[object, object]]:
    """The parts of a container with their keys; nothing of anything else."""
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _param_of(value: object, where: str) -> str:
    """The parameter of a payload in which the culprit lies; of anything else, what that is."""
    if where != "payload":
        return where
    return next((str(key) for key, part in _entries(value) if not _fits_json(part)), where)


def _find_culprit(value: object, where: str, depth: int = 0) -> str:
    """Path and value of the first part that JSON cannot hold."""
    for key, part in _entries(value) if depth < DEEPEST else ():
        if not _fits_json(part):
            return _find_culprit(part, f"{where}[{key!r}]", depth + 1)
    try:
        shown = repr(value)[:80]
    except Exception:  # noqa: BLE001  nested too deeply, or a class of the caller's that raises
        shown = "that cannot be shown"
    return f"{where}: {type(value).__name__} {shown}"


def _fits_json(value: object) -> bool:
    try:
        _write(value).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True
