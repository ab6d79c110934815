"""Prices, costs and the model table: what holds for every price, beyond single invoices."""

from __future__ import annotations

import copy
import datetime as dt
import json
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.core.price import tidy
from cascade.core.pricing import (
    Cost,
    ModelTable,
    Price,
    Rates,
    cost_of,
    is_regional,
    model_table,
    plain,
)
from cascade.core.usage import Usage
from cascade.errors import ConfigError

TABLE = model_table()
PRICED = [info.price for info in TABLE.models.values() if info.price]
RAW = json.loads(files("cascade.data").joinpath("models.json").read_text(encoding="utf-8"))

amounts = st.decimals(0, 1_000, places=6).map(abs)
rates = st.builds(Rates, amounts, amounts, st.none() | amounts, st.none() | amounts)
counts = st.integers(0, 2_000_000)
buckets = st.tuples(counts, counts, counts, counts)
table_prices = st.sampled_from(PRICED)
tiers = st.sampled_from(["default", "flex", "priority", "fast", None])


@st.composite
def prices(draw):
    long = draw(st.booleans())
    tiers = {name: draw(st.none() | rates) for name in ("batch", "flex", "priority")}
    if long:
        tiers |= {f"{name}_long": draw(st.none() | rates) for name in ("batch", "flex", "priority")}
        tiers |= {"standard_long": draw(rates), "long_context_over": draw(counts)}
    factor = draw(st.none() | st.decimals("1", "2", places=2))
    return Price("any@2026-11-22", draw(rates), **tiers, regional_multiplier=factor)


def usage_of(uncached, cached, written, output):
    return Usage(uncached + cached + written, output, cached, written)


def bill(parts, price, **how):
    return cost_of(usage_of(*parts), price, service_tier="default", **how).usd


# --- costs ------------------------------------------------------------------------------------


@given(buckets, prices(), tiers, st.booleans(), st.booleans())
def test_a_cost_is_an_exact_decimal_or_unknown(parts, price, tier, batch, regional):
    """Whatever the price, a cost is a finite decimal from 0 up in plain digits, or no number."""
    cost = cost_of(usage_of(*parts), price, service_tier=tier, batch=batch, regional=regional)
    assert cost.price_id == price.id
    if cost.usd is None:
        assert cost.basis == "unknown"
        assert cost.notes
        return
    assert type(cost.usd) is Decimal
    assert cost.usd.is_finite()
    assert not cost.usd.is_signed()
    assert cost.usd.as_tuple().exponent <= 0
    assert Decimal(plain(cost.usd)) == cost.usd
    assert "E" not in plain(cost.usd)


@given(buckets, rates, st.decimals("1", "2", places=3))
def test_no_cent_is_rounded(parts, each, factor):
    """The cost equals tokens times rates in rational arithmetic."""
    price = Price("any", each, regional_multiplier=factor)
    cached = each.input if each.cached_input is None else each.cached_input
    write = each.input if each.cache_write is None else each.cache_write
    expected = sum(
        Fraction(count) * Fraction(rate) / 10**6
        for count, rate in zip(parts, (each.input, cached, write, each.output), strict=True)
    )
    assert Fraction(bill(parts, price)) == expected
    assert Fraction(bill(parts, price, regional=True)) == expected * Fraction(factor)


@given(buckets, rates)
def test_cost_is_additive_over_buckets(parts, each):
    """Without a long-request price, each bucket costs the same alone as in company."""
    price = Price("any", each)
    alone = [
        bill(tuple(count if i == j else 0 for j in range(4)), price)
        for i, count in enumerate(parts)
    ]
    assert bill(parts, price) == sum(alone)


@given(buckets, st.integers(0, 3), counts, table_prices, st.sampled_from(["default", "flex"]))
def test_more_tokens_never_cost_less(parts, bucket, more, price, tier):
    """With the shipped prices, tokens added to any bucket never lower the bill."""
    grown = tuple(count + more * (i == bucket) for i, count in enumerate(parts))
    before = cost_of(usage_of(*parts), price, service_tier=tier).usd
    after = cost_of(usage_of(*grown), price, service_tier=tier).usd
    assert (before is None and after is None) or before <= after


