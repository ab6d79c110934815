"""Adding up money and times: exact sums with unknown parts, and quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from cascade.core.price import EXACT
from cascade.traces.quantiles import Quantiles

__all__ = ["Amount", "Clock", "Sum", "Times"]


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum of dollars.

    Attributes:
        usd: all of it; `None` where a part is unknown.
        known_usd: what is known of it: a lower bound of costs.
        unknown: how many of the requests, turns or calls added up have an unknown part.
    """

    usd: Decimal | None
    known_usd: Decimal
    unknown: int

    def per(self, count: int) -> Decimal | None:
        """The mean over so many; `None` where a part is unknown, or over none."""
        return None if self.usd is None or not count else self.usd / count


@dataclass(frozen=True, slots=True)
class Times:
    """Times in seconds, right within one per cent; `None` where there were none."""

    p50_s: float | None
    p95_s: float | None


class Sum:
    """Adds amounts up, exactly."""

    def __init__(self) -> None:
        self._known = Decimal(0)
        self._unknown = 0

    def add(self, amount: Decimal | None, known: Decimal = Decimal(0)) -> None:
        """Add an amount, or what is known of it."""
        self._unknown += amount is None
        self._known = EXACT.add(self._known, known if amount is None else amount)

    def amount(self) -> Amount:
        """What was added so far."""
        return Amount(None if self._unknown else self._known, self._known, self._unknown)


class Clock(Quantiles):
    """Counts times."""

    def times(self) -> Times:
        """Their quantiles."""
        return Times(self.at(0.5), self.at(0.95))
