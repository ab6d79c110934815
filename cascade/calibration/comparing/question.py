"""A what-if read against a recording: which plan, whose scores, and whether it can be answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cascade.calibration.comparing.chain_scores import ChainScores
from cascade.calibration.comparing.recorded_scores import RecordedScores
from cascade.calibration.comparing.standing import standing
from cascade.calibration.fingerprint import price_fingerprint, tier_fingerprint
from cascade.calibration.plan import Bools, Plan, ScoreSource, check_tiers
from cascade.calibration.recording import Recording
from cascade.calibration.serving import plan_of_chain
from cascade.core.chain import Chain
from cascade.core.chain_checks import tier_tuple
from cascade.core.few import few
from cascade.core.policy import Policy
from cascade.core.tier import Tier
from cascade.errors import ConfigError, RecordingError

if TYPE_CHECKING:
    from cascade.calibration.recording import RecordedTier

__all__ = ["Question", "compared_with", "notes_on_prices", "question_of"]


@dataclass(frozen=True, eq=False)
class Question:
    """A plan that the recording can speak about.

    Attributes:
        plan: what is asked about.
        source: its scores.
        chain: the chain it came from, `None` for a plan.
        stands: answers that end a request by the chain's policy; see `simulate`.
        notes: what a reader must know.
        top: the tier whose answers its own are compared with; see `compared_with`.
    """

    plan: Plan
    source: ScoreSource
    chain: Chain | None
    stands: Bools | None
    notes: tuple[str, ...]
    top: str

    @property
    def unjudged(self) -> frozenset[str]:
        """Tiers of which every usable answer is accepted, because the chain has no scorer there."""
        if self.chain is None or not isinstance(self.source, ChainScores):
            return frozenset()
        return frozenset(tier.name for tier in self.chain.tiers if tier.scorer is None)

    @property
    def policy(self) -> Policy:
        """What happens to answers without a verdict."""
        return Policy() if self.chain is None else self.chain.policy


def question_of(
    asked: Chain | Plan | Iterable[Tier],
    recording: Recording,
    *,
    thresholds: Mapping[str, float] | None = None,
    source: ScoreSource | None = None,
    against: str | None = None,
) -> Question:
    """Read a chain or a plan against a recording.

    Args:
        asked: a chain, its tiers, or a plan.
        recording: what tiers answered; matched by name.
        thresholds: other thresholds by tier name.
        source: scores of the steps; those of the chain's own scorers unless given.
        against: the tier that it is compared with, instead of the one that `compared_with` names.

    Raises:
        ConfigError: it is neither, or a threshold is for no tier of it.
        RecordingError: a tier is missing, or is not what was recorded.
    """
    if isinstance(asked, Plan):
        plan = _with_thresholds(asked, thresholds or {})
        check_tiers(plan, recording)
        top = compared_with(None, recording, against)
        return Question(plan, source or RecordedScores(recording), None, None, (), top)
    chain = _chain(asked)
    if thresholds:
        chain = chain.with_thresholds(thresholds)
    plan = plan_of_chain(chain)
    check_tiers(plan, recording)
    notes = _same_tiers(chain, recording)
    _refuse_repair(chain)
    stands, more = standing(chain, recording)
    more = (*more, *_on_learned(chain, source))
    source = source or ChainScores(chain, recording)
    top = compared_with(chain, recording, against)
    return Question(plan, source, chain, stands, (*notes, *more), top)


def compared_with(chain: Chain | None, recording: Recording, against: str | None = None) -> str:
    """The tier whose answers others are compared with, always asked.

    A chain's own last tier, which it would ask if it had no other, whatever else was recorded. The
    recording's last tier for a plan, which may do without the tier that it stands in for, and for
    one model alone, which has none before it.

    Args:
        chain: in question; `None` for a plan.
        recording: which knows the tiers.
        against: another tier, e.g. the one that a certificate speaks of.

    Raises:
        RecordingError: `against` is no tier of the recording.
    """
    if against is not None:
        return recording.names[recording.index(against)]
    if chain is not None and len(chain) > 1:
        top = recording.index(chain.top.name)
        if top in recording.ladder:  # what witnesses say is compared, and stands for nothing
            return recording.names[top]
    return recording.names[recording.top]


APPLY = "pass prices= (on the command line --prices) to apply others"

LEARNED = (
    "the chain's model may have been learned from part of these requests: numbers of it may then "
    "flatter; ask again with requests that it has not seen"
)


def _on_learned(chain: Chain, source: ScoreSource | None) -> tuple[str, ...]:
    """What to know where a chain's own learned models judge, and not scores that were given."""
    judges = (*(tier.scorer for tier in chain.tiers), chain.entry)
    learned = any(hasattr(getattr(judge, "model", None), "on") for judge in judges)
    return (LEARNED,) if learned and source is None else ()


