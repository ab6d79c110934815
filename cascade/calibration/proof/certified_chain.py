"""The tiers that a certificate speaks of, and what of a chain is not as it was certified."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cascade.calibration.fingerprint import (
    fingerprint,
    price_fingerprint,
    scorer_fingerprint,
    tier_fingerprint,
)
from cascade.calibration.plan import Plan
from cascade.calibration.recording import RecordedTier, Recording
from cascade.core.chain import Chain, settings_of_scorer
from cascade.core.scoring import scorer_name
from cascade.core.tier import Tier
from cascade.errors import RecordingError

__all__ = [
    "CertifiedTier",
    "changes_of",
    "check_recorded",
    "price_changes",
    "prices_since_recorded",
    "tiers_of_chain",
    "tiers_of_recording",
]

FIELD = re.compile(r"(\w+)=('[^']*'|[^,)]+)")
"""A field of a policy and its value, as `policy_of` writes them."""

SHOWN = 60
"""Longest JSON of a parameter that a certificate shows; of a longer one it keeps a hash."""


@dataclass(frozen=True, slots=True)
class CertifiedTier:
    """A tier as it was certified.

    Attributes:
        name: in the chain.
        model: asked.
        settings: hash of all that decides its answers.
        scorer: name of the scorer that judges its drafts, "" for none.
        scorer_settings: hash of the scorer and its settings.
        threshold: at which a draft is accepted; `None` on the last tier, whose answer stands.
        params: parameters it is asked with, as JSON, long ones as a hash; `None` where only
            `settings` is known.
        preamble: hash of what it is told before the request, "" for nothing.
        api: which API it is asked through, and as which model it counts.
        price: the price list entry, `None` where unknown.
    """

    name: str
    model: str
    settings: str
    scorer: str = ""
    scorer_settings: str = ""
    threshold: float | None = None
    params: Mapping[str, str] | None = None
    preamble: str = ""
    api: str = ""
    price: Mapping[str, Any] | None = None


def tiers_of_chain(chain: Chain) -> tuple[CertifiedTier, ...]:
    """The tiers of a chain as a certificate keeps them."""
    return tuple(_certified(chain, tier) for tier in chain.tiers)


def tiers_of_recording(plan: Plan, recording: Recording) -> tuple[CertifiedTier, ...]:
    """The tiers that a plan asks, as far as a recording knows them."""
    last = len(plan.steps) - 1
    found = []
    for place, step in enumerate(plan.steps):
        tier = recording.tiers[recording.index(step.asks)]
        judged = place < last
        found.append(
            CertifiedTier(
                tier.name,
                tier.model,
                tier.settings,
                tier.scorer if judged else "",
                tier.scorer_settings if judged else "",
                step.threshold if judged else None,
                price=tier.price,
            )
        )
    return tuple(found)


def check_recorded(chain: Chain, recording: Recording) -> None:
    """Raise `RecordingError` unless each tier of a chain is the one that was recorded."""
    known = {tier.name: tier.settings for tier in recording.tiers}
    for tier in chain.tiers:
        if known.get(tier.name) and known[tier.name] != tier_fingerprint(tier):
            raise RecordingError(
                f"tier {tier.name!r} is not the one that was recorded: its model, parameters or "
                "preamble differ; record the chain again, or use the chain that was recorded"
            )


def changes_of(
    certified: tuple[CertifiedTier, ...], policy: str, entry: str, chain: Chain
) -> Iterator[str]:
    """What differs between a chain and the certified one, each in words.

    Args:
        certified: the tiers as certified.
        policy: the certified chain's, as `policy_of` says it; "" for not known.
        entry: hash of its entry, as `entry_of` says it.
        chain: to compare.
    """
    before, now = [tier.name for tier in certified], [tier.name for tier in chain.tiers]
    if before != now:
        yield f"the plan asks {' → '.join(now)}; certified was {' → '.join(before)}"
    for was in certified:
        tier = next((tier for tier in chain.tiers if tier.name == was.name), None)
        if tier is not None:
            yield from _changes_of_tier(was, _certified(chain, tier), tier)
    if policy and policy != policy_of(chain):
        yield from _changes_of_policy(policy, chain)
    if policy and entry != entry_of(chain):
        yield "the entry, which chooses where a request begins, is another one"


def price_changes(certified: tuple[CertifiedTier, ...], chain: Chain) -> tuple[str, ...]:
    """The tiers whose price is not what it was."""
    return _repriced(certified, chain)


def prices_since_recorded(recording: Recording, chain: Chain) -> Iterator[str]:
    """Where a chain's prices are not those that the recording was charged by, in words."""
    names = _repriced(recording.tiers, chain)
    if names:
        yield (
            f"prices of {', '.join(map(repr, names))} are not those that were recorded: costs "
            "here, and the choice of the plan, are by the recorded ones"
        )


