"""Running a scorer of any form on a draft: function, object, coroutine function or generator.

`evaluate` is a generator itself, so a combinator judges its parts with
`outcome = yield from evaluate(part, draft)` and everything underneath works under every driver.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Generator
from contextlib import suppress
from functools import partial
from typing import Any

from cascade.core.scoring import (
    Ask,
    AskAll,
    Draft,
    Failed,
    Outcome,
    Scorer,
    outcome_of,
    parts_of,
)
from cascade.core.wishes import Await, Ran, Run

__all__ = ["evaluate", "is_coroutine_scorer"]


def evaluate(scorer: Scorer, draft: Draft) -> Generator[Ask | AskAll | Run | Await, Any, Outcome]:
    """Judge a draft.

    Scorers with a true attribute `inline` promise to be quick and run on the calling thread; others
    run as a `Run` wish, under the tier's `scorer_timeout_s`.

    Returns:
        A score, an abstention, or a failure. Whatever the scorer raises becomes a `Failed`.
    """
    inline = bool(getattr(scorer, "inline", False))
    try:
        if inline or is_coroutine_scorer(scorer):
            result: object = scorer(draft)
        else:
            result = _value_of((yield Run(partial(scorer, draft))))
        if isinstance(result, Outcome):
            return result
        if inspect.isawaitable(result):
            result = _value_of((yield Await(result)))
        elif isinstance(result, Generator):
            result = yield from _steps(result, inline=inline)
    except Exception as error:  # noqa: BLE001  plug-in border: it becomes data and escalates
        return Failed(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    return outcome_of(result)


def is_coroutine_scorer(scorer: object) -> bool:
    """Whether a scorer, or one that it combines, is a coroutine function."""
    call = getattr(scorer, "__call__", None)  # noqa: B004  the bound method is what is inspected
    return (
        inspect.iscoroutinefunction(scorer)
        or inspect.iscoroutinefunction(call)
        or (isinstance(scorer, partial) and is_coroutine_scorer(scorer.func))
        or any(is_coroutine_scorer(part) for part in parts_of(scorer))
    )


def _steps(
    scoring: Generator[Any, Any, object], *, inline: bool
) -> Generator[Ask | AskAll | Run | Await, Any, object]:
    """Drive a generator scorer, each of its steps as its scorer asks: inline or as a `Run`."""
    answer: Any = None
    error: BaseException | None = None
    try:
        while True:
            step = partial(_step, scoring, answer, error)
            done, item = step() if inline else _value_of((yield Run(step)))
            if done:
                return item
            answer, error = None, None
            if isinstance(item, Awaitable):
                ran: Ran = yield Await(item)
                answer, error = ran.value, ran.error
                continue
            if not isinstance(item, Ask | AskAll | Run | Await):
                error = TypeError(
                    f"a scorer yielded {item!r}; write `reply = yield from ask(model, prompt)`"
                )
                continue
            try:
                answer = yield item
            except Exception as failure:  # noqa: BLE001  the scorer may handle a failed call
                error = failure
    finally:
        with suppress(ValueError):  # it still runs in the thread that timed out
            scoring.close()


def _step(
    scoring: Generator[Any, Any, object], answer: Any, error: BaseException | None
) -> tuple[bool, Any]:
    """One step: (False, what it yielded) or (True, what it returned)."""
    try:
        return False, scoring.throw(error) if error is not None else scoring.send(answer)
    except StopIteration as stop:
        return True, stop.value


def _value_of(ran: Ran) -> Any:
    if ran.error is not None:
        raise ran.error
    return ran.value
