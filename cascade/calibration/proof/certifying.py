"""From a plan that passed its test to the certificate that says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.comparing.bootstrap import Bootstrap
from cascade.calibration.comparing.findings import Estimate
from cascade.calibration.money import in_usd
from cascade.calibration.plan import Plan, ScoreSource
from cascade.calibration.proof.attempts import split_fingerprint
from cascade.calibration.proof.certificate import Certificate, Counted, Expiry
from cascade.calibration.proof.certified_chain import (
    check_recorded,
    entry_of,
    policy_of,
    tiers_of_chain,
    tiers_of_recording,
)
from cascade.calibration.proof.certified_path import certify_path
from cascade.calibration.proof.certified_point import CertifiedPoint
from cascade.calibration.proof.copies import copies_in, copies_together
from cascade.calibration.proof.drift import score_histograms
from cascade.calibration.proof.intervals import clopper_pearson
from cascade.calibration.proof.losses import Missing
from cascade.calibration.proof.odd_quality import odd_quality
from cascade.calibration.proof.splits import Splits
from cascade.calibration.recording import Recording
from cascade.calibration.serving import plan_of_chain
from cascade.core.chain import Chain
from cascade.errors import ConfigError

__all__ = ["certificate_of", "certify"]

Floats = NDArray[np.float64]

RESAMPLES = 2_000


def certify(
    path: Sequence[Plan],
    recording: Recording,
    source: ScoreSource,
    *,
    epsilon: float,
    delta: float = 0.05,
    slices: bool = False,
    attempts: str | PathLike[str] | None = None,
    single: bool = False,
    missing: Missing = "harm",
    heaviest: float | None = None,
    created_at: str = "",
    **given: Any,
) -> Certificate:
    """Certify the last plan of a path that the labels carry.

    Args:
        path: as for `certify_path`.
        recording: as for `certify_path`: the certify part.
        source: as for `certify_path`.
        epsilon: as for `certify_path`.
        delta: as for `certify_path`.
        slices: as for `certify_path`.
        attempts: as for `certify_path`.
        single: as for `certify_path`.
        missing: as for `certify_path`.
        heaviest: as for `certify_path`.
        created_at: ISO 8601, for the certificate and the ledger.
        **given: further arguments of `certificate_of`.

    Raises:
        NotCertifiable: as `certify_path`.
    """
    point = certify_path(
        path,
        recording,
        source,
        epsilon=epsilon,
        delta=delta,
        slices=slices,
        attempts=attempts,
        single=single,
        missing=missing,
        heaviest=heaviest,
        at=created_at,
    )
    return certificate_of(point, recording, source, path=len(path), created_at=created_at, **given)


def certificate_of(
    point: CertifiedPoint,
    recording: Recording,
    source: ScoreSource,
    *,
    chain: Chain | None = None,
    splits: Splits | None = None,
    path: int = 0,
    created_at: str = "",
    expiry: Expiry | None = None,
    notes: Sequence[str] = (),
    seed: int = 0,
) -> Certificate:
    """Write down what was certified.

    Args:
        point: that passed.
        recording: the certify part.
        source: where scores come from.
        chain: that serves the plan; without one, tiers are as the recording knows them.
        splits: how the recording was cut.
        path: plans on the path.
        created_at: ISO 8601.
        expiry: rules; the usual ones unless given.
        notes: what a reader must know besides.
        seed: of the bootstrap.

    Raises:
        RecordingError: a tier of the chain is not the one that was recorded.
        ConfigError: the chain decides otherwise than the plan.
    """
    if chain is not None:
        check_recorded(chain, recording)
        _check_served(chain, point.plan)
    top = recording.tiers[recording.top]
    about = recording.about
    recording = copies_together(recording)
    measured = _quality(point, recording, seed)
    paid = _cost(point, recording, seed)
    harm, gain = (_counted(point, recording, sign, seed) for sign in (1, -1))
    return Certificate(
        chain_name=about.chain if chain is None else chain.name,
        tiers=tiers_of_recording(point.plan, recording) if chain is None else tiers_of_chain(chain),
        plan=point.plan,
        policy="" if chain is None else policy_of(chain),
        entry="" if chain is None else entry_of(chain),
        top=top.name,
        top_model=top.model,
        epsilon=point.epsilon,
        delta=point.delta,
        spent=point.spent,
        p=point.p,
        test=point.test,
        requests=len(point.loss),
        units=point.units,
        dropped=int((~point.kept).sum()),
        unknown=point.unknown,
        harm=harm,
        gain=gain,
        net_harm=point.net_harm,
        heaviest=point.heaviest,
        quality=measured[0],
        top_quality=measured[1],
        cost=paid[0],
        cost_usd=paid[1],
        top_cost_usd=paid[2],
        slices=point.slices,
        tested=point.index + 1,
        path=path or point.index + 1,
        attempt=0 if point.attempt is None else point.attempt.number,
        ledger="" if point.attempt is None else point.attempt.line,
        histograms=score_histograms(point.plan, recording, source, point.outcomes),
        quality_from=about.quality,
        self_disagreement=about.self_disagreement,
        source=about.source,
        price_table=about.price_table,
        split=split_fingerprint(recording.ids),
        key="" if splits is None else splits.key,
        shares=() if splits is None else splits.shares,
        learned_on=0 if splits is None else splits.size("learn"),
        created_at=created_at,
        expiry=expiry or Expiry(),
        notes=(*_notes(point, recording), *notes),
        chain=chain,
    )


def _check_served(chain: Chain, plan: Plan) -> None:
    served = plan_of_chain(chain)
    if (served.steps[:-1], served.tiers, served.gate) != (plan.steps[:-1], plan.tiers, plan.gate):
        raise ConfigError(
            f"chain {chain.name!r} decides by {str(served)!r}, certified is {str(plan)!r}: give "
            "the chain that serves the plan, as chain_of_plan makes it"
        )


def _quality(
    point: CertifiedPoint, recording: Recording, seed: int
) -> tuple[Estimate | None, Estimate | None]:
    """Mean quality of the plan and of the top tier over what the promise is over, where known."""
    both = np.column_stack([point.outcomes.quality, recording.quality[:, recording.top]])
    known = point.kept & ~np.isnan(both).any(axis=1)
    if not known.any():
        return None, None
    share = point.share[known[point.kept]]
    bootstrap = Bootstrap(recording.groups[known], share, RESAMPLES, seed)
    means = np.average(both[known], axis=0, weights=share)
    drawn = bootstrap.means(both[known])
    plan, top = (bootstrap.estimate(float(means[i]), drawn[:, i]) for i in (0, 1))
    return plan, top


def _cost(
    point: CertifiedPoint, recording: Recording, seed: int
) -> tuple[Estimate | None, Estimate | None, Estimate | None]:
    """Cost as a share of the top tier's, and both per request, where both are known."""
    both = in_usd(
        np.column_stack([point.outcomes.cost_pusd, recording.cost_pusd[:, recording.top]])
    )
    known = ~np.isnan(both).any(axis=1)
    if not known.any():
        return None, None, None
    bootstrap = Bootstrap(recording.groups[known], recording.weights[known], RESAMPLES, seed)
    means = np.average(both[known], axis=0, weights=recording.weights[known])
    drawn = bootstrap.means(both[known])
    plan, top = (bootstrap.estimate(float(means[i]), drawn[:, i]) for i in (0, 1))
    if not means[1]:
        return None, plan, top  # a top tier that is free: nothing can cost less
    with np.errstate(divide="ignore", invalid="ignore"):  # a draw of free requests alone
        share = bootstrap.estimate(float(means[0] / means[1]), drawn[:, 0] / drawn[:, 1])
    return share, plan, top