@given(buckets, table_prices)
def test_batch_never_costs_more(parts, price):
    """A batch costs at most the standard price, wherever its rates are published."""
    cost = cost_of(usage_of(*parts), price, service_tier="default", batch=True)
    if cost.basis == "exact":
        assert cost.usd <= bill(parts, price)


@given(buckets, table_prices)
def test_a_regional_host_never_costs_less(parts, price):
    """The regional price is the other one, times the multiplier or unchanged."""
    factor = price.regional_multiplier or 1
    assert bill(parts, price, regional=True) == bill(parts, price) * factor


@given(buckets, tiers, st.booleans())
def test_own_servers_are_free_in_every_tier(parts, tier, batch):
    """A free price makes every known bill 0, written as `0`."""
    batch = batch and tier in {"default", None}
    cost = cost_of(usage_of(*parts), Price.free(), service_tier=tier, batch=batch, regional=True)
    assert (cost.basis, plain(cost.usd), str(cost.usd)) == ("exact", "0", "0")


def test_what_is_missing_is_named():
    """Without usage or price the cost is unknown and its notes say which is missing."""
    usage, price = Usage(1, 1), Price.free()
    assert cost_of(None, None).notes == ("usage not reported", "price not known")
    assert cost_of(None, price).usd == 0, "free whatever was used"
    assert cost_of(usage, None) == Cost(None, "unknown", None, ("price not known",))


def test_a_long_request_without_a_long_price_is_unknown():
    """A tier without a long-request price is never billed at its short one."""
    each = Rates(Decimal(1), Decimal(1))
    price = Price("any", each, flex=each, standard_long=each, long_context_over=10)
    cost = cost_of(Usage(11, 0), price, service_tier="flex")
    assert cost.basis == "unknown"
    assert "over 10 input tokens" in cost.notes[0]


def test_cache_writes_without_a_tier_rate_are_an_estimate():
    """Writes billed as input, where the standard tier charges for writes, are marked as a guess."""
    plain_rates = Rates(Decimal(1), Decimal(1))
    writing = Rates(Decimal(2), Decimal(2), cache_write=Decimal("2.5"))
    cost = cost_of(Usage(10, 0, 0, 10), Price("any", writing, batch=plain_rates), batch=True)
    assert (cost.basis, plain(cost.usd)) == ("estimated", "0.00001")
    assert "cache-write rate" in cost.notes[0]


@pytest.mark.parametrize(
    ("usd", "basis"), [(None, "exact"), (Decimal(1), "unknown"), (0.5, "exact"), (1, "estimated")]
)
def test_a_cost_cannot_contradict_itself(usd, basis):
    """An amount without a basis, a basis without an amount, or a float as money is refused."""
    with pytest.raises(ValueError, match=r"amount|Decimal"):
        Cost(usd, basis, None)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("100", "100"),
        ("1E+2", "100"),
        ("0.10", "0.1"),
        ("2E-8", "0.00000002"),
        ("0E-9", "0"),
        ("0E+9", "0"),
        ("1.000000", "1"),
    ],
)
def test_amounts_have_one_plain_form(amount, text):
    """Equal amounts are written alike, without exponent and without trailing zeros."""
    assert plain(Decimal(amount)) == text
    assert tidy(Decimal(amount)).as_tuple() == Decimal(text).as_tuple()


# --- prices -----------------------------------------------------------------------------------


@given(prices())
def test_prices_survive_json(price):
    """A price written to JSON and read back is the same price."""
    assert Price.from_dict(json.loads(json.dumps(price.to_dict()))) == price


