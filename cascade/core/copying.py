"""Copies of wire payloads for code that is not ours."""

from __future__ import annotations

from typing import Any

__all__ = ["copy_of"]

DEEPEST = 200
"""Levels that are copied; deeper ones are shared. No conversation nests deeper, an attack may."""


def copy_of(value: Any, depth: int = DEEPEST) -> Any:
    """Dicts and lists anew, all else as it is: `copy.deepcopy` takes ten times as long."""
    if depth and isinstance(value, dict):
        return {key: copy_of(part, depth - 1) for key, part in value.items()}
    if depth and isinstance(value, list):
        return [copy_of(part, depth - 1) for part in value]
    return value
