"""Many requests under way: which may begin, which are out, which is handed out next.

Knows no thread and no event loop: `cascade.engine.many` and `cascade.engine.async_many` ask here
what to do. A slow request holds up neither the others nor memory: they run on ahead of it, up to a
bound.
"""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable
from decimal import Decimal

from cascade.core.dollars import dollars
from cascade.core.price import EXACT
from cascade.core.trace import Trace
from cascade.engine.results import ManyResult, Progress
from cascade.engine.run import Run
from cascade.errors import ConfigError, RequestError, RunError

__all__ = ["Flow"]

AHEAD = 4
"""Requests begun and not yet handed out, as a multiple of those under way at once. With 1, one slow
request at the head of an ordered run would soon leave all others idle; each costs one answer's
memory."""

log = logging.getLogger("cascade")

ProgressCallback = Callable[[Progress], object]


class Flow:
    """The requests that were begun and not yet handed out.

    Args:
        concurrency: how many may be under way, from 1.
        ordered: hand out in the order of the requests, not in that of their ends.
        total: how many there are, where that is known.
        progress: told after each end.

    Attributes:
        progress: how far the requests have come.
        left: the requests that were left under way; their error holds what they had paid.
        trouble: what ends the taking on of requests and is raised after the last result.
    """

    def __init__(
        self,
        *,
        concurrency: int,
        ordered: bool,
        total: int | None,
        progress: ProgressCallback | None,
    ) -> None:
        self.concurrency = concurrency
        self.progress = Progress(total=total)
        self.left: tuple[ManyResult, ...] = ()
        self.trouble: BaseException | None = None
        self._ordered = ordered
        self._tell = progress
        self._under_way: dict[int, Run] = {}
        self._ready: dict[int, ManyResult] = {}
        self._begun = 0
        self._next = 0
        self._stopped = False
        self._process = os.getpid()
        # Registered after the store's own end, hence run before it: traces still reach the store.
        atexit.register(self._at_exit)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    @property
    def has_room(self) -> bool:
        """Whether a further request may begin."""
        return (
            not self._stopped
            and len(self._under_way) < self.concurrency
            and len(self._under_way) + len(self._ready) < AHEAD * self.concurrency
        )

    @property
    def has_result(self) -> bool:
        """Whether a result can be handed out."""
        return self._first() is not None

    @property
    def is_stopped(self) -> bool:
        """Whether no further request may begin."""
        return self._stopped

    def begin(self, begin: Callable[[], Run]) -> tuple[int, Run] | None:
        """Begin a request: its index and its run; `None` where it cannot be sent.

        What concerns all of them stops the taking on of more.
        """
        try:
            run = begin()
        except ConfigError as error:
            self.fail(error)
            return None
        except Exception as error:  # noqa: BLE001  one odd request is that request's failure
            self._begun += 1
            self._ended(ManyResult(self._begun - 1, error=error))
            return None
        index = self._begun
        self._under_way[index] = run
        self._begun += 1
        return index, run

    def end(self, result: ManyResult) -> None:
        """A request has ended; one that was left before is passed over."""
        run = self._under_way.get(result.index)
        if run is None:
            return
        run.leave("never begun")  # no effect on a request that got that far
        self._ended(result)

    def fail(self, trouble: BaseException) -> None:
        """Take on no further request, and raise this once the others have ended."""
        self.trouble = self.trouble or trouble
        self._stopped = True

    def stop(self) -> None:
        """Take on no further request."""
        self._stopped = True

    def take(self) -> ManyResult | None:
        """The result to hand out next, where it is there."""
        index = self._first()
        if index is None:
            return None
        result = self._ready[index]
        self._next = index + 1
        del self._ready[index]
        return result

    def rest(self) -> list[ManyResult]:
        """All results that are there, by index."""
        results = [self._ready[index] for index in sorted(self._ready)]
        self._ready.clear()
        return results

    def leave(self, why: str) -> None:
        """Close the books of what is under way.

        What has come to its own end meanwhile stays under way: its result is about to arrive.
        """
        self._stopped = True
        self._tell = None
        for index, run in list(self._under_way.items()):
            trace = run.leave(why)
            if trace is not None:
                self._has_left(index, trace)

    def forget(self) -> None:
        """Wait for nothing any more: what is still under way counts as left."""
        for index, run in list(self._under_way.items()):
            self._has_left(index, run.close("cancelled", "cancelled: left", None))
        atexit.unregister(self._at_exit)

    def _first(self) -> int | None:
        if not self._ordered:
            return next(iter(self._ready), None)
        if self._next in self._ready:
            return self._next
        # Where requests were left there are gaps, which nobody waits for.
        return min(self._ready, default=None) if self.left else None

    def _ended(self, result: ManyResult) -> None:
        error = result.error
        if isinstance(error, RunError | RequestError):
            error.__traceback__ = None  # its frames hold a whole request, and tell nothing
        elif isinstance(error, ConfigError) or not isinstance(error, Exception | None):
            self.fail(error)
        self._ready[result.index] = result
        self._under_way.pop(result.index, None)
        self._count(result)

    def _count(self, result: ManyResult) -> None:
        trace, so_far = result.trace, self.progress
        known = trace.known_cost_usd if trace is not None else Decimal(0)
        self.progress = Progress(
            done=so_far.done + 1,
            failed=so_far.failed + (result.completion is None),
            total=so_far.total,
            known_cost_usd=EXACT.add(so_far.known_cost_usd, known),
            unknown_costs=so_far.unknown_costs + (trace is not None and trace.cost_usd is None),
        )
        if self._tell is None:
            return
        try:
            self._tell(self.progress)
        except Exception:
            # Plug-in border: the answers are paid for and go to the caller all the same.
            log.exception("the progress callback failed; it is not called again")
            self._tell = None

    def _has_left(self, index: int, trace: Trace) -> None:
        known = f"{dollars(trace.known_cost_usd)}"
        spent = known if trace.cost_usd is not None else f"an unknown amount, at least {known}"
        error = RunError(f"left under way (spent {spent}; see .trace)", trace)
        self.left += (ManyResult(index, error=error),)
        self._under_way.pop(index, None)

    def _at_exit(self) -> None:
        if os.getpid() == self._process:  # a forked child has not asked for any of it
            self.leave("the program ended")
