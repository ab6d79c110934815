"""What `cascade run` says about each of its requests, as keywords of the engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

__all__ = ["Overrides"]


class Overrides(TypedDict):
    """Keywords of `Cascade.complete`, `stream` and `complete_many`; see there."""

    start_at: str | None
    stop_at: str | None
    tags: Iterable[str]
    parent: str | None
