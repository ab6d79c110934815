"""`functools.cached_property` as it is from Python 3.12 on: without a lock at each first asking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["cached_property"]

Made = TypeVar("Made")


class cached_property(Generic[Made]):  # noqa: N801  as in the standard library
    """A property that is worked out once; two threads may do so at the same time."""

    def __init__(self, make: Callable[[Any], Made]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, value: None, owner: type) -> Self: ...

    @overload
    def __get__(self, value: object, owner: type) -> Made: ...

    def __get__(self, value: object | None, owner: type) -> Self | Made:
        if value is None:
            return self
        made = value.__dict__[self._name] = self._make(value)  # found there from now on
        return made
