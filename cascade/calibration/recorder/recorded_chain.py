"""The chain that a recording is made with: the same tiers, none of which is ever accepted.

So every tier is asked and every scorer runs, through the ordinary engine. A scorer is wrapped: it
judges as ever, what it says is kept as a part, and the draft is escalated all the same.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, SupportsIndex

from cascade.calibration.imports.trace_cells import RECORDED
from cascade.core.chain import Chain
from cascade.core.evaluation import evaluate, is_coroutine_scorer
from cascade.core.policy import OnAnswer, Policy
from cascade.core.scoring import (
    Abstained,
    Draft,
    Needs,
    Outcome,
    Score,
    Scorer,
    merged_needs,
    scorer_name,
)
from cascade.core.tier import DEFAULT_THRESHOLD, Tier
from cascade.errors import ConfigError

__all__ = ["Recorded", "again", "recording_chain"]

NEVER = 1.0
"""Threshold of a recorded tier: its wrapper gives no score above 0."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Runs a tier's scorer, keeps what it says, and accepts nothing.

    Args:
        scorer: the tier's own, `None` where it has none.
        stands: the tier's answer is never replaced by a better sample: it is the top tier's, which
            is returned as it came.
        readers: takes up the names of tiers whose scorer has looked at earlier answers.
        needs: what the scorer needs of the call.
    """

    scorer: Scorer | None
    stands: bool
    readers: set[str]
    needs: Needs

    name: ClassVar[str] = RECORDED
    inline: ClassVar[bool] = True

    def __call__(self, draft: Draft) -> Generator[Any, Any, Outcome]:
        """Judge, and escalate."""
        if self.scorer is None:
            return Abstained("recording: every tier is asked")
        watched = Watched(draft.earlier, draft.tier, self.readers)
        seen = replace(draft, earlier=watched) if draft.earlier else draft
        outcome = yield from evaluate(self.scorer, seen)
        parts = ((scorer_name(self.scorer), outcome),)
        if isinstance(outcome, Score) and outcome.reply is not None and not self.stands:
            # The tier's answer is the better sample that its scorer has found.
            return Score(0.0, outcome.reason, parts, outcome.reply)
        return Abstained(outcome.reason, parts)


class Watched(tuple[Draft, ...]):  # noqa: SLOT001  a tuple's subclass can have none
    """Earlier drafts that tell when somebody looks at them.

    Args:
        drafts: the drafts.
        tier: who is judged.
        readers: gets the tier's name at the first look.
    """

    _tell: tuple[str, set[str]]

    def __new__(cls, drafts: Sequence[Draft], tier: str, readers: set[str]) -> Self:
        """The same drafts, watched."""
        made = super().__new__(cls, drafts)
        made._tell = (tier, readers)
        return made

    def _looked_at(self) -> None:
        tier, readers = self._tell
        readers.add(tier)

    def __iter__(self) -> Iterator[Draft]:
        self._looked_at()
        return super().__iter__()

    def __len__(self) -> int:
        self._looked_at()
        return super().__len__()

    def __getitem__(self, place: SupportsIndex | slice) -> Any:
        self._looked_at()
        return super().__getitem__(place)

    def __contains__(self, item: object) -> bool:
        self._looked_at()
        return super().__contains__(item)


def again(tier: Tier) -> Tier:
    """The same tier once more, without a scorer: how often do its two answers agree?"""
    name = f"{tier.name} again"
    return replace(tier, name=name, scorer=None, threshold=DEFAULT_THRESHOLD)


def recording_chain(
    chain: Chain, witnesses: Sequence[Tier], *, double: bool, readers: set[str]
) -> Chain:
    """The chain to record with: tiers, then witnesses, then the top tier once more.

    Args:
        chain: what is to be recorded.
        witnesses: asked for evidence alone, without scorers; after the top tier, so that they are
            nobody's earlier answer.
        double: whether the top tier may be asked a second time.
        readers: see `Recorded`.

    Raises:
        ConfigError: a coroutine scorer, a policy under which answers depend on each other, a name
            twice, or a witness that cannot be asked.
    """
    _check(chain)
    listed = [*chain.tiers, *witnesses]
    if double:
        listed.append(again(chain.top))
    tiers = [_wrapped(chain, tier, readers) for tier in listed]
    return replace(chain, tiers=tuple(tiers), policy=_open(chain.policy), entry=None)


def _wrapped(chain: Chain, tier: Tier, readers: set[str]) -> Tier:
    needs = merged_needs(tier.scorer) if tier.scorer is not None else Needs()
    if chain.gives_logprobs(tier) is False:
        needs = Needs()  # allowed on the top tier, whose scorer then finds none
    wrapper = Recorded(tier.scorer, tier is chain.top, readers, needs)
    return replace(tier, scorer=wrapper, threshold=NEVER)


def _open(policy: Policy) -> Policy:
    """The policy under which every tier is asked; what goes to a scorer still does."""
    return replace(
        policy,
        on_abstain="escalate",
        on_scorer_failure="escalate",
        on_rate_limit="escalate",
        on_refusal=_not_accepted(policy.on_refusal),
        on_length=_not_accepted(policy.on_length),
        on_content_filter=_not_accepted(policy.on_content_filter),
        on_empty=_not_accepted(policy.on_empty),
        stop_early=False,
    )


def _not_accepted(choice: OnAnswer) -> OnAnswer:
    return "escalate" if choice == "accept" else choice


def _check(chain: Chain) -> None:
    if chain.policy.repair:
        raise ConfigError(
            f"chain {chain.name!r}: its policy has repair=True, so that a tier's answer depends on "
            "the drafts below it; record it with repair=False, which asks every tier afresh"
        )
    for tier in chain.tiers:
        if tier.scorer is not None and is_coroutine_scorer(tier.scorer):
            raise ConfigError(
                f"tier {tier.name!r}: scorer {scorer_name(tier.scorer)!r} is a coroutine function; "
                "a recording asks many requests on threads: make it a plain function, or a "
                "generator that asks with `yield from ask(...)`"
            )
