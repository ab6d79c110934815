"""Pricing a recording again."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade import ConfigError, Price, RecordingError, Usage
from cascade.calibration import About, Charges, RecordedTier, Recording, Tokens, reprice
from cascade.calibration.charge_prices import price_many
from cascade.calibration.money import UNKNOWN, pico_of, usd_of
from cascade.core.price import Rates
from cascade.core.pricing import cost_of, model_table

TABLE = model_table()
PRICES = [info.price for info in TABLE.models.values() if info.price is not None]
FLAT = Price.of("0.123456", "7.5", cached_input="0.01")


@st.composite
def usages(draw):
    total_in = draw(st.one_of(st.integers(0, 300_000), st.integers(0, 2**40)))
    out = draw(st.integers(0, 2**30))
    cached = draw(st.integers(0, total_in))
    write = draw(st.integers(0, total_in - cached))
    return Usage(total_in, out, cached, write)


def row(usage):
    if usage is None:
        return [np.nan] * 5
    return [
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    ]


@given(
    st.lists(st.one_of(st.none(), usages()), min_size=1, max_size=8),
    st.sampled_from([None, Price.free(), FLAT, *PRICES]),
    st.sampled_from(["", "default", "auto", "flex", "priority", "fast", "scale", "weird"]),
    st.booleans(),
    st.booleans(),
)
def test_many_are_priced_as_one_by_one(found, price, service_tier, batch, regional):
    """Every exchange costs to the picodollar what `cost_of` says, unknown where that is unknown."""
    terms = {"service_tier": service_tier, "batch": batch, "regional": regional}
    tokens = np.array([row(usage) for usage in found], float)
    single = [pico_of(cost_of(usage, price, **terms).usd) for usage in found]
    if max(single) >= 2**63:
        with pytest.raises(RecordingError, match=r"more than .* that a recording can hold"):
            price_many(tokens, price, **terms)
    else:
        assert price_many(tokens, price, **terms).tolist() == single


def test_counts_beyond_64_bits_are_exact():
    """A total that 64 bits cannot hold half-way is computed with whole numbers all the same."""
    price = Price.of("0.000001000001", "0")
    counts = np.array([[10**13, 0, 0, 0, 0]], float)
    assert price_many(counts, price).tolist() == [10_000_010_000_000]
    with pytest.raises(RecordingError, match="finer than a picodollar"):
        price_many(np.array([[1, 0, 0, 0, 0]], float), price)


def test_an_exchange_that_no_recording_can_hold():
    """Absurd token counts are told with what they would cost, not with a number that overflows."""
    counts = np.array([[2**53, 0, 0, 0, 0], [5, 0, 0, 0, 0]], float)
    with pytest.raises(
        RecordingError, match=r"would cost \$9,007,199,254, more than the \$9,223,372"
    ):
        price_many(counts, Price.of("1", "1"))


def test_tokens_that_contradict_themselves_have_no_cost():
    """More cached tokens than tokens are an unknown cost, never a negative one."""
    assert price_many(np.array([[1, 1, 5, 0, 0]], float), FLAT).tolist() == [UNKNOWN]


# Recordings --------------------------------------------------------------------------------------

LOW, TOP = Price.of("1", "2", cached_input="0.1"), Price.of("4", "8")


def recording(**changed):
    """Two requests on two tiers; the first draft of `low` was tried twice, its scorer asks `top`."""
    rows = [  # request, tier, purpose, model, tokens, cost
        (0, 0, "draft", "low-1-2026-03-17", [np.nan] * 5, 0),
        (0, 0, "draft", "low-1-2026-03-17", [100, 10, 0, 0, 0], 120_000_000),
        (0, 0, "scorer", "top-1", [50, 1, 0, 0, 0], 208_000_000),
        (0, 1, "draft", "top-1", [100, 20, 0, 0, 0], 560_000_000),
        (1, 0, "draft", "low-1-2026-03-17", [200, 10, 100, 0, 0], 130_000_000),
        (1, 1, "draft", "top-1", [np.nan] * 5, UNKNOWN),
    ]
    columns = list(zip(*rows, strict=True))
    charges = Charges(
        np.array(columns[0]),
        np.array(columns[1]),
        np.array(columns[2], object),
        np.array(columns[3], object),
        np.array(["default"] * 6, object),
        np.zeros(6, bool),
        np.zeros(6, bool),
        np.array(columns[4], float),
        np.array(columns[5]),
    )
    tiers = [
        RecordedTier("low", "low-1", price=LOW.to_dict()),
        RecordedTier("top", "top-1", price=TOP.to_dict()),
    ]
    given = {
        "quality": [[0, 1], [1, 1]],
        "cost_pusd": [[120_000_000, 560_000_000], [130_000_000, UNKNOWN]],
        "score_cost_pusd": np.array([[208_000_000, 0], [0, 0]]),
        "charges": charges,
        **changed,
    }
    return Recording.build(tiers, ["a", "b"], **given)


def test_at_the_recorded_prices_every_cost_comes_back():
    """The same prices give the same costs: refused tries stay free, unknown stays unknown."""
    made = recording()
    again = reprice(made, prices={"low-1": LOW, "top-1": TOP})
    assert again.cost_pusd.tolist() == made.cost_pusd.tolist()
    assert again.score_cost_pusd.tolist() == made.score_cost_pusd.tolist()
    assert again.charges.cost_pusd.tolist() == made.charges.cost_pusd.tolist()
    assert reprice(made) is made


def test_another_price_reaches_drafts_scorers_and_dated_models():
    """A price by model holds for its snapshots and for questions of scorers; others stay."""
    again = reprice(recording(), prices={"top-1": Price.of("8", "16")})
    assert again.cost_pusd.tolist() == [[120_000_000, 1_120_000_000], [130_000_000, UNKNOWN]]
    assert again.score_cost_pusd.tolist() == [[416_000_000, 0], [0, 0]]
    assert again.tiers[1].price["standard"] == {"input": "8", "output": "16"}
    assert again.tiers[0].price == LOW.to_dict()
    dearer = reprice(recording(), prices={"low-1": Price.of("2", "4")})
    assert dearer.cost_pusd[:, 0].tolist() == [240_000_000, 440_000_000]


def test_batch_prices_need_a_batch_price():
    """What the list has no batch price for is unknown, never guessed."""
    halved = Price("top", TOP.standard, batch=Rates(Decimal(2), Decimal(4)))
    again = reprice(recording(), prices={"top-1": halved}, batch=True)
    assert again.cost_pusd.tolist() == [[UNKNOWN, 280_000_000], [UNKNOWN, UNKNOWN]]
    assert again.about.price_table == "given for top-1, batch"


def test_more_of_the_prompt_in_the_cache():
    """A cached share replaces the recorded one and is counted in whole tokens."""
    again = reprice(recording(), cached=1.0)
    assert again.cost_pusd[:, 0].tolist() == [30_000_000, 40_000_000]
    third = reprice(recording(), cached=0.333)
    assert third.cost_pusd[0, 0] == 33 * 100_000 + 67 * 1_000_000 + 10 * 2_000_000
    for share in (1.5, -0.1, float("nan")):
        with pytest.raises(ConfigError, match="no share of the prompt"):
            reprice(recording(), cached=share)


def test_without_charges_tokens_are_priced():
    """A recording of token counts alone is priced per draft; what scorers asked is then unknown."""
    blank = np.full((2, 2), np.nan)
    tokens = Tokens(
        np.array([[100, 100], [200, np.nan]]), np.array([[10, 20], [10, 5]]), blank, blank, blank
    )
    made = recording(charges=Charges.none(), tokens=tokens)
    again = reprice(made, prices={"low": Price.of("2", "4")})
    assert again.cost_pusd.tolist() == [[240_000_000, 560_000_000], [440_000_000, UNKNOWN]]
    assert again.score_cost_pusd.tolist() == [[UNKNOWN, 0], [0, 0]]


def test_a_free_model_that_gets_a_price_is_unknown_without_tokens():
    """Nothing paid to a free server says nothing of what a priced one would have charged."""
    tiers = [RecordedTier("low", "low-1", price=Price.free().to_dict())]
    made = Recording.build(tiers, ["a"], quality=[[1]], cost_pusd=[[0]])
    assert reprice(made, prices={"low-1": LOW}).cost_pusd.tolist() == [[UNKNOWN]]


def test_prices_for_other_models_are_refused():
    """A list that speaks of none of the recorded models is a mistake, and says so."""
    with pytest.raises(ConfigError, match=r"given for 'gpt-9'.*models are 'low-1', 'top-1'"):
        reprice(recording(), prices={"gpt-9": LOW})
    with pytest.raises(ConfigError, match="expected a Price"):
        reprice(recording(), prices={"low-1": "0.20"})


def test_the_shipped_table_prices_a_recording():
    """A model table is a whole list; a model that it lacks keeps its recorded price."""
    tiers = [RecordedTier("a", "gpt-5.4-nano"), RecordedTier("b", "own", price=LOW.to_dict())]
    tokens = Tokens(*(np.full((1, 2), value) for value in (1000.0, 10.0, 0.0, 0.0, 0.0)))
    made = Recording.build(
        tiers, ["a"], quality=[[1, 1]], cost_pusd=[[UNKNOWN, 1]], tokens=tokens, about=About()
    )
    again = reprice(made, prices=TABLE)
    nano = cost_of(Usage(1000, 10), TABLE.find("gpt-5.4-nano").price).usd
    assert usd_of(again.cost_pusd[0, 0]) == nano
    assert again.cost_pusd[0, 1] == 1_020_000_000
    assert again.about.price_table == f"{TABLE.as_of}/{TABLE.digest}"


def test_a_free_model_costs_nothing_even_without_usage():
    """Where nothing is ever charged the cost is known without any tokens."""
    assert price_many(np.full((1, 5), np.nan), Price.free()).tolist() == [0]
