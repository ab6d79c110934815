"""What one attempt of a trace says about its tier: the numbers of one cell of a recording."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cascade.calibration.money import pico_of
from cascade.calibration.recording import SCORE_KINDS
from cascade.core.trace import Attempt, Charge, ScoreRecord, total_usd
from cascade.core.usage import Usage
from cascade.wire.faults import MalformedReply
from cascade.wire.replies import read_reply

__all__ = ["RECORDED", "Cell", "cell_of", "counts_of"]

RECORDED = "recorded"
"""Name of the scorer that records: it accepts nothing and keeps the real outcome as its part."""

DECLINED = "the model declined"
"""How an attempt's reason begins where the model refused."""

CUT = ("length", "content_filter")


@dataclass(frozen=True, slots=True)
class Cell:
    """One tier's answer to one request; the names are those of `Recording`."""

    answered: bool
    usable: bool
    cost_pusd: int
    score: float
    score_kind: int
    score_cost_pusd: int
    latency_s: float
    tokens: tuple[float, ...]
    text: str | None
    reply: str | None


def cell_of(attempt: Attempt, *, keep_texts: bool) -> Cell | None:
    """The cell of an attempt; `None` where the tier was not asked.

    Args:
        attempt: of a trace.
        keep_texts: whether its texts are what was said, and not digests.

    Raises:
        ValueError: an amount that is no whole number of picodollars.
    """
    if not attempt.asked:
        return None
    drafts = [charge for charge in attempt.charges if charge.purpose == "draft"]
    scorers = tuple(charge for charge in attempt.charges if charge.purpose == "scorer")
    record = _recorded(attempt.score)
    answered = _is_answered(attempt, drafts)
    reply = _reply_of(attempt) if answered and keep_texts else None
    return Cell(
        answered=answered,
        usable=answered and not _is_flawed(attempt),
        cost_pusd=pico_of(total_usd(tuple(drafts))),
        score=record.value if record is not None and record.value is not None else math.nan,
        score_kind=SCORE_KINDS.index(record.kind if record is not None else "none"),
        score_cost_pusd=pico_of(total_usd(scorers)),
        latency_s=_latency_s(drafts),
        tokens=_tokens(drafts),
        text=attempt.text if answered and keep_texts else None,
        reply=None if reply is None else _json_text(reply),
    )


def counts_of(usage: Usage | None) -> tuple[float, ...]:
    """Input, output, cached, cache-write and reasoning tokens; NaN where unknown."""
    if usage is None:
        return (math.nan,) * 5
    return (
        float(usage.input_tokens),
        float(usage.output_tokens),
        float(usage.cached_tokens),
        float(usage.cache_write_tokens),
        float(usage.reasoning_tokens),
    )


def _recorded(record: ScoreRecord | None) -> ScoreRecord | None:
    """The outcome of the tier's own scorer; `None` where it has none."""
    if record is None or record.scorer != RECORDED:
        return record
    return record.parts[0] if record.parts else None


def _is_answered(attempt: Attempt, drafts: Sequence[Charge]) -> bool:
    """Whether there is something that could be returned; a hidden text was one."""
    if attempt.text is None:
        return attempt.verdict != "failed" or any(charge.outcome == "ok" for charge in drafts)
    says = bool(attempt.text.strip()) or attempt.finish_reason == "tool_calls"
    return says or bool(attempt.tool_calls) or attempt.score is not None or _declined(attempt)


def _is_flawed(attempt: Attempt) -> bool:
    """Whether no scorer gets to see the answer: refused, cut off, or stopped by the policy."""
    if attempt.score is not None:
        return False
    return (
        _declined(attempt) or attempt.finish_reason in CUT or attempt.verdict == "escalated"
    )  # a tier without a scorer accepts everything else


def _declined(attempt: Attempt) -> bool:
    return attempt.reason.startswith(DECLINED)


def _latency_s(drafts: Sequence[Charge]) -> float:
    if not drafts:
        return math.nan
    begun = min(charge.started_s for charge in drafts)
    return max(charge.started_s + charge.latency_s for charge in drafts) - begun


def _tokens(drafts: Sequence[Charge]) -> tuple[float, ...]:
    """Tokens of all tries; unknown where the one that answered did not report them."""
    known = [charge.usage for charge in drafts if charge.usage is not None]
    if not known or any(charge.outcome == "ok" and charge.usage is None for charge in drafts):
        return counts_of(None)
    return counts_of(sum(known, Usage(0, 0)))


def _reply_of(attempt: Attempt) -> Mapping[str, Any] | None:
    """The reply that the attempt's answer was read from.

    The last draft, unless a scorer put a better sample in its place.
    """
    replies = [
        charge.reply
        for purpose in ("draft", "scorer")
        for charge in reversed(attempt.charges)
        if charge.purpose == purpose and charge.outcome == "ok" and charge.reply is not None
    ]
    if len(replies) > 1:
        return next((reply for reply in replies if _text_of(reply) == attempt.text), replies[0])
    return replies[0] if replies else None


def _json_text(reply: Mapping[str, Any]) -> str:
    text = json.dumps(reply, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: only an escape can hold it
        return json.dumps(reply)
    return text


def _text_of(reply: Mapping[str, Any]) -> str | None:
    try:
        return read_reply(reply).text
    except MalformedReply:
        return None
