"""From a recording to a chain with a promise: split, learn, search, certify."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cascade.calibration.checked_recording import checked_recording
from cascade.calibration.comparing.recorded_scores import RecordedScores
from cascade.calibration.fingerprint import tier_fingerprint
from cascade.calibration.plan import Plan, ScoreSource
from cascade.calibration.proof.attempts import attempt_delta
from cascade.calibration.proof.caution import cautious_order
from cascade.calibration.proof.certificate import Certificate
from cascade.calibration.proof.certified_chain import check_recorded, prices_since_recorded
from cascade.calibration.proof.certified_path import certify_path
from cascade.calibration.proof.certifying import certificate_of
from cascade.calibration.proof.copies import copies_together
from cascade.calibration.proof.labels import labels_without_harm
from cascade.calibration.proof.losses import Missing, is_graded
from cascade.calibration.proof.margin import check_delta, check_epsilon, shown
from cascade.calibration.proof.splits import SHARES, Splits, keyed_splits, own_splits
from cascade.calibration.recorder.recording_task import set_apart
from cascade.calibration.recording import Recording
from cascade.calibration.search.plan_path import Dropped, PlanPath
from cascade.calibration.search.searching import search_plans
from cascade.calibration.serving import chain_of_plan, strict
from cascade.core.chain import Chain
from cascade.core.policy import Policy
from cascade.core.pricing import Price
from cascade.core.tier import Tier
from cascade.errors import ConfigError, RecordingError

if TYPE_CHECKING:
    from cascade.calibration.learning.learned import LearnedModel

__all__ = ["KEY", "Calibration", "Evidence", "calibrate", "prepare"]

USUAL_TARGET = 0.98
"""Share of the top tier's quality to keep, unless another one is asked for."""

KEY = "cascade"
"""Key of the splits unless one is given: repeatable, and no secret."""

SAY_EPSILON = (
    "say how many points may be lost instead of a share to keep: on the command line --epsilon, in "
    "Python epsilon="
)

Evidence = Literal["auto", "learned", "recorded"]
"""Whose scores decide: a model learned from the recording, or the chain's own scorers."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What was learned and chosen, before anything is promised.

    Attributes:
        recording: the chain's tiers, and the witnesses.
        splits: how it was cut.
        path: plans found on the learn part, cheapest first.
        scores: whose scores they decide by.
        model: the learned one; `None` where the chain's own scorers decide.
        source: scores of the certify part.
        learn_source: scores of the learn part that no request saw its own label for.
        witnesses: the witnesses' tiers.
    """

    recording: Recording
    splits: Splits
    path: PlanPath
    scores: Literal["learned", "recorded"]
    model: LearnedModel | None
    source: ScoreSource
    learn_source: ScoreSource
    witnesses: tuple[Tier, ...] = ()

    def plans(self, epsilon: float, delta: float = 0.05) -> tuple[Plan, ...]:
        """The path as it is certified: the top tier alone, then plans that risk ever more.

        Read off the learn part and the number of labels alone: the certify part is not looked at.

        Raises:
            ConfigError: a margin or an error that is no share.
        """
        check_epsilon(epsilon)
        check_delta(delta)
        enough = len(self.certify_part) >= labels_without_harm(epsilon, delta) if epsilon else True
        found = [point.plan for point in self.path.points]
        return cautious_order(found, self.learn_part, self.learn_source, in_front=enough)

    @property
    def certify_part(self) -> Recording:
        """The requests that nothing was chosen on."""
        return self.splits.part(self.recording, "certify")

    @property
    def learn_part(self) -> Recording:
        """The requests that plans were chosen on."""
        return self.splits.part(self.recording, "learn")

    def epsilon_of(self, target: float) -> float:
        """The margin, as a share, that keeps a share of the top tier's quality.

        Read off the learn part, so that the promise does not depend on what it is tested on.

        Raises:
            ConfigError: no share of quality.
            RecordingError: the top tier's quality is not known, or 0 throughout.
        """
        _check_target(target)
        part = self.learn_part
        quality = part.quality[:, part.top]
        known = ~np.isnan(quality)
        if not known.any():
            raise RecordingError(
                f"no answer of the top tier {part.names[part.top]!r} has a known quality: grade "
                f"it, or {SAY_EPSILON}"
            )
        mean = float(np.average(quality[known], weights=part.weights[known]))
        if not mean:
            raise RecordingError(
                f"every answer of the top tier {part.names[part.top]!r} that was graded has "
                "quality 0, and there is nothing to keep a share of: the metric looks wrong; "
                f"check how answers are graded, or {SAY_EPSILON}"
            )
        return (1 - target) * mean

    def chain_of(self, plan: Plan, chain: Chain) -> Chain:
        """The chain that serves a plan."""
        return chain_of_plan(plan, chain, model=self.model, witnesses=self.witnesses)

    def certificate(
        self,
        chain: Chain,
        *,
        epsilon: float,
        delta: float = 0.05,
        slices: bool = False,
        attempts: str | PathLike[str] | None = None,
        single: bool = False,
        missing: Missing = "harm",
        created_at: str = "",
        seed: int = 0,
    ) -> Certificate:
        """Certify the cheapest plan of the path that the certify part carries; see `calibrate`."""
        check_epsilon(epsilon)
        check_delta(delta)
        part = self.certify_part
        first = delta if single or attempts is None else attempt_delta(delta, 1)
        plans = self.plans(epsilon, first)
        point = certify_path(
            plans,
            part,
            self.source,
            epsilon=epsilon,
            delta=delta,
            slices=slices,
            attempts=attempts,
            single=single,
            at=created_at,
            missing=missing,
            graded=is_graded(self.learn_part),
            heaviest=float(self.learn_part.weights.max()),
            part=self.splits.share("certify"),
        )
        return certificate_of(
            point,
            part,
            self.source,
            chain=self.chain_of(point.plan, chain),
            splits=self.splits,
            path=len(plans),
            created_at=created_at,
            seed=seed,
            notes=(
                *_changed_policy(chain),
                *(self.source.notes if isinstance(self.source, RecordedScores) else ()),
                *prices_since_recorded(self.recording, chain),
                *(f"does without {dropped}" for dropped in self.dropped(point.plan)),
            ),
        )

    def dropped(self, plan: Plan) -> tuple[Dropped, ...]:
        """Tiers and witnesses that a plan does without, each with the reason.

        A safer variant of a plan on the path has the reasons of the plan that is nearest to it.
        """
        alike = (point.plan for point in self.path.points if point.plan.tiers == plan.tiers)
        known = min(alike, key=lambda other: _apart(other, plan), default=None)
        return () if known is None else self.path.dropped(known)


