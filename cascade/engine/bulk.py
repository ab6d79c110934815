"""What a caller may say about many requests together, checked before the first one begins."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Iterable, Mapping, Sized
from dataclasses import dataclass

from cascade.core.request import Request
from cascade.engine.flow import Flow, ProgressCallback
from cascade.errors import ConfigError, RequestError

__all__ = ["CONCURRENCY", "Bulk", "check_concurrency", "check_several"]

CONCURRENCY = 32
"""Requests under way at once. A thread for each is still cheap, and the connections stay below the
100 that the SDK keeps in its pool, also where a scorer asks a few questions at once."""

SINGLE = (str, bytes, bytearray, Mapping, Request)


@dataclass(frozen=True, slots=True)
class Bulk:
    """The keywords of `complete_many` about the many; see `Cascade.complete_many`."""

    concurrency: int
    ordered: bool
    progress: ProgressCallback | None

    def __post_init__(self) -> None:
        check_concurrency(self.concurrency)
        ordered: object = self.ordered
        if not isinstance(ordered, bool):
            raise ConfigError(f"ordered is {ordered!r}: expected True or False")
        tell: object = self.progress
        if tell is not None and (not callable(tell) or inspect.iscoroutinefunction(tell)):
            raise ConfigError(
                f"progress is {tell!r}: expected a plain function of a Progress, e.g. print"
            )

    def flow(self, requests: object, *, in_order: bool) -> Flow:
        """What the requests go through together.

        Args:
            requests: to be counted, where they can be.
            in_order: the models answer from a list: one request at a time, so that each gets its
                line.
        """
        return Flow(
            concurrency=1 if in_order else self.concurrency,
            ordered=self.ordered,
            total=len(requests) if isinstance(requests, Sized) else None,
            progress=self.progress,
        )


def check_concurrency(concurrency: object) -> None:
    """Raise `ConfigError` unless it is a whole number from 1 up."""
    if type(concurrency) is not int or concurrency < 1:
        raise ConfigError(f"concurrency {concurrency!r} is no whole number from 1 up")


def check_several(method: str, requests: object, *, may_be_async: bool = False) -> None:
    """Raise `RequestError` unless these are several requests and not a single one."""
    if isinstance(requests, AsyncIterable) and not isinstance(requests, Iterable):
        if may_be_async:
            return
        raise RequestError(
            f"{method} got an async iterable of requests ({type(requests).__name__}); only "
            "AsyncCascade.complete_many can read it"
        )
    if isinstance(requests, SINGLE) or not isinstance(requests, Iterable):
        raise RequestError(
            f"{method} takes a list of requests, not {type(requests).__name__} "
            f"{str(requests)[:60]!r}; for a single one call complete(...)"
        )
