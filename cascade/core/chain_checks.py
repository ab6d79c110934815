"""What a chain must satisfy before it may spend money.

Each check names the tier, what was expected, and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from cascade.core.policy import Policy
from cascade.core.scoring import needs_of, parts_of, scorer_name
from cascade.core.tier import DEFAULT_THRESHOLD, Tier
from cascade.errors import ConfigError, UnknownPriceError
from cascade.forms.reading import effort_of

if TYPE_CHECKING:
    from cascade.core.chain import Chain

__all__ = ["MAX_TIERS", "check_chain", "tier_tuple"]

MAX_TIERS = 16
"""More than anyone has shown to pay: full chains lose to pairs (see docs, "Cascades")."""

SHUTDOWN_NOTICE = timedelta(days=180)
"""OpenAI's usual notice; `cascade doctor` and `cascade prices` mark models that end sooner."""

WARN_BEFORE = timedelta(days=90)
"""A chain naming a model that ends sooner warns when it is built."""


def tier_tuple(tiers: object) -> tuple[Tier, ...]:
    """The tiers of a chain; raises `ConfigError` unless they are 1 to 16 tiers."""
    if isinstance(tiers, str):
        raise ConfigError(f"a chain is a list of tiers, not text; write [Tier({tiers!r})]")
    if not isinstance(tiers, Iterable):
        raise ConfigError(f"a chain is a list of tiers, not {type(tiers).__name__} {tiers!r}")
    found = tuple(tiers)
    if not found:
        raise ConfigError("the chain is empty: give it at least one Tier(model)")
    if len(found) > MAX_TIERS:
        raise ConfigError(f"the chain has {len(found)} tiers: at most {MAX_TIERS} are allowed")
    for item in found:
        if not isinstance(item, Tier):
            raise ConfigError(f"{item!r} is no Tier; write Tier({str(item)!r})")
    return found


def check_chain(chain: Chain) -> Iterator[str]:
    """Check a chain.

    Yields:
        Warnings: models that are about to be shut down.

    Raises:
        ConfigError: the chain cannot work.
        UnknownPriceError: a model without a price.
    """
    policy: object = chain.policy
    if not isinstance(policy, Policy):
        raise ConfigError(f"the chain's policy is {policy!r}: expected e.g. Policy()")
    entry: object = chain.entry
    if entry is not None and (isinstance(entry, type) or not callable(entry)):
        raise ConfigError(
            f"the chain's entry is {entry!r}: expected a function of a request that names a tier"
        )
    _check_names(chain.tiers)
    for tier in chain.tiers:
        _check_price(chain, tier)
        _check_threshold(chain, tier)
        _check_logprobs(chain, tier)
        _check_fit(chain, tier, tier.scorer)
        yield from _check_shutdown(chain, tier)


def _check_names(tiers: tuple[Tier, ...]) -> None:
    seen: set[str] = set()
    for tier in tiers:
        if tier.name in seen:
            raise ConfigError(
                f"two tiers are named {tier.name!r}: names tell tiers apart in traces; "
                f"give one of them a name of its own, e.g. name='{tier.name}-2'"
            )
        seen.add(tier.name)


def _check_price(chain: Chain, tier: Tier) -> None:
    if chain.allow_unknown_prices or chain.price(tier) is not None:
        return
    model = tier.base_model or tier.model
    nearest = chain.table.nearest(model)
    hint = f"; did you mean {nearest!r}?" if nearest else "."
    if chain.info(tier) is not None:
        hint = ": the table knows the model, its price is not published."
    raise UnknownPriceError(
        f"tier {tier.name!r}: model {model!r} has no price in the table of "
        f"{chain.table.as_of}{hint} Give one with price=Price.of('0.20', '1.25') "
        "(USD per million tokens), in a file price = { input = '0.20', output = '1.25' }; with "
        "price=Price.free(); or build the chain with allow_unknown_prices=True, at the top of a "
        "file allow_unknown_prices = true (its cost is then None; recorded costs stay)"
    )


def _check_threshold(chain: Chain, tier: Tier) -> None:
    """Refuse a threshold that nothing is held against; on the last tier it never decides."""
    if tier.scorer is None and tier is not chain.top and tier.threshold != DEFAULT_THRESHOLD:
        raise ConfigError(
            f"tier {tier.name!r}: threshold {tier.threshold!r} without a scorer: every usable "
            "answer would be accepted; give the tier a scorer=..., or leave the threshold out"
        )


def _check_logprobs(chain: Chain, tier: Tier) -> None:
    if tier is chain.top or tier.scorer is None:
        return
    needy = _needy(tier.scorer)
    if needy is None or chain.gives_logprobs(tier) is not False:
        return
    info = chain.info(tier)
    effort = effort_of(tier.params) or (info and info.default_reasoning_effort)
    can = info is not None and "none" in info.reasoning_efforts and info.logprobs != "never"
    advice = (
        "set params={'reasoning_effort': 'none'} on this tier or use another scorer"
        if can
        else "use another scorer, e.g. JsonSchema or SelfCheck"
    )
    why = f" at reasoning_effort {effort!r}" if effort else ""
    raise ConfigError(
        f"tier {tier.name!r}: {needy} needs log-probabilities, but {tier.model} gives none"
        f"{why}; {advice}"
    )


def _check_fit(chain: Chain, tier: Tier, scorer: object) -> None:
    """Ask a scorer, and the ones it holds, whether it can judge this tier: its method `fits`."""
    for part in parts_of(scorer):
        _check_fit(chain, tier, part)
    fits = getattr(scorer, "fits", None)
    problem = fits(chain, tier) if callable(fits) else None
    if problem:
        raise ConfigError(f"tier {tier.name!r}: scorer {scorer_name(scorer)!r}: {problem}")


def _check_shutdown(chain: Chain, tier: Tier) -> Iterator[str]:
    info = chain.info(tier)
    if info is None or info.shutdown_date is None or chain.today is None:
        return
    if tier.client is not None and tier.price is not None:
        return  # another server with a price of its own: OpenAI's dates do not apply
    if info.shutdown_date <= chain.today:
        raise ConfigError(
            f"tier {tier.name!r}: {tier.model} was shut down on {info.shutdown_date}; "
            "choose a model that `cascade prices` lists as available"
        )
    if info.shutdown_date - chain.today <= WARN_BEFORE:
        yield (
            f"tier {tier.name!r}: {tier.model} will be shut down on {info.shutdown_date}; "
            "plan its replacement (`cascade doctor` lists the dates)"
        )


def _needy(scorer: object) -> str | None:
    """Name of the scorer inside `scorer` that cannot do without log-probabilities."""
    for part in parts_of(scorer):
        found = _needy(part)
        if found:
            return found
    if needs_of(scorer).logprobs and not parts_of(scorer):
        return scorer_name(scorer)
    return None
