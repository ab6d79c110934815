"""What spans say of a trace: attributes by name. Knows no OpenTelemetry.

Names under `gen_ai.` and `openai.` are those of OpenTelemetry's conventions, written out here:
every constant that its packages have for them is marked as moved. All else is under `cascade.`.
Without `content` there is nothing here that people wrote or models answered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from cascade.core.trace import Attempt, Charge, ScoreRecord, Trace
from cascade.core.usage import Usage
from cascade.core.wishes import ModelCall
from cascade.forms.reading import effort_of, format_of, output_limit
from cascade.traces.content import LABEL
from cascade.traces.scrub import scrub

__all__ = [
    "OTHER",
    "Values",
    "error_of",
    "of_attempt",
    "of_charge",
    "of_model",
    "of_request",
    "of_score",
    "of_scoring",
    "scorer_error",
]

Values = dict[str, Any]

OTHER = "_OTHER"
"""OpenTelemetry's word for an error, or a name, that is none of the known ones."""

NO_ANSWER = frozenset(
    {
        "exhausted",
        "budget_exceeded",
        "deadline_exceeded",
        "billing_stopped",
        "refused",
        "interrupted",
        "cancelled",
    }
)

MOST = 2**63

ERROR_NAME = re.compile(r"[A-Za-z_][\w.]{0,79}(?=:|$)", re.ASCII)


def of_request(trace: Trace, *, content: bool) -> Values:
    """Of the whole request."""
    values = {
        "cascade.trace.id": trace.id,
        "cascade.chain": trace.chain,
        "cascade.chain.digest": trace.chain_digest,
        "cascade.status": trace.status,
        "cascade.accepted": trace.accepted,
        "cascade.tier": trace.tier,
        "cascade.escalations": trace.escalations,
        "cascade.not_asked": [item.tier for item in trace.attempts if not item.asked] or None,
        "cascade.tags": list(scrub(trace.tags)) or None,
        "cascade.parent.id": scrub(trace.parent_id),
        "cascade.cost.basis": trace.basis,
        **_amount("cascade.cost", trace.cost_usd, trace.known_cost_usd),
        **_amount("cascade.saved", trace.saved_usd),
        **_amount("cascade.budget", trace.budget_usd),
        "error.type": error_of(trace),
        "cascade.reason": scrub(trace.reason) if content else None,
    }
    return _known(values)


def error_of(trace: Trace) -> str | None:
    """Why there is no answer; `None` where there is one."""
    return trace.status if trace.status in NO_ANSWER else None


def of_attempt(attempt: Attempt, *, content: bool) -> Values:
    """Of a tier's turn."""
    drafts = [charge for charge in attempt.charges if charge.purpose == "draft"]
    failed = attempt.verdict == "failed"
    values = {
        "cascade.tier": attempt.tier,
        "cascade.model": attempt.model,
        "cascade.verdict": attempt.verdict,
        "cascade.threshold": attempt.threshold,
        "cascade.score": attempt.score.value if attempt.score is not None else None,
        **_amount("cascade.cost", attempt.cost_usd, attempt.known_cost_usd),
        "error.type": (drafts[-1].outcome if drafts else OTHER) if failed else None,
        "cascade.reason": scrub(attempt.reason) if content else None,
    }
    return _known(values)


def of_scoring(attempt: Attempt, score: ScoreRecord, *, content: bool) -> Values:
    """Of what a tier's scorer said, and the verdict on it."""
    values = {
        "cascade.tier": attempt.tier,
        "cascade.threshold": attempt.threshold,
        "cascade.verdict": attempt.verdict,
        **of_score(score, content=content),
        "gen_ai.evaluation.score.label": attempt.verdict,
        "error.type": scorer_error(score),
    }
    return _known(values)


def of_score(score: ScoreRecord, *, content: bool) -> Values:
    """Of what one scorer said."""
    values = {
        "gen_ai.evaluation.name": score.scorer,
        "gen_ai.evaluation.score.value": score.value,
        "gen_ai.evaluation.score.label": score.kind,
        "gen_ai.evaluation.explanation": scrub(score.reason) if content else None,
    }
    return _known(values)