@pytest.mark.parametrize("price", [Price.free(), Price.of("0.20", 1), *PRICED], ids=lambda p: p.id)
def test_real_prices_survive_json(price):
    """Every shipped price, a flat price and the free one come back from JSON unchanged."""
    assert Price.from_dict(json.loads(json.dumps(price.to_dict()))) == price


def test_a_flat_price_takes_exact_numbers():
    """Strings, whole numbers and decimals say the same price; its id can be chosen."""
    price = Price.of("0.20", 2, cached_input=Decimal("0.02"), id="mine")
    expected = Rates(Decimal("0.2"), Decimal(2), Decimal("0.02"))
    assert price == Price("mine", expected)
    assert Price.of("1", "2").id == "custom"


@pytest.mark.parametrize(
    "wrong",
    [0.2, True, None, "", "cheap", "-1", "-0", "NaN", "sNaN", "Infinity", -1, "1e9", "1e-13", b"1"],
    ids=repr,
)
def test_a_price_that_is_no_exact_amount_is_refused(wrong):
    """Floats, negatives, non-numbers and incredible values are refused with the name of the rate."""
    with pytest.raises(ConfigError, match="output"):
        Price.of("1", wrong)


def test_a_refused_float_says_what_to_pass():
    """The message for a float shows the string to pass instead."""
    with pytest.raises(ConfigError, match=r'0\.2 is no exact price; pass a string such as "0\.20"'):
        Price.of(0.2, "1")


ONE = Rates(Decimal(1), Decimal(1))


@pytest.mark.parametrize(
    "build",
    [
        lambda: Rates(1, Decimal(1)),
        lambda: Rates(Decimal(1), Decimal(1), cached_input=0.5),
        lambda: Rates(Decimal(1), None),
        lambda: Rates(Decimal(1), Decimal(-1)),
        lambda: Price("p", ONE, standard_long=ONE),
        lambda: Price("p", ONE, batch_long=ONE),
        lambda: Price("p", ONE, long_context_over=5),
        lambda: Price("p", ONE, standard_long=ONE, long_context_over=5.0),
        lambda: Price("p", ONE, standard_long=ONE, long_context_over=-5),
        lambda: Price("p", ONE, regional_multiplier=1.1),
        lambda: Price("p", ONE, regional_multiplier=Decimal(0)),
        lambda: Price.from_dict(None),
        lambda: Price.from_dict({}),
        lambda: Price.from_dict({"id": "p", "standard": "1"}),
        lambda: Price.from_dict({"id": "p", "standard": {"input": "1"}}),
        lambda: Price.from_dict({"id": "p", "standard": {"input": 1.0, "output": "1"}}),
        lambda: Price.from_dict({"id": "p", "standard": {"input": "1", "output": "1", "tax": "1"}}),
        lambda: Price.from_dict(
            {"id": "p", "standard": {"input": "1", "output": "1"}, "ultrafast": {}}
        ),
    ],
)
def test_an_impossible_price_cannot_be_built(build):
    """Floats, half-given long prices and unknown or missing names raise before money flows."""
    with pytest.raises(ConfigError):
        build()


# --- the table --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("gpt-5.4-nano", "gpt-5.4-nano"),
        ("gpt-5.4-nano-2026-03-17", "gpt-5.4-nano"),
        ("gpt-5.4-nano-2026-12-31", "gpt-5.4-nano"),
        ("gpt-5", "gpt-5"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("gpt-5.4-nano-2026-13-01", None),
        ("gpt-5.4-nano-2026-03", None),
        ("gpt-5.4-nano-2026-03-17-extra", None),
        ("gpt-5.4-nan", None),
        ("gpt-5.4-pro", None),
        ("gpt-5-codex", None),
        ("GPT-5", None),
        ("openai/gpt-5", None),
        ("gpt-5 ", None),
        ("", None),
        ("-2026-03-17", None),
        ("ft:", None),
        ("ft:unknown:acme", None),
    ],
)
def test_names_are_found_whole_or_not_at_all(asked, found):
    """A model is found by its name or a dated form of it, never by a prefix."""
    info = TABLE.find(asked)
    assert (info.model if info else None) == found


