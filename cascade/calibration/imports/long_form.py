"""A recording from a table with a row per request and model, as benchmarks publish their runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.files.parquet_grid import Grid
from cascade.calibration.imports.column_names import Columns
from cascade.calibration.imports.import_prices import GivenPrices, prices_of
from cascade.calibration.imports.long_answers import AnswerColumns, TokenSource
from cascade.calibration.imports.long_recording import (
    ImportOptions,
    recording_of_answers,
    sorted_charges,
)
from cascade.calibration.imports.long_requests import RequestColumns, keys_of
from cascade.calibration.imports.tables import ENDINGS, Source, Table
from cascade.calibration.money import in_usd
from cascade.calibration.recording import RecordedTier, Recording
from cascade.core.few import few
from cascade.errors import RecordingError

__all__ = ["Names", "import_long_form"]

Names = Sequence[str] | Mapping[str, str]
"""Models, or tier names with the model of each."""

SHOWN = 12
"""Models or columns that a message lists."""


def import_long_form(
    responses: Source,
    queries: Source | None = None,
    *,
    tiers: Names | None = None,
    witnesses: Names = (),
    prices: GivenPrices | None = None,
    columns: Mapping[str, str] | None = None,
    signals: Sequence[str] | None = None,
    scale: tuple[float, float] | None = None,
    tokens: TokenSource = "recorded",
    where: Mapping[str, Any] | None = None,
) -> Recording:
    """Make a recording of answers that others have recorded.

    Columns are found by the names in `cascade.calibration.imports.column_names`; `About.source`
    says which were not used. Answers come along as texts, what was asked as requests. A row that a
    pair of request and model lacks is a gap, as is one that holds nothing of an answer; a request
    of such rows alone is left out, and counted there. An empty answer that is not right is no
    answer.

    Args:
        responses: a row per request and model: a path (Parquet, CSV, JSON lines), a table, or a
            folder with `responses` and perhaps `queries`.
        queries: a row per request, joined by its id.
        tiers: models in the order of the chain, or a mapping of tier names to models. All models
            by mean cost unless given; by mean quality where a cost is unknown.
        witnesses: further models, asked only to compare their answers.
        prices: by tier or model: a model is then priced as what it stands for, and not as the
            table says.
        columns: column names by meaning, e.g. `{"quality": "judged", "text": "answer"}`; "" for a
            column that shall not be found.
        signals: numeric columns to keep as signals, in place of those whose names say so.
        scale: worst and best grade, where quality is a grade.
        tokens: "estimate" takes a quarter of the characters where a count is missing: an estimate.
        where: only rows whose column has that value, e.g. `{"contaminated": 0}`.

    Raises:
        RecordingError: a table that cannot be read, a column that is missing, a model that is not
            in it, two rows for one pair, or a value that cannot be.
        ConfigError: a price that is none.
    """
    options = ImportOptions(prices_of(prices), signals, scale, tokens)
    answers, requests = _tables(responses, queries)
    answers, requests = _where(answers, requests, Columns(answers, requests, columns), where or {})
    models = _trimmed(answers.texts(Columns(answers, requests, columns).needed("model")))
    chosen = _tiers(models, tiers, witnesses, answers.name)
    name_of = {tier.model: tier.name for tier in chosen}
    wanted = np.array([model in name_of for model in models], bool)
    blank = wanted & AnswerColumns(answers, Columns(answers, requests, columns)).blank()
    wanted &= ~blank
    unasked = answers.keep(blank)
    answers, names = answers.keep(wanted), [name_of[model] for model in models[wanted]]
    known = Columns(answers, requests, columns)
    key = _key(answers, known, names)
    grid = _grid(answers, key, names, chosen)
    asked = RequestColumns(known, (answers, grid.first), requests, key)
    own = AnswerColumns(answers, known)
    groups = None
    if len(key) > 1 and asked.texts("group") is None:
        groups = np.array(keys_of(answers, key[:1]), object)[grid.first].tolist()
    made, costs = recording_of_answers(grid, chosen, (own, asked), groups, options)
    used = own.used | asked.used | {*key, known.needed("model"), *(where or {})}
    words = [made.about.quality, costs, *_idle_prices(options, chosen)]
    words += _unmatched(asked, requests, len(made))
    words += _left_out(keys_of(unasked, key), made.ids)
    source = _source((answers, requests), used, words)
    made = replace(made, about=replace(made.about, source=source))
    return made if tiers is not None else _by_cost(made)


# Tables ------------------------------------------------------------------------------------------


def _tables(responses: Source, queries: Source | None) -> tuple[Table, Table | None]:
    if isinstance(responses, str | Path) and Path(responses).is_dir():
        folder = Path(responses)
        responses = _in_folder(folder, "responses")
        if responses is None:
            raise RecordingError(f"{str(folder)!r} holds no responses{ENDINGS[0]} or the like")
        queries = _in_folder(folder, "queries") if queries is None else queries
    answers = Table.read(responses, "responses")
    return answers, None if queries is None else Table.read(queries, "queries")


def _in_folder(folder: Path, name: str) -> Path | None:
    paths = (folder / f"{name}{ending}" for ending in ENDINGS)
    return next((path for path in paths if path.exists()), None)


def _where(
    answers: Table, requests: Table | None, columns: Columns, where: Mapping[str, Any]
) -> tuple[Table, Table | None]:
    """The rows whose columns have the wanted values."""
    for name, value in where.items():
        if name in answers.columns:
            answers = answers.keep(_is(answers, name, value))
        elif requests is not None and name in requests.columns:
            requests = requests.keep(_is(requests, name, value))
            left = set(requests.texts(columns.id_of(requests)))
            ids = answers.texts(columns.needed("id"))
            answers = answers.keep(np.array([one in left for one in ids], bool))
        else:
            raise RecordingError(f"where (--where): there is no column {name!r} in {answers.name}")
        if not len(answers):
            raise RecordingError(f"where (--where): no row has {name} = {value!r}")
    return answers, requests


def _is(table: Table, name: str, value: Any) -> NDArray[np.bool_]:
    if table.is_numeric(name):
        try:
            return np.asarray(table.numbers(name) == float(value))
        except (TypeError, ValueError):
            return np.zeros(len(table), bool)
    return np.array([text == str(value) for text in table.texts(name)], bool)


# Rows --------------------------------------------------------------------------------------------


def _tiers(
    models: NDArray[np.object_], tiers: Names | None, witnesses: Names, where: str
) -> list[RecordedTier]:
    """The tiers and witnesses that are wanted; all models where nothing is said."""
    there = [model for model in dict.fromkeys(models) if model]
    apart = _named(witnesses)
    chosen = {m: m for m in there if m not in apart.values()} if tiers is None else _named(tiers)
    both = [*chosen.values(), *apart.values()]
    for model in both:
        if model not in there:
            near = difflib.get_close_matches(model, there, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            listed = ", ".join(map(repr, sorted(there)[:SHOWN]))
            raise RecordingError(
                f"{where}: no model {model!r}; {hint}it has {len(there)}, such as {listed}"
            )
    if not chosen or len(set(both)) < len(both):
        raise RecordingError(f"tiers {both!r}: expected one or more models, each once")
    made = [RecordedTier(name, model) for name, model in chosen.items()]
    return [*made, *(RecordedTier(name, model, "witness") for name, model in apart.items())]


def _trimmed(models: NDArray[np.object_]) -> NDArray[np.object_]:
    """Names without the spaces around them, which a table may have and nobody would write."""
    made = np.empty(len(models), object)
    made[:] = [None if model is None else model.strip() for model in models]
    return made


def _named(names: Names) -> dict[str, str]:
    return dict(names) if isinstance(names, Mapping) else {name: name for name in names}


def _key(answers: Table, columns: Columns, names: Sequence[str]) -> list[str]:
    """The columns that together are a request's id: as many as tell all rows of a tier apart."""
    key = [columns.needed("id")]
    for part in columns.parts():
        pairs = set(zip(keys_of(answers, key), names, strict=True))
        if len(pairs) == len(answers):
            break
        finer = [*key, part]
        if len(set(zip(keys_of(answers, finer), names, strict=True))) > len(pairs):
            key = finer
    return key


