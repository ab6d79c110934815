"""What recordings of chains add to their traces: quality, the best single model, net values.

A recording does not change, so each is compared once and remembered. Needs the extra `calibrate`,
and only where there are recordings.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cascade.core.chain import Chain
from cascade.errors import CascadeError, ConfigError
from cascade.traces.series import Span

if TYPE_CHECKING:
    from cascade.calibration import Comparison, NetValue, Recording

__all__ = ["Known", "Recordings"]

RESAMPLES = 100
"""Only means are shown, and no interval of them."""


@dataclass(frozen=True, eq=False)
class Known:
    """What a recording says of a chain.

    Attributes:
        requests: how many were recorded.
        best: the cheapest single model that is as good as the chain; "" where none is.
        best_ratio: what it costs there, as a share of what the top tier alone does.
        quality: of the chain, in [0, 1]; `None` where it is not known.
        top_quality: of the top tier alone.
        scorers: their net values.
        reason: why less is known.
        tiers: that were recorded.
    """

    requests: int = 0
    best: str = ""
    best_ratio: float | None = None
    quality: float | None = None
    top_quality: float | None = None
    scorers: tuple[NetValue, ...] = ()
    reason: str = ""
    tiers: tuple[str, ...] = ()

    def is_of(self, tiers: Iterable[str]) -> bool:
        """Whether it may be a recording of a chain with these tiers: one of them was recorded.

        Of what has no tiers, nothing can be said against it.
        """
        names = set(tiers)
        return not names or not self.tiers or not names.isdisjoint(self.tiers)

    def saved_against_best(self, span: Span) -> Decimal | None:
        """About what requests saved against the best single model; `None` where nobody knows.

        Each is taken to cost there the recorded share of what it would on the top tier. Nobody
        knows where other tiers answered than were recorded: it is a recording of another chain.
        """
        answered = filter(None, span.answers)
        if self.best_ratio is None or not span.top_tier or not self.is_of(answered):
            return None
        spent = span.top_tier - span.saved.known_usd
        return Decimal(self.best_ratio) * span.top_tier - spent


class Recordings:
    """Recordings by the names of their chains.

    Args:
        given: a recording, or the path of one, for each chain.
        chains: by name; a chain that is not there is judged by its recorded thresholds.

    Raises:
        ConfigError: what is given is neither.
    """

    def __init__(self, given: Mapping[str, Any], chains: Mapping[str, Chain]) -> None:
        for name, item in given.items():
            if not isinstance(item, str | os.PathLike) and not hasattr(item, "tiers"):
                raise ConfigError(
                    f"recordings[{name!r}] is {item!r}: expected a recording, or the path of one"
                )
        self._given = dict(given)
        self._chains = chains
        self._lock = threading.Lock()
        self._known: dict[str, Known] = {}

    def of(self, chain: str, tiers: Iterable[str] = ()) -> Known | None:
        """What is known of a chain; `None` without a recording.

        Args:
            chain: its name.
            tiers: those that its traces name. Where none of them was recorded, only that is said.
        """
        if chain not in self._given:
            return None
        with self._lock:
            if chain not in self._known:
                self._known[chain] = self._read(chain)
            known = self._known[chain]
        names = tuple(tiers)
        return known if known.is_of(names) else Known(reason=_other(chain, known.tiers, names))

    def _read(self, chain: str) -> Known:
        try:
            return _known(self._given[chain], chain, self._chains.get(chain))
        except (CascadeError, OSError) as error:  # the page says so, and shows what traces tell
            return Known(reason=str(error))


def _known(given: Recording | str | Path, name: str, chain: Chain | None) -> Known:
    from cascade.calibration import compare, read_recording  # noqa: PLC0415  loads numpy and more
    from cascade.calibration.reporting.basis import basis_of  # noqa: PLC0415

    recording = read_recording(given) if isinstance(given, str | os.PathLike) else given
    tiers = tuple(recording.tiers[place].name for place in recording.ladder)
    if chain is not None and not Known(tiers=tiers).is_of(own := [tier.name for tier in chain]):
        return Known(reason=_other(name, tiers, own), tiers=tiers)
    basis = basis_of(recording, chain, None, None)
    if basis.chosen is None:
        reason = "; ".join(basis.notes) or "it has no thresholds"
        return Known(len(recording), reason=reason, tiers=tiers)
    found = compare(recording, basis.source, chosen=basis.chosen, resamples=RESAMPLES)
    costs = {point.name: point.cost_usd for point in found.singles}
    best = _best_single(found)
    quality = None if found.chosen is None else found.chosen.quality
    return Known(
        requests=len(recording),
        best=best,
        best_ratio=costs[best] / costs[found.top] if best and costs.get(found.top) else None,
        quality=None if quality is None else quality.value,
        top_quality={point.name: point.quality for point in found.singles}.get(found.top),
        scorers=found.scorers,
        tiers=tiers,
    )


def _other(chain: str, recorded: Iterable[str], own: Iterable[str]) -> str:
    """That a recording is one of another chain, and what to do."""
    return (
        f"The recording that was given for {chain or 'this chain'} is of another chain: its tiers "
        f"are {', '.join(recorded)}, those of the chain {', '.join(own)}. Give it with the name of "
        "its own chain, as --recording NAME=FILE, or record this one with `cascade record`."
    )


def _best_single(found: Comparison) -> str:
    """The cheapest single model that is as good as the plan; "" where none is."""
    for baseline in found.baselines:
        if baseline.name == "best single at equal quality" and baseline.plan is not None:
            return baseline.plan.tiers[0]
    return ""
