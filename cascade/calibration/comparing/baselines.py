"""What a plan must be compared with: everything simpler, and what hindsight reaches.

All on the same requests, by the same draws of the bootstrap. Simpler things are chosen in hindsight
on these requests, which flatters them and not the plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.comparing.bootstrap import Bootstrap
from cascade.calibration.comparing.curves import CLOSE, Hull, hull_of
from cascade.calibration.comparing.findings import Estimate
from cascade.calibration.comparing.oracles import Oracle, oracle_cascade, oracle_router
from cascade.calibration.comparing.pairs import Pairs, pairs_of
from cascade.calibration.comparing.price_list import PRICES
from cascade.calibration.money import UNKNOWN, in_usd
from cascade.calibration.plan import Bools, Plan, ScoreSource, Step, simulate
from cascade.calibration.recording import Recording
from cascade.calibration.unasked import refuse_gaps
from cascade.errors import RecordingError

__all__ = ["Baseline", "Kind", "Simpler", "baselines"]

Floats = NDArray[np.float64]

Kind = Literal["single", "mix", "pair", "oracle"]
"""One model for all requests; two models at random; two tiers and one threshold; hindsight."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Something simpler than the plan (or what hindsight reaches, an oracle) on the same requests.

    Attributes:
        name: e.g. "always top", "best pair at equal quality", "oracle router".
        kind: what sort of thing it is.
        what: its definition, in words, with the tiers it uses.
        cost: USD per request; `None` where there is no such thing on this recording.
        quality: mean quality.
        plan: the plan that it is, where it is one.
        reason: why there is none.
    """

    name: str
    kind: Kind
    what: str
    cost: Estimate | None
    quality: Estimate | None
    plan: Plan | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class _Found:
    """A baseline request by request: USD and quality, shape (n,) each."""

    cost: Floats
    quality: Floats
    plan: Plan | None = None


_Row = tuple[str, Kind, str, _Found | None, str]
"""A baseline's name, kind and definition, what it is, and why there is none."""


class Simpler:
    """Everything simpler than a plan on one recording.

    Args:
        recording: with known costs and qualities of all its tiers.
        source: scores of first answers, for pairs.
        rates: why the cost of some tiers is not known; see `missing_rates`.
        plan: that it stands beside, which may be a pair itself.
        stands: answers that end a request by the plan's policy; see `simulate`.
        top: name of the top tier, the recording's last one unless given; see `compared_with`.
        unjudged: tiers without a scorer, which begin no pair.

    Raises:
        RecordingError: a tier was not asked every request, or its cost or quality is not known.
    """

    def __init__(
        self,
        recording: Recording,
        source: ScoreSource,
        rates: Mapping[str, str] | None = None,
        *,
        plan: Plan | None = None,
        stands: Bools | None = None,
        top: str | None = None,
        unjudged: Collection[str] = (),
    ) -> None:
        _check(recording, rates or {})
        self.recording = recording
        self._source = source
        self._plan = plan
        self._stands = stands
        self._unjudged = unjudged
        self._ladder = np.array(recording.ladder)
        self.costs: Floats = in_usd(recording.cost_pusd)[:, self._ladder]
        self.quality: Floats = recording.quality[:, self._ladder]
        self.top = len(self.names) - 1 if top is None else self.names.index(top)
        share = recording.weights / recording.weights.sum()
        self.mean_cost: Floats = share @ self.costs
        self.mean_quality: Floats = share @ self.quality

    @property
    def names(self) -> tuple[str, ...]:
        """The tiers, in order."""
        return tuple(self.recording.names[i] for i in self._ladder)

    @property
    def cheapest(self) -> int:
        """Which of them costs least."""
        return int(np.lexsort((-self.mean_quality, self.mean_cost))[0])

    @property
    def dearest(self) -> int:
        """Which of them costs most; the top tier where others cost as much."""
        is_top = np.arange(len(self.names)) == self.top
        return int(np.lexsort((self.mean_quality, is_top, self.mean_cost))[-1])

    @cached_property
    def mixing(self) -> Hull:
        """The hull of the single models: what random mixing reaches."""
        return hull_of(self.mean_cost, self.mean_quality)

    @cached_property
    def router(self) -> Oracle:
        """The oracle that asks one tier per request."""
        return oracle_router(self.costs, self.quality, self.recording.weights)

    @cached_property
    def cascade(self) -> Oracle:
        """The oracle that pays for every tier, the cheapest first, up to the one it stops at."""
        order = np.lexsort((-self.mean_quality, self.mean_cost))
        return oracle_cascade(self.costs[:, order], self.quality[:, order], self.recording.weights)

    @cached_property
    def pairs(self) -> Pairs:
        """All plans of two tiers and one threshold."""
        return pairs_of(
            self.recording,
            self._source,
            plan=self._plan,
            stands=self._stands,
            unjudged=self._unjudged,
        )

    def single_at(self, *, cost: float | None = None, quality: float | None = None) -> int | None:
        """The best single model within a cost, or the cheapest with a quality."""
        fits = np.ones(len(self.mean_cost), bool)
        if cost is not None:
            fits &= self.mean_cost <= cost * (1 + CLOSE)
        if quality is not None:
            fits &= self.mean_quality >= quality - CLOSE
        places = np.flatnonzero(fits)
        if not len(places):
            return None
        keys = (-self.mean_quality[places], self.mean_cost[places])
        return int(places[np.lexsort(keys if quality is not None else keys[::-1])[0]])

    def single(self, place: int | None) -> _Found | None:
        """One model for every request."""
        if place is None:
            return None
        plan = Plan((Step(self.names[place]),))
        return _Found(self.costs[:, place], self.quality[:, place], plan)

    def mix(self, quality: float | None) -> _Found | None:
        """Two models drawn by lot: what that costs and answers on average, per request."""
        found = None if quality is None else self.mixing.mix_at(quality)
        if found is None:
            return None
        first, second, share = found
        return _Found(
            (1 - share) * self.costs[:, first] + share * self.costs[:, second],
            (1 - share) * self.quality[:, first] + share * self.quality[:, second],
        )

    def decided(self, plan: Plan | None) -> _Found | None:
        """A plan's requests one by one."""
        if plan is None:
            return None
        found = simulate(plan, self.recording, self._source, stands=self._stands)
        return _Found(in_usd(found.cost_pusd), found.quality, plan)


