"""Going on with requests that were left half-way: nothing that was paid is asked again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cascade.core.failures import CallFailure
from cascade.core.reply import Reply
from cascade.core.trace import Attempt, Charge, Trace
from cascade.core.wishes import ModelCall
from cascade.drivers.base import Models, Streamed, in_order
from cascade.drivers.replay import RecordedModels
from cascade.errors import ReplayError

__all__ = ["Continued", "NamedOptions", "is_answered", "is_whole", "with_all_paid"]

FOR_GOOD = frozenset({"context_length", "content_policy", "unsupported", "invalid", "malformed"})
"""Failures that asking again would not mend: they are a model's answer to the request."""

CUT_SHORT = frozenset({"cancelled", "billing_stopped", "deadline_exceeded", "budget_exceeded"})


class NamedOptions(dict[str, Any]):
    """A request's transport options, which also tell whose calls they go with.

    Args:
        options: headers and query as the request has them.
        example: id of the example that is asked.
    """

    def __init__(self, options: Mapping[str, Any], example: str) -> None:
        super().__init__(options)
        self.example = example


class Continued:
    """Answers calls with what was recorded for their example, and asks where nothing was.

    Args:
        models: who answers the rest.
        begun: traces of requests that were begun before, by example.
        clock: the engine's.
    """

    def __init__(
        self, models: Models, begun: Mapping[str, Trace], clock: Callable[[], float]
    ) -> None:
        self.in_order = in_order(models)
        self._models = models
        self._begun = begun
        self._clock = clock
        self._recorded: dict[str, RecordedModels] = {}

    def call(self, call: ModelCall) -> Reply | CallFailure:
        """Answer a call; what it has cost before is booked with it."""
        recorded = self._of(call)
        if recorded is not None:
            try:
                found = recorded.call(call)
            except ReplayError:  # the trace ends here
                return self._models.call(call)
            if isinstance(found, Reply) or found.kind in FOR_GOOD:
                return found
        return self._models.call(call)

    def stream(self, call: ModelCall) -> Streamed:
        """Answer a call in chunks; a recording asks for none."""
        return self._models.stream(call)

    def _of(self, call: ModelCall) -> RecordedModels | None:
        name = call.options.example if isinstance(call.options, NamedOptions) else None
        if name is None or name not in self._begun:
            return None
        if name not in self._recorded:  # one thread asks for one example
            self._recorded[name] = RecordedModels(self._begun[name], origin=self._clock())
        return self._recorded[name]


def is_whole(trace: Trace, tiers: frozenset[str]) -> bool:
    """Whether a trace holds all that these tiers will ever say to its request.

    False where asking again could tell more: it was left, the budget or the account stopped it, or
    a tier failed in a way that passes.
    """
    if trace.status in CUT_SHORT or any(_may_be_mended(attempt) for attempt in trace.attempts):
        return False
    asked = {attempt.tier for attempt in trace.attempts}
    return trace.status == "refused" or tiers <= asked


def is_answered(attempt: Attempt) -> bool:
    """Whether a tier's answer is in a trace that kept it, so that it is not asked for again."""
    return any(
        charge.purpose == "draft" and charge.outcome == "ok" and charge.reply is not None
        for charge in attempt.charges
    )


def _may_be_mended(attempt: Attempt) -> bool:
    if attempt.verdict != "failed":
        return False
    drafts = [charge for charge in attempt.charges if charge.purpose == "draft"]
    return not drafts or drafts[-1].outcome not in FOR_GOOD


def with_all_paid(trace: Trace, before: Trace | None) -> Trace:
    """A trace with every charge of the one that it continues.

    Most are in it already, because they were answered from there. The others stay paid: of a tier
    that was not reached again, or of answers that were not kept and had to be asked for anew.
    """
    if before is None:
        return trace
    turns = {attempt.tier: attempt for attempt in trace.attempts}
    for old in before.attempts:
        new = turns.get(old.tier)
        turns[old.tier] = old if new is None else _with_charges(new, _lost(new, old, before))
    return replace(trace, attempts=tuple(turns.values()))


def _with_charges(attempt: Attempt, charges: Sequence[Charge]) -> Attempt:
    return replace(attempt, charges=(*charges, *attempt.charges)) if charges else attempt


def _lost(new: Attempt, old: Attempt, before: Trace) -> Sequence[Charge]:
    """Charges of an earlier turn that are not among those of a later one."""
    if before.content != "full":
        return old.charges  # nothing can have been answered from there
    have = Counter(map(_marks, new.charges))
    lost = []
    for charge in old.charges:
        if have[_marks(charge)]:
            have[_marks(charge)] -= 1
        else:
            lost.append(charge)
    return lost


def _marks(charge: Charge) -> tuple[object, ...]:
    """What a charge keeps when it is answered from a trace again."""
    return (
        charge.purpose,
        charge.tier,
        charge.outcome,
        charge.latency_s,
        charge.usage,
        charge.request_id,
    )
