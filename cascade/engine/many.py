"""Many requests answered on threads: `Cascade.complete_many`."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Self

from cascade.core.request import Asked, Request
from cascade.drivers import sync
from cascade.drivers.base import Models
from cascade.drivers.workers import Workers
from cascade.engine.flow import Flow
from cascade.engine.options import OwnOptions
from cascade.engine.results import ManyResult, Progress
from cascade.engine.run import Run

__all__ = ["Many"]

ARRIVING_S = 0.3
"""How long those who leave still wait for a request that has just been answered."""

WHY = "left under way"

Begin = Callable[[Asked | Request | OwnOptions], Run]


class Many:
    """Results of many requests, to be iterated once, by one thread.

    Requests are taken from their iterable on the consumer's thread, only when one can begin.
    Leaving the loop, the `with` block or the last reference begins nothing new and leaves what is
    under way: each such request closes its trace with what it had paid, the call that it waits for
    as unknown. Ctrl-C does the same and is raised at once; `stop` on a signal is the gentler way.
    """

    def __init__(
        self,
        requests: Iterable[Asked | Request | OwnOptions],
        begin: Begin,
        models: Models,
        flow: Flow,
    ) -> None:
        self._begin = begin
        self._models = models
        self._flow = flow
        self._workers: Workers[ManyResult] = Workers()
        self._context = contextvars.copy_context()
        self._leave_at: float | None = None
        self._requests: Iterator[Asked | Request | OwnOptions] | None = None
        self._requests = iter(requests)

    @property
    def progress(self) -> Progress:
        """How far the requests have come."""
        return self._flow.progress

    @property
    def left(self) -> tuple[ManyResult, ...]:
        """The requests that were left under way: their error is a `RunError` with the trace."""
        return self._flow.left

    def finished(self) -> list[ManyResult]:
        """Results that are there and were not handed out, by index; each is given once."""
        self._collect()
        return self._flow.rest()

    def stop(self, within_s: float | None = None) -> None:
        """Begin nothing new; the iteration ends with the last request that is under way.

        May be called from a signal handler, a callback or another thread.

        Args:
            within_s: leave what has not ended after so many seconds.
        """
        if within_s is not None:
            self._leave_at = time.monotonic() + within_s
        self._flow.stop()
        self._workers.wake()

    def close(self) -> None:
        """Begin nothing new and leave what is under way; see `left` and `finished`."""
        self._flow.stop()
        self._collect()
        self._leave()
        self._requests = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ManyResult:
        try:
            result = self._next()
        except BaseException:
            self.close()
            raise
        if result is not None:
            return result
        self.close()
        trouble, self._flow.trouble = self._flow.trouble, None
        raise trouble or StopIteration

    def _next(self) -> ManyResult | None:
        """The next result; `None` after the last one."""
        self._collect()
        self._fill()
        while True:
            result = self._flow.take()
            if result is not None or self._flow.is_idle:
                return result
            left_s = None if self._leave_at is None else self._leave_at - time.monotonic()
            if left_s is not None and left_s <= 0:
                self._leave()
            else:
                self._workers.wait(left_s)
            self._collect()
            if not self._flow.has_result:  # else the consumer sees it first, and may stop
                self._fill()

    def _fill(self) -> None:
        """Begin as many requests as there is room for; with a result at hand, one at most."""
        while self._requests is not None and self._flow.has_room:
            try:
                asked = next(self._requests)
            except StopIteration:
                self._flow.stop()
                return
            except Exception as error:  # noqa: BLE001  raised once finished work is handed out
                self._flow.fail(error)
                return
            begun = self._flow.begin(partial(self._begin, asked))
            if begun is not None:
                work = partial(_answer, *begun, self._models)
                self._workers.start(partial(self._context.copy().run, work))
                self._collect()
            if self._flow.has_result:
                return

    def _collect(self) -> None:
        for result in self._workers.collect():
            self._flow.end(result)

    def _leave(self) -> None:
        """Close the books of what is under way, and take in what has just been answered."""
        self._flow.leave(WHY)
        end = time.monotonic() + ARRIVING_S
        while not self._flow.is_idle and (left_s := end - time.monotonic()) > 0:
            self._workers.wait(left_s)
            self._collect()
        self._flow.forget()
        self._workers.dismiss()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def _answer(index: int, run: Run, models: Models) -> ManyResult:
    """Answer a request, on a thread of its own; whatever is raised is its result."""
    try:
        with run:
            return ManyResult(index, run.finish(sync.drive(run.decisions, models, run.timing)))
    except BaseException as error:  # noqa: BLE001  the consumer's thread decides what it means
        return ManyResult(index, error=error)
