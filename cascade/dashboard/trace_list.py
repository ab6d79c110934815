"""The list of traces: filtered, sorted, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.responses import Response

from cascade.accounts.key import KEY_TAG
from cascade.core.trace import Trace
from cascade.dashboard.ranges import RANGES, Range, range_of
from cascade.dashboard.site import Visit
from cascade.errors import CascadeError, ConfigError
from cascade.traces.filters import SORTS, STATUSES, Sort, later
from cascade.traces.page import content
from cascade.traces.paging import TracePage

__all__ = ["trace_list"]

PAGE = 50

VERDICTS = {
    "escalated": "escalated to a later tier",
    "first": "answered by the first tier asked",
}

TEXTS = ("chain", "tier", "tag", "parent", "since", "until", "min_cost_usd", "max_cost_usd")
"""Filters that are taken as they were typed."""

FOLDED = ("since", "until", "min_cost_usd", "max_cost_usd", "min_s", "max_s", "basis", "parent")
"""Filters that are out of sight until one of them is used."""

LONGEST_JSON = 200_000
"""Characters of a trace whose question is read for the list: fifty of twenty megabytes would take
gigabytes."""

LONGEST = 500
"""Characters of a filter; nothing that was ever kept is found by more."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a list was asked for.

    Attributes:
        query: as in its address, without the place in it.
        range: the time.
        wanted: the filters.
        text: words that are looked for.
        sort: what the list begins with.
    """

    query: Mapping[str, str]
    range: Range
    wanted: Mapping[str, Any]
    text: str
    sort: Sort


def trace_list(visit: Visit) -> Response:
    """Show a page of it; a filter that cannot be meant is said above the form."""
    query = {
        name: visit.asked(name)[:LONGEST]
        for name in (*TEXTS, "range", "status", "basis", "text", "key", "sort", "min_s", "max_s")
        if visit.asked(name)
    }
    error, found, total = "", TracePage((), None, ()), None
    try:
        chosen = _chosen(query, visit)
        found = visit.traces.page(
            size=PAGE,
            sort=chosen.sort,
            after=visit.asked("after") or None,
            text=chosen.text,
            **chosen.wanted,
        )
        if not chosen.text:
            total = visit.traces.count(**chosen.wanted)
    except ConfigError as wrong:
        error = str(wrong)
    except (OverflowError, RecursionError, UnicodeError):  # somebody made up a moment or a place
        error = "This address cannot be meant; begin with the first page"
    return visit.page(
        "traces.html",
        status=400 if error else 200,
        error=error,
        found=found,
        total=total,
        questions=_questions(visit, found),
        query=query,
        is_later=bool(visit.asked("after")),
        is_narrowed=bool(query.keys() - {"range", "sort"}),
        has_more=any(name in query for name in FOLDED),
        ranges=RANGES.values(),
        chosen=range_of(query.get("range") or "all"),
        chains=visit.traces.names("chain"),
        tiers=visit.traces.names("tier"),
        statuses=STATUSES,
        verdicts=VERDICTS,
        sorts=SORTS,
        keys=visit.key_names,
        key_tag=KEY_TAG,
    )


def _chosen(query: Mapping[str, str], visit: Visit) -> Chosen:
    """What an address asks for.

    Raises:
        ConfigError: something that cannot be meant.
    """
    times = range_of(query.get("range") or "all")
    wanted: dict[str, Any] = {name: query[name] for name in TEXTS if name in query}
    wanted["since"] = later(times.since, wanted.get("since"))
    verdict = query.get("status")
    if verdict in VERDICTS:
        wanted["escalated"] = verdict == "escalated"
    else:
        wanted["status"] = verdict
    if "basis" in query:
        wanted["basis"] = query["basis"]
    for short, name in (("min_s", "min_duration_s"), ("max_s", "max_duration_s")):
        if short in query:
            wanted[name] = _seconds(query[short])
    if "key" in query and visit.viewer is not None and visit.viewer.is_admin:
        wanted["tags"] = [f"{KEY_TAG}{query['key']}"]
    sort = cast("Sort", query.get("sort") or "time")
    return Chosen(query, times, wanted, query.get("text", ""), sort)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{text!r} is no number of seconds; expected e.g. 2.5") from None


def _questions(visit: Visit, found: TracePage) -> dict[str, content.Words]:
    """What was asked, by trace: the beginning of a question says more than an id."""
    ids = [row.id for row in found.rows]
    made = dict.fromkeys(ids, content.Words(missing="this trace is too long to show here"))
    for trace_id, text in visit.traces.jsons(ids, LONGEST_JSON).items():
        try:
            made[trace_id] = content.question(Trace.from_json(text))
        except (CascadeError, TypeError):  # damaged: its own page says how
            made[trace_id] = content.Words(missing="damaged")
    return made
