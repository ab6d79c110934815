"""The charges of a recording's file: a list in each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.files.arrow_columns import (
    BadCellError,
    flags_of,
    floats_of,
    money_of,
    texts_of,
)
from cascade.calibration.files.parquet_file import ParquetColumns
from cascade.calibration.files.parquet_grid import Grid
from cascade.calibration.files.parquet_header import CHARGE_TOKENS
from cascade.calibration.money import UNKNOWN
from cascade.calibration.needs import needed
from cascade.calibration.recording import Charges

__all__ = ["charges_in"]

COLUMNS: dict[str, tuple[Callable[[Any], NDArray[Any]], Any]] = {
    "purpose": (texts_of, "draft"),
    "model": (texts_of, ""),
    "service_tier": (texts_of, ""),
    "batch": (flags_of, False),
    "regional": (flags_of, False),
    **dict.fromkeys(CHARGE_TOKENS, (floats_of, np.nan)),
    "cost_usd": (money_of, UNKNOWN),
}
"""How a field is read, and what stands for one that a tool left out."""


def charges_in(columns: ParquetColumns, grid: Grid) -> Charges:
    """The charges of a file, by request, then tier, then as they stand in their list.

    Raises:
        BadCellError: a field that is none.
        RecordingError: the file is damaged.
    """
    parts = [_part(begin, chunk) for begin, chunk in columns.groups("charges")]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in (*COLUMNS, "row")}
    request, tier = grid.row[joined["row"]], grid.column[joined["row"]]
    order = np.lexsort((tier, request))
    made = {name: values[order] for name, values in joined.items()}
    return Charges(
        request=request[order],
        tier=tier[order],
        purpose=made["purpose"],
        model=made["model"],
        service_tier=made["service_tier"],
        batch=made["batch"],
        regional=made["regional"],
        tokens=np.stack([made[name] for name in CHARGE_TOKENS], axis=1),
        cost_pusd=made["cost_usd"],
    )


def _part(begin: int, column: Any) -> dict[str, NDArray[Any]]:
    """The charges of one row group as columns, with the file row of each."""
    compute, types = needed("pyarrow.compute"), needed("pyarrow").types
    kind = column.type
    if not (types.is_list(kind) or types.is_large_list(kind)) or not types.is_struct(
        kind.value_type
    ):
        raise BadCellError(-1, f"column is of type {kind}; expected a list of structs")
    entries = compute.list_flatten(column).combine_chunks()
    fields = dict(zip(kind.value_type.names, entries.flatten(), strict=True))
    made = {
        name: _texts_or(convert(fields[name]), empty)
        if name in fields
        else np.full(len(entries), empty, object if isinstance(empty, str) else type(empty))
        for name, (convert, empty) in COLUMNS.items()
    }
    made["row"] = compute.list_parent_indices(column).to_numpy() + begin
    return made


def _texts_or(values: NDArray[Any], empty: Any) -> NDArray[Any]:
    """Texts without nulls."""
    if values.dtype == object:
        values[[value is None for value in values]] = empty
    return values
