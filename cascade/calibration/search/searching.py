"""The search for plans: which tiers and witnesses to ask, in which order, with which thresholds.

Tries every choice of tiers in their order, ending at any of them, with the exact table of
thresholds for each. Where a shape holds a part of the front it is tried with one more step: a
witness on an answer in doubt, or a gate that lets some requests begin higher up; and so on until
nothing new is on the front. Scores of a step use only what that plan has bought by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.learning.one_thread import one_thread
from cascade.calibration.money import PER_USD, UNKNOWN
from cascade.calibration.plan import Plan, ScoreSource, simulate
from cascade.calibration.recording import Recording
from cascade.calibration.search.drops import drops
from cascade.calibration.search.fitted import TRUST, Spot
from cascade.calibration.search.layout import Seen
from cascade.calibration.search.optimism import Optimism
from cascade.calibration.search.plain import Paid, choices
from cascade.calibration.search.plan_path import PlanPath, PlanPoint
from cascade.calibration.search.shapes import Shape, ladders, with_gates, with_witnesses
from cascade.calibration.search.tried import Tried
from cascade.errors import ConfigError, RecordingError

__all__ = ["search_plans"]

Floats = NDArray[np.float64]

MAX_STEPS = 4
"""Steps in front of the last: five models, or three and two witnesses."""

MAX_POINTS = 200
"""Plans of a front; where more are found, those that lie evenly along it are kept."""

MOST_SHAPES = 250
"""Shapes tried at most; four tiers and three witnesses take about 150."""


def search_plans(
    recording: Recording,
    source: ScoreSource,
    *,
    max_steps: int = MAX_STEPS,
    gates: bool = True,
    bins: int = 65,
    max_points: int = MAX_POINTS,
    trust: float = TRUST,
    folds: int = 5,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> PlanPath:
    """Find the plans that nothing beats on a recording.

    Args:
        recording: what the tiers and witnesses answered, with quality and cost.
        source: scores that no request saw its own label for, such as `learn(recording).source`.
        max_steps: paid steps in front of the last one at most.
        gates: try query gates as well.
        bins: candidates per threshold at most.
        max_points: plans at most that nothing found beats. A few plain ones, which are beaten by no
            more than chance explains, come on top.
        trust: how far an accepted answer's worth is what its score says, in [0, 1], and not what
            it happened to be: with few requests a steadier guide to thresholds.
        folds: parts for cross-fitting, to tell how far choosing flatters.
        seed: of the folds.
        progress: called with (shapes tried, shapes known so far).

    Raises:
        RecordingError: no request whose quality is known for every tier, or an unknown cost of the
            top tier; the message says how many and what to do.
        ConfigError: settings that cannot work.
    """
    if max_steps < 0 or bins < 2 or max_points < 2 or folds < 2:  # noqa: PLR2004
        raise ConfigError(
            f"max_steps={max_steps!r}, bins={bins!r}, max_points={max_points!r}, folds={folds!r}: "
            "expected 0 or more, and 2 or more of the others"
        )
    if not 0 <= trust <= 1:
        raise ConfigError(f"trust={trust!r}: expected a share in [0, 1]")
    rows = _rows(recording)
    seen = Seen(recording, source, rows)
    tried = Tried(seen, Optimism(seen, folds, seed), bins, trust)
    found = _Search(recording, tried, max_steps, gates)
    with one_thread():  # scores may be learned on the way, by many small fits
        found.run(progress)
        return found.path(max_points)


def _rows(recording: Recording) -> NDArray[np.int64]:
    """Requests whose quality is known for every tier that may answer."""
    known = ~np.isnan(recording.quality[:, list(recording.ladder)])
    rows = np.flatnonzero(known.all(axis=1))
    if len(rows):
        return rows
    counts = ", ".join(
        f"{recording.names[tier]!r} on {int(one.sum()):,}"
        for tier, one in zip(recording.ladder, known.T, strict=True)
    )
    raise RecordingError(
        f"no request has a known quality for every tier ({counts} of {len(recording):,}): grade "
        "them against references, or by agreement with the top tier"
    )


@dataclass(slots=True, eq=False)
class _Search:
    recording: Recording
    tried: Tried
    max_steps: int
    gates: bool
    refused: dict[str, str] = field(default_factory=dict)

    def run(self, progress: Callable[[int, int], None] | None) -> None:
        """Try shapes until none that is new reaches the front."""
        tiers = self._priced(self.recording.ladder)
        witnesses = self._priced(self.recording.witnesses)
        waiting = list(ladders(tiers, self.max_steps))
        known: set[Shape] = set()
        while waiting and len(known) < MOST_SHAPES:
            waiting = waiting[: MOST_SHAPES - len(known)]
            for place, shape in enumerate(waiting, 1):
                self.tried.add(shape)
                if progress is not None:
                    progress(len(known) + place, len(known) + len(waiting))
            known.update(waiting)
            on_front = dict.fromkeys(spot.shape for spot in self.tried.raw_front())
            longer = (one for shape in on_front for one in self._longer(shape, witnesses))
            waiting = [shape for shape in dict.fromkeys(longer) if shape not in known]

    def _longer(self, shape: Shape, witnesses: Sequence[int]) -> Iterator[Shape]:
        if shape.gated:
            return
        yield from with_witnesses(shape, witnesses, self.max_steps)
        if self.gates:
            yield from with_gates(shape)

    def _priced(self, tiers: Sequence[int]) -> list[int]:
        """Those whose cost is known on every request that counts.

        Raises:
            RecordingError: the top tier's is not.
        """
        kept, rows = [], self.tried.seen.rows
        for tier in tiers:
            name = self.recording.names[tier]
            unknown = int((self.recording.cost_pusd[rows, tier] == UNKNOWN).sum())
            if not unknown:
                kept.append(tier)
                continue
            why = f"its cost is unknown on {unknown:,} of {len(rows):,} requests"
            if tier == self.recording.top:
                raise RecordingError(
                    f"top tier {name!r}: {why}: give its model a price when it is "
                    "recorded or imported, or leave those requests out"
                )
            self.refused[name] = f"{why}: give its model a price"
        return kept

    def path(self, max_points: int) -> PlanPath:
        """The front as a path, thinned to some points, and the plain plans beside it."""
        spots = _thinned(self.tried.front(), max_points)
        alone = self.tried.constants()
        top = alone[self.recording.top]
        beside = _thinned(self.tried.front(plain=True), max_points)
        paid: dict[Plan, Floats] = {}
        every = dict.fromkeys((*spots, *beside, *alone.values()))
        made = {spot: self._point(spot, paid) for spot in every}
        places = {point.plan: spot for spot, point in made.items()}
        plain = {point for spot, point in made.items() if spot.shape.plain}
        compared = _by_cost(made[spot] for spot in (*spots, *beside, top))
        chosen = choices(compared, plain, self._paid(paid))
        kept = [*(made[spot] for spot in spots), *(point for _, point in chosen)]
        notes = [f"{n} plans were not possible: {why}" for why, n in self.tried.refusals.items()]
        return PlanPath(
            points=_by_cost(kept),
            top=made[top],
            constants=tuple(made[alone[tier]] for tier in sorted(alone)),
            searched=len(self.tried),
            left_out=len(self.recording) - len(self.tried.seen.rows),
            notes=tuple(notes),
            _choices=chosen,
            _drop=lambda plan: drops(plan, places[plan], self.tried, self.refused),
        )

    def _paid(self, costs: dict[Plan, Floats]) -> Paid:
        rows = self.tried.seen.rows
        groups = np.unique(self.recording.groups[rows].astype(str), return_inverse=True)[1]
        return Paid(costs, self.recording.weights[rows], groups.ravel())

    def _point(self, spot: Spot, paid: dict[Plan, Floats]) -> PlanPoint:
        """A spot as its plan, decided once more request by request; what it paid is noted."""
        plan = spot.shape.plan(self.recording.names, spot.thresholds)
        if plan is None:
            raise AssertionError(f"{spot} accepts nothing at a step")
        seen = self.tried.seen
        found = simulate(plan, self.recording, seen.source)
        total = self.recording.weights[seen.rows].sum()
        weights = self.recording.weights[seen.rows] / total
        quality = float(weights @ found.quality[seen.rows])
        shares = np.bincount(found.stop[seen.rows], weights, len(plan.steps))
        paid[plan] = found.cost_pusd[seen.rows] / PER_USD
        return PlanPoint(
            plan=plan,
            cost_usd=float(weights @ paid[plan]),
            quality=quality,
            expected_quality=quality if plan.is_constant else spot.value / float(total),
            shares=tuple(float(share) for share in shares),
            calls=float(weights @ found.calls[seen.rows]),
        )


def _by_cost(points: Iterable[PlanPoint]) -> tuple[PlanPoint, ...]:
    """Points from cheap to dear, each once; of those that cost the same the better first."""
    known = dict.fromkeys(points)
    return tuple(sorted(known, key=lambda point: (point.cost_usd, -point.expected_quality)))


def _thinned(spots: list[Spot], most: int) -> list[Spot]:
    """Spots that lie evenly along the path, its ends among them: by factors of cost, by quality."""
    if len(spots) <= most:
        return spots
    cost, value = (np.array([getattr(spot, name) for spot in spots]) for name in ("cost", "value"))
    scale = np.log(np.maximum(cost, cost[cost > 0].min()))
    along = (scale - scale[0]) / max(scale[-1] - scale[0], 1e-12)
    along += (value - value[0]) / (value[-1] - value[0])
    kept = np.searchsorted(along, np.linspace(0, along[-1], most))
    return [spots[place] for place in np.unique(np.clip(kept, 0, len(spots) - 1)).tolist()]
