"""The tables of a trace store, and a trace as their rows.

The whole trace is kept as JSON; the columns beside it are for finding and adding up. Money is text,
because a database's floating point would round it; unknown is NULL, never 0.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from pydantic_core import to_json
from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, String, Table

# Imported here and not on first use: a thread in the middle of an import when the process forks
# leaves its child with half a module.
from cascade.core import trace_json
from cascade.core.trace import Charge, Trace

__all__ = [
    "charge_rows",
    "charges",
    "column_text",
    "tag_rows",
    "tags",
    "trace_row",
    "traces",
    "utc",
]

Text = TypeVar("Text", str, str | None)

metadata = MetaData()

traces = Table(
    "traces",
    metadata,
    Column("id", String, primary_key=True),
    Column("started_at", String),
    Column("status", String),
    Column("tier", String),
    Column("chain", String),
    Column("attempts", Integer),
    Column("cost_usd", String),
    Column("scoring_cost_usd", String),
    Column("saved_usd", String),
    Column("basis", String),
    Column("duration_s", Double),
    Column("content", String),
    Column("json", String),
    Column("parent_id", String),
)

charges = Table(
    "charges",
    metadata,
    Column("trace_id", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("tier", String),
    Column("model", String),
    Column("purpose", String),
    Column("outcome", String),
    Column("cost_usd", String),
    Column("basis", String),
    Column("input_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("latency_s", Double),
)

tags = Table(
    "tags",
    metadata,
    Column("trace_id", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("tag", String),
)


def trace_row(trace: Trace) -> dict[str, Any]:
    """A trace as a row of `traces`."""
    return {
        "id": column_text(trace.id),
        "started_at": column_text(utc(trace.started_at)),
        "status": column_text(trace.status),
        "tier": column_text(trace.tier),
        "chain": column_text(trace.chain),
        "attempts": sum(attempt.asked for attempt in trace.attempts),
        "cost_usd": _amount(trace.cost_usd),
        "scoring_cost_usd": _amount(trace.scoring_cost_usd),
        "saved_usd": _amount(trace.saved_usd),
        "basis": trace.basis,
        "duration_s": trace.duration_s,
        "content": trace.content,
        "json": _json_of(trace),
        "parent_id": column_text(trace.parent_id),
    }


def _json_of(trace: Trace) -> str:
    """The whole trace; `json` takes five times as long."""
    try:
        return to_json(trace_json.trace_to_dict(trace), inf_nan_mode="null").decode()
    except ValueError:  # half of a surrogate pair, or what JSON cannot hold at all
        return trace_json.trace_to_json(trace)


def charge_rows(trace: Trace) -> list[dict[str, Any]]:
    """A trace's charges as rows of `charges`, in order."""
    return [_charge_row(trace.id, place, charge) for place, charge in enumerate(trace.charges)]


def tag_rows(trace: Trace) -> list[dict[str, Any]]:
    """A trace's tags as rows of `tags`, in order; a tag given twice is one tag."""
    found = enumerate(dict.fromkeys(trace.tags))
    trace_id = column_text(trace.id)
    return [{"trace_id": trace_id, "position": at, "tag": column_text(tag)} for at, tag in found]


def column_text(text: Text) -> Text:
    """Text as every database can hold it: NUL and halves of surrogate pairs as escapes.

    The JSON beside the columns keeps them as they were.
    """
    if text is None:
        return text
    return text.replace("\0", "\\x00").encode(errors="backslashreplace").decode()


def utc(moment: str | datetime) -> str:
    """A moment as text that sorts by time: UTC with microseconds.

    Text that is no ISO 8601 moment stays as it is; a moment without a zone counts as UTC.
    """
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return str(moment)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _charge_row(trace_id: str, position: int, charge: Charge) -> dict[str, Any]:
    usage = charge.usage
    return {
        "trace_id": column_text(trace_id),
        "position": position,
        "tier": column_text(charge.tier),
        "model": column_text(charge.model),
        "purpose": column_text(charge.purpose),
        "outcome": column_text(charge.outcome),
        "cost_usd": _amount(charge.cost_usd),
        "basis": charge.basis,
        "input_tokens": usage.input_tokens if usage else None,
        "cached_tokens": usage.cached_tokens if usage else None,
        "cache_write_tokens": usage.cache_write_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "reasoning_tokens": usage.reasoning_tokens if usage else None,
        "latency_s": charge.latency_s,
    }


def _amount(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")
