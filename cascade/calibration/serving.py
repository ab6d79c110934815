"""A plan made into a chain that can be asked, and a chain read as a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cascade.calibration.plan import Gate, Plan, Step
from cascade.config import registered, registered_scorers
from cascade.core.chain import Chain
from cascade.core.policy import Policy
from cascade.core.tier import DEFAULT_THRESHOLD, Tier
from cascade.errors import ConfigError

__all__ = ["chain_of_plan", "plan_of_chain", "strict"]

STRICT = {
    **dict.fromkeys(("on_abstain", "on_scorer_failure", "on_rate_limit"), "escalate"),
    **dict.fromkeys(("on_refusal", "on_length", "on_content_filter", "on_empty"), "escalate"),
    "repair": False,
}
"""The policy of a plan that is served: it returns what a score has accepted, or what the last tier
says. Anything else would let answers stand that no promise was tested on; and an answer that has
seen a rejected one is not the one that was recorded."""


def strict(policy: Policy) -> Policy:
    """A policy under which a served plan decides as `simulate` does."""
    changed: Any = STRICT
    return replace(policy, **changed)


def chain_of_plan(
    plan: Plan, chain: Chain, *, model: Any = None, witnesses: Sequence[Tier] = ()
) -> Chain:
    """The chain that decides requests as a plan says.

    A witness becomes a tier of its own, whose scorer judges the earlier answer that the plan names
    and returns it. A gate becomes the chain's entry. Whatever the chain's policy let stand without
    a score escalates (`STRICT`).

    Args:
        plan: whose tiers are the chain's, or witnesses.
        chain: where the tiers come from; its name and prices stay.
        model: a `LearnedModel` that scores every step; `None` keeps the tiers' own scorers.
        witnesses: the witnesses' tiers.

    Raises:
        ConfigError: the plan asks a tier that is in neither, or needs a model and has none.
    """
    known = {tier.name: tier for tier in (*chain.tiers, *witnesses)}
    missing = [name for name in plan.tiers if name not in known]
    if missing:
        raise ConfigError(
            f"the plan asks {', '.join(map(repr, missing))}, which chain {chain.name!r} lacks; "
            "give witnesses as witnesses=[Tier(...)]"
        )
    needs_model = plan.gate is not None or any(step.is_witness for step in plan.steps)
    if model is None and needs_model:
        raise ConfigError("a plan with a witness or a gate is served by a learned model: give one")
    *judged, last = plan.steps
    tiers = [_tier(step, known[step.asks], model) for step in judged]
    top = replace(known[last.asks], scorer=None, threshold=DEFAULT_THRESHOLD)  # it stands unjudged
    return replace(
        chain, tiers=(*tiers, top), entry=_entry(plan, model), policy=strict(chain.policy)
    )


def _tier(step: Step, tier: Tier, model: Any) -> Tier:
    if model is None:
        return replace(tier, threshold=step.threshold)
    build = registered_scorers()["learned"].load()
    if step.is_witness:
        scorer = build(model, returns=step.returns)
    else:
        scorer = build(model, judges=step.asks)
    return replace(tier, scorer=scorer, threshold=step.threshold)


def _entry(plan: Plan, model: Any) -> Any:
    if plan.gate is None:
        return None
    build = registered("cascade.entries")["learned_entry"].load()
    return build(
        model, tier=plan.steps[0].asks, start_at=plan.gate.start_at, threshold=plan.gate.threshold
    )


def plan_of_chain(chain: Chain) -> Plan:
    """The plan that a chain follows: its tiers, thresholds, witnesses and entry.

    A tier without a scorer accepts every usable answer, whatever threshold it has: its own is 0
    here, and scores are 1.0 (see `RecordedScores`).

    Raises:
        ConfigError: its entry is a function that no plan can express.
    """
    *judged, last = chain.tiers
    steps = [
        Step(
            tier.name,
            getattr(tier.scorer, "returns", "") or "",
            0.0 if tier.scorer is None else tier.threshold,
        )
        for tier in judged
    ]
    return Plan((*steps, Step(last.name)), _gate(chain))


def _gate(chain: Chain) -> Gate | None:
    entry = chain.entry
    if entry is None:
        return None
    start_at, threshold = getattr(entry, "start_at", None), getattr(entry, "threshold", None)
    if not isinstance(start_at, str) or not isinstance(threshold, float):
        raise ConfigError(
            f"the chain's entry {entry!r} is not one that a plan can express: a recording cannot "
            "tell where it would have begun"
        )
    return Gate(start_at, threshold)