def _chain(asked: Any) -> Chain:
    if isinstance(asked, Chain):
        return asked
    if isinstance(asked, Iterable) and not isinstance(asked, str | bytes | Mapping):
        return Chain(tier_tuple(asked), allow_unknown_prices=True)
    raise ConfigError(
        f"what_if takes a Chain, tiers or a Plan, not {asked!r}; a chain's file is read by "
        "load_chain(path)"
    )


def _with_thresholds(plan: Plan, thresholds: Mapping[str, float]) -> Plan:
    for name, value in thresholds.items():
        if name not in plan.tiers:
            known = ", ".join(map(repr, plan.tiers))
            raise ConfigError(f"thresholds: {name!r} is no step of the plan; it asks {known}")
        if not 0 <= value <= 1:  # NaN too
            raise ConfigError(f"thresholds: {name!r}: {value!r} is outside [0, 1]")
    steps = (replace(s, threshold=thresholds.get(s.asks, s.threshold)) for s in plan.steps)
    return Plan(tuple(steps), plan.gate)


def _same_tiers(chain: Chain, recording: Recording) -> tuple[str, ...]:
    """Refuse tiers that are not what was recorded; notes on what cannot be told."""
    unknown = []
    for tier in chain.tiers:
        recorded = recording.tiers[recording.index(tier.name)]
        if recorded.model != tier.model:
            raise RecordingError(
                f"tier {tier.name!r} asks model {tier.model!r} and was recorded with "
                f"{recorded.model!r}: its answers are not known; record the chain again"
            )
        if not recorded.settings:
            unknown.append(tier.name)
        elif recorded.settings != tier_fingerprint(tier):
            raise RecordingError(
                f"tier {tier.name!r}: its parameters, preamble or API are not those it was "
                "recorded with, so that its answers are not known; record the chain again"
            )
    if not unknown:
        return ()
    named = ", ".join(map(repr, unknown))
    return (f"the recording does not say with which parameters {named} answered",)


def notes_on_prices(chain: Chain | None, recording: Recording) -> tuple[str, ...]:
    """What to know where a chain's prices are not known to be those that were recorded."""
    if chain is None:
        return ()
    tiers = [(tier, recording.tiers[recording.index(tier.name)]) for tier in chain.tiers]
    changed = [repr(tier.name) for tier, old in tiers if _has_new_price(chain, tier, old)]
    untold = [repr(tier.name) for tier, old in tiers if tier.price and old.price is None]
    notes = []
    if changed:
        notes.append(
            f"the chain's prices of {few(changed)} are not those of the recording; {APPLY}"
        )
    if untold:
        notes.append(
            f"the recording does not say at which prices {few(untold)} answered; its costs are "
            f"taken, and the chain's prices are not applied; {APPLY}"
        )
    return tuple(notes)


def _has_new_price(chain: Chain, tier: Tier, recorded: RecordedTier) -> bool:
    """Whether a price has changed since, whatever its date."""
    price = chain.price(tier)
    if price is None or recorded.price is None:
        return False
    return price_fingerprint(price.to_dict()) != price_fingerprint(recorded.price)


def _refuse_repair(chain: Chain) -> None:
    if chain.policy.repair and len(chain) > 1:
        raise RecordingError(
            f"chain {chain.name!r} hands rejected drafts on to the next tier (repair=True): what "
            "that would answer is not recorded; ask with repair=False"
        )