def _apart(one: Plan, other: Plan) -> tuple[float, bool]:
    """How far plans that ask the same tiers are apart: by thresholds, then by the gate."""
    pairs = zip(one.steps[:-1], other.steps[:-1], strict=True)
    return sum(abs(a.threshold - b.threshold) for a, b in pairs), one.gate != other.gate


def calibrate(
    chain: Chain,
    recording: Recording,
    *,
    target: float | None = None,
    epsilon: float | None = None,
    confidence: float = 0.95,
    slices: bool = False,
    attempts: str | PathLike[str] | None = None,
    single: bool = False,
    missing: Missing = "harm",
    created_at: str = "",
    seed: int = 0,
    **settings: Any,
) -> Certificate:
    """The cheapest plan whose quality is promised, and the chain that serves it.

    Learns and searches on one part of the recording, certifies on another. `certificate.chain` is
    the chain to ask.

    Args:
        chain: as it was recorded; its tiers are what plans are made of.
        recording: of that chain.
        target: share of the top tier's quality to keep; 0.98 where neither it nor `epsilon` is
            given.
        epsilon: the most net loss of quality instead, as a share: 0.02 is two points.
        confidence: of the promise, e.g. 0.95.
        slices: the promise must hold on every slice.
        attempts: file of the ledger of attempts; without one this must be the only attempt on
            these requests.
        single: this is the only attempt: count nothing, and spend all of the error. Refused where
            the ledger counts an attempt on these requests.
        missing: what a kept answer of unknown quality does: "harm" counts it as wrong, "drop"
            leaves out the requests that were not graded, as if they were like the others.
        created_at: ISO 8601, for the certificate.
        seed: of all that is drawn.
        **settings: as for `prepare`: key, shares, scores, witnesses, progress.

    Raises:
        NotCertifiable: the labels do not carry the promise; says what they do carry. Its
            `labels_needed` counts requests to certify on: `shares` says which part of a recording
            those are.
        RecordingError: the recording is not this chain's, or cannot tell.
        ConfigError: settings that cannot work.
    """
    if target is not None and epsilon is not None:
        raise ConfigError("target= and epsilon= both say how much may be lost: give one")
    if not 0 < confidence < 1:
        raise ConfigError(
            f"confidence is {shown(confidence)}: expected a share in (0, 1), e.g. 0.95"
        )
    if epsilon is not None:
        check_epsilon(epsilon)
    if target is not None:
        _check_target(target)
    found = prepare(chain, recording, seed=seed, **settings)
    if epsilon is None:
        epsilon = found.epsilon_of(USUAL_TARGET if target is None else target)
    return found.certificate(
        chain,
        epsilon=epsilon,
        delta=round(1 - confidence, 12),
        slices=slices,
        attempts=attempts,
        single=single,
        missing=missing,
        created_at=created_at,
        seed=seed,
    )


