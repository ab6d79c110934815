"""What the options of an import hold, as the library takes it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from cascade.cli.output import UsageError

__all__ = ["names_in", "pairs_in", "prices_in", "scale_in"]


def names_in(text: str) -> dict[str, str]:
    """Tier names with their models, of `a,b` or `nano=a,top=b`; raises `UsageError` for others."""
    found: dict[str, str] = {}
    for part in filter(None, (item.strip() for item in text.split(","))):
        name, equals, model = part.partition("=")
        if name in found:
            raise UsageError(f"{text!r} names {name!r} twice; give each tier a name of its own")
        found[name] = model if equals else part
    return found


def pairs_in(option: str, given: list[str] | None) -> dict[str, str]:
    """Values by name, of texts like `quality=judged`; raises `UsageError` for others."""
    found = {}
    for text in given or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{option} {text!r}: expected NAME=VALUE")
        found[name] = value
    return found


def scale_in(text: str) -> tuple[float, float]:
    """Worst and best grade, of `1,5`; raises `UsageError` for others."""
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise UsageError(f"--scale {text!r}: expected worst and best, e.g. 1,5") from None
    return low, high


def prices_in(path: Path | None) -> dict[str, Any] | None:
    """The prices of a file of JSON; raises `UsageError` where it holds none."""
    if path is None:
        return None
    try:
        data = json.loads(path.read_bytes(), parse_float=Decimal)
    except OSError as error:
        raise UsageError(f"--prices {str(path)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"--prices {str(path)!r} is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(f"--prices {str(path)!r}: expected an object of prices by model")
    return data
