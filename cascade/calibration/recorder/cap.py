"""A cap on what a whole recording may cost, and who was held back by it."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Literal

from cascade.core.budget import Budget, worst_case_usd
from cascade.core.chain import Chain
from cascade.core.payloads import payload_for
from cascade.core.price import EXACT
from cascade.core.request import Request
from cascade.errors import ConfigError

__all__ = ["Cap", "bound_of"]


class Cap(Budget):
    """A budget shared by all requests of a recording.

    A request is begun only where everything it may cost at worst fits beside all that is paid or
    under way, so that none is broken off half-way; what its scorers ask is not known beforehand,
    and is held back where it does not fit. `was_hit` tells whose question that was.

    Args:
        limit_usd: the most that the recording may cost, what earlier runs paid included.
    """

    def __init__(self, limit_usd: str | int | Decimal) -> None:
        super().__init__(limit_usd)
        self._hit = threading.local()
        self._set_aside: dict[str, Decimal] = {}
        self._changed = threading.Condition()

    def reserve(self, amount_usd: Decimal | None) -> bool:
        """As the budget; remembers on which thread something did not fit."""
        fits = super().reserve(amount_usd)
        if not fits:
            self._hit.found = True
        return fits

    def was_hit(self) -> bool:
        """Whether this thread was held back since it last asked."""
        found = bool(getattr(self._hit, "found", False))
        self._hit.found = False
        return found

    def begin(self, name: str, bound_usd: Decimal) -> Literal["begun", "later", "never"]:
        """Take on a request, where all that it may cost fits beside what is paid and under way.

        Returns:
            "later" where requests under way may leave room for it, "never" where none is.
        """
        with self._changed:
            total = EXACT.add(self.committed_usd, bound_usd)
            for amount in self._set_aside.values():
                total = EXACT.add(total, amount)
            if total > self.limit_usd:
                return "later" if self._set_aside else "never"
            self._set_aside[name] = bound_usd
            return "begun"

    def end(self, name: str) -> None:
        """A request has ended: what it did not need is free again."""
        with self._changed:
            self._set_aside.pop(name, None)
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Wait for a request to end, where one is under way."""
        with self._changed:
            if self._set_aside:
                self._changed.wait(timeout_s)


def bound_of(chain: Chain, request: Request, names: frozenset[str]) -> Decimal:
    """The most that the drafts of some tiers can cost, in US dollars, each tried once.

    Raises:
        ConfigError: a tier's call has no upper bound, so that no cap could be kept.
    """
    total = Decimal(0)
    for tier in chain.tiers:
        if tier.name not in names:
            continue
        bound = worst_case_usd(chain, tier, payload_for(tier, request))
        if bound is None:
            raise ConfigError(
                f"tier {tier.name!r}: no upper bound can be computed for its calls, so no cap can "
                "be kept: set max_completion_tokens in its params, or price= and capabilities= on "
                "the tier"
            )
        total = EXACT.add(total, bound)
    return total
