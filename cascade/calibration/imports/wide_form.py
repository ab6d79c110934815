"""A recording from a table with a row per request and some columns per model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cascade.calibration.imports.column_names import ANSWERS
from cascade.calibration.imports.long_form import import_long_form
from cascade.calibration.imports.tables import Source, Table
from cascade.calibration.needs import needed
from cascade.calibration.recording import Recording
from cascade.errors import RecordingError

__all__ = ["import_wide"]

SEPARATORS = "_./:|"
"""What may stand between a model's name and what the column holds of its answer."""


def import_wide(
    table: Source,
    *,
    models: Mapping[str, str] | None = None,
    **options: Any,
) -> Recording:
    """Make a recording of a table with columns such as `mixtral_correct` and `mixtral_answer`.

    A model is found by its column of quality; its other columns begin alike. Where no column is
    called so, the quality is a column of numbers that has the model's name alone, beside others
    that begin with it, such as `mixtral|total_cost`. Columns without a model belong to the request.

    Args:
        table: as `import_long_form`'s responses.
        models: beginnings of column names, with the model that each stands for; found unless given.
        **options: as `import_long_form`'s, such as tiers, prices or where.

    Raises:
        RecordingError: no column is some model's quality, or as `import_long_form`.
    """
    wide = Table.read(table, "table")
    found = _models(wide) if models is None else dict(models)
    if not found:
        endings = ", ".join(f"<model>_{name}" for name in ANSWERS["quality"][:3])
        raise RecordingError(
            f"{wide.name}: no column is a model's quality; expected e.g. {endings}, or <model> "
            "beside <model>|total_cost. A table with a row per request and model is read without "
            "--wide, in Python by import_long_form"
        )
    return import_long_form(_long(wide, found), **options)


def _models(wide: Table) -> dict[str, str]:
    """The beginnings of columns that end as a column of quality does."""
    found = {}
    for column in wide.columns:
        for ending in ANSWERS["quality"]:
            begin = column.removesuffix(ending)
            if begin != column and len(begin) > 1 and begin[-1] in SEPARATORS:
                found[begin] = begin[:-1]
                break
    return found or _models_by_name(wide)


def _models_by_name(wide: Table) -> dict[str, str]:
    """The columns of numbers whose names begin other columns, which hold something of answers."""
    holds = {name for names in ANSWERS.values() for name in names}
    there = set(wide.columns)
    return {
        f"{column}{sign}": column
        for column in wide.columns
        for sign in SEPARATORS
        if not there.isdisjoint(f"{column}{sign}{name}" for name in holds)
        and wide.is_numeric(column)
    }


def _long(wide: Table, models: Mapping[str, str]) -> Table:
    """The same table with a row per request and model."""
    arrow = needed("pyarrow")
    own = dict(_columns_of(wide, models))
    graded = {begin for begin, field in own.values() if field in ANSWERS["quality"]}
    alone = {begin.rstrip(SEPARATORS): begin for begin in models if begin not in graded}
    own |= {name: (begin, "quality") for name, begin in alone.items() if name in wide.columns}
    shared = [column for column in wide.columns if column not in own]
    fields = dict.fromkeys(field for _, field in own.values())
    parts = []
    for begin, model in models.items():
        # A right answer beside the models' answers is the reference.
        columns = {
            "reference" if name == "answer" and name in fields else name: wide.data.column(name)
            for name in shared
        }
        columns["model"] = arrow.array(np.full(len(wide), model, object), arrow.string())
        for field in fields:
            source = next((c for c, (b, f) in own.items() if (b, f) == (begin, field)), None)
            columns[field] = arrow.nulls(len(wide)) if source is None else wide.data.column(source)
        parts.append(arrow.table(columns))
    joined = arrow.concat_tables(parts, promote_options="permissive")
    return wide.repeated(joined, len(models))


def _columns_of(wide: Table, models: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """The columns of models: each with the model's beginning and what it holds."""
    for column in wide.columns:
        begins = [begin for begin in models if column.startswith(begin) and column != begin]
        if begins:
            begin = max(begins, key=len)
            yield column, (begin, column.removeprefix(begin).lstrip(SEPARATORS))
