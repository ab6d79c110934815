"""What quality costs: plans and everything simpler on recorded sets, in percent of the top tier.

    python -m benchmarks.plans --data DIR                       # all presets found under DIR
    python -m benchmarks.plans --data DIR --sets bfcl --splits 5
    python -m benchmarks.plans --data FOLDER --tiers a,b,c --witnesses d,e --prices FILE

Scores are learned out of fold over the whole set. Policies are learned on one half of it and read
on the other, 20 splits. First the cost at which the held-out hull of a policy's plans, always the
top tier among them, reaches 95, 98, 99 and 100 % of the top tier's quality. Behind it the plan
chosen on one half for such a share: its cost and its quality on the other half, both in percent of
the top tier's. Last the most that a searched plan cost in any split, compared with the better of
the top tier and the best pair of tiers: see `benchmarks/rivals.py`. `--rivals` measures the search
and the best pair only; `--cheapest` lets the search take the cheapest plan that is good enough,
cheaper beyond doubt or not; `--first 100` takes other splits.

`--prices` is a JSON file of USD per million tokens by tier: {"a": {"in": 0.2, "out": 1.25}, ...};
without it costs are the table's own.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.recorded_sets import PRESETS, read_set
from benchmarks.rivals import TARGETS, Reading, excess
from cascade.calibration import (
    Plan,
    PlanPath,
    PlanPoint,
    Recording,
    ScoreSource,
    Step,
    import_long_form,
    learn,
    search_plans,
    simulate,
)
from cascade.calibration.comparing.curves import hull_of
from cascade.calibration.search.descent import totals
from cascade.calibration.search.fitted import TRUST, Spot, fit, front
from cascade.calibration.search.layout import Seen, endings_of
from cascade.calibration.search.searching import MAX_STEPS
from cascade.calibration.search.shapes import Shape

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """The scores of some requests."""

    source: ScoreSource
    rows: NDArray[np.int64]
    alone: bool = False
    """An answer is judged by itself: what other tiers answered is not looked at."""

    def scores(self, asked: tuple[int, ...], returns: int) -> Floats:
        """See `ScoreSource`."""
        return self.source.scores((returns,) if self.alone else asked, returns)[self.rows]

    def cost_pusd(self, asked: tuple[int, ...], returns: int) -> NDArray[np.int64]:
        """See `ScoreSource`."""
        return self.source.cost_pusd(asked, returns)[self.rows]

    def gate(self, tier: int) -> Floats:
        """See `ScoreSource`."""
        return self.source.gate(tier)[self.rows]


@dataclass(frozen=True)
class Policy:
    """Plans learned on one half, and the plan to choose for a share of the top tier's quality."""

    plans: Sequence[Plan]
    at: Callable[[float], Plan]
    source: ScoreSource


@dataclass(frozen=True)
class Split:
    """One half to learn on and one to read on."""

    recording: Recording
    source: ScoreSource
    learn: NDArray[np.int64]
    read: NDArray[np.int64]
    trust: float = TRUST
    cheapest: bool = False
    """Take the cheapest plan that is good enough, in doubt or not."""

    def policy(self, *, witnesses: bool, gates: bool, max_steps: int = MAX_STEPS) -> Policy:
        """A searched path."""
        part = self.recording.rows(self.learn)
        if not witnesses:
            part = part.with_tiers([part.names[tier] for tier in part.ladder])
        source = Rows(self.source, self.learn)
        path = search_plans(part, source, gates=gates, max_steps=max_steps, trust=self.trust)
        plans = [point.plan for point in (*path.points, path.top)]

        def at(share: float) -> Plan:
            return (_cheapest(path, share) if self.cheapest else path.at(share)).plan

        return Policy(plans, at, Rows(self.source, self.read))

    def fixed(self, tiers: Sequence[int], *, alone: bool, shared: bool = False) -> Policy:
        """One chain, with thresholds of its own or one threshold for all."""
        names = self.recording.names
        seen = Seen(
            self.recording, Rows(self.source, np.arange(len(self.recording)), alone), self.learn
        )
        shape = Shape(tuple((tier, tier) for tier in tiers))
        spots = _shared(shape, seen) if shared else front(fit(shape, seen, 65, trust=0.0).spots())
        listed = [(spot.value, spot.shape.plan(names, spot.thresholds)) for spot in spots]
        top = float(self.recording.quality[self.learn, tiers[-1]].sum())
        always = Plan((Step(names[tiers[-1]]),))

        def at(share: float) -> Plan:
            enough = (plan for value, plan in listed if value >= share * top and plan is not None)
            return next(enough, always)

        plans = [plan for _, plan in listed if plan is not None]
        return Policy([*plans, always], at, Rows(self.source, self.read, alone))


