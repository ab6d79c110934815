"""One row of a recording from one trace, and the arrays that many rows become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cascade.calibration.files.datasets import Example
from cascade.calibration.imports.trace_cells import Cell, cell_of, counts_of
from cascade.calibration.money import UNKNOWN, pico_of
from cascade.calibration.recording import About, Charges, RecordedTier, Recording, Tokens
from cascade.core.trace import Attempt, Charge, Trace
from cascade.errors import RecordingError

__all__ = ["TracedRow", "TracedTier", "recording_of", "row_of"]

COLUMNS: Mapping[str, tuple[Any, Any]] = {
    "answered": (bool, False),
    "usable": (bool, False),
    "cost_pusd": (np.int64, UNKNOWN),
    "score": (float, np.nan),
    "score_kind": (np.int8, 0),
    "score_cost_pusd": (np.int64, 0),
    "latency_s": (float, np.nan),
    "text": (object, None),
    "reply": (object, None),
}
"""Type of a cell's column, and what stands in it where a tier was not asked."""

CHARGE_COLUMNS: Mapping[str, Any] = {
    "request": np.int64,
    "tier": np.int64,
    "purpose": object,
    "model": object,
    "service_tier": object,
    "batch": bool,
    "regional": bool,
    "tokens": float,
    "cost_pusd": np.int64,
}


@dataclass(frozen=True, slots=True)
class TracedTier:
    """A tier's turn in one trace; no `cell` where it was passed over.

    Attributes:
        charges: of the turn, each in the order of `Charges` from `purpose` on.
    """

    model: str
    scorer: str
    threshold: float | None
    cell: Cell | None
    charges: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class TracedRow:
    """One request; the trace itself is let go, because it holds everything twice."""

    example: Example
    request: Any
    tiers: Mapping[str, TracedTier]
    trace_id: str
    chain: str
    chain_digest: str
    price_table: str
    started_at: str
    content: Any


def row_of(trace: Trace, example: Example) -> TracedRow:
    """The row that a trace gives.

    Args:
        trace: of the request.
        example: what else is known of it.

    Raises:
        RecordingError: an amount that a recording cannot hold.
    """
    try:
        tiers = {item.tier: _turn(item, trace) for item in trace.attempts}
    except ValueError as error:
        raise RecordingError(f"trace {trace.id}: {error}; a recording cannot hold it") from error
    return TracedRow(
        example=example,
        request=trace.request if trace.content == "full" else None,
        tiers=tiers,
        trace_id=trace.id,
        chain=trace.chain,
        chain_digest=trace.chain_digest,
        price_table=trace.price_table,
        started_at=trace.started_at,
        content=trace.content,
    )


def recording_of(
    rows: Sequence[TracedRow], tiers: Sequence[RecordedTier], about: About
) -> Recording:
    """The recording of some rows.

    Args:
        rows: in their order.
        tiers: in theirs; every turn of a row is one of them.
        about: where it comes from.
    """
    place = {tier.name: j for j, tier in enumerate(tiers)}
    n, k = len(rows), len(tiers)
    columns = {name: np.full((n, k), empty, kind) for name, (kind, empty) in COLUMNS.items()}
    tokens = np.full((5, n, k), np.nan)
    quality = np.full((n, k), np.nan)
    for i, row in enumerate(rows):
        for name, turn in row.tiers.items():
            if turn.cell is None:
                continue
            j = place[name]
            for column, values in columns.items():
                values[i, j] = getattr(turn.cell, column)
            tokens[:, i, j] = turn.cell.tokens
            if not turn.cell.answered:
                quality[i, j] = 0.0  # no answer is worth nothing, whatever was right
    examples = [row.example for row in rows]
    return Recording.build(
        tiers,
        [example.id for example in examples],
        quality=quality,
        cost_pusd=columns.pop("cost_pusd"),
        groups=_objects([example.group for example in examples]),
        slices=_objects([example.slice for example in examples]),
        splits=_objects([example.split for example in examples]),
        weights=np.array([example.weight for example in examples], float),
        references=_objects([example.reference for example in examples]),
        requests=_objects([row.request for row in rows]),
        texts=columns.pop("text"),
        replies=columns.pop("reply"),
        tokens=Tokens(*tokens),
        charges=_charges(rows, place),
        about=about,
        **columns,
    )


def _turn(attempt: Attempt, trace: Trace) -> TracedTier:
    cell = cell_of(attempt, keep_texts=trace.content == "full")
    return TracedTier(
        model=attempt.model,
        scorer=attempt.score.scorer if attempt.score is not None else "",
        threshold=attempt.threshold,
        cell=cell,
        charges=[_charge(charge) for charge in attempt.charges if charge.made],
    )


def _charge(charge: Charge) -> tuple[Any, ...]:
    return (
        charge.purpose,
        charge.model,
        charge.service_tier or "",
        charge.batch,
        charge.regional,
        counts_of(charge.usage),
        pico_of(charge.cost_usd),
    )


def _charges(rows: Sequence[TracedRow], place: Mapping[str, int]) -> Charges:
    listed = [
        (i, place[name], *charge)
        for i, row in enumerate(rows)
        for name, turn in row.tiers.items()
        for charge in turn.charges
    ]
    if not listed:
        return Charges.none()
    listed.sort(key=lambda charge: charge[:2])
    columns = zip(CHARGE_COLUMNS.items(), zip(*listed, strict=True), strict=True)
    return Charges(**{name: _array(values, kind) for (name, kind), values in columns})


def _array(values: Sequence[Any], kind: Any) -> Any:
    return _objects(values) if kind is object else np.array(values, kind)


def _objects(values: Sequence[Any]) -> Any:
    made = np.empty(len(values), object)
    made[:] = list(values)
    return made