@given(st.text(), st.sampled_from(sorted(TABLE.models)))
def test_no_suffix_inherits_a_price(suffix, model):
    """A name that merely begins like a known one is another model, unless the rest is a date."""
    info = TABLE.find(model + suffix)
    assert info is None or info.model == model + suffix or len(suffix) == len("-2026-03-17")


def test_fine_tunes_have_abilities_but_no_price():
    """A fine-tuned model is known through its base, without the base's price."""
    name = "ft:gpt-4o-mini-2024-07-18:acme::9abc"
    info, base = TABLE.find(name), TABLE.find("gpt-4o-mini")
    assert (info.model, info.price) == (name, None)
    assert info.gives_logprobs(None) is base.gives_logprobs(None) is True
    assert info.context_window == base.context_window


def test_a_mistyped_name_gets_a_suggestion():
    """The nearest known name is offered, and nothing when nothing is near."""
    assert TABLE.nearest("gpt-5.4-nanno") == "gpt-5.4-nano"
    assert TABLE.nearest("GPT-5.5") == "gpt-5.5"
    assert TABLE.nearest("zzz") is None


@pytest.mark.parametrize(
    ("model", "effort", "gives", "most"),
    [
        ("gpt-5.4-nano", None, True, 5),
        ("gpt-5.4-mini", "none", True, 5),
        ("gpt-5.4", "low", False, 5),
        ("gpt-5.5", None, False, 5),
        ("gpt-5.5", "none", True, 5),
        ("gpt-5.6-luna", None, False, 5),
        ("gpt-5.6-sol", "none", True, 5),
        ("gpt-5.1", None, True, 5),
        ("gpt-5.2", "high", False, 5),
        ("gpt-5", None, False, 0),
        ("gpt-5-mini", "none", False, 0),
        ("gpt-5-nano", "minimal", False, 0),
        ("gpt-6-astra", "low", False, 0),
        ("gpt-6-luna", "none", None, 5),
        ("gpt-6.1-sol", None, None, 5),
        ("gpt-4o", None, True, 20),
        ("gpt-4.1-nano", None, True, 20),
    ],
)
def test_who_gives_logprobs(model, effort, gives, most):
    """The table says which request gets log-probabilities, and where nobody has checked."""
    info = TABLE.find(model)
    assert info.gives_logprobs(effort) is gives
    assert info.max_top_logprobs == most


def test_an_unknown_default_effort_leaves_logprobs_open():
    """Where logprobs hang on the effort and the default is not known, the answer is not known."""
    raw = copy.deepcopy(RAW)
    raw["models"][0]["default_reasoning_effort"] = None
    info = ModelTable.from_dict(raw).find(raw["models"][0]["model"])
    assert info.gives_logprobs(None) is None
    assert info.gives_logprobs("none") is True


def test_the_shipped_table_is_dated_and_read_once():
    """One table per process; prices carry its date, and shutdown dates are dates."""
    assert model_table() is TABLE
    assert TABLE.as_of == "2026-11-22"
    assert {price.id.partition("@")[2] for price in PRICED} == {TABLE.as_of}
    assert TABLE.find("gpt-5.4-nano").shutdown_date == dt.date(2027, 4, 1)
    assert TABLE.find("gpt-5.4-nano").max_input_tokens == 272_000
    assert not TABLE.find("gpt-5.4-nano").tool_search
    assert TABLE.find("gpt-5.4-mini").tool_search
    assert TABLE.find("gpt-6.1-sol").reasoning_efforts == ()
    with pytest.raises(TypeError):
        TABLE.models["gpt-9"] = None