def _cheapest(path: PlanPath, share: float) -> PlanPoint:
    floor = share * path.top.quality - 1e-12
    return next((one for one in path.points if one.expected_quality >= floor), path.top)


def _shared(shape: Shape, seen: Seen) -> list[Spot]:
    """The front of one threshold for all steps."""
    endings = endings_of(shape, seen)
    scores = np.concatenate(
        [seen.score(shape.asked[: k + 1], shape.asked[k])[0] for k in range(shape.axes)]
    )
    spots = []
    for place in np.nanquantile(scores, np.linspace(0, 1, 200)):
        value, cost = totals(endings, [place] * shape.axes)
        spots.append(Spot(shape, (float(place),) * shape.axes, cost, value))
    return front(spots)


def rivals(split: Split) -> dict[str, Policy]:
    """The search and what it must not cost more than."""
    return {
        PAIR: split.policy(witnesses=False, gates=False, max_steps=1),
        SEARCH: split.policy(witnesses=True, gates=True),
    }


def policies(split: Split) -> dict[str, Policy]:
    """All that is compared, from simple to searched."""
    ladder = split.recording.ladder
    has_witness = bool(split.recording.witnesses)
    made = {
        "cheapest -> top, one threshold": split.fixed((ladder[0], ladder[-1]), alone=True),
        "fixed chain, one shared threshold": split.fixed(ladder, alone=True, shared=True),
        "fixed chain, learned thresholds": split.fixed(ladder, alone=True),
        "fixed chain + free agreement": split.fixed(ladder, alone=False),
        PAIR: split.policy(witnesses=False, gates=False, max_steps=1),
        "plan search": split.policy(witnesses=False, gates=False),
        "plan search + gate": split.policy(witnesses=False, gates=True),
    }
    if has_witness:
        made["plan search + witnesses"] = split.policy(witnesses=True, gates=False)
    made[SEARCH] = split.policy(witnesses=True, gates=True)
    return made


Makes = Callable[[Split], dict[str, Policy]]
PAIR = "best pair"
SEARCH = "plan search, everything"


# Reading -----------------------------------------------------------------------------------------


def read(split: Split, policy: Policy) -> Reading:
    """A policy on the half that it was not learned on."""
    part = split.recording.rows(split.read)
    top_cost, top_quality = _top(part)
    every = [simulate(plan, part, policy.source) for plan in policy.plans]
    cost = np.array([found.cost_pusd.mean() for found in every]) / top_cost
    quality = np.array([found.quality.mean() for found in every]) / top_quality
    chosen = [simulate(policy.at(share), part, policy.source) for share in TARGETS]
    return Reading(
        _reach(cost, quality),
        np.array([found.cost_pusd for found in chosen]) / top_cost,
        np.array([found.quality.mean() for found in chosen]) / top_quality,
    )


def _top(part: Recording) -> tuple[float, float]:
    return float(part.cost_pusd[:, part.top].mean()), float(part.quality[:, part.top].mean())


def _reach(cost: Floats, quality: Floats) -> Floats:
    hull = hull_of(cost, quality)
    return np.array([np.interp(share, hull.quality, hull.cost) for share in TARGETS])


def bounds(split: Split) -> dict[str, Floats]:
    """What random mixing of models costs, and what hindsight would."""
    part = split.recording.rows(split.read)
    ladder = list(part.ladder)
    top_cost, top_quality = _top(part)
    cost, quality = part.cost_pusd[:, ladder] / top_cost, part.quality[:, ladder] / top_quality
    paid, best = np.cumsum(cost, 1), np.maximum.accumulate(quality, 1)
    prices = np.concatenate(([0.0], np.geomspace(1e-3, 1e3, 400)))
    ends = [(best - price * paid).argmax(1) for price in prices]
    rows = np.arange(len(part))
    oracle = np.array([(paid[rows, end].mean(), best[rows, end].mean()) for end in ends])
    return {
        "random mix of models": _reach(cost.mean(0), quality.mean(0)),
        "oracle cascade": _reach(oracle[:, 0], oracle[:, 1]),
    }


