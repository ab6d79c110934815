"""Testing a path of policies one after the other without paying for their number.

The order is fixed before the labels are seen, the most conservative policy first. Each is tested
with the whole error; the first that fails ends it. An error is made only if the first policy that
breaks the promise passes, and that is a single test.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cascade.calibration.proof.noninferiority import GAMMA, noninferiority_p

__all__ = ["SequenceResult", "fixed_sequence", "p_along"]


@dataclass(frozen=True, slots=True)
class SequenceResult:
    """How far along a path the promise holds.

    Attributes:
        p_values: of the policies tested, in order; the last is above the error allowed unless all
            passed.
        certified: index of the last that passed, -1 for none.
    """

    p_values: tuple[float, ...]
    certified: int


def fixed_sequence(p_values: Iterable[float], delta: float) -> SequenceResult:
    """Test along a path until the first policy that fails.

    Args:
        p_values: one per policy, the most conservative first; read no further than needed.
        delta: error allowed, for all of them together.

    Source:
        W. Maurer, L. Hothorn and W. Lehmacher (1995); as in Learn then Test (2110.01052),
        section 4. The order must not depend on the labels that are tested with.
    """
    read: list[float] = []
    for p in p_values:
        read.append(p)
        if not p <= delta:
            return SequenceResult(tuple(read), len(read) - 2)
    return SequenceResult(tuple(read), len(read) - 1)


def p_along(
    counts: Sequence[tuple[int, int]], n: int, epsilon: float, *, gamma: float = GAMMA
) -> Iterator[float]:
    """The exact p-values along a path, each computed when it is asked for, and once.

    Args:
        counts: harm and gain of each policy.
        n: requests, the same for all.
        epsilon: margin.
        gamma: as in `noninferiority_p`.
    """
    known: dict[tuple[int, int], float] = {}  # neighbours on a path often share their counts
    for harm, gain in counts:
        if (harm, gain) not in known:
            known[harm, gain] = noninferiority_p(harm, gain, n, epsilon, gamma=gamma)
        yield known[harm, gain]
