"""The recording of a table of answers, once it is known which row is which request and tier."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.charge_prices import price_many
from cascade.calibration.files.parquet_grid import Grid
from cascade.calibration.imports.long_answers import AnswerColumns, TokenSource
from cascade.calibration.imports.long_requests import RequestColumns
from cascade.calibration.money import UNKNOWN, Pico
from cascade.calibration.recording import About, Charges, RecordedTier, Recording, Tokens
from cascade.core.price import Price

__all__ = ["ImportOptions", "recording_of_answers", "sorted_charges"]

UNCOUNTED = "a token count is missing, a prompt has 0 tokens, or more are cached than it has"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What an importer was told; see `import_long_form`."""

    prices: Mapping[str, Price] = field(default_factory=dict)
    signals: Sequence[str] | None = None
    scale: tuple[float, float] | None = None
    tokens: TokenSource = "recorded"

    def price_of(self, tier: RecordedTier) -> Price | None:
        """The price given for a tier, by its name or its model."""
        return self.prices.get(tier.name) or self.prices.get(tier.model)


def recording_of_answers(
    grid: Grid,
    tiers: Sequence[RecordedTier],
    columns: tuple[AnswerColumns, RequestColumns],
    groups: Sequence[str] | None,
    options: ImportOptions,
) -> tuple[Recording, str]:
    """The recording, and in words what its quality and its costs are.

    Args:
        grid: which row is which request and tier.
        tiers: in the order of the grid's names.
        columns: of answers, a value per row, and of requests, a value per request.
        groups: of each request, where its id does not say.
        options: of the importer.
    """
    answers, requests = columns
    quality, words = answers.quality(options.scale)
    texts = answers.texts()
    spoken = np.ones(len(quality), bool) if texts is None else _spoken(texts)
    answered = spoken | (quality > 0)
    quality = np.where(answered, quality, 0.0)
    asked = requests.requests()
    tokens = answers.tokens(options.tokens, _prompts(asked)[grid.row], texts)
    cost, cost_words = _costs(grid, tiers, answers, tokens, options)
    latency = answers.latency_s()
    shape = grid.shape
    blank = np.full(shape, None, object)
    given = {
        "groups": groups if groups is not None else requests.texts("group"),
        "slices": requests.slices(),
        "splits": requests.texts("split"),
        "references": requests.texts("reference"),
    }
    recording = Recording.build(
        [_with_price(tier, options) for tier in tiers],
        grid.ids,
        quality=grid.spread(quality, np.nan),
        cost_pusd=grid.spread(cost, UNKNOWN),
        answered=grid.spread(answered, np.False_),
        usable=grid.spread(spoken, np.False_),
        weights=requests.weights(),
        requests=asked,
        latency_s=grid.spread(latency, np.nan),
        tokens=Tokens(*(grid.spread(tokens[:, i], np.nan) for i in range(tokens.shape[1]))),
        texts=blank if texts is None else grid.spread(texts, None),
        signals={n: grid.spread(v, np.nan) for n, v in answers.signals(options.signals).items()},
        charges=_charges(grid, tiers, tokens, cost),
        about=About(quality=words),
        **{n: _filled(n, v, grid.ids) for n, v in given.items() if v is not None},
    )
    return recording, cost_words


def _costs(
    grid: Grid,
    tiers: Sequence[RecordedTier],
    answers: AnswerColumns,
    tokens: NDArray[np.float64],
    options: ImportOptions,
) -> tuple[Pico, str]:
    """The cost of each row, and where it comes from."""
    recorded = answers.cost_pusd()
    found = np.full(len(tokens), UNKNOWN, np.int64) if recorded is None else recorded
    priced, unknown = 0, 0
    for place, tier in enumerate(tiers):
        price = options.price_of(tier)
        if price is not None:
            rows = grid.column == place
            found[rows] = price_many(tokens[rows], price)
            priced += 1
            unknown += int((found[rows] == UNKNOWN).sum())
    how = "estimated tokens" if options.tokens == "estimate" else "tokens"
    if priced:
        rest = "" if priced == len(tiers) else f" for {priced} of {len(tiers)} tiers"
        lacking = f", {unknown:,} unknown ({UNCOUNTED})" if unknown else ""
        return found, f"costs are {how} at the prices given{rest}{lacking}"
    if recorded is None:
        return found, "costs are unknown: give prices"
    return found, "costs are the table's"


def _charges(
    grid: Grid, tiers: Sequence[RecordedTier], tokens: NDArray[np.float64], cost: Pico
) -> Charges:
    """One exchange per row, so that it can be priced again."""
    count = len(grid.row)
    models = np.array([tier.model for tier in tiers], object)
    made = Charges(
        request=grid.row,
        tier=grid.column,
        purpose=np.full(count, "draft", object),
        model=models[grid.column],
        service_tier=np.full(count, "", object),
        batch=np.zeros(count, bool),
        regional=np.zeros(count, bool),
        tokens=tokens,
        cost_pusd=cost,
    )
    return sorted_charges(made)


def sorted_charges(charges: Charges) -> Charges:
    """The same by request and tier, as they stand in a file."""
    order = np.lexsort((charges.tier, charges.request))
    return Charges(**{spec.name: getattr(charges, spec.name)[order] for spec in fields(charges)})


def _with_price(tier: RecordedTier, options: ImportOptions) -> RecordedTier:
    price = options.price_of(tier)
    if price is None:
        return tier
    return RecordedTier(tier.name, tier.model, tier.role, price=price.to_dict())


def _spoken(texts: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.array([text is not None and bool(text.strip()) for text in texts], bool)


def _prompts(requests: NDArray[np.object_]) -> NDArray[np.object_]:
    """What was asked as text, to measure its length."""
    made = np.full(len(requests), None, object)
    for place, asked in enumerate(requests):
        if asked is not None:
            made[place] = asked if isinstance(asked, str) else json.dumps(asked)
    return made


def _filled(name: str, values: Any, ids: Sequence[str]) -> NDArray[np.object_]:
    """A column of texts without nulls; a reference may be unknown."""
    made = np.empty(len(ids), object)
    made[:] = list(values)
    if name == "groups":
        made[:] = [value or own for value, own in zip(made, ids, strict=True)]
    elif name != "references":
        made[:] = [value or "" for value in made]
    return made
