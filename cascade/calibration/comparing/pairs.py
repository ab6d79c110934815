"""The best plan of two tiers and one threshold: what any cascade must beat."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.comparing.curves import CLOSE
from cascade.calibration.money import in_usd
from cascade.calibration.plan import Bools, Plan, ScoreSource, Step, simulate
from cascade.calibration.recording import Recording
from cascade.core.few import few
from cascade.errors import RecordingError

__all__ = ["Pairs", "pairs_of"]

Floats = NDArray[np.float64]

UNJUDGED = "no pair begins with a tier that a scorer judges: the chain accepts every answer"


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every plan of two tiers and one threshold.

    Attributes:
        cost: USD per request, shape (m,).
        quality: mean quality, shape (m,).
        threshold: of the first tier, shape (m,).
        names: the two tiers of each.
        reasons: why some tiers begin none, each reason once.
    """

    cost: Floats
    quality: Floats
    threshold: Floats
    names: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]

    def cheapest(self, quality: float) -> Plan | None:
        """The cheapest with a quality, `None` where none reaches it."""
        return self._plan(self._cheapest(self.quality >= quality - CLOSE))

    def without(self, tier: str, quality: float) -> tuple[Plan, float] | None:
        """The cheapest with a quality that judges no answer of a tier, and what it costs."""
        others = np.array([first != tier for first, _ in self.names], bool)
        place = self._cheapest(others & (self.quality >= quality - CLOSE))
        plan = self._plan(place)
        return None if plan is None else (plan, float(self.cost[place]))

    def best(self, cost: float) -> Plan | None:
        """The best within a cost, `None` where none is so cheap."""
        fits = self.cost <= cost * (1 + CLOSE)
        return self._plan(_first(fits, (self.cost, -self.quality)))

    def _cheapest(self, fits: NDArray[np.bool_]) -> int | None:
        return _first(fits, (-self.quality, self.cost))

    def _plan(self, place: int | None) -> Plan | None:
        if place is None:
            return None
        first, second = self.names[place]
        return Plan((Step(first, threshold=float(self.threshold[place])), Step(second)))


def _first(fits: NDArray[np.bool_], keys: tuple[Floats, Floats]) -> int | None:
    """Of what fits, the place that comes first by the last key."""
    places = np.flatnonzero(fits)
    if not len(places):
        return None
    return int(places[np.lexsort(tuple(key[places] for key in keys))[0]])


def pairs_of(
    recording: Recording,
    source: ScoreSource,
    *,
    plan: Plan | None = None,
    stands: Bools | None = None,
    unjudged: Collection[str] = (),
) -> Pairs:
    """All plans of two of the recording's tiers, the one that costs less first.

    Every score is tried as a threshold, on the very requests that the pair is then compared on:
    that flatters the pair, never what is compared with it.

    Args:
        recording: with known costs and qualities of its tiers.
        source: scores of first answers.
        plan: that the pairs stand beside; where it is one itself, it is among them, as it is.
        stands: see `simulate`.
        unjudged: tiers whose every answer is accepted: a pair that begins with one is that tier.
    """
    mean = np.average(in_usd(recording.cost_pusd), axis=0, weights=recording.weights)
    own = _pair_of(plan)
    found: list[Floats] = [np.zeros((0, 3))]
    names: list[tuple[str, str]] = []
    silent: dict[str, str] = {}
    for first, second in permutations(recording.ladder, 2):
        pair = recording.names[first], recording.names[second]
        if pair[0] in silent or pair[0] in unjudged:
            continue
        if mean[first] > mean[second] and pair != own:
            continue
        try:
            score = source.scores((first,), first)
            judging = in_usd(source.cost_pusd((first,), first))
        except RecordingError as error:
            silent[pair[0]] = str(error).removeprefix(f"tier {pair[0]!r}: ")
            continue
        found.append(_sweep(recording, (first, second), score, judging, stands))
        names += [pair] * len(found[-1])
        if plan is not None and pair == own:
            found.append(_decided(plan, recording, source, stands))
            names.append(pair)
    threshold, cost, quality = np.concatenate(found).T
    reasons = _reasons(silent)
    if not (names or reasons) and len(recording.ladder) > 1:
        reasons = (UNJUDGED,)
    return Pairs(cost, quality, threshold, tuple(names), reasons)


def _pair_of(plan: Plan | None) -> tuple[str, str] | None:
    """The two tiers of a plan that is a pair, `None` for others."""
    if plan is None or plan.gate is not None or any(step.is_witness for step in plan.steps):
        return None
    return (plan.tiers[0], plan.tiers[1]) if len(plan.tiers) == 2 else None  # noqa: PLR2004


def _reasons(silent: dict[str, str]) -> tuple[str, ...]:
    """Why tiers begin no pair, each reason once for all that it holds for."""
    tiers: dict[str, list[str]] = {}
    for name, reason in silent.items():
        tiers.setdefault(reason, []).append(repr(name))
    return tuple(f"no pair begins with {few(names)}: {why}" for why, names in tiers.items())


def _decided(plan: Plan, recording: Recording, source: ScoreSource, stands: Bools | None) -> Floats:
    """Threshold, cost and quality of a pair, decided request by request; shape (1, 3)."""
    found = simulate(plan, recording, source, stands=stands)
    weights = recording.weights / recording.weights.sum()
    cost = weights @ in_usd(found.cost_pusd)
    return np.array([[plan.steps[0].threshold, cost, weights @ found.quality]])


def _sweep(
    recording: Recording,
    pair: tuple[int, int],
    score: Floats,
    judging: Floats,
    stands: Bools | None,
) -> Floats:
    """Threshold, cost and quality for the distinct scores, at most `MOST` of them; shape (m, 3)."""
    first, second = pair
    weights = recording.weights / recording.weights.sum()
    own, other = (in_usd(recording.cost_pusd[:, tier]) for tier in pair)
    can = recording.usable[:, first] & recording.answered[:, first]
    mine = np.where(recording.answered[:, first], recording.quality[:, first], 0.0)
    theirs = np.where(recording.answered[:, second], recording.quality[:, second], mine)
    if stands is not None:  # ends there, and asks nobody else
        other = np.where(stands[:, first], 0.0, other)
        theirs = np.where(stands[:, first], mine, theirs)
    rows = np.flatnonzero(can & ~np.isnan(score))
    order = rows[np.argsort(-score[rows], kind="stable")]
    ranked = score[order]
    is_end = np.append(ranked[1:] != ranked[:-1], np.ones(min(1, len(ranked)), bool))
    ends = _thin(np.flatnonzero(is_end))
    saved = np.cumsum((weights * other)[order])[ends]
    changed = np.cumsum((weights * (mine - theirs))[order])[ends]
    cost = weights @ (own + np.where(can, judging, 0.0) + other) - saved
    return np.column_stack([ranked[ends], cost, weights @ theirs + changed])


MOST = 2_000
"""Thresholds tried per pair; more would move its cost by less than a twentieth of a per cent."""


def _thin(ends: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(ends) <= MOST:
        return ends
    return ends[np.unique(np.linspace(0, len(ends) - 1, MOST).round().astype(np.int64))]