@pytest.mark.parametrize("info", TABLE.models.values(), ids=TABLE.models)
def test_each_entry_is_coherent(info):
    """Limits fit the window, the default effort is a listed one, logprobs and their count agree."""
    assert info.max_input_tokens is None or info.max_input_tokens <= info.context_window
    assert info.max_output_tokens is None or info.max_output_tokens <= info.context_window
    assert info.default_reasoning_effort in {None, *info.reasoning_efforts}
    assert (info.max_top_logprobs == 0) == (info.logprobs == "never")
    if info.price and info.price.long_context_over is not None:
        assert info.price.long_context_over < info.max_input_tokens


@pytest.mark.parametrize("price", PRICED, ids=lambda price: price.id)
def test_published_prices_keep_their_proportions(price):
    """Batch is half of standard, long input costs twice and long output 1.5 times, to the cent."""
    standard, batch, long = price.standard, price.batch, price.standard_long
    assert (batch.input * 2, batch.output * 2) == (standard.input, standard.output)
    assert price.flex is None or price.flex == batch
    if long:
        assert (long.input, long.output) == (standard.input * 2, standard.output * Decimal("1.5"))
        assert long.cached_input == standard.cached_input * 2
    if standard.cache_write is not None:
        assert standard.cache_write == standard.input * Decimal("1.25")


def test_the_digest_follows_the_content():
    """The digest ignores the order of keys and changes with any price."""
    turned = {key: RAW[key] for key in reversed(RAW)}
    assert ModelTable.from_dict(turned).digest == TABLE.digest
    changed = copy.deepcopy(RAW)
    changed["models"][0]["prices"]["standard"]["short"]["input"] = "5.01"
    assert ModelTable.from_dict(changed).digest != TABLE.digest


def first(raw):
    return raw["models"][0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw.update(schema_version=2),
        lambda raw: raw.update(currency="EUR"),
        lambda raw: raw.update(unit="per 1,000 tokens"),
        lambda raw: raw["models"].append(first(raw)),
        lambda raw: first(raw)["snapshots"].append("gpt-5.4"),
        lambda raw: first(raw).pop("logprobs"),
        lambda raw: first(raw).update(logprobs="maybe"),
        lambda raw: first(raw).update(shutdown_date="soon"),
        lambda raw: first(raw)["prices"].update(standard=None),
        lambda raw: first(raw)["prices"]["standard"]["short"].update(input=5.0),
        lambda raw: raw["models"].append("gpt-9"),
    ],
)
def test_a_broken_table_is_refused(spoil):
    """A table in another unit, with a double or broken entry, is refused as a whole."""
    raw = copy.deepcopy(RAW)
    spoil(raw)
    with pytest.raises(ConfigError, match="table"):
        ModelTable.from_dict(raw)


@pytest.mark.parametrize(
    ("url", "regional"),
    [
        (None, False),
        ("", False),
        ("https://api.openai.com/v1", False),
        ("https://eu.api.openai.com/v1", True),
        ("https://us.api.openai.com", True),
        ("https://ae.api.openai.com/v1/", True),
        ("https://au.api.openai.com:443/v1", True),
        ("https://in.api.openai.com/v1?x=1", True),
        ("HTTPS://JP.API.OPENAI.COM/v1", True),
        ("https://user:word@eu.api.openai.com/v1", True),
        ("https://eu.api.openai.com.example.org/v1", False),
        ("https://example.org/eu.api.openai.com", False),
        ("https://example.org/?@eu.api.openai.com", False),
        ("https://fr.api.openai.com/v1", False),
        ("https://xeu.api.openai.com/v1", False),
        ("https://eu-api.openai.com/v1", False),
        ("http://localhost:8080/v1", False),
        ("http://[bad", False),
        ("eu", False),
    ],
)
def test_regional_hosts(url, regional):
    """Only OpenAI's own regional hosts count as regional, wherever their name turns up."""
    assert is_regional(url) is regional


def test_the_import_reads_nothing():
    """Importing the prices opens no table and loads no third-party package."""
    code = """
import sys
opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
import cascade.core.pricing
print([path for path in opened if path.endswith(".json")])
print([name for name in ("openai", "numpy", "sqlalchemy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]
