"""Learning thresholds: exact tables beside the exact optimum and a brute grid, on one core.

    python -m benchmarks.thresholds

Made-up requests of K tiers whose scores tell their answers' worth about as well as learned scores
do (AUROC 0.75 to 0.8). Wanted are the thresholds that keep 98 % of the top tier's quality at the
least cost. `brute grid` is the search of FrugalGPT (2023), vectorised: on each axis quantiles of
the scores that get so far, every combination tried. The gap is to the exact optimum where there is
a way to it, else to the best found. Processor seconds, best of three.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.search.descent import Aim, descend, totals
from cascade.calibration.search.exact import exact_pair
from cascade.calibration.search.refine import cheapest
from cascade.calibration.search.thresholds import Ending, candidates, endings_of_chain, tabulate

Floats = NDArray[np.float64]

KEEP = 0.98
PRICES = (1, 4, 12, 25)
ODDS = (0.2, 1.6, 2.2, 2.6)


@dataclass(frozen=True)
class Case:
    """Made-up requests.

    Attributes:
        scores: (n, K - 1); values and costs: (n, K), costs as paid by then.
        floor: total quality to keep.
    """

    scores: Floats
    values: Floats
    costs: Floats

    @classmethod
    def of(cls, tiers: int, requests: int, seed: int = 0) -> Case:
        """K tiers, the dearest ones of four."""
        rng = np.random.default_rng(seed)
        hard = 1.5 * rng.normal(size=requests)
        odds = np.array(ODDS[-tiers:]) - hard[:, None] + 0.8 * rng.normal(size=(requests, tiers))
        values = (rng.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(float)
        scores = 1 / (1 + np.exp(-odds[:, :-1] + rng.normal(size=(requests, tiers - 1))))
        price = np.array(PRICES[-tiers:]) * rng.integers(50, 200, (requests, 1)) * 10**6
        return cls(scores, values, np.cumsum(price, 1).astype(float))

    @property
    def floor(self) -> float:
        """Total quality to keep."""
        return KEEP * float(self.values[:, -1].sum())

    @property
    def endings(self) -> tuple[Ending, ...]:
        """How its requests may end."""
        return endings_of_chain(self.scores, self.values, self.costs)

    @property
    def axes(self) -> int:
        """Thresholds."""
        return self.scores.shape[1]


def exact(case: Case) -> Sequence[float] | None:
    """Every pair of thresholds."""
    return exact_pair(case.scores, case.values, case.costs, case.floor)


def near(case: Case) -> Sequence[float] | None:
    """A table, finer tables where it looks good, descent."""
    return cheapest(case.endings, case.axes, case.floor)


def descent(case: Case, bins: int) -> Sequence[float] | None:
    """A table and descent from its best cell."""
    endings = case.endings
    table = tabulate(endings, [candidates(scores, bins) for scores in case.scores.T])
    aim = Aim(floor=case.floor)
    best = aim.best(table.value.ravel(), table.cost.ravel())
    return None if best is None else descend(endings, table.at(best), aim)


def path(case: Case, bins: int) -> int:
    """The whole Pareto path of a table; how many points it has."""
    table = tabulate(case.endings, [candidates(scores, bins) for scores in case.scores.T])
    return len(table.path())


def brute(case: Case, points: int) -> Sequence[float] | None:
    """FrugalGPT's grid, nested quantiles, all combinations."""
    best: tuple[float, tuple[float, ...]] | None = None
    for thresholds, value, cost in _grid(case, np.arange(len(case.values)), (), points):
        kept = np.flatnonzero(value >= case.floor)
        if len(kept):
            place = kept[np.argmin(cost[kept])]
            if best is None or cost[place] < best[0]:
                best = float(cost[place]), (*thresholds[0], float(thresholds[1][place]))
    return None if best is None else best[1]


def _grid(
    case: Case,
    rows: NDArray[np.int64],
    before: tuple[float, ...],
    points: int,
    spent: tuple[float, float] = (0.0, 0.0),
) -> Iterator[tuple[tuple[tuple[float, ...], Floats], Floats, Floats]]:
    """Totals on the last axis for every choice on the axes before it."""
    step = len(before)
    scores = case.scores[rows, step]
    if not len(rows):
        return
    places = np.quantile(scores, np.linspace(0, 1, points))
    if step == case.axes - 1:
        accepted = scores[:, None] >= places
        value, cost = (
            (np.where(accepted, what[rows, step, None], what[rows, step + 1, None])).sum(0) + paid
            for what, paid in ((case.values, spent[0]), (case.costs, spent[1]))
        )
        yield (before, places), value, cost
        return
    for place in places.tolist():
        accepted = scores >= place
        ended = rows[accepted]
        total = (
            spent[0] + float(case.values[ended, step].sum()),
            spent[1] + float(case.costs[ended, step].sum()),
        )
        yield from _grid(case, rows[~accepted], (*before, place), points, total)


# Measuring ---------------------------------------------------------------------------------------


def timed(work: Callable[[], object], repeats: int) -> tuple[float, object]:
    """Least processor seconds of some runs, and what came out."""
    best, found = np.inf, None
    for _ in range(repeats):
        start = time.process_time()
        found = work()
        best = min(best, time.process_time() - start)
    return best, found


def compare(
    case: Case, ways: dict[str, Callable[[Case], Sequence[float] | None]], repeats: int
) -> None:
    """Print a line for each way to the same thresholds."""
    runs = {name: timed(lambda way=way: way(case), repeats) for name, way in ways.items()}  # type: ignore[misc]
    costs = {
        name: totals(case.endings, found)[1]
        for name, (_, found) in runs.items()
        if found is not None
    }
    least = min(costs.values())
    for name, (seconds, _) in runs.items():
        gap = f"{100 * (costs[name] / least - 1):7.3f} %" if name in costs else "   none"
        print(f"    {name:34}{1000 * seconds:9.1f} ms{gap:>12}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="a tenth of the requests, one repeat")
    small = parser.parse_args().small
    scale, repeats = (10, 1) if small else (1, 3)
    print(f"cheapest thresholds that keep {KEEP:.0%} of the top tier's quality: time, gap in cost")
    for requests in (12_002 // scale, 1_000 // scale):
        print(f"K = 3, N = {requests:,}")
        compare(
            Case.of(3, requests),
            {
                "exact": exact,
                "table 65, finer tables, descent": near,
                "table 65, descent": lambda case: descent(case, 65),
                "table 257, descent": lambda case: descent(case, 257),
                "brute grid, 40 points": lambda case: brute(case, 40),
            },
            repeats,
        )
    print(f"K = 4, N = {2_840 // scale:,}")
    compare(
        Case.of(4, 2_840 // scale),
        {
            "table 46, finer tables, descent": lambda case: cheapest(
                case.endings, 3, case.floor, bins=46
            ),
            "table 65, descent": lambda case: descent(case, 65),
            "table 33, descent": lambda case: descent(case, 33),
            "table 17, descent": lambda case: descent(case, 17),
            "brute grid, 12 points": lambda case: brute(case, 12),
            "brute grid, 30 points": lambda case: brute(case, 30),
        },
        repeats,
    )
    print("whole Pareto path")
    for requests, bins in ((100_000, 65), (1_000_000, 65), (1_000_000, 129)):
        case = Case.of(4, requests // scale)
        seconds, points = timed(lambda case=case, bins=bins: path(case, bins), repeats)  # type: ignore[misc]
        what = f"K = 4, N = {len(case.values):,}, table {bins}"
        print(f"    {what:34}{1000 * seconds:9.1f} ms   {points:,} points")


if __name__ == "__main__":
    main()
