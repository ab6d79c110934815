"""The first page: what all requests came to, over time and by chain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from starlette.responses import Response

from cascade.dashboard.drawing import Picture
from cascade.dashboard.ranges import RANGES, range_of
from cascade.dashboard.recorded import Known
from cascade.dashboard.site import Visit
from cascade.dashboard.words import count, rounded, share, times
from cascade.traces.series import Series, Span, Step

__all__ = ["overview"]

NO_ANSWER = "no answer"

COLOURS = ("blue", "vermillion", "green", "purple", "sky")
"""Of tiers in the picture, from the first on; more than these are one part of it."""

OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Best:
    """What was saved against single models that recordings know."""

    saved: Decimal
    words: str


def overview(visit: Visit) -> Response:
    """Show it."""
    chosen, chain = range_of(visit.asked("range")), visit.asked("chain") or None
    found: Series = visit.site.remembered.get(
        ("series", visit.viewer, chosen.name, chain),
        lambda: visit.traces.series(chosen.step, since=chosen.since, chain=chain),
    )
    best, untold = _best(visit, found)
    return visit.page(
        "overview.html",
        ranges=RANGES.values(),
        chosen=chosen,
        chain=chain,
        chains=visit.traces.names("chain"),
        series=found,
        whole=found.whole,
        has_traces=bool(found.whole.requests) or visit.traces.count() > 0,
        best=best,
        untold=untold,
        tiers=_shares(found.whole, found.tiers),
        pictures=visit.site.draughtsman.draw(_pictures(found)),
        no_answer=NO_ANSWER,
    )


def _best(visit: Visit, found: Series) -> tuple[Best | None, list[str]]:
    """Against the best single model of each chain that has a recording; why not of all these."""
    saved, models, chains, untold = Decimal(0), [], [], []
    for name, span in found.chains.items():
        known = _recorded(visit, name, span)
        if known is None:
            continue
        if why := known.why_untold(name, span):
            untold.append(why)
        amount = known.saved_against_best(span)
        if amount is not None:
            saved += amount
            models.append(known.best)
            chains.append(name)
    if not models:
        return None, untold
    only = f" on {', '.join(chains)}" if len(chains) < len(found.chains) else ""
    return Best(saved, f"{', '.join(dict.fromkeys(models))} alone{only}"), untold


def _recorded(visit: Visit, name: str, span: Span) -> Known | None:
    """What a chain's recording says, if that is one of the chain that these requests went to."""
    if visit.site.recordings.of(name) is None:
        return None
    newest = next(visit.traces.newest(1, chain=name), None)
    answered = filter(None, span.answers)
    return visit.site.recordings.of(name, answered, newest.top_tier if newest else "")


def _shares(span: Span, tiers: Sequence[str]) -> list[tuple[str, int, float]]:
    """How many answers each tier gave, and the share of them; last the requests without one."""
    found = [*tiers, *([""] if "" in span.answers else [])]
    return [(name, span.answers[name], span.answers[name] / span.requests) for name in found]


def _pictures(found: Series) -> list[Picture]:
    if not found.spans:
        return []
    step = found.step
    moments = list(found.spans)
    ends = {moment: _end(moment, step).isoformat() for moment in moments}
    costs = [
        {"from": moment.isoformat(), "to": ends[moment], "value": float(span.cost.known_usd)}
        for moment, span in found.spans.items()
    ]
    escalation = [
        {
            "at": moment.isoformat(),
            "name": "escalated",
            "value": None if span.escalation is None else 100 * span.escalation,
        }
        for moment, span in found.spans.items()
    ]
    return [
        _requests(found, ends),
        Picture(
            "cost",
            "bars",
            {"rows": costs, "step": step, "format": _money(costs)},
            "Cost over time",
            _said(found, lambda span: rounded(span.cost.known_usd)),
        ),
        Picture(
            "escalation",
            "lines",
            {
                "rows": escalation,
                "names": ["escalated"],
                "step": step,
                "format": "d",
                "top": 100,
            },
            "Share of requests that asked more than one tier, over time",
            _said(found, lambda span: share(span.escalation)),
        ),
        _latency(found),
    ]


def _requests(found: Series, ends: Mapping[datetime, str]) -> Picture:
    parts = _parts(found)
    rows = []
    for moment, span in found.spans.items():
        amounts = dict.fromkeys(parts, 0)
        for tier, number in span.answers.items():
            name = tier or NO_ANSWER
            amounts[name if name in amounts else OTHERS] += number
        rows.append(
            {"from": moment.isoformat(), "to": ends[moment], "values": list(amounts.values())}
        )
    return Picture(
        "requests",
        "stack",
        {
            "rows": rows,
            "names": list(parts),
            "colours": list(parts.values()),
            "step": found.step,
        },
        "Requests over time, by the tier that answered",
        _said(found, lambda span: count(span.requests, "request")),
    )


def _parts(found: Series) -> dict[str, str]:
    """The parts of the picture with their colours: tiers in their order, then what is left."""
    tiers = list(found.tiers)
    shown = tiers if len(tiers) <= len(COLOURS) else tiers[: len(COLOURS) - 1]
    parts = dict(zip(shown, COLOURS, strict=False))
    if len(shown) < len(tiers):
        parts[OTHERS] = "dim"
    return parts | ({NO_ANSWER: "axis"} if "" in found.whole.answers else {})


def _latency(found: Series) -> Picture:
    rows = [
        {"at": moment.isoformat(), "name": name, "value": value}
        for moment, span in found.spans.items()
        for name, value in (("p50", span.time.p50_s), ("p95", span.time.p95_s))
    ]
    return Picture(
        "latency",
        "lines",
        {
            "rows": rows,
            "names": ["p50", "p95"],
            "step": found.step,
            "format": "~g",
        },
        "Time that requests took, over time",
        _said(found, lambda span: f"{times(span.time.p50_s)} and {times(span.time.p95_s)}"),
    )


def _said(found: Series, words: Callable[[Span], str]) -> str:
    """The first and the last of a series, in words."""
    shown = [(moment, span) for moment, span in found.spans.items() if span.requests]
    ends = [shown[0], shown[-1]] if len(shown) > 1 else shown
    form = "%Y-%m-%d %H:%M" if found.step == "hour" else "%Y-%m-%d"
    said = "; ".join(f"{moment.strftime(form)}: {words(span)}" for moment, span in ends)
    steps = count(len(found.spans), found.step)
    return f"{steps} in UTC, the first and the last: {said}. The table below has all."


def _money(rows: Sequence[Mapping[str, object]]) -> str:
    highest = max(float(str(row["value"])) for row in rows)
    return "$,.0f" if highest >= 8 else "$,.2f" if highest >= 0.08 else "$~g"  # noqa: PLR2004


def _end(moment: datetime, step: Step) -> datetime:
    """Where a bar ends: a little before the next one begins."""
    length = {"hour": timedelta(hours=1), "day": timedelta(days=1), "month": timedelta(days=30)}
    return moment + 0.88 * length[step]
