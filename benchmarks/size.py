"""The exact test's true error, its speed, and the labels it needs: by enumeration, not simulation.

    python -m benchmarks.size            # 4 margins x 60 sizes up to 1,000 requests
    python -m benchmarks.size --quick    # a few of them

For each margin and number of requests the chance to certify a policy on or past the margin is
summed over all outcomes, for every share of gain that there can be. It must not exceed 5 %. Ends
with 1 where it does.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from cascade.calibration.proof.labels import labels_without_harm
from cascade.calibration.proof.noninferiority import noninferiority_p
from cascade.calibration.proof.power import chance_to_certify, critical_harm
from cascade.calibration.proof.sequence import p_along

DELTA = 0.05
MARGINS = (0.005, 0.01, 0.02, 0.05)
SIZES = sorted({int(n) for n in np.geomspace(20, 1_000, 60)})
BEYOND = (0.0, 0.0005, 0.005, 0.02)
"""How far past the margin true losses are tried as well."""


def size_of(n: int, epsilon: float, delta: float = DELTA) -> float:
    """The largest chance to certify what must not be certified, over all shares of gain."""
    gains = range(n // 2 + 2)  # under the null hypothesis gain's share is below a half
    critical = critical_harm(n, epsilon, delta, gains)
    share = (1 - epsilon) / 2 * np.linspace(0, 1, 500) ** 2
    return max(
        float(
            chance_to_certify(
                critical, gains, n, np.minimum(share + epsilon + beyond, 1 - share), share
            ).max()
        )
        for beyond in BEYOND
    )


def median_ms(function: Callable[[], object], rounds: int = 30) -> float:
    """The median time of a call in milliseconds."""
    function()
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        function()
        found.append(1_000 * (time.perf_counter() - begun))
    return statistics.median(found)


def speed() -> None:
    """Print how long one p-value and a path of 200 policies take."""
    for harm, gain, n, epsilon in (
        (4, 2, 400, 0.02),
        (60, 40, 2_000, 0.02),
        (200, 180, 2_000, 0.05),
        (300, 200, 10_000, 0.02),
    ):
        taken = median_ms(lambda: noninferiority_p(harm, gain, n, epsilon))  # noqa: B023  at once
        print(f"one p-value, n {n:6,}, harm {harm}, gain {gain}: {taken:.2f} ms")
    counts = [(place // 3, place // 4) for place in range(200)]
    taken = median_ms(lambda: list(p_along(counts, 2_000, 0.02)), 5)
    print(f"a path of 200 policies, n 2,000, all tested: {taken / 1_000:.3f} s")


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a few cases")
    given = parser.parse_args()
    sizes = SIZES[::12] if given.quick else SIZES
    worst, cases = 0.0, 0
    for epsilon in MARGINS:
        found = {n: size_of(n, epsilon) for n in sizes}
        at = max(found, key=found.__getitem__)
        print(
            f"{100 * epsilon:3.1f} points, {len(found)} sizes: at most {found[at]:.4f} (n {at})",
            flush=True,
        )
        worst, cases = max(worst, found[at]), cases + len(found)
    print(f"{cases} cases: error at most {worst:.4f}, {DELTA} allowed")
    for epsilon in (0.05, 0.03, 0.02, 0.01, 0.005):
        print(
            f"{100 * epsilon:3.1f} points need {labels_without_harm(epsilon)} labels without harm"
        )
    speed()
    sys.exit(0 if worst <= DELTA else 1)


if __name__ == "__main__":
    main()