def _grid(
    answers: Table, key: Sequence[str], names: Sequence[str], tiers: Sequence[RecordedTier]
) -> Grid:
    ids = keys_of(answers, key)
    if "" in ids:
        raise RecordingError(
            f"{answers.name}: {key[0]!r} in {answers.place(ids.index(''))} is empty; expected "
            "the id of the request that was answered; fill it in, or leave such rows out"
        )
    try:
        return Grid(ids, names, [tier.name for tier in tiers], answers.place)
    except RecordingError as error:
        raise RecordingError(
            f"{answers.name}: {error}; or name a column that tells them apart: on the command line "
            "--column part=NAME, in Python columns={'part': ...}"
        ) from error


# The whole ---------------------------------------------------------------------------------------


def _by_cost(made: Recording) -> Recording:
    """The tiers by mean cost, or by mean quality where a cost is unknown; then the witnesses."""
    cost, quality = in_usd(made.cost_pusd), made.quality
    ladder = np.array(made.ladder)
    known = ~np.isnan(cost[:, ladder]).all(axis=0)
    worth = cost if known.all() else quality
    means = {int(i): _mean(worth[:, i]) for i in ladder}
    order = sorted(means, key=lambda i: (means[i], _mean(quality[:, i])))
    apart = [made.names[i] for i in made.witnesses]
    moved = made.with_tiers([made.names[i] for i in order], apart)
    return replace(moved, charges=sorted_charges(moved.charges))


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else -1.0


def _idle_prices(options: ImportOptions, tiers: Sequence[RecordedTier]) -> Iterator[str]:
    """Prices of no model here: of a longer list, or of a misspelt name."""
    known = {name for tier in tiers for name in (tier.name, tier.model)}
    if idle := [repr(name) for name in options.prices if name not in known]:
        yield f"prices of {few(idle)} are of no model here"


def _unmatched(asked: RequestColumns, requests: Table | None, count: int) -> Iterator[str]:
    """What of the answers' requests is not in their table: a misspelt id would go unseen."""
    if requests is not None and asked.unmatched:
        yield f"{requests.title} lacks {asked.unmatched:,} of {count:,} requests"


def _left_out(unasked: Sequence[str], ids: Iterable[str]) -> Iterator[str]:
    """Requests that no row holds an answer of, which are not in the recording."""
    if lost := len({*unasked} - {*ids, ""}):
        yield f"{lost:,} {'requests' if lost > 1 else 'request'} left out: no model answered"


def _source(tables: tuple[Table, Table | None], used: set[str], words: Sequence[str]) -> str:
    """Where the recording comes from, in words, and what was left out."""
    given = [table for table in tables if table is not None]
    names = " and ".join(table.title for table in given)
    left = dict.fromkeys(name for table in given for name in table.columns if name not in used)
    rest = f"; not used: {', '.join(left)}" if left else ""
    return f"imported from {names}; quality is {'; '.join(words)}{rest}"
