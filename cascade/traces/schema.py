"""The tables of a trace store, and a trace as their rows.

The whole trace is kept as JSON; the columns beside it are for finding and adding up. Money is text,
because a database's floating point would round it; unknown is NULL, never 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import orjson
from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, String, Table

# Imported here and not on first use: a thread in the middle of an import when the process forks
# leaves its child with half a module.
from cascade.core import trace_json
from cascade.core.trace import Trace
from cascade.core.usage import Usage

__all__ = ["Kept", "Row", "charges", "column_text", "rows_of", "tags", "traces", "utc"]

Row = tuple[Any, ...]
"""Values in the order of a table's columns."""

Text = TypeVar("Text", str, str | None)

AS_TRACED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}\+00:00")
"""How a trace has the moment when its request began, unless somebody else made it."""

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


TOKENS = [column.name for column in charges.c if column.name in Usage.__slots__]
NO_TOKENS = (None,) * len(TOKENS)
_tokens = itemgetter(*TOKENS)


class Kept(NamedTuple):
    """A trace as it is kept.

    Attributes:
        id: the trace's, as the tables have it.
        json: the whole of it.
        trace: its row of `traces`.
        charges: its rows of `charges`.
        tags: its rows of `tags`.
    """

    id: str
    json: str
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
    row = _trace_row(trace, data, json)
    kept = Kept(trace.id, json, row, _charge_rows(data), _tag_rows(trace))
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
        text = moment
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return text
        if AS_TRACED.fullmatch(text):  # writing it anew takes five times as long
            return f"{text[:-6]}000+00:00"
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _trace_row(trace: Trace, data: Mapping[str, Any], json: str) -> Row:
    return (
        trace.id,
        utc(trace.started_at),
        trace.status,
        trace.tier,
        trace.chain,
        sum([attempt.asked for attempt in trace.attempts]),
        data["cost_usd"],
        data["scoring_cost_usd"],
        data["saved_usd"],
        data["basis"],
        trace.duration_s,
        trace.content,
        json,
        trace.parent_id,
    )


def _charge_rows(data: Mapping[str, Any]) -> list[Row]:
    """A trace's charges, in order."""
    found = enumerate([charge for attempt in data["attempts"] for charge in attempt["charges"]])
    return [_charge_row(data["id"], position, charge) for position, charge in found]


def _charge_row(trace_id: str, position: int, charge: Mapping[str, Any]) -> Row:
    usage = charge["usage"]
    return (
        trace_id,
        position,
        charge["tier"],
        charge["model"],
        charge["purpose"],
        charge["outcome"],
        charge["cost_usd"],
        charge["basis"],
        *(NO_TOKENS if usage is None else _tokens(usage)),
        charge["latency_s"],
    )


def _tag_rows(trace: Trace) -> list[Row]:
    """A trace's tags, in order; a tag given twice is one tag."""
    return [(trace.id, at, tag) for at, tag in enumerate(dict.fromkeys(trace.tags))]


def _in_any_database(kept: Kept) -> Kept:
    """The same with text that every database can hold."""
    (trace,), *others = (
        [tuple([column_text(v) if isinstance(v, str) else v for v in row]) for row in rows]
        for rows in ([kept.trace], kept.charges, kept.tags)
    )
    return Kept(column_text(kept.id), kept.json, trace, *others)
