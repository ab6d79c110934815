"""What became of each of many requests, and how far they have come together."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from cascade.core.trace import Trace
from cascade.engine.completion import Completion

__all__ = ["ManyResult", "Progress"]


@dataclass(frozen=True, slots=True)
class ManyResult:
    """What became of one request of `complete_many`: either a completion or an error.

    Attributes:
        index: its place in the requests, from 0.
        completion: the answer.
        error: why there is none: a `RunError` with what was spent, a `RequestError` where it could
            not be sent, or whatever else was raised on its way.
    """

    index: int
    completion: Completion | None = None
    error: BaseException | None = None

    @property
    def trace(self) -> Trace | None:
        """The request's trace; `None` where nothing was asked."""
        if self.completion is not None:
            return self.completion.trace
        trace = getattr(self.error, "trace", None)
        return trace if isinstance(trace, Trace) else None

    def unwrap(self) -> Completion:
        """The answer; raises the error where there is none."""
        if self.completion is None:
            raise self.error or RuntimeError(f"request {self.index} has neither answer nor error")
        return self.completion


@dataclass(frozen=True, slots=True)
class Progress:
    """How far many requests have come.

    Attributes:
        done: requests that have ended, failed ones included.
        failed: of those, the ones without an answer.
        total: how many there are; `None` where the requests do not say (a generator).
        known_cost_usd: what is known to have been spent for those that have ended.
        unknown_costs: how many of those have a cost that is not known in full.
    """

    done: int = 0
    failed: int = 0
    total: int | None = None
    known_cost_usd: Decimal = Decimal(0)
    unknown_costs: int = 0
