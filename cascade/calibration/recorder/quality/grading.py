"""Grading the answers to one request: the metric judges each, and what it asks is booked.

Without references the top tier's answer takes their place.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from cascade.calibration.recorder.quality.metric import REFERENCE, Metric
from cascade.calibration.recorder.quality.named import scorer_class
from cascade.core.budget import Budget
from cascade.core.chain import Chain
from cascade.core.escalation import Decision
from cascade.core.evaluation import evaluate
from cascade.core.judging import Halt, judge
from cascade.core.ledger import Ledger
from cascade.core.policy import Policy
from cascade.core.reply import Reply
from cascade.core.request import Request
from cascade.core.scoring import Draft, Outcome, Scorer
from cascade.core.tier import Tier
from cascade.core.trace import Attempt, Status
from cascade.core.wishes import Wish
from cascade.wire.faults import MalformedReply
from cascade.wire.replies import read_reply

__all__ = ["AGREEMENT", "Grading", "agreement", "answer_in", "grade_of", "grading_chain"]

EVERYTHING = Policy(
    on_refusal="score", on_length="score", on_content_filter="score", on_empty="score"
)
"""The metric judges every answer, also one that no scorer of the chain would get to see."""


AGREEMENT = "agreement"
"""The metric where the top tier's answer is the measure, and no other was asked for."""


def agreement() -> Metric:
    """Whether an answer says the same as the top tier's, in the form that suits the latter."""
    return Metric(AGREEMENT, _SaysTheSame(scorer_class("agrees_with_earlier")()))


@dataclass(frozen=True, slots=True)
class _SaysTheSame:
    """The registered scorer on a pair made for it; it is not the chain whose tiers it must fit."""

    scorer: Scorer

    name: ClassVar[str] = AGREEMENT
    inline: ClassVar[bool] = True

    def __call__(self, draft: Draft) -> Generator[Any, Any, Outcome]:
        outcome: Outcome = yield from evaluate(self.scorer, draft)
        return outcome


@dataclass(frozen=True, slots=True)
class Grading:
    """How the answers of a chain are graded.

    Attributes:
        chain: made by `grading_chain`.
        metric: what judges.
        top: name of the tier whose answer stands in for a reference; `None` where there are
            references, or the metric needs none.
        budget: what the metric's own calls may cost.
    """

    chain: Chain
    metric: Metric
    top: str | None
    budget: Budget | None = None

    def begin(
        self, request: Request, known: str | None, replies: Mapping[str, Reply], origin: float
    ) -> tuple[Ledger, Generator[Wish, Any, Decision]]:
        """Begin to grade one request.

        Args:
            request: as it was asked.
            known: its reference, `None` where there is none.
            replies: answers by tier.
            origin: clock reading, in seconds.

        Returns:
            The books, and what a driver carries out. Grades are the scores of the attempts.
        """
        if self.top is not None:
            known = replies[self.top].text if self.top in replies else None
        labels = {} if known is None else {REFERENCE: known}
        asked = replace(request, metadata=labels)
        ledger = Ledger(self.chain, asked, budget=self.budget, origin=origin)
        return ledger, self._grades(asked, ledger, replies)

    def _grades(
        self, request: Request, ledger: Ledger, replies: Mapping[str, Reply]
    ) -> Generator[Wish, Any, Decision]:
        top = replies.get(self.top) if self.top is not None else None
        for tier in self.chain.tiers:
            reply = replies.get(tier.name)
            if reply is None or (self.top is not None and not _is_whole(top)):
                continue
            attempt = ledger.begin(tier)
            draft = self._draft(request, tier, reply, top)
            try:
                yield from judge(self.chain, tier, draft, attempt, ledger, final=False)
            except Halt as halt:
                words = f"stopped while grading: {halt.failure}"
                attempt.end("failed", words)
                status: Status = "cancelled"
                if halt.failure.kind == "billing":
                    status = "billing_stopped"
                return Decision(status, None, words, halt.failure)
        return Decision("accepted", None, "graded")

    def _draft(self, request: Request, tier: Tier, reply: Reply, top: Reply | None) -> Draft:
        if top is None or self.metric.name != AGREEMENT:
            return Draft(request, reply, tier.name, tier.model, request.payload)
        # The top tier's answer says which form counts, so it is the one that is compared.
        other = Draft(request, reply, tier.name, tier.model, request.payload)
        return Draft(request, top, tier.name, tier.model, request.payload, (other,))


def grading_chain(chain: Chain, tiers: Sequence[Tier], metric: Metric) -> Chain:
    """The chain under which answers are graded.

    Args:
        chain: that was asked, for prices.
        tiers: whose answers are graded.
        metric: what judges.

    Raises:
        ConfigError: the metric cannot judge one of these tiers: a judge its own answers.
    """
    judged = [
        replace(tier, scorer=metric.scorer, threshold=1.0, scorer_timeout_s=metric.timeout_s)
        for tier in tiers
    ]
    # Shutdown dates are checked where the models are asked.
    return replace(chain, tiers=tuple(judged), policy=EVERYTHING, entry=None, today=None)


def answer_in(attempt: Attempt) -> Reply | None:
    """The answer that an attempt ended with; `None` where there is none, or it was not kept."""
    found: Reply | None = None
    for purpose in ("draft", "scorer"):
        for charge in reversed(attempt.charges):
            if charge.purpose != purpose or charge.outcome != "ok" or charge.reply is None:
                continue
            try:
                reply = read_reply(charge.reply)
            except MalformedReply:
                continue
            if reply.text == attempt.text:
                return reply
            found = found or reply
    return found


def grade_of(attempt: Attempt, metric: str) -> float:
    """The quality that a grading attempt came to, in [0, 1]; NaN where unknown.

    Args:
        attempt: of a trace that `Grading` made.
        metric: name of the metric.
    """
    record = attempt.score
    if record is None:
        return math.nan
    if record.kind == "abstained" and metric == AGREEMENT:
        return 0.0  # it holds nothing of the kind that the top tier answered with
    return math.nan if record.value is None else record.value


def _is_whole(reply: Reply | None) -> bool:
    """Whether an answer can stand in for a reference: not refused, cut off or empty."""
    if reply is None or reply.refusal or reply.is_empty:
        return False
    return reply.finish_reason not in ("length", "content_filter")
