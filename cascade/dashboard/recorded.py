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
        best_ratio: what it costs there, as a share of what `top` alone does.
        quality: of the chain, in [0, 1]; `None` where it is not known.
        top_quality: of the top tier alone.
        scorers: their net values.
        reason: why less is known.
        tiers: that were recorded.
        top: the chain's last tier, which is the last of these unless the chain says otherwise.
    """

    requests: int = 0
    best: str = ""
    best_ratio: float | None = None
    quality: float | None = None
    top_quality: float | None = None
    scorers: tuple[NetValue, ...] = ()
    reason: str = ""
    tiers: tuple[str, ...] = ()
    top: str = ""

    def is_of(self, tiers: Iterable[str], top: str = "") -> bool:
        """Whether it is a recording of a chain with these tiers: all of them were recorded.

        Of what has no tiers, nothing can be said against it.

        Args:
            tiers: some of the chain's, or all.
            top: its last one, where that is known.
        """
        return not self.tiers or (set(tiers) <= set(self.tiers) and top in ("", self.top))

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

    def why_untold(self, chain: str, span: Span) -> str:
        """What bars telling what requests saved against the best single model; "" for nothing.

        The chain itself may fit where its requests do not: it may have had other tiers before.
        """
        others = [tier for tier in span.answers if tier and not self.is_of([tier])]
        if self.reason or not others:
            return self.reason
        return (
            f"What {chain or 'this chain'} saved against the best single model cannot be told for "
            f"this time: it has answers of {', '.join(others)}, and the recording has none."
        )


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

    def of(self, chain: str, tiers: Iterable[str] = (), top: str = "") -> Known | None:
        """What is known of a chain; `None` without a recording.

        Where the chain itself is not known, its traces tell what it is; where that was not
        recorded, only this is said.

        Args:
            chain: its name.
            tiers: those that its traces name.
            top: its last tier, as they say; "" where they do not.
        """
        if chain not in self._given:
            return None
        with self._lock:
            if chain not in self._known:
                self._known[chain] = self._read(chain)
            known = self._known[chain]
        names = tuple(dict.fromkeys(filter(None, (*tiers, top))))
        if chain in self._chains or known.is_of(names, top):
            return known
        return Known(reason=_other(chain, known.tiers, names))

    def _read(self, chain: str) -> Known:
        try:
            return _known(self._given[chain], chain, self._chains.get(chain))
        except (CascadeError, OSError) as error:  # the page says so, and shows what traces tell
            return Known(reason=f"{_named(chain)}: {error}")


def _known(given: Recording | str | Path, name: str, chain: Chain | None) -> Known:
    from cascade.calibration import compare, read_recording  # noqa: PLC0415  loads numpy and more
    from cascade.calibration.reporting.basis import basis_of  # noqa: PLC0415

    recording = read_recording(given) if isinstance(given, str | os.PathLike) else given
    tiers = tuple(recording.tiers[place].name for place in recording.ladder)
    top = tiers[-1] if chain is None else chain.top.name
    if chain is not None and not Known(tiers=tiers).is_of(own := [tier.name for tier in chain]):
        return Known(reason=_other(name, tiers, own), tiers=tiers, top=top)
    basis = basis_of(recording, chain, None, None)
    if basis.chosen is None:
        reason = "; ".join(basis.notes) or "it has no thresholds"
        return Known(len(recording), reason=f"{_named(name)}: {reason}", tiers=tiers, top=top)
    found = compare(recording, basis.source, chosen=basis.chosen, resamples=RESAMPLES)
    costs = {point.name: point.cost_usd for point in found.singles}
    best = _best_single(found)
    quality = None if found.chosen is None else found.chosen.quality
    return Known(
        requests=len(recording),
        best=best,
        best_ratio=costs[best] / costs[top] if best and costs.get(top) else None,
        quality=None if quality is None else quality.value,
        top_quality={point.name: point.quality for point in found.singles}.get(top),
        scorers=found.scorers,
        tiers=tiers,
        top=top,
    )


def _other(chain: str, recorded: Iterable[str], own: Iterable[str]) -> str:
    """That a recording is one of another chain, and what to do."""
    return (
        f"{_named(chain)} is of another chain: its tiers are {', '.join(recorded)}, those of the "
        f"chain {', '.join(own)}. Give it with the name of its own chain, as --recording NAME=FILE,"
        " or record this one with `cascade record`."
    )


def _named(chain: str) -> str:
    """A chain's recording, at the beginning of what is said of it."""
    return f"The recording that was given for {chain or 'this chain'}"


def _best_single(found: Comparison) -> str:
    """The cheapest single model that is as good as the plan; "" where none is."""
    for baseline in found.baselines:
        if baseline.name == "best single at equal quality" and baseline.plan is not None:
            return baseline.plan.tiers[0]
    return ""
