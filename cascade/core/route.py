"""Which part of a chain one request may use, and which tiers it passes over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cascade.core.tier import Tier
from cascade.core.window import prompt_tokens_at_least
from cascade.errors import ConfigError, RequestError

if TYPE_CHECKING:
    from cascade.core.chain import Chain
    from cascade.core.request import Request

__all__ = ["WHOLE", "Entry", "Leg", "Route", "Start", "WrongRoute", "entered"]


class WrongRoute(RequestError):  # noqa: N818  it is the route that is wrong
    """A tier that the chain does not have, or not in this order.

    Attributes:
        option: which of `start_at` and `stop_at` names it.
    """

    def __init__(self, message: str, option: str) -> None:
        super().__init__(message)
        self.option = option


@dataclass(frozen=True, slots=True)
class Start:
    """Where a request begins, and why, as an entry says.

    Attributes:
        at: name of the first tier to ask.
        reason: why, in words, for the trace.
    """

    at: str
    reason: str = ""


Entry = Callable[["Request"], "Start | str | None"]
"""Chooses the first tier from the request alone: a `Start`, the tier's name, or `None` for the
chain's first. One that raises, or names a tier that is not there, begins with the chain's first:
that costs a cheap call and never skips the scorer of an answer."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A tier on the way.

    Attributes:
        tier: the tier.
        skipped: why it is not asked; `None` where it is.
        final: nothing comes after it, so its answer stands.
    """

    tier: Tier
    skipped: str | None = None
    final: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """The part of a chain that a request may use.

    Attributes:
        start_at: name of the first tier to ask; `None` for the chain's first.
        stop_at: name of the last tier that may be asked; its answer stands.
        why: why the request starts where it does, for the trace.
    """

    start_at: str | None = None
    stop_at: str | None = None
    why: str = ""

    def check(self, chain: Chain) -> None:
        """Raise `RequestError` unless the chain has these tiers, in this order."""
        if self.start_at is None and self.stop_at is None:
            return
        start, stop = self._bounds(chain)
        if start > stop:
            raise WrongRoute(
                f"start_at={self.start_at!r} comes after stop_at={self.stop_at!r} in chain "
                f"{chain.name!r}: no tier is left to ask",
                "start_at",
            )

    def legs(self, chain: Chain, payload: Mapping[str, Any], size_bytes: int) -> Iterable[Leg]:
        """The tiers up to the last one allowed, those that are passed over marked.

        A tier is passed over before the start, and where the prompt is too long for its window
        while a later tier could take it.

        Args:
            chain: the chain.
            payload: the request as asked.
            size_bytes: its size; a prompt of fewer bytes than a window has tokens fits it.
        """
        if self.start_at is None and self.stop_at is None and size_bytes <= chain.least_window:
            return chain.legs
        return self._legs(chain, payload, size_bytes)

    def _legs(self, chain: Chain, payload: Mapping[str, Any], size_bytes: int) -> Iterator[Leg]:
        start, stop = self._bounds(chain)
        tiers = chain.tiers[: stop + 1]
        tokens = None  # counted once, where a window may be too small
        for place, tier in enumerate(tiers):
            if place < start:
                yield Leg(tier, self.why or f"start_at={self.start_at!r}")
            elif place == stop:
                yield Leg(tier, final=True)
            else:
                why = None
                window = chain.facts(tier).max_input_tokens
                if window is not None and size_bytes > window:
                    if tokens is None:
                        tokens = prompt_tokens_at_least(payload, chain.largest_window)
                    why = _too_long(chain, tiers[place:], window, tokens)
                yield Leg(tier, why)

    def _bounds(self, chain: Chain) -> tuple[int, int]:
        start = _place(chain, "start_at", self.start_at) if self.start_at is not None else 0
        stop = len(chain) - 1
        if self.stop_at is not None:
            stop = _place(chain, "stop_at", self.stop_at)
        return start, stop


WHOLE = Route()
"""The whole chain."""


def entered(chain: Chain, request: Request, route: Route) -> Route:
    """A route with the start that the chain's entry chooses, where nobody else has chosen one."""
    if chain.entry is None or route.start_at is not None:
        return route
    try:
        start = chain.entry(request)
        if start is None:
            return route
        if not isinstance(start, Start):
            start = Start(start)
        chosen = replace(route, start_at=start.at, why=start.reason or f"entry: {start.at!r}")
        chosen.check(chain)
    except Exception:  # noqa: BLE001  plug-in border: see `Entry`
        return route
    return chosen


def _place(chain: Chain, what: str, name: object) -> int:
    try:
        return chain.tiers.index(chain.tier(str(name)))
    except ConfigError as error:
        raise WrongRoute(f"{what}={name!r}: {error}", what) from None


def _too_long(chain: Chain, tiers: tuple[Tier, ...], window: int, tokens: int) -> str | None:
    """Why the first of these tiers cannot take so many tokens, where a later one can."""
    if tokens <= window:
        return None
    tier, *later = tiers
    for other in later:
        room = chain.facts(other).max_input_tokens
        if room is None or tokens <= room:
            return (
                f"the prompt holds {tokens:,} tokens or more; {tier.model} takes {window:,} at most"
            )
    return None
