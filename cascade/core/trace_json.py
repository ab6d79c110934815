"""The JSON form of a trace: `format` and `version` first, then the fields of the values.

Amounts are decimal strings, so nothing is lost. `cascade/data/trace.schema.json` is the schema; the
version rises when a reader of the old form would misread the new one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal, DecimalException
from functools import cache
from typing import Any, get_args

from cascade.core.price import EXACT
from cascade.core.pricing import Basis
from cascade.core.trace import Attempt, Charge, Content, ScoreRecord, Status, Trace, Verdict
from cascade.core.usage import Usage
from cascade.errors import TraceError, TraceVersionError

__all__ = [
    "FORMAT",
    "VERSION",
    "trace_from_dict",
    "trace_from_json",
    "trace_to_dict",
    "trace_to_json",
]

FORMAT = "cascade.trace"
VERSION = 1

FINEST = Decimal("1e-40")
"""Smallest step of an amount, as in a budget; sums of finer ones could not be exact."""


# Every field is named here, in its order: every request is written, and to walk over the fields of
# its values takes twice as long.


def trace_to_dict(trace: Trace) -> dict[str, Any]:
    """A trace as JSON-ready data."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "id": trace.id,
        "status": trace.status,
        "chain": trace.chain,
        "chain_digest": trace.chain_digest,
        "price_table": trace.price_table,
        "started_at": trace.started_at,
        "duration_s": trace.duration_s,
        "tier": trace.tier,
        "reason": trace.reason,
        "attempts": [_attempt_to_dict(attempt) for attempt in trace.attempts],
        "request": _copied(trace.request),
        "requested_model": trace.requested_model,
        "top_tier": trace.top_tier,
        "top_tier_cost_usd": _digits(trace.top_tier_cost_usd),
        "budget_usd": _digits(trace.budget_usd),
        "content": trace.content,
        "metadata": _copied(trace.metadata),
        "tags": list(trace.tags),
        "parent_id": trace.parent_id,
        "start_at": trace.start_at,
        "stop_at": trace.stop_at,
        "replayed": trace.replayed,
        # Derived values, written for other readers and ignored when reading back.
        "cost_usd": _digits(trace.cost_usd),
        "scoring_cost_usd": _digits(trace.scoring_cost_usd),
        "saved_usd": _digits(trace.saved_usd),
        "basis": trace.basis,
    }


def _attempt_to_dict(attempt: Attempt) -> dict[str, Any]:
    return {
        "tier": attempt.tier,
        "model": attempt.model,
        "verdict": attempt.verdict,
        "reason": attempt.reason,
        "threshold": attempt.threshold,
        "score": None if attempt.score is None else _score_to_dict(attempt.score),
        "text": attempt.text,
        "finish_reason": attempt.finish_reason,
        "tool_calls": [_copied(call) for call in attempt.tool_calls],
        "charges": [_charge_to_dict(charge) for charge in attempt.charges],
    }


def _charge_to_dict(charge: Charge) -> dict[str, Any]:
    return {
        "call": charge.call,
        "purpose": charge.purpose,
        "tier": charge.tier,
        "model": charge.model,
        "outcome": charge.outcome,
        "cost_usd": _digits(charge.cost_usd),
        "basis": charge.basis,
        "started_s": charge.started_s,
        "latency_s": charge.latency_s,
        "scorer": charge.scorer,
        "usage": None if charge.usage is None else _usage_to_dict(charge.usage),
        "service_tier": charge.service_tier,
        "price_id": charge.price_id,
        "message": charge.message,
        "status": charge.status,
        "code": charge.code,
        "request_id": charge.request_id,
        "regional": charge.regional,
        "batch": charge.batch,
        "reply": _copied(charge.reply),
        "notes": list(charge.notes),
    }


def _usage_to_dict(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    }


def _score_to_dict(score: ScoreRecord) -> dict[str, Any]:
    return {
        "scorer": score.scorer,
        "kind": score.kind,
        "value": score.value,
        "reason": score.reason,
        "parts": [_score_to_dict(part) for part in score.parts],
    }


def _copied(data: Any) -> Any:
    return dict(data) if type(data) is dict or isinstance(data, Mapping) else data


def _digits(amount: Decimal | None) -> str | None:
    """An amount in digits, without an exponent."""
    return None if amount is None else format(amount, "f")


def trace_to_json(trace: Trace, *, indent: int | None = None) -> str:
    """A trace as JSON text that can be encoded as UTF-8."""
    data = trace_to_dict(trace)
    try:
        text = json.dumps(data, ensure_ascii=False, indent=indent, allow_nan=False)
    except ValueError:  # a server wrote 1e999: no number of JSON's, so it is none
        data = _finite(data)
        text = json.dumps(data, ensure_ascii=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:  # a model wrote half of a surrogate pair: only an escape can hold it
        text = json.dumps(data, indent=indent)
    return text


def _finite(value: Any) -> Any:
    """The same data with `None` for numbers that JSON cannot hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def trace_from_json(text: str | bytes) -> Trace:
    """Read a trace from JSON.

    Raises:
        TraceError: no JSON, or no trace.
        TraceVersionError: a newer version of Cascade wrote it.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"this is no JSON: {error}") from error
    return trace_from_dict(data)