def measure(
    recording: Recording,
    seeds: Iterable[int],
    made: Makes = policies,
    *,
    trust: float = TRUST,
    cheapest: bool = False,
) -> None:
    """Print both tables of a set."""
    source = learn(recording).source
    hulls: dict[str, list[Floats]] = defaultdict(list)
    readings: dict[str, list[Reading]] = defaultdict(list)
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(recording))
        half = len(order) // 2
        split = Split(
            recording, source, np.sort(order[:half]), np.sort(order[half:]), trust, cheapest
        )
        for name, row in bounds(split).items():
            hulls[name].append(row)
        for name, policy in made(split).items():
            readings[name].append(read(split, policy))
            hulls[name].append(readings[name][-1].hull)
    print("  cost at 95 / 98 / 99 / 100 %; chosen for that, cost -> quality")
    for name in sorted(hulls, key=lambda name: (name == "oracle cascade", list(hulls).index(name))):
        print(_line(name, np.array(hulls[name]), readings.get(name)))
    for line in excess(readings[SEARCH], readings[PAIR]):
        print(f"  {line}")


def _line(name: str, hull: Floats, chosen: Sequence[Reading] | None) -> str:
    cells = []
    for column in hull.T:
        reached = ~np.isnan(column)
        mark = " " if reached.all() else "*"
        cells.append(
            f"{100 * column[reached].mean():7.1f}{mark}" if reached.any() else f"{'-':>7} "
        )
    line = f"  {name:34}" + "".join(cells)
    if chosen is None:
        return line
    cost = 100 * np.mean([one.cost for one in chosen], 0)
    quality = 100 * np.mean([one.quality for one in chosen], 0)
    pairs = "".join(f"{c:8.1f} -> {q:5.1f}" for c, q in zip(cost, quality, strict=True))
    return f"{line}  {pairs}"


def recordings(chosen: argparse.Namespace) -> Iterable[tuple[str, Recording]]:
    """The sets asked for, by name."""
    if chosen.tiers:
        prices = json.loads(Path(chosen.prices).read_text("utf-8")) if chosen.prices else None
        witnesses = chosen.witnesses.split(",") if chosen.witnesses else []
        yield (
            chosen.data.name,
            import_long_form(
                chosen.data, tiers=chosen.tiers.split(","), witnesses=witnesses, prices=prices
            ),
        )
        return
    for name in chosen.sets.split(",") if chosen.sets else PRESETS:
        yield name, read_set(chosen.data, PRESETS[name])


def main() -> None:
    """Measure every set asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", help=f"of {', '.join(PRESETS)}")
    parser.add_argument("--tiers", help="models of one long-form folder, cheapest first")
    parser.add_argument("--witnesses", default="")
    parser.add_argument("--prices")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed of the first split")
    parser.add_argument("--rivals", action="store_true", help="the search and the best pair only")
    parser.add_argument("--cheapest", action="store_true", help="choose as if nothing were doubted")
    parser.add_argument("--trust", type=float, default=TRUST, help="as of search_plans")
    chosen = parser.parse_args()
    for name, recording in recordings(chosen):
        means = recording.cost_pusd.mean(0) / recording.cost_pusd[:, recording.top].mean()
        tiers = ", ".join(
            f"{tier} {100 * right:.1f} % at {100 * cost:.1f}"
            for tier, right, cost in zip(
                recording.names, np.nanmean(recording.quality, 0), means, strict=True
            )
        )
        print(f"{name}: {len(recording):,} requests; {tiers}", flush=True)
        seeds = range(chosen.first, chosen.first + chosen.splits)
        made = rivals if chosen.rivals else policies
        measure(recording, seeds, made, trust=chosen.trust, cheapest=chosen.cheapest)


if __name__ == "__main__":
    main()
