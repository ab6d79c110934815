"""The tables of a trace store, and a trace as their rows.

The whole trace is kept as JSON; the columns beside it are for finding and adding up. Money is text,
because a database's floating point would round it; unknown is NULL, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import orjson
from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, String, Table

# Imported here and not on first use: a thread in the middle of an import when the process forks
# leaves its child with half a module.
from cascade.core import trace_json
from cascade.core.trace import Trace
from cascade.core.usage import Usage

__all__ = ["Kept", "Row", "charges", "column_text", "rows_of", "tags", "traces", "utc"]

Row = dict[str, Any]

Text = TypeVar("Text", str, str | None)

NO_USAGE = dict.fromkeys(spec.name for spec in fields(Usage))

ESCAPED_NUL = "\\u0000"
"""How JSON writes the one character, besides halves of surrogate pairs, that no column may hold."""

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


class Kept(NamedTuple):
    """A trace's row of `traces`, and its rows of `charges` and `tags`."""

    trace: Row
    charges: list[Row]
    tags: list[Row]


def rows_of(trace: Trace) -> Kept:
    """A trace as it is kept."""
    data = trace_json.trace_to_dict(trace)
    try:
        json = orjson.dumps(data).decode()  # `json` takes many times as long
        is_plain = ESCAPED_NUL not in json
    except orjson.JSONEncodeError:  # half of a surrogate pair, or what JSON cannot hold at all
        json, is_plain = trace_json.trace_to_json(trace), False
    kept = Kept(_trace_row(trace, data, json), _charge_rows(data), _tag_rows(trace))
    return kept if is_plain else _in_any_database(kept)


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


def _trace_row(trace: Trace, data: Mapping[str, Any], json: str) -> Row:
    return {
        "id": trace.id,
        "started_at": utc(trace.started_at),
        "status": trace.status,
        "tier": trace.tier,
        "chain": trace.chain,
        "attempts": sum([attempt.asked for attempt in trace.attempts]),
        "cost_usd": data["cost_usd"],
        "scoring_cost_usd": data["scoring_cost_usd"],
        "saved_usd": data["saved_usd"],
        "basis": data["basis"],
        "duration_s": trace.duration_s,
        "content": trace.content,
        "json": json,
        "parent_id": trace.parent_id,
    }


def _charge_rows(data: Mapping[str, Any]) -> list[Row]:
    """A trace's charges, in order."""
    found = enumerate([charge for attempt in data["attempts"] for charge in attempt["charges"]])
    return [_charge_row(data["id"], position, charge) for position, charge in found]


def _charge_row(trace_id: str, position: int, charge: Mapping[str, Any]) -> Row:
    return {
        "trace_id": trace_id,
        "position": position,
        "tier": charge["tier"],
        "model": charge["model"],
        "purpose": charge["purpose"],
        "outcome": charge["outcome"],
        "cost_usd": charge["cost_usd"],
        "basis": charge["basis"],
        **(charge["usage"] or NO_USAGE),
        "latency_s": charge["latency_s"],
    }


def _tag_rows(trace: Trace) -> list[Row]:
    """A trace's tags, in order; a tag given twice is one tag."""
    found = enumerate(dict.fromkeys(trace.tags))
    return [{"trace_id": trace.id, "position": at, "tag": tag} for at, tag in found]


def _in_any_database(kept: Kept) -> Kept:
    """The same rows with text that every database can hold."""
    trace, *others = (
        [
            {name: column_text(v) if isinstance(v, str) else v for name, v in row.items()}
            for row in rows
        ]
        for rows in ([kept.trace], kept.charges, kept.tags)
    )
    return Kept(trace[0], *others)
