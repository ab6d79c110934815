"""How far along a path the labels carry a promise.

Works on the certify part alone: nothing that was learnt or chosen may have seen it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.advice import Advice, advice_for, points
from cascade.calibration.attempts import spend_attempt
from cascade.calibration.betting import betting_p
from cascade.calibration.certified_point import CertifiedPoint, SlicePromise, Test
from cascade.calibration.fingerprint import fingerprint
from cascade.calibration.losses import PathLosses, Units, path_losses, units_of
from cascade.calibration.noninferiority import GAMMA
from cascade.calibration.plan import Plan, ScoreSource, Step
from cascade.calibration.recording import Recording
from cascade.calibration.sequence import fixed_sequence, p_along
from cascade.errors import ConfigError, NotCertifiable

__all__ = ["certify_path"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def certify_path(
    path: Sequence[Plan],
    recording: Recording,
    source: ScoreSource,
    *,
    epsilon: float,
    delta: float = 0.05,
    slices: bool = False,
    attempts: str | PathLike[str] | None = None,
    at: str = "",
    test: Test | None = None,
    stands: Bools | None = None,
) -> CertifiedPoint:
    """Test a path from its safe end and return the last plan that carries the promise.

    Quality of 0 and 1 on single requests of equal weight is tested exactly; graded quality, groups
    of requests and weights by the betting test, which then promises the weighted mean.

    Args:
        path: plans, the most conservative first, usually the top tier alone.
        recording: the certify part.
        source: scores of that part, by a model that has not seen it.
        epsilon: the most net loss of quality, as a share; 0 asks for a plan that is surely better.
        delta: error allowed, e.g. 0.05.
        slices: the promise must hold on every slice; each may err with its part of delta.
        attempts: ledger of attempts; without one this must be the only attempt on these requests.
        at: time for the ledger.
        test: "betting" where 0/1 labels are to be tested so all the same; chosen unless given.
        stands: as for `simulate`.

    Raises:
        ConfigError: a margin or an error that is none, an empty path, or the exact test asked for
            what it does not test.
        NotCertifiable: the labels do not carry the promise for any plan that costs less.
        RecordingError: the recording cannot tell, or has no labels.
    """
    _check(epsilon, delta)
    _check_self_disagreement(recording, epsilon)
    losses = path_losses(path, recording, source, stands=stands)
    top = Plan((Step(recording.names[recording.top]),))
    if all(plan == top for plan in losses.plans):
        raise NotCertifiable(
            f"the path holds {str(top)!r} alone: no plan was found that costs less, so there is "
            "nothing to certify; add a cheaper tier, or better evidence of when it is right"
        )
    chosen = _test_for(losses, units_of(losses, recording), test)
    seen = hashlib.sha256(losses.loss.tobytes()).hexdigest()
    decisive = [[plan.digest for plan in losses.plans], seen]
    attempt = attempts and spend_attempt(
        attempts,
        recording.ids.tolist(),
        test=fingerprint([*decisive, epsilon, delta, slices, chosen]),
        epsilon=epsilon,
        delta=delta,
        at=at,
    )
    spent = attempt.spent if attempt else delta
    strata = _strata(losses, recording, spent, apart=slices)
    results = [
        fixed_sequence(_p_values(stratum, losses.plans, top, epsilon, chosen), stratum.spent)
        for stratum in strata
    ]
    index = min(result.certified for result in results)
    if index < 0 or losses.plans[index] == top:
        weakest = strata[[result.certified for result in results].index(index)]
        first = next(place for place, plan in enumerate(losses.plans) if plan != top)
        raise _refusal(weakest, first, epsilon, delta, chosen)
    ps = [result.p_values[index] for result in results]
    return CertifiedPoint(
        plan=losses.plans[index],
        index=index,
        outcomes=losses.outcomes[index],
        loss=losses.loss[index],
        kept=losses.kept,
        units=sum(stratum.units.loss.shape[1] for stratum in strata),
        test=chosen,
        p=max(ps),
        p_values=results[0].p_values if not slices else (),
        epsilon=epsilon,
        delta=delta,
        spent=spent,
        attempt=attempt or None,
        slices=tuple(s.promise(index, p) for s, p in zip(strata, ps, strict=True) if slices),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Stratum:
    """Requests that are tested together: all of them, or a slice."""

    name: str
    units: Units
    loss: Floats  # per request
    spent: float

    def promise(self, index: int, p: float) -> SlicePromise:
        loss = self.loss[index]
        harm, gain = int((loss > 0).sum()), int((loss < 0).sum())
        return SlicePromise(self.name, len(loss), harm, gain, p, self.spent)


def _strata(
    losses: PathLosses, recording: Recording, spent: float, *, apart: bool
) -> list[_Stratum]:
    if not apart:
        return [_Stratum("", units_of(losses, recording), losses.loss, spent)]
    names = sorted(set(recording.slices.tolist()))
    of = recording.slices[losses.kept]
    missing = [name for name in names if name not in of]
    if missing:
        raise NotCertifiable(
            f"slice {missing[0]!r} has no request with labels: label some, or promise on all "
            "requests together"
        )
    return [
        _Stratum(
            name,
            units_of(losses, recording, of == name),
            losses.loss[:, of == name],
            spent / len(names),
        )
        for name in names
    ]


def _p_values(
    stratum: _Stratum, plans: Sequence[Plan], top: Plan, epsilon: float, chosen: Test
) -> Iterator[float]:
    """The p-value of each plan in turn; the top tier alone has nothing to prove."""
    units = stratum.units
    if chosen == "exact":
        counts = [(int((loss > 0).sum()), int((loss < 0).sum())) for loss in units.loss]
        gamma = min(GAMMA, stratum.spent / 25)
        found = p_along(counts, units.loss.shape[1], epsilon, gamma=gamma)
    else:
        found = (betting_p(loss, epsilon, weights=units.weights) for loss in units.loss)
    for plan, p in zip(plans, found, strict=True):
        yield 0.0 if plan == top else p


def _test_for(losses: PathLosses, units: Units, asked: Test | None) -> Test:
    fits_exact = not (losses.graded or units.grouped or units.weights is not None)
    if asked == "exact" and not fits_exact:
        raise ConfigError(
            "the exact test takes right and wrong (0 or 1) on single requests of equal weight; "
            "leave test out, and the betting test takes grades, groups and weights"
        )
    return asked or ("exact" if fits_exact else "betting")


def _refusal(
    stratum: _Stratum, first: int, epsilon: float, delta: float, chosen: Test
) -> NotCertifiable:
    """Why nothing was certified, and what would be."""
    units = stratum.units
    have = units.loss.shape[1]
    advice: Advice = advice_for(
        units.loss[first],
        units.weights,
        epsilon=epsilon,
        delta=stratum.spent,
        exact=chosen == "exact",
    )
    loss = stratum.loss[first]
    where = f" on slice {stratum.name!r}" if stratum.name else ""
    what = f"at most {points(epsilon)} below" if epsilon else "no loss at all against"
    unit = "groups" if units.grouped else "requests"
    return NotCertifiable(
        f"{what} the top tier cannot be promised{where} with {100 * (1 - delta):g} % confidence: "
        f"of {have} {unit} the most careful cheaper plan answers {int((loss > 0).sum())} worse "
        f"and {int((loss < 0).sum())} better; {advice.words(have)}",
        certifiable=advice.certifiable,
        labels_needed=advice.labels_needed,
    )


def _check(epsilon: float, delta: float) -> None:
    if not 0 <= epsilon < 1:
        raise ConfigError(f"epsilon is {epsilon!r}: expected a share in [0, 1), e.g. 0.02")
    if not 0 < delta < 1:
        raise ConfigError(f"delta is {delta!r}: expected a share in (0, 1), e.g. 0.05")


def _check_self_disagreement(recording: Recording, epsilon: float) -> None:
    """Refuse a margin finer than the ruler: the top tier's own disagreement with itself."""
    about = recording.about
    share = about.self_disagreement
    if about.quality == "top tier" and share is not None and epsilon < share:
        raise NotCertifiable(
            f"{points(epsilon)} is finer than quality was measured: the top tier disagrees with "
            f"itself in {100 * share:.1f} % of {about.self_disagreement_calls} double calls; allow "
            f"{points(share)} or more, or grade against references",
            certifiable=share,
        )