def trace_from_dict(data: object) -> Trace:
    """Read a trace from data; raises as `trace_from_json`."""
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, Mapping) else type(data).__name__
        raise TraceError(f"this is no trace: format is {found!r}, expected {FORMAT!r}")
    version = data.get("version")
    if type(version) is not int or version < 1:
        raise TraceError(f"this is no trace: version is {version!r}")
    if version > VERSION:
        raise TraceVersionError(
            f"this trace has version {version}, but this Cascade reads up to {VERSION}; "
            "upgrade frugal-cascade to read it"
        )
    try:
        return _trace(data)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise TraceError(
            f"the trace is damaged: {type(error).__name__}: {error}; "
            "compare it with cascade/data/trace.schema.json"
        ) from error


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(spec.name for spec in fields(kind))


def _trace(data: Mapping[str, Any]) -> Trace:
    values = _known(Trace, data)
    _check_word(values, "status", get_args(Status))
    _check_word(values, "content", get_args(Content))
    _check_types(values)
    values["tags"] = tuple(values.get("tags") or ())
    values["attempts"] = tuple(_attempt(item) for item in data["attempts"])
    _check_number(values, "duration_s")
    for name in ("top_tier_cost_usd", "budget_usd"):
        values[name] = _amount(values.get(name))
    return Trace(**values)


def _attempt(data: Mapping[str, Any]) -> Attempt:
    values = _known(Attempt, data)
    _check_word(values, "verdict", get_args(Verdict))
    _check_number(values, "threshold", most=1.0)
    values["charges"] = tuple(_charge(item) for item in data["charges"])
    values["tool_calls"] = tuple(values.get("tool_calls") or ())
    values["score"] = _score(data["score"]) if data.get("score") else None
    return Attempt(**values)


def _charge(data: Mapping[str, Any]) -> Charge:
    values = _known(Charge, data)
    _check_word(values, "basis", get_args(Basis))
    _check_word(values, "purpose", ("draft", "scorer"))
    _check_number(values, "started_s", least=-math.inf)
    _check_number(values, "latency_s")
    if (values["cost_usd"] is None) != (values["basis"] == "unknown"):
        raise ValueError(f"cost_usd is {values['cost_usd']!r}, basis {values['basis']!r}")
    values["usage"] = Usage(**data["usage"]) if data.get("usage") else None
    values["cost_usd"] = _amount(data["cost_usd"])
    values["notes"] = tuple(values.get("notes") or ())
    return Charge(**values)


def _score(data: Mapping[str, Any]) -> ScoreRecord:
    values = _known(ScoreRecord, data)
    _check_word(values, "kind", ("score", "abstained", "failed"))
    _check_number(values, "value", most=1.0)
    values["parts"] = tuple(_score(item) for item in data.get("parts") or ())
    return ScoreRecord(**values)


def _known(kind: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a value that are in the data; keys of later minor additions are passed over."""
    return {name: data[name] for name in _names(kind) if name in data}


def _check_types(values: Mapping[str, Any]) -> None:
    for name in ("id", "chain", "started_at"):
        if not isinstance(values[name], str) or not values[name]:
            raise ValueError(f"{name} is {values[name]!r}, expected a text that is not empty")
    for name in ("tier", "parent_id", "start_at", "stop_at", "requested_model"):
        value = values.get(name)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{name} is {value!r}, expected a text or null")
    for name in ("request", "metadata"):
        value = values.get(name)
        if value is not None and not isinstance(value, Mapping):
            raise ValueError(f"{name} is {type(value).__name__}, expected an object")
    tags = values.get("tags", [])
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError(f"tags is {tags!r}, expected a list of texts")


def _check_word(values: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> None:
    if name in values and values[name] not in allowed:
        raise ValueError(f"{name} is {values[name]!r}")


def _check_number(
    values: Mapping[str, Any], name: str, *, least: float = 0.0, most: float = math.inf
) -> None:
    value = values.get(name)
    if value is None and name in ("threshold", "value"):  # the two that may be absent
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{name} is {value!r}")


def _amount(value: object) -> Decimal | None:
    """An amount that sums can take: from 0 to below 10**20, at most 40 decimals."""
    if value is None:
        return None
    try:
        amount = Decimal(str(value))
        EXACT.quantize(amount, FINEST)
    except DecimalException:
        raise ValueError(f"{value!r} is no amount in US dollars") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{value!r} is no amount in US dollars")
    return amount