def scorer_error(score: ScoreRecord) -> str | None:
    """The class of what a scorer raised; its words may quote."""
    if score.kind != "failed":
        return None
    name = ERROR_NAME.match(score.reason or "")
    return name.group() if name is not None else OTHER


def of_charge(charge: Charge, attempt: Attempt, call: ModelCall | None) -> Values:
    """Of one exchange with a provider.

    Args:
        charge: the exchange.
        attempt: the turn that it belongs to.
        call: what was sent, where this process sent it.
    """
    reply = charge.reply or {}
    values = {
        **of_model(charge, attempt, call),
        **(_of_payload(call.payload) if call is not None else {}),
        "gen_ai.response.id": _label(reply.get("id")),
        "gen_ai.response.finish_reasons": _finish_reasons(reply),
        **_of_usage(charge.usage),
        "openai.response.service_tier": _label(charge.service_tier),
        "openai.response.system_fingerprint": _label(reply.get("system_fingerprint")),
        "http.response.status_code": charge.status,
        "error.type": None if charge.outcome == "ok" else charge.outcome,
        "cascade.tier": charge.tier,
        "cascade.call": charge.call,
        "cascade.purpose": charge.purpose,
        "cascade.scorer": charge.scorer,
        "cascade.request.id": _label(charge.request_id),
        "cascade.cost.basis": charge.basis,
        **_amount("cascade.cost", charge.cost_usd),
    }
    return _known(values)


def of_model(charge: Charge, attempt: Attempt, call: ModelCall | None = None) -> Values:
    """Which model an exchange was with: what metrics tell apart; arguments as for `of_charge`."""
    values = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": _asked_of(charge, attempt, call),
        "gen_ai.response.model": _label(charge.model) if charge.outcome == "ok" else None,
    }
    return _known(values)


def _asked_of(charge: Charge, attempt: Attempt, call: ModelCall | None) -> str:
    if call is not None:
        return call.model
    own = charge.purpose == "draft" or charge.tier == attempt.tier
    return attempt.model if own else _label(charge.model) or OTHER


def _of_payload(payload: Mapping[str, Any]) -> Values:
    """The parameters of a call; what is of the wrong kind, as some servers take it, is left out."""
    asked = format_of(payload)
    return {
        "gen_ai.request.temperature": _number(payload.get("temperature")),
        "gen_ai.request.top_p": _number(payload.get("top_p")),
        "gen_ai.request.max_tokens": _whole(output_limit(payload)),
        "gen_ai.request.seed": _whole(payload.get("seed")),
        "gen_ai.request.choice.count": _whole(payload.get("n")),
        "gen_ai.request.reasoning.level": _label(effort_of(payload)),
        "gen_ai.output.type": "json" if asked and asked.get("type") != "text" else "text",
        "openai.request.service_tier": _label(payload.get("service_tier")),
    }


def _of_usage(usage: Usage | None) -> Values:
    if usage is None:
        return {}
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
    }


def _finish_reasons(reply: Mapping[str, Any]) -> list[str] | None:
    choices = reply.get("choices")
    if not isinstance(choices, list):
        return [found] if (found := _label(reply.get("status"))) else None
    reasons = (_label(item.get("finish_reason")) for item in choices if isinstance(item, Mapping))
    return [reason for reason in reasons if reason] or None


def _amount(name: str, usd: Decimal | None, known: Decimal | None = None) -> Values:
    """Dollars, exact as a text and as a double to add up; where unknown, what is known of them."""
    if usd is None:
        return {f"{name}.known_usd": float(known)} if known is not None else {}
    return {f"{name}.usd": float(usd), f"{name}.usd_exact": format(usd, "f")}


def _label(value: object) -> str | None:
    """A name that a server or a caller gave, if it is one: prose and credentials are not shown."""
    named = isinstance(value, str) and LABEL.fullmatch(value) and scrub(value) is value
    return str(value) if named else None


def _whole(value: object) -> int | None:
    """A number that an exporter can write: of more than 64 bits none."""
    return value if type(value) is int and -MOST < value < MOST else None


def _number(value: object) -> float | None:
    return value if type(value) is float else _whole(value)


def _known(values: Values) -> Values:
    return {name: value for name, value in values.items() if value is not None}
