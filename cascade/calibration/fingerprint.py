"""Short hashes of what decides an answer or a score, to notice that it has changed since."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from cascade.core.chain import settings_of_scorer
from cascade.core.scoring import parts_of
from cascade.core.tier import Tier

__all__ = ["fingerprint", "price_fingerprint", "scorer_fingerprint", "tier_fingerprint"]

DEPTH = 4
"""How far into the functions that a function holds; a helper's helper's helper is beyond notice."""


def tier_fingerprint(tier: Tier) -> str:
    """What decides a tier's answers: model, parameters (schema, effort), preamble, API."""
    return fingerprint([tier.model, dict(tier.params), tier.preamble, tier.api, tier.base_model])


def scorer_fingerprint(scorer: object) -> str:
    """What decides a scorer's scores: its kind, settings and parts, and the source of functions.

    "" for none. What a function calls elsewhere is not looked at.
    """
    return "" if scorer is None else fingerprint([settings_of_scorer(scorer), *_codes(scorer)])


def price_fingerprint(price: Mapping[str, Any]) -> str:
    """What a price in its JSON form charges, whatever it is called and of whatever date."""
    return fingerprint({**price, "id": ""})


def fingerprint(data: object) -> str:
    """16 hexadecimal digits of the SHA-256 of data as canonical JSON."""
    text = json.dumps(data, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _codes(scorer: object) -> Iterator[object]:
    """What is code of the caller's in a scorer and its parts; nothing for plain settings."""
    yield from _held(scorer, DEPTH)
    for part in parts_of(scorer):
        yield from _codes(part)


def _held(value: object, depth: int) -> Iterator[object]:
    if depth == 0:
        return
    if isinstance(value, functools.partial):
        yield ["partial", _plain(value.args), _plain(value.keywords)]
        yield from _held(value.func, depth - 1)
    elif isinstance(value, FunctionType):
        yield [value.__qualname__, _source(value), _plain(value.__defaults__)]
        for cell in value.__closure__ or ():
            yield from _of_cell(cell, depth - 1)
    elif callable(value) and not isinstance(value, type):
        settings = getattr(value, "__dataclass_fields__", None)
        names = settings if settings is not None else getattr(value, "__dict__", {})
        for name in sorted(names):
            yield from _of_attribute(name, getattr(value, name, None), settings, depth)


def _of_attribute(
    name: str, held: object, settings: Mapping[str, Any] | None, depth: int
) -> Iterator[object]:
    """An attribute: code wherever it is; its value where no dataclass lists it as a setting."""
    if name == "scorers":
        return
    if isinstance(held, FunctionType | functools.partial):
        yield name
        yield from _held(held, depth - 1)
    elif settings is None:
        yield [name, _plain(held)]


def _of_cell(cell: Any, depth: int) -> Iterator[object]:
    try:
        held = cell.cell_contents
    except ValueError:  # not filled yet
        return
    if callable(held):
        yield from _held(held, depth)
    else:
        yield _plain(held)


def _source(function: FunctionType) -> str:
    """A function's text, which is the same in every version of Python; else its byte code.

    The text of a lambda is the whole line, which may hold another one: byte code tells them apart.
    """
    code = function.__code__
    compiled = f"{code.co_code.hex()} {code.co_names} {_plain(code.co_consts)}"
    if function.__name__ == "<lambda>":
        return compiled
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return compiled


def _plain(value: object) -> object:
    """A value as JSON that is the same in every process; of anything else its type."""
    return json.loads(json.dumps(value, sort_keys=True, default=lambda part: type(part).__name__))