def _counted(point: CertifiedPoint, recording: Recording, sign: int, seed: int) -> Counted:
    """How many requests the plan answered worse (1) or better (-1)."""
    hit = point.loss * sign > 0
    count = int(hit.sum())
    if point.test == "exact" and point.units == len(hit):
        return Counted(count, count / len(hit), *clopper_pearson(count, len(hit)))
    bootstrap = Bootstrap(recording.groups[point.kept], point.share, RESAMPLES, seed)
    share = float(np.average(hit, weights=point.share))
    found = bootstrap.estimate(share, bootstrap.means(hit[:, None].astype(float))[:, 0])
    return Counted(count, share, found.low, found.high)


def _notes(point: CertifiedPoint, recording: Recording) -> Iterator[str]:
    about = recording.about
    if about.quality == "top tier" and about.self_disagreement is None:
        yield (
            "quality is agreement with the top tier, and how often that disagrees with itself was "
            "not measured: a margin below it means nothing"
        )
    yield from odd_quality(recording)
    known = (point.outcomes.cost_pusd >= 0) & (recording.cost_pusd[:, recording.top] >= 0)
    if not known.all():
        yield f"the cost of {int((~known).sum()):,} of {len(known):,} requests is not known"
    copies = copies_in(recording.rows(point.kept))
    if copies:
        yield (
            f"{copies:,} requests ask exactly what another one asks; copies are one group, which "
            "counts once"
        )
    if point.unknown:
        yield (
            f"{point.unknown:,} of the answers that count as harm could not be compared, for want "
            "of a quality; each counts as the most harm there can be"
        )
