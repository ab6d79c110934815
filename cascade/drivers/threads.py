"""Running a user's plain function with a time limit, on a thread that never holds up the exit.

A function that never returns cannot be stopped in Python; it can be left behind. Its thread is a
daemon and its answer, should one come, is dropped.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any

from cascade.core.wishes import Await, Ran

__all__ = ["attempt", "discard", "run_limited", "run_together", "start", "timed_out"]


def attempt(function: Callable[[], Any]) -> Ran:
    """Call a function; what it raises becomes data."""
    try:
        return Ran(value=function())
    except BaseException as error:  # noqa: BLE001  plug-in border: a scorer's exception is its
        return Ran(error=error)  # outcome; one that ends the program is raised again by the caller


def timed_out(limit_s: float) -> Ran:
    """The outcome of a function that did not come back, or was not begun for lack of time."""
    if limit_s <= 0:
        return Ran(error=TimeoutError("the request's deadline has passed"))
    return Ran(error=TimeoutError(f"no answer within {limit_s:g} s"))


def discard(wish: Await) -> None:
    """Drop something that nobody will await; a coroutine would complain otherwise."""
    close = getattr(wish.awaitable, "close", None)
    if close is not None:
        close()


def start(function: Callable[[], Any], done: Callable[[Ran], None]) -> None:
    """Run a function on a daemon thread, in the caller's context, and report its outcome."""
    context = contextvars.copy_context()
    threading.Thread(
        target=lambda: done(context.run(attempt, function)), name="cascade-scorer", daemon=True
    ).start()


def run_limited(function: Callable[[], Any], limit_s: float | None) -> Ran:
    """Run a function and wait for it at most `limit_s` seconds; `None` runs it right here."""
    if limit_s is None:
        return attempt(function)
    if limit_s <= 0:  # a thread might win this race or lose it: nobody starts
        return timed_out(limit_s)
    finished = threading.Event()
    outcome: list[Ran] = []

    def done(ran: Ran) -> None:
        outcome.append(ran)
        finished.set()

    start(function, done)
    return outcome[0] if finished.wait(limit_s) else timed_out(limit_s)


def run_together(functions: Sequence[Callable[[], Any]], *, in_order: bool = False) -> list[Ran]:
    """Run functions at once, the last one right here, and wait for all of them.

    Args:
        functions: what to run.
        in_order: run them one after the other instead.
    """
    if in_order or len(functions) < 2:  # noqa: PLR2004  nothing to do at once
        return [_uninterrupted(function) for function in functions]
    *others, mine = functions
    answered: SimpleQueue[tuple[int, Ran]] = SimpleQueue()
    for place, function in enumerate(others):
        start(function, partial(_report, answered, place))
    here = _uninterrupted(mine)  # else the others are left to end by themselves
    outcomes = dict(answered.get() for _ in others)
    return [*(outcomes[place] for place in range(len(others))), here]


def _uninterrupted(function: Callable[[], Any]) -> Ran:
    """Call a function; Ctrl-C and the like are raised at once, nothing further is begun."""
    ran = attempt(function)
    if ran.error is not None and not isinstance(ran.error, Exception):
        raise ran.error
    return ran


def _report(answered: SimpleQueue[tuple[int, Ran]], place: int, ran: Ran) -> None:
    answered.put((place, ran))