def baselines(
    simpler: Simpler, *, cost: float, quality: float, boot: Bootstrap
) -> tuple[Baseline, ...]:
    """All baselines beside a plan of some cost and quality, in the order of a table.

    Args:
        simpler: everything simpler on the recording.
        cost: of the plan, USD per request.
        quality: of the plan.
        boot: the draws that intervals come from.
    """
    names, top = simpler.names, simpler.top
    at_cost = simpler.single_at(cost=cost)
    at_quality = simpler.single_at(quality=quality)
    pairs = simpler.pairs
    no_pair = "; ".join(pairs.reasons) or "there is one tier only"
    router, climbing = simpler.router, simpler.cascade
    rows: list[_Row] = [
        ("always cheapest", "single", f"{names[simpler.cheapest]} alone",
         simpler.single(simpler.cheapest), ""),
        ("always top", "single", f"{names[top]} alone", simpler.single(top), ""),
        *_dearest(simpler),
        ("best single at equal cost", "single", _alone(names, at_cost),
         simpler.single(at_cost), "every single model costs more"),
        ("best single at equal quality", "single", _alone(names, at_quality),
         simpler.single(at_quality), "no single model is so good"),
        ("random mixing at equal cost", "mix", "single models drawn by lot, for the plan's cost",
         simpler.mix(simpler.mixing.quality_at(cost)), "every single model costs more"),
        ("random mixing at equal quality", "mix", "single models drawn by lot, as good as the plan",
         simpler.mix(quality), "no single model is so good"),
        ("best pair at equal cost", "pair", "two tiers and one threshold, for the plan's cost",
         simpler.decided(pairs.best(cost)) if pairs.names else None,
         no_pair if not pairs.names else "every pair costs more"),
        ("best pair at equal quality", "pair", "two tiers and one threshold, as good as the plan",
         simpler.decided(pairs.cheapest(quality)) if pairs.names else None,
         no_pair if not pairs.names else "no pair is so good"),
        ("oracle router", "oracle", "the cheapest model that is right, known beforehand",
         _Found(router.best_cost, router.best_quality), ""),
        ("oracle cascade", "oracle", "climbs until an answer is right, and pays for the climb",
         _Found(climbing.best_cost, climbing.best_quality), ""),
    ]  # fmt: skip
    return _estimated(rows, simpler.recording.weights, boot)


def _estimated(rows: list[_Row], weights: Floats, boot: Bootstrap) -> tuple[Baseline, ...]:
    """Give every number its interval, all from the same draws."""
    there = [found for *_, found, _ in rows if found is not None]
    columns = np.column_stack([part for found in there for part in (found.cost, found.quality)])
    means = np.average(columns, axis=0, weights=weights)
    draws = boot.means(columns)
    estimates = iter(boot.estimate(float(m), d) for m, d in zip(means, draws.T, strict=True))
    return tuple(
        Baseline(name, kind, what, None, None, None, reason)
        if found is None
        else Baseline(name, kind, what, next(estimates), next(estimates), found.plan)
        for name, kind, what, found, reason in rows
    )


def _dearest(simpler: Simpler) -> list[_Row]:
    """The dearest recorded model, where that is not the top tier: a chain may do without it."""
    place = simpler.dearest
    if place == simpler.top:
        return []
    what = f"{simpler.names[place]} alone, the dearest that was recorded"
    return [("always dearest", "single", what, simpler.single(place), "")]


def _alone(names: tuple[str, ...], place: int | None) -> str:
    return "one model alone" if place is None else f"{names[place]} alone"


def _check(recording: Recording, rates: Mapping[str, str]) -> None:
    """Raise unless every tier's answer, cost and quality is known for every request."""
    refuse_gaps(recording, recording.ladder)
    for tier in recording.ladder:
        name, n = recording.names[tier], len(recording)
        unpriced = int((recording.cost_pusd[:, tier] == UNKNOWN).sum())
        if unpriced:
            why = f"{rates[name]}: " if name in rates else f"nobody knows what {name!r} cost in "
            raise RecordingError(
                f"{why}{unpriced} of {n} requests: give its price ({PRICES}), or leave the "
                "requests or the tier out"
            )
        unlabelled = int(np.isnan(recording.quality[:, tier]).sum())
        if unlabelled:
            raise RecordingError(
                f"the quality of {unlabelled} of {n} answers of {name!r} is not known: label them, "
                "or leave the requests or the tier out"
            )