def _repriced(before: Iterable[CertifiedTier | RecordedTier], chain: Chain) -> tuple[str, ...]:
    now = {tier.name: chain.price(tier) for tier in chain.tiers}
    return tuple(
        was.name
        for was in before
        if was.price is not None
        and (price := now.get(was.name)) is not None
        and price_fingerprint(price.to_dict()) != price_fingerprint(was.price)
    )


def policy_of(chain: Chain) -> str:
    """A chain's policy in words."""
    return str(chain.policy)


def entry_of(chain: Chain) -> str:
    """Hash of what chooses where a request begins, "" for nothing."""
    return "" if chain.entry is None else fingerprint(settings_of_scorer(chain.entry))


def _certified(chain: Chain, tier: Tier) -> CertifiedTier:
    price = chain.price(tier)
    judged = tier is not chain.top and tier.scorer is not None
    return CertifiedTier(
        name=tier.name,
        model=tier.model,
        settings=tier_fingerprint(tier),
        scorer=scorer_name(tier.scorer) if judged else "",
        scorer_settings=scorer_fingerprint(tier.scorer) if judged else "",
        threshold=float(tier.threshold) if judged else None,
        params={name: _shown(value) for name, value in sorted(tier.params.items())},
        preamble=fingerprint(tier.preamble) if tier.preamble else "",
        api=" as ".join(part for part in (tier.api, tier.base_model) if part),
        price=price.to_dict() if price is not None else None,
    )


def _shown(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=repr)
    return text if len(text) <= SHOWN else f"hash {fingerprint(value)}"


def _changes_of_tier(was: CertifiedTier, now: CertifiedTier, tier: Tier) -> Iterator[str]:
    name = f"tier {tier.name!r}"
    if was.model != now.model:
        yield f"{name}: model is {now.model!r}; certified was {was.model!r}"
    elif was.settings and was.settings != now.settings and was.params is None:
        yield f"{name}: parameters, preamble or API are not as certified"
    if was.params is not None:
        yield from _changes_of_settings(name, was, now)
    if (was.scorer, was.scorer_settings) != (now.scorer, now.scorer_settings):
        what = "settings of its scorer" if was.scorer == now.scorer else "scorer"
        shown = f" is {now.scorer or 'none'!r}; certified was {was.scorer or 'none'!r}"
        yield f"{name}: {what}{shown if what == 'scorer' else ' are not as certified'}"
    if was.threshold != now.threshold:
        yield f"{name}: threshold is {now.threshold}; certified was {was.threshold}"


def _changes_of_policy(policy: str, chain: Chain) -> Iterator[str]:
    """The fields of the policy that differ, each by itself."""
    before, now = (dict(FIELD.findall(text)) for text in (policy, policy_of(chain)))
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    for name in changed:
        shown = now.get(name, "not given"), before.get(name, "not given")
        yield f"policy: {name} is {shown[0]}; certified was {shown[1]}"
    if not changed:
        yield f"the policy is {policy_of(chain)}; certified was {policy}"


def _changes_of_settings(name: str, was: CertifiedTier, now: CertifiedTier) -> Iterator[str]:
    before, after = dict(was.params or {}), dict(now.params or {})
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            shown = after.get(key, "not given"), before.get(key, "not given")
            yield f"{name}: parameter {key} is {shown[0]}; certified was {shown[1]}"
    if was.preamble != now.preamble:
        yield f"{name}: preamble (its prompt) is not as certified"
    if was.api != now.api:
        yield f"{name}: API is {now.api!r}; certified was {was.api!r}"
