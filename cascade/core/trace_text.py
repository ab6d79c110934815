"""A trace as plain text: a header, one line per attempt, its scores and charges below it."""

from __future__ import annotations

from decimal import Decimal

from cascade.core.clean import harmless, on_one_line
from cascade.core.dollars import dollars, saved_or_lost
from cascade.core.trace import Attempt, Charge, ScoreRecord, Trace

__all__ = [
    "cost_words",
    "ending_words",
    "headline",
    "made_for",
    "score_text",
    "shorten",
    "tokens_text",
    "trace_to_text",
]

WIDTH = 76


def cost_words(amount: Decimal | None, known: Decimal) -> str:
    """A cost to read; where it is unknown, with the part that is known as its lower bound."""
    return dollars(amount) if amount is not None else f"unknown, at least {dollars(known)}"


def ending_words(word: str | None) -> str:
    """How a request or a call ended, to read: "budget exceeded"; on pages and in terminals."""
    return (word or "").replace("_", " ")


def shorten(text: str | None, width: int = WIDTH) -> str:
    """Foreign text on one line, cut to `width` characters."""
    line = on_one_line(text)
    return line if len(line) <= width else line[: width - 1] + "…"


def score_text(record: ScoreRecord | None, threshold: float | None) -> str:
    """A score beside the threshold it had to reach: "0.41 < 0.92"."""
    if record is None:
        return "-"
    if record.value is None:
        return record.kind
    if threshold is None:
        return f"{record.value:.3f}"
    sign = ">=" if record.value >= threshold else "<"
    return f"{record.value:.3f} {sign} {threshold:g}"


def tokens_text(charge: Charge) -> str:
    """Tokens of a charge: "120 in (64 cached), 5 out"."""
    if charge.usage is None:
        return "tokens unknown"
    cached = f" ({charge.usage.cached_tokens} cached)" if charge.usage.cached_tokens else ""
    return f"{charge.usage.input_tokens} in{cached}, {charge.usage.output_tokens} out"


def headline(trace: Trace) -> str:
    """One line: how it ended, at what cost, what it saved."""
    answered = f" by {trace.tier}" if trace.tier else ""
    basis = "" if trace.cost_usd is None else f" ({trace.basis})"
    cost = f"cost {cost_words(trace.cost_usd, trace.known_cost_usd)}{basis}"
    parts = [f"{ending_words(trace.status)}{answered}", cost]
    if trace.saved_usd is not None:
        word = saved_or_lost(trace.saved_usd)
        parts.append(f"{word} {dollars(abs(trace.saved_usd))} against {trace.top_tier}")
    parts.append(f"{trace.duration_s:.2f} s")
    return " · ".join(parts)


def made_for(trace: Trace) -> list[tuple[str, str]]:
    """What the request was made for and its tags, each with a label, where there are any."""
    found = [("made for", trace.parent_id or ""), ("tags", ", ".join(trace.tags))]
    return [(label, words) for label, words in found if words]


def trace_to_text(trace: Trace) -> str:
    """The whole trace as text, which can be printed and written whatever a model answered."""
    lines = [f"Trace {trace.id} · {trace.chain}", headline(trace)]
    if trace.reason:
        lines.append(trace.reason)
    lines += [f"{label} {words}" for label, words in made_for(trace)]
    for number, attempt in enumerate(trace.attempts, 1):
        lines += ["", *_attempt_lines(number, attempt)]
    return "\n".join(harmless(line).replace("\n", " ") for line in lines)


def _attempt_lines(number: int, attempt: Attempt) -> list[str]:
    name = attempt.tier if attempt.tier == attempt.model else f"{attempt.tier} ({attempt.model})"
    cost = cost_words(attempt.cost_usd, attempt.known_cost_usd)
    if attempt.verdict == "skipped":
        return [f"{number}. {name}: skipped, not asked", f"   why      {shorten(attempt.reason)}"]
    lines = [f"{number}. {name}: {attempt.verdict} · {cost} · {attempt.latency_s:.2f} s"]
    if attempt.text:
        lines.append(f"   answer   {shorten(attempt.text)}")
    lines.append(f"   why      {shorten(attempt.reason)}")
    lines += [
        f"   score    {record.scorer}: {score_text(record, None)}"
        + (f", {shorten(record.reason)}" if record.reason else "")
        for record in attempt.scores
    ]
    for charge in attempt.charges:
        who = charge.purpose if charge.purpose == "draft" else f"{charge.scorer} asks"
        outcome = ending_words(charge.outcome)
        said = "" if outcome == "ok" else f" {outcome}: {shorten(charge.message, 50)}"
        lines.append(
            f"   charge   {who} {charge.model}: {tokens_text(charge)} = "
            f"{dollars(charge.cost_usd)} ({charge.basis}){said}"
        )
    return lines
