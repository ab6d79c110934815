"""The calls of a trace on one time axis: where each begins and how long it takes, in percent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cascade.core.trace import Attempt, Charge, Trace

__all__ = [
    "Bar",
    "Chart",
    "Lane",
    "Row",
    "Tick",
    "basis_of",
    "chart",
    "moment",
    "percent",
    "retries",
    "seconds",
]

SHOWN = 12
"""Calls of an attempt shown at once; of more, the first ones are, the others are folded."""

FIRST = 8

TICKS = 5
"""At most about so many marks on the axis."""

THINNEST = 0.4
"""A bar is at least so wide, in percent: a call of no time is still a call."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of the axis, both in percent of it."""

    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A call: one try of it."""

    name: str
    charge: Charge
    kind: str  # draft or scorer
    state: str  # ok, stopped or failed
    bar: Bar | None  # None where no time was taken down


@dataclass(frozen=True, slots=True)
class Row:
    """An attempt with its calls."""

    number: int
    attempt: Attempt
    bar: Bar | None
    lanes: tuple[Lane, ...]
    folded: tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """All attempts on one axis."""

    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]


def chart(trace: Trace) -> Chart:
    """The waterfall of a trace; times that are no numbers have no bar."""
    ends = [charge.started_s + charge.latency_s for charge in trace.charges if _timed(charge)]
    starts = [charge.started_s for charge in trace.charges if _timed(charge)]
    begun = min([0.0, *starts])
    whole = trace.duration_s if math.isfinite(trace.duration_s) else 0.0
    length = (max([whole, *ends]) - begun) or 1.0

    def bar(charges: Iterable[Charge]) -> Bar | None:
        timed = [charge for charge in charges if _timed(charge)]
        if not timed:
            return None
        first = min(charge.started_s for charge in timed)
        last = max(charge.started_s + charge.latency_s for charge in timed)
        width = max(THINNEST, 100 * (last - first) / length)
        return Bar(min(100 * (first - begun) / length, 100 - width), width)

    rows = []
    for number, attempt in enumerate(trace.attempts, 1):
        lanes = tuple(
            Lane(_named(attempt, place), charge, charge.purpose, _state(charge), bar([charge]))
            for place, charge in enumerate(attempt.charges)
        )
        cut = len(lanes) if len(lanes) <= SHOWN else FIRST
        rows.append(Row(number, attempt, bar(attempt.charges), lanes[:cut], lanes[cut:]))
    return Chart(tuple(_ticks(begun, length)), tuple(rows))


def retries(charges: Sequence[Charge]) -> int:
    """How many tries were made beyond the first of each call."""
    return len(charges) - len({charge.call for charge in charges})


def basis_of(attempt: Attempt) -> str:
    """How sure an attempt's cost is."""
    found = {charge.basis for charge in attempt.charges}
    return next((word for word in ("unknown", "estimated") if word in found), "exact")


def seconds(value: float) -> str:
    """A time to read: milliseconds below a second, minutes from a hundred seconds on."""
    if not math.isfinite(value):
        return "?"
    if abs(value) < 1:
        return f"{1000 * value:.0f} ms"
    return f"{value:.2f} s" if value < 100 else f"{value / 60:.1f} min"  # noqa: PLR2004  three digits


def moment(started_at: str) -> str:
    """A moment to read, as it stands where it is none."""
    try:
        return datetime.fromisoformat(started_at).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError):
        return started_at


def percent(value: float) -> str:
    """A place on an axis, for an SVG attribute."""
    return f"{min(100.0, max(0.0, value)):.2f}%"


def _named(attempt: Attempt, place: int) -> str:
    charge = attempt.charges[place]
    tries = sum(before.call == charge.call for before in attempt.charges[:place])
    name = "draft" if charge.purpose == "draft" else f"{charge.scorer or 'scorer'} asks"
    return f"{name}, try {tries + 1}" if tries else name


def _state(charge: Charge) -> str:
    return charge.outcome if charge.outcome in ("ok", "stopped") else "failed"


def _timed(charge: Charge) -> bool:
    return math.isfinite(charge.started_s) and math.isfinite(charge.latency_s)


def _ticks(begun: float, length: float) -> Iterable[Tick]:
    """Marks at round times: one, two or five times a power of ten apart."""
    raw = length / TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    number = math.ceil(begun / step)
    while number * step <= begun + length * 0.98:
        value = number * step
        text = f"{value:.6g} s" if length >= 1 else f"{1000 * value:.6g} ms"
        yield Tick(100 * (value - begun) / length, text)
        number += 1