def prepare(
    chain: Chain,
    recording: Recording,
    *,
    key: str | bytes | None = None,
    shares: tuple[float, float, float] = SHARES,
    scores: Evidence = "auto",
    witnesses: Sequence[Tier | str] | None = None,
    seed: int = 0,
    progress: Callable[[str], object] | None = None,
) -> Calibration:
    """Split, learn and search: all that comes before a promise.

    Args:
        chain: as for `calibrate`.
        recording: as for `calibrate`.
        key: of the splits. Without one a recording that came split keeps its parts.
        shares: of learn, certify and monitor.
        scores: "learned", "recorded" (also those of a file that does not say how they were made:
            the chain's scorers then hold their place), or "auto": whichever costs less at 98 % of
            the top tier's quality on the learn part.
        witnesses: which witnesses of the recording plans may buy: tiers, or names as in `record`;
            all of them unless given.
        seed: of all that is drawn.
        progress: told what is being done, in words.

    Raises:
        RecordingError: the recording is not this chain's, or cannot tell.
        ConfigError: settings that cannot work.
    """
    if not isinstance(chain, Chain):
        raise ConfigError(
            f"the chain is {str(chain)[:60]!r}: expected a Chain; `load_chain` reads one from TOML"
        )
    checked_recording(recording, "calibrate")
    say = progress or (lambda _words: None)
    if scores not in ("auto", "learned", "recorded"):
        raise ConfigError(f"scores is {scores!r}: expected 'auto', 'learned' or 'recorded'")
    ladder, apart = set_apart(chain, _witnesses(recording) if witnesses is None else witnesses)
    check_recorded(replace(chain, tiers=(*ladder.tiers, *apart), entry=None), recording)
    mine = recording.with_tiers([t.name for t in ladder.tiers], [t.name for t in apart])
    mine = copies_together(mine)
    if key is None and any(mine.splits):
        splits = own_splits(mine)
    else:
        splits = keyed_splits(mine.groups, KEY if key is None else key, shares)
    learn_part, certify_part = splits.part(mine, "learn"), splits.part(mine, "certify")
    found: list[Calibration] = []
    if scores != "recorded":
        say("learning what answers' evidence is worth")
        found.append(_learned(mine, splits, seed, apart))
    if scores != "learned" and (scores == "recorded" or _has_scores(ladder, mine)):
        say("searching plans with the chain's own scorers")
        trusted = scores == "recorded"  # asked for, and not only tried
        own, fresh = (
            RecordedScores(part, ladder, trusted=trusted) for part in (learn_part, certify_part)
        )
        path = search_plans(learn_part, own)
        found.append(Calibration(mine, splits, path, "recorded", None, fresh, own))
    return min(found, key=lambda one: one.path.at(USUAL_TARGET).cost_usd)


def _check_target(target: float) -> None:
    if not 0 < target <= 1:
        raise ConfigError(f"target is {shown(target)}: expected a share in (0, 1], e.g. 0.98")


def _changed_policy(chain: Chain) -> tuple[str, ...]:
    """What the served chain escalates although the chain that was recorded let it stand."""
    served = strict(chain.policy)
    changed = [
        spec.name
        for spec in fields(Policy)
        if getattr(served, spec.name) != getattr(chain.policy, spec.name)
        and getattr(chain.policy, spec.name) != getattr(Policy(), spec.name)
    ]
    if not changed:
        return ()
    words = ", ".join(changed)
    note = (
        f"chain {chain.name!r} let answers stand without a score; what is served does not: {words}"
    )
    return (note,)


def _witnesses(recording: Recording) -> list[Tier | str]:
    """The witnesses of a recording, as far as a model's name and price say how to ask them."""
    found: list[Tier | str] = []
    for place in recording.witnesses:
        known = recording.tiers[place]
        price = None if known.price is None else Price.from_dict(known.price)
        tier = Tier(known.model, name=known.name, price=price)
        asked_plainly = known.settings in ("", tier_fingerprint(tier))
        found.append(tier if asked_plainly else known.name)  # by name: a tier of the chain's file
    return found


def _learned(
    recording: Recording,
    splits: Splits,
    seed: int,
    witnesses: tuple[Tier, ...],
) -> Calibration:
    from cascade.calibration.learning.learn import learn  # noqa: PLC0415  loads scikit-learn

    learn_part, certify_part = splits.part(recording, "learn"), splits.part(recording, "certify")
    learning = learn(learn_part, seed=seed, slices="never")  # served requests do not say theirs
    path = search_plans(learn_part, learning.source)
    model = learning.model_for([point.plan for point in path.points])
    return Calibration(
        recording,
        splits,
        path,
        "learned",
        model,
        model.on(certify_part),
        learning.source,
        witnesses,
    )


def _has_scores(chain: Chain, recording: Recording) -> bool:
    """Whether every tier below the top has a scorer of its own that said something."""
    judged = [recording.index(tier.name) for tier in chain.tiers[:-1]]
    return all(tier.scorer is not None for tier in chain.tiers[:-1]) and bool(
        judged and (recording.score_kind[:, judged] == 1).any(axis=0).all()
    )
