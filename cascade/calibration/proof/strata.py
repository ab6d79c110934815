"""Requests that are tested together, all of them or slice by slice, and the test of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.plan import Plan
from cascade.calibration.proof.betting import betting_p
from cascade.calibration.proof.certified_point import SlicePromise, Test
from cascade.calibration.proof.losses import PathLosses
from cascade.calibration.proof.noninferiority import GAMMA
from cascade.calibration.proof.sequence import SequenceResult, fixed_sequence, p_along
from cascade.calibration.proof.units import Units, units_of
from cascade.calibration.recording import Recording
from cascade.errors import NotCertifiable

__all__ = ["Stratum", "strata_of"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Stratum:
    """Requests that are tested together.

    Attributes:
        name: of the slice; "" for all requests.
        units: independent observations among them.
        heaviest: as for `units_of`.
        loss: of each plan and request, shape (plans, n).
        unknown: as `PathLosses.unknown`, of these requests.
    """

    name: str
    units: Units
    heaviest: float | None
    loss: Floats
    unknown: Bools

    def tested(
        self, plans: Sequence[Plan], top: Plan, epsilon: float, delta: float, test: Test
    ) -> SequenceResult:
        """The path's plans in turn, until one fails; the top tier alone has nothing to prove."""
        found = self._exact(epsilon, delta) if test == "exact" else self._betting(epsilon)
        ps = (0.0 if plan == top else p for plan, p in zip(plans, found, strict=True))
        return fixed_sequence(ps, delta)

    def promise(self, index: int, p: float, spent: float) -> SlicePromise:
        """What is said of the slice: `p` of the plan at `index`, and the error it may make."""
        loss = self.loss[index]
        harm, gain = int((loss > 0).sum()), int((loss < 0).sum())
        return SlicePromise(self.name, len(loss), harm, gain, p, spent)

    def not_graded(self, index: int) -> str:
        """How many of the harmed requests of a plan were not graded, in brackets; "" for none."""
        count = int(self.unknown[index].sum())
        return f" ({count} of them not graded)" if count else ""

    def _exact(self, epsilon: float, delta: float) -> Iterator[float]:
        counts = [self.units.counts(place) for place in range(len(self.loss))]
        return p_along(counts, len(self.units), epsilon, gamma=min(GAMMA, delta / 25))

    def _betting(self, epsilon: float) -> Iterator[float]:
        for loss in self.units.loss:
            yield betting_p(loss, epsilon, weights=self.units.weights, heaviest=self.heaviest)


def strata_of(
    losses: PathLosses, recording: Recording, *, apart: bool, heaviest: float | None
) -> list[Stratum]:
    """The slices of a recording, or all of it as one.

    Args:
        losses: of the path.
        recording: that they come from.
        apart: every slice has a promise of its own.
        heaviest: as for `units_of`.

    Raises:
        NotCertifiable: a slice has no request with labels.
    """
    kept = recording.rows(losses.kept)
    if not apart:
        units = units_of(losses.loss, kept, heaviest=heaviest)
        return [Stratum("", units, heaviest, losses.loss, losses.unknown)]
    names = sorted(set(recording.slices.tolist()))
    missing = [name for name in names if name not in kept.slices]
    if missing:
        raise NotCertifiable(
            f"slice {missing[0]!r} has no request with labels: label some, or promise on all "
            "requests together"
        )
    made = []
    for name in names:
        of = kept.slices == name
        loss, unknown = losses.loss[:, of], losses.unknown[:, of]
        units = units_of(loss, kept.rows(of), heaviest=heaviest)
        made.append(Stratum(name, units, heaviest, loss, unknown))
    return made
