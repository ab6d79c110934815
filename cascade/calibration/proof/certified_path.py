"""How far along a path the labels carry a promise.

Works on the certify part alone: nothing that was learnt or chosen may have seen it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.fingerprint import fingerprint
from cascade.calibration.plan import Plan, ScoreSource, Step
from cascade.calibration.proof.advice import Seen, advice_for, points
from cascade.calibration.proof.attempts import Attempt, attempt_delta, attempts_on, spend_attempt
from cascade.calibration.proof.certified_point import CertifiedPoint, Test
from cascade.calibration.proof.copies import copies_together
from cascade.calibration.proof.losses import Missing, PathLosses, is_graded, path_losses
from cascade.calibration.proof.margin import check_delta, check_epsilon
from cascade.calibration.proof.saving import LEAST_SAVING, cost_share, saves
from cascade.calibration.proof.strata import Stratum, strata_of
from cascade.calibration.proof.units import units_of
from cascade.calibration.recording import Recording
from cascade.errors import ConfigError, NotCertifiable
from cascade.percent import percent

__all__ = ["certify_path"]

Bools = NDArray[np.bool_]


def certify_path(
    path: Sequence[Plan],
    recording: Recording,
    source: ScoreSource,
    *,
    epsilon: float,
    delta: float = 0.05,
    slices: bool = False,
    attempts: str | PathLike[str] | None = None,
    single: bool = False,
    at: str = "",
    test: Test | None = None,
    graded: bool | None = None,
    missing: Missing = "harm",
    heaviest: float | None = None,
    stands: Bools | None = None,
    part: float | None = None,
) -> CertifiedPoint:
    """Test a path from its safe end and return the last plan that carries it and costs less.

    The promise is on the mean loss over requests, or over groups where requests have groups or are
    copies of each other; each counts the same, or by weights up to `heaviest`. Quality of 0 and 1
    on single requests of equal weight, or on copies of them, is tested exactly; graded quality,
    groups and weights by the betting test.

    Args:
        path: plans, the most conservative first, usually the top tier alone.
        recording: the certify part.
        source: scores of that part, by a model that has not seen it.
        epsilon: the most net loss of quality, as a share; 0 asks for a plan that is surely better.
        delta: error allowed, e.g. 0.05.
        slices: the promise must hold on every slice; each may err with its part of delta.
        attempts: ledger of attempts; without one this must be the only attempt on these requests.
        single: this is the only one, and is not counted: the ledger must hold none on them.
        at: time for the ledger.
        test: "betting" where 0/1 labels are to be tested so all the same; chosen unless given.
        graded: whether quality may lie between 0 and 1, as known before these labels, which else
            say so themselves. Where it is said not to, a loss in between counts as a whole one.
        missing: as for `path_losses`.
        heaviest: the weight above which no request counts more, chosen before these labels were
            seen; needed where weights differ.
        stands: as for `simulate`.
        part: share of what was recorded that this part is, to say how many must be recorded.

    Raises:
        ConfigError: a margin or an error that is none, an empty path, weights without a bound, the
            exact test asked for what it does not test, or no single attempt.
        NotCertifiable: the labels do not carry the promise for any plan that costs less.
        RecordingError: the recording cannot tell, or has no labels.
    """
    check_epsilon(epsilon)
    check_delta(delta)
    _check_self_disagreement(recording, epsilon)
    recording = copies_together(recording)
    losses = path_losses(path, recording, source, missing=missing, stands=stands)
    top = Plan((Step(recording.names[recording.top]),))
    if all(plan == top for plan in losses.plans):
        raise NotCertifiable(
            f"the path holds {str(top)!r} alone: no plan was found that costs less, so there is "
            "nothing to certify; add a cheaper tier, or better evidence of when it is right"
        )
    strata = strata_of(losses, recording, apart=slices, heaviest=heaviest)
    chosen = _test_for(strata, is_graded(recording) if graded is None else graded, test)
    decisive = [[plan.digest for plan in losses.plans], [[s.name, s.units.seal] for s in strata]]
    attempt: Attempt | None = None
    if single and attempts is not None:
        _check_single(attempts, recording, delta)
        attempts = None
    if attempts is not None:
        attempt = spend_attempt(
            attempts,
            recording.ids.tolist(),
            test=fingerprint([*decisive, heaviest, missing, epsilon, delta, chosen]),
            epsilon=epsilon,
            delta=delta,
            at=at,
        )
    spent = attempt.spent if attempt else delta
    each = spent / len(strata)
    results = [s.tested(losses.plans, top, epsilon, each, chosen) for s in strata]
    carried = min(result.certified for result in results)
    if carried < 0 or losses.plans[carried] == top:
        weakest = strata[[result.certified for result in results].index(carried)]
        first = next(place for place, plan in enumerate(losses.plans) if plan != top)
        later = delta
        if attempts is not None:
            later = attempt_delta(delta, 1 + len(attempts_on(attempts, recording.ids.tolist())))
        refused = _Refused(weakest, first, epsilon, delta, later / len(strata), part)
        raise refused.error(chosen, counted=attempt is not None)
    index = _last_that_saves(losses, recording, carried)
    ps = [result.p_values[index] for result in results]
    kept = recording.rows(losses.kept)
    units = units_of(losses.loss[[index]], kept, heaviest=heaviest)
    return CertifiedPoint(
        plan=losses.plans[index],
        index=index,
        outcomes=losses.outcomes[index],
        loss=losses.loss[index],
        unknown=int(losses.unknown[index].sum()),
        kept=losses.kept,
        units=sum(len(stratum.units) for stratum in strata),
        share=units.share,
        net_harm=units.net_harm(0),
        heaviest=None if units.weights is None else heaviest,
        test=chosen,
        p=max(ps),
        p_values=results[0].p_values if not slices else (),
        epsilon=epsilon,
        delta=delta,
        spent=spent,
        attempt=attempt,
        slices=tuple(s.promise(index, p, each) for s, p in zip(strata, ps, strict=True) if slices),
    )


def _last_that_saves(losses: PathLosses, recording: Recording, carried: int) -> int:
    """The last plan up to one that costs less than the top tier on these requests too.

    All plans up to the last that passed carry their promise together, so that one of them may be
    taken by what it costs here.

    Raises:
        NotCertifiable: none of them does.
    """
    for index in range(carried, -1, -1):
        if saves(losses.outcomes[index], recording):
            return index
    plan, top = losses.plans[carried], recording.names[recording.top]
    if not recording.cost_pusd[:, recording.top].any():
        raise NotCertifiable(
            f"always asking {top!r} costs nothing on these {len(recording):,} requests: no plan "
            "costs less, so there is nothing to certify"
        )
    share = cost_share(losses.outcomes[carried], recording)
    raise NotCertifiable(
        f"no plan that these labels carry saves {percent(LEAST_SAVING)} or more of what always "
        f"asking {top!r} costs, so there is nothing to certify: on these {len(recording):,} "
        f"requests {str(plan)!r} costs {percent(share or 0)} of it; add a cheaper tier, or better "
        "evidence of when it is right"
    )


def _test_for(strata: Sequence[Stratum], graded: bool, asked: Test | None) -> Test:
    plain = not any(s.units.grouped or s.units.weights is not None for s in strata)
    fits_exact = plain and not graded
    if asked == "exact" and not fits_exact:
        raise ConfigError(
            "the exact test takes right and wrong (0 or 1) on single requests of equal weight; "
            "leave test out, and the betting test takes grades, groups and weights"
        )
    return asked or ("exact" if fits_exact else "betting")


@dataclass(frozen=True, slots=True, eq=False)
class _Refused:
    """What was not certified: where, of which plan, and with what error a next attempt is made."""

    stratum: Stratum
    plan: int
    epsilon: float
    delta: float
    later: float
    part: float | None

    def error(self, chosen: Test, *, counted: bool) -> NotCertifiable:
        """Why nothing was certified, and what would be."""
        stratum, have = self.stratum, len(self.stratum.units)
        advice = advice_for(
            stratum.units,
            self.plan,
            epsilon=self.epsilon,
            delta=self.later,
            heaviest=stratum.heaviest,
            exact=chosen == "exact",
        )
        loss = stratum.loss[self.plan]
        where = f" on slice {stratum.name!r}" if stratum.name else ""
        what = f"at most {points(self.epsilon)} below" if self.epsilon else "no loss at all against"
        harm, blind = int((loss > 0).sum()), int(stratum.unknown[self.plan].sum())
        unit = "request" if have == len(loss) else "group"
        seen = Seen(have, unit, harm, blind, self.part, stratum.name)
        return NotCertifiable(
            f"{what} the top tier cannot be promised{where} with {percent(1 - self.delta, None)} "
            f"confidence: of {seen.many} the most careful cheaper plan answers "
            f"{harm} worse{stratum.not_graded(self.plan)} and "
            f"{int((loss < 0).sum())} better; "
            f"{advice.words(seen, counted=counted)}",
            certifiable=advice.certifiable,
            labels_needed=advice.labels_needed,
        )


def _check_single(attempts: str | PathLike[str], recording: Recording, delta: float) -> None:
    """Refuse to call an attempt the only one where the ledger counts others."""
    earlier = attempts_on(attempts, recording.ids.tolist())
    if not earlier:
        return
    last, number = earlier[-1], len(earlier) + 1
    many = "an attempt" if len(earlier) == 1 else f"{len(earlier)} attempts"
    when = f" on {last.at[:10]}" if last.at else ""
    raise ConfigError(
        f"this is not the only attempt on these requests: ledger {str(attempts)!r} counts {many} "
        f"on them, the last{when} for {points(last.epsilon)}; leave out single (--single), which "
        f"makes this attempt {number}, with {percent(attempt_delta(delta, number), 2)} of error "
        "allowed, or certify on requests that nobody has looked at"
    )


def _check_self_disagreement(recording: Recording, epsilon: float) -> None:
    """Refuse a margin finer than the ruler: the top tier's own disagreement with itself."""
    about = recording.about
    share = about.self_disagreement
    if about.quality == "top tier" and share is not None and epsilon < share:
        raise NotCertifiable(
            f"{points(epsilon)} is finer than quality was measured: the top tier disagrees with "
            f"itself in {percent(share)} of {about.self_disagreement_calls} double calls; allow "
            f"{points(share)} or more, or grade against references",
            certifiable=share,
        )
