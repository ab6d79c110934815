"""A second opinion: our bills against those of the genai-prices package.

It reads its bundled snapshot; nothing here starts its updater, so no network is used.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import genai_prices
import pytest

from cascade.core.pricing import cost_of, model_table
from cascade.core.usage import Usage

THE_DAY = datetime.fromisoformat(model_table().as_of).replace(tzinfo=UTC)
CONTEXTS = {
    "default": {"service_tier": "default"},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast"},
}
INPUTS = {"short": 100_000, "at limit": 272_000, "over limit": 272_001, "long": 500_000}
CACHES = {"plain": (0, 0), "cached": (50_000, 0), "written": (0, 40_000), "both": (50_000, 40_000)}

OVER = ("over limit", "long")
USED = ("cached", "both")

# Who is right was decided on OpenAI's pricing pages. Model, tier: reason, inputs, caches.
SILENT = "the tier is not offered; they fall back to the standard price, we say unknown"
KEPT = "priority over the limit is billed as standard long; they keep the short priority price"
UNPUBLISHED = (
    "no cached batch rate is published; they take the standard one, we take the input rate"
)
ANCIENT = "they price this snapshot; our table has no price for it"
EXPLAINED = {
    ("gpt-5.4-nano", "priority"): (SILENT, tuple(INPUTS), tuple(CACHES)),
    ("gpt-5.4-nano", "fast"): (SILENT, tuple(INPUTS), tuple(CACHES)),
    ("gpt-5-nano", "priority"): (SILENT, tuple(INPUTS), tuple(CACHES)),
    ("gpt-5-nano", "fast"): (SILENT, tuple(INPUTS), tuple(CACHES)),
    ("gpt-4.1", "flex"): (SILENT, tuple(INPUTS), tuple(CACHES)),
    ("gpt-4.1-mini", "flex"): (SILENT, tuple(INPUTS), tuple(CACHES)),
    ("gpt-4.1-nano", "flex"): (SILENT, tuple(INPUTS), tuple(CACHES)),
    ("gpt-4o", "flex"): (SILENT, tuple(INPUTS), tuple(CACHES)),
    ("gpt-4o-mini", "flex"): (SILENT, tuple(INPUTS), tuple(CACHES)),
    ("gpt-5.5", "priority"): (KEPT, OVER, tuple(CACHES)),
    ("gpt-5.5", "fast"): (KEPT, OVER, tuple(CACHES)),
    ("gpt-5.4", "priority"): (KEPT, OVER, tuple(CACHES)),
    ("gpt-5.4", "fast"): (KEPT, OVER, tuple(CACHES)),
    ("gpt-4.1", "batch"): (UNPUBLISHED, tuple(INPUTS), USED),
    ("gpt-4.1-mini", "batch"): (UNPUBLISHED, tuple(INPUTS), USED),
    ("gpt-4.1-nano", "batch"): (UNPUBLISHED, tuple(INPUTS), USED),
    **{("gpt-4o-2024-05-13", tier): (ANCIENT, tuple(INPUTS), tuple(CACHES)) for tier in CONTEXTS},
}


def ours(model, tier, usage):
    price = model_table().find(model).price
    batch = tier == "batch"
    return cost_of(usage, price, service_tier="default" if batch else tier, batch=batch).usd


def theirs(model, tier, usage):
    """Their total; the input they take is the total, as ours."""
    counts = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    return genai_prices.calc_price(
        counts,
        model,
        provider_id="openai",
        genai_request_timestamp=THE_DAY,
        price_context=CONTEXTS[tier],
    ).total_price


@pytest.mark.parametrize("tier", CONTEXTS)
@pytest.mark.parametrize("model", model_table().models)
def test_two_price_books_agree_or_the_difference_is_explained(model, tier):
    """Every bill equals theirs but for the listed differences, and every listed one still exists."""
    different = {}
    for size, cache in product(INPUTS, CACHES):
        cached, written = CACHES[cache]
        usage = Usage(INPUTS[size], 1_234, cached, written)
        pair = ours(model, tier, usage), theirs(model, tier, usage)
        if pair[0] != pair[1]:
            different[size, cache] = pair
    _, sizes, caches = EXPLAINED.get((model, tier), ("", (), ()))
    listed = set(product(sizes, caches))
    unlisted = {case: pair for case, pair in different.items() if case not in listed}
    assert not unlisted, "ours, theirs"
    assert not listed - different.keys(), "listed, but they agree by now"


def test_every_snapshot_costs_what_its_model_costs():
    """A listed snapshot has the same price in their book as its model in ours."""
    usage = Usage(100_000, 1_234, 50_000)
    for snapshot, model in model_table().snapshots.items():
        assert theirs(snapshot, "default", usage) == ours(model, "default", usage)


def test_only_known_models_are_explained():
    """An explanation outlives no model of the table."""
    assert {model for model, _ in EXPLAINED} <= set(model_table().models)
