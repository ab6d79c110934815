"""Does a certificate keep its promise? Simulated deployments, counted.

    python -m benchmarks.guarantee                          # 1,000 deployments per set and cell
    python -m benchmarks.guarantee --data ../shared/data    # where the recorded sets are
    python -m benchmarks.guarantee --trials 100 --set bfcl

Per set a path is learnt on at most 1,500 labels and certified on fresh ones; what it promises is
compared with the truth. Promises may break in 5 % of deployments. Choosing without a test must fail
the same count, else the count could not fail. Ends with 1 where something is not as it should be.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.deployments import Deployment, deployments, populations, rule_names
from cascade import Price
from cascade.calibration import Recording, ScoreSource
from cascade.calibration.imports.long_form import import_long_form
from cascade.calibration.imports.wide_form import import_wide
from cascade.calibration.learning.learn import learn

DELTA = 0.05
SIZES = (60, 100, 200, 400, 800, 1_600)
MARGINS = (0.05, 0.02, 0.01)

NANO, MINI, TOP = Price.of("0.20", "1.25"), Price.of("0.75", "4.50"), Price.of("5", "30")
PRICES = {"nano": NANO, "mini": MINI, "top": TOP}
"""Each model is priced as the tier it stands for, with its own tokens."""

Key = tuple[str, float, int]


def zeroeval(data: Path) -> Recording:
    """Grade-school arithmetic: 1,319 requests, three models."""
    models = {
        "nano": "Meta-Llama-3.1-8B-Instruct",
        "mini": "gpt-4o-mini-2024-07-18",
        "top": "gpt-4o-2024-08-06",
    }
    return import_long_form(data / "zeroeval", tiers=models, prices=PRICES, tokens="estimate")


def bfcl(data: Path) -> Recording:
    """Function calls: 850 requests, three models."""
    models = {
        "nano": "gpt-3.5-turbo-0125-FC",
        "mini": "gpt-4o-mini-2024-07-18-FC",
        "top": "gpt-4o-2024-08-06-FC",
    }
    return import_long_form(data / "bfcl-2024-08", tiers=models, prices=PRICES)


def routellm(data: Path) -> Recording:
    """Grade-school arithmetic by two models: 1,307 requests."""
    return import_wide(
        data / "routellm" / "gsm8k.parquet",
        tiers={"nano": "mixtral_8x7b", "top": "gpt4_1106"},
        prices={"nano": NANO, "top": TOP},
        tokens="estimate",
        where={"contaminated": 0},
    )


SETS: dict[str, Callable[[Path], Recording]] = {
    "zeroeval": zeroeval,
    "bfcl": bfcl,
    "routellm": routellm,
}


class Rows:
    """Scores of some rows of a recording, from those of all of it."""

    def __init__(self, source: ScoreSource, rows: NDArray[np.int64]) -> None:
        self._source, self._rows = source, rows

    def scores(self, asked: tuple[int, ...], returns: int) -> NDArray[np.float64]:
        """As a `ScoreSource`."""
        return self._source.scores(asked, returns)[self._rows]

    def cost_pusd(self, asked: tuple[int, ...], returns: int) -> NDArray[np.int64]:
        """As a `ScoreSource`."""
        return self._source.cost_pusd(asked, returns)[self._rows]

    def gate(self, tier: int) -> NDArray[np.float64]:
        """As a `ScoreSource`."""
        return self._source.gate(tier)[self._rows]


def tolerated(trials: int, delta: float = DELTA) -> float:
    """The share of broken promises beyond which a rule is not valid: delta and two errors."""
    return delta + 2 * math.sqrt(delta * (1 - delta) / trials)


def run(recording: Recording, trials: int, seed: int) -> dict[Key, list[Deployment]]:
    """Every deployment of a set, by rule, margin and number of labels."""
    source = learn(recording, seed=seed).source  # scores that no request saw its own label for
    found: dict[Key, list[Deployment]] = defaultdict(list)
    rng = np.random.default_rng(seed)
    drawn = populations(recording, lambda rows: Rows(source, rows), seed)
    for _, population in zip(range(trials), drawn, strict=False):
        for one in deployments(
            population, rng, sizes=SIZES, margins=MARGINS, delta=DELTA, rules=rule_names()
        ):
            found[one.rule, one.epsilon, one.n].append(one)
    return found


def share(values: Iterable[bool]) -> float:
    """Of true ones, in percent."""
    listed = list(values)
    return 100 * sum(listed) / len(listed)


def show(name: str, found: dict[Key, list[Deployment]]) -> None:
    """The table of a set: cost, share that certified anything, share of broken promises."""
    print(f"\n{name}: cost in % of the top tier / certified a cheaper plan, % / broken promises, %")
    print("points     n  " + "".join(f"{rule:>24}" for rule in rule_names()))
    for epsilon in MARGINS:
        for n in SIZES:
            cells = [found[rule, epsilon, n] for rule in rule_names()]
            shown = [
                f"{100 * np.mean([one.cost for one in cell]):.1f} / "
                f"{share(one.chosen > 0 for one in cell):.0f} / "
                f"{share(one.broken for one in cell):.1f}"
                for cell in cells
            ]
            print(f"{100 * epsilon:6.1f} {n:5d}  " + "".join(f"{text:>24}" for text in shown))


def verdict(name: str, found: dict[Key, list[Deployment]], trials: int) -> bool:
    """Print and say whether valid rules kept their promises and the others did not."""
    limit = 100 * tolerated(trials)
    fine = True
    for rule in rule_names():
        worst = max(share(one.broken for one in found[key]) for key in found if key[0] == rule)
        should_hold = rule != "no test"
        as_it_should = (worst <= limit) == should_hold
        fine &= as_it_should
        print(
            f"{name}: {rule}: {worst:.1f} % broken in its worst cell, {limit:.1f} % tolerated: "
            f"{'holds' if worst <= limit else 'breaks'}{'' if as_it_should else ' - UNEXPECTED'}"
        )
    at_400 = {rule: share(o.chosen > 0 for o in found[rule, 0.02, 400]) for rule in rule_names()}
    words = ", ".join(f"{rule} {value:.0f} %" for rule, value in at_400.items())
    print(f"{name}: certifies a cheaper plan with 400 labels and 2 points: {words}")
    return fine


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--set", choices=sorted(SETS), action="append", dest="sets")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    fine = True
    for name in given.sets or SETS:
        begun = time.perf_counter()
        found = run(SETS[name](given.data), given.trials, given.seed)
        show(name, found)
        fine &= verdict(name, found, given.trials)
        print(
            f"{name}: {given.trials} deployments in {time.perf_counter() - begun:.0f} s", flush=True
        )
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
