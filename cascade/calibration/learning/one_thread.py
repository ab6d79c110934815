"""Fits on one thread: they are small, and waking others takes longer than what these would do."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from cascade.calibration.needs import needed

__all__ = ["one_thread"]


def one_thread() -> AbstractContextManager[Any]:
    """While it lasts, linear algebra and trees keep to the thread that asks for them.

    OpenBLAS spins on all cores between products of some hundred numbers: with two cores, learning
    from 19 tiers took twice the time of the processor.
    """
    limits: AbstractContextManager[Any] = _libraries("sklearn.ensemble" in sys.modules).limit(
        limits=1
    )
    return limits


@cache
def _libraries(with_trees: bool) -> Any:  # noqa: ARG001  the key of the cache
    """The libraries with threads of their own, looked for again once that of trees is loaded."""
    return needed("threadpoolctl").ThreadpoolController()
