"""Budgets: amounts, reserving, and the worst case of a call."""

from __future__ import annotations

import decimal
from decimal import Decimal

import pytest

from cascade import Budget, Capabilities, Chain, ConfigError, Price, Tier
from cascade.core.budget import estimate_usage, worst_case_usd
from cascade.core.price import Rates
from cascade.core.usage import Usage


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (0.05, ["budget 0.05", "as a string or Decimal, e.g. '0.05'"]),
        (float("nan"), ["budget nan", "as a string or Decimal"]),
        (True, ["budget True", "as a string or Decimal"]),
        ("nan", ["budget 'nan'", "not above 0"]),
        ("inf", ["budget 'inf'", "not above 0"]),
        ("0", ["budget '0'", "not above 0 US dollars"]),
        (-1, ["budget -1", "not above 0 US dollars"]),
        ("ten", ["budget 'ten'", "no amount in US dollars", "'0.05'"]),
        ([], ["budget []", "no amount in US dollars"]),
        ("1e-50", ["budget '1e-50'", "no credible amount", "40 decimals"]),
        ("1e30", ["budget '1e30'", "no credible amount"]),
    ],
)
def test_an_amount_that_is_none_is_refused(limit, words):
    """Floats, zero, negatives and nonsense are refused, with the form that works."""
    with pytest.raises(ConfigError) as caught:
        Budget(limit)
    for word in words:
        assert word in str(caught.value)


def test_what_happens_at_the_cap_is_one_of_two():
    """`on_exceeded` takes two words and names another."""
    with pytest.raises(ConfigError, match="on_exceeded='stop'; expected 'return_best' or 'raise'"):
        Budget("1", on_exceeded="stop")


@pytest.mark.parametrize("limit", ["0.05", Decimal("0.05"), 1, Decimal(1) / 3])
def test_amounts_are_kept_exactly(limit):
    """Text, whole dollars and decimals are kept to the last digit."""
    assert Budget(limit).limit_usd == Decimal(limit)
    assert Budget(limit).left_usd == Decimal(limit)


def test_budgets_are_made_of_what_callers_pass():
    """An amount makes a new budget; a budget stays itself, so that it can be shared."""
    shared = Budget("1")
    assert Budget.of(shared) is shared
    assert Budget.of(None) is None
    assert Budget.of("2").limit_usd == 2


def test_reserving_and_settling():
    """A reservation counts in full until it is replaced by what was paid; unknown keeps it."""
    budget = Budget("1")
    assert budget.reserve(Decimal("0.6"))
    assert not budget.reserve(Decimal("0.5"))
    assert budget.committed_usd == Decimal("0.6")
    budget.settle(Decimal("0.6"), Decimal("0.1"))
    assert budget.left_usd == Decimal("0.9")
    assert budget.reserve(Decimal("0.9"))
    budget.settle(Decimal("0.9"), None)
    assert budget.left_usd == 0
    assert repr(budget) == "Budget('1', committed_usd='1.0')"


def test_sums_do_not_round_in_a_coarse_context():
    """The caller's decimal context does not touch our money."""
    with decimal.localcontext(prec=3):
        budget = Budget("1000")
        for amount in ("100.01", "0.00001"):
            assert budget.reserve(Decimal(amount))
        budget.settle(Decimal("100.01"), Decimal("100.02"))
    assert budget.committed_usd == Decimal("100.02001")


# Worst cases -------------------------------------------------------------------------------------

USER = {"role": "user", "content": "x" * 57}
IMAGE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b"}}]}
TEXTS = {"role": "user", "content": [{"type": "text", "text": "hello"}]}
SIZE = len('[[{"role":"user","content":""}],{}]') + 57 + 32


def bound(payload, **settings):
    settings.setdefault("price", Price.of("1", "10"))
    tier = Tier("m", **settings)
    return worst_case_usd(Chain([tier], allow_unknown_prices=True), tier, payload)


def millionths(amount):
    return None if amount is None else amount * 1_000_000


def test_a_bound_is_bytes_in_and_the_limit_out():
    """A prompt costs at most a token a byte, an answer at most its limit."""
    payload = {"messages": [USER], "max_completion_tokens": 5}
    assert millionths(bound(payload)) == SIZE + 50


@pytest.mark.parametrize("limit", [None, 0, -7, True, "9", 1.5])
def test_a_limit_no_server_takes_is_no_limit(limit):
    """A senseless output limit never lowers the bound below the model's longest answer."""
    able = Capabilities(max_output_tokens=40)
    payload = {"messages": [USER], "max_completion_tokens": limit}
    assert millionths(bound(payload, capabilities=able)) == SIZE + 400
    assert bound(payload) is None


@pytest.mark.parametrize("limit", [10**40, 41])
def test_a_limit_beyond_the_model_is_the_models(limit):
    """An output limit above what the model can write counts as what it can write."""
    payload = {"messages": [USER], "max_tokens": limit}
    able = Capabilities(max_output_tokens=40)
    assert millionths(bound(payload, capabilities=able)) == SIZE + 400
    assert bound(payload) is not None


def test_several_answers_count_several_times():
    """A scorer's question for `n` answers is bounded by all of them; the prompt counts once."""
    payload = {"messages": [USER], "max_tokens": 5, "n": 20}
    assert millionths(bound(payload)) == SIZE + 20 * 50


def test_a_free_model_costs_nothing_at_worst():
    """A free model needs no lengths: a budget never stops it."""
    assert bound({"messages": [IMAGE]}, price=Price.free()) == 0


def test_a_prompt_never_counts_more_than_the_longest():
    """A long prompt counts at most as the model's longest input."""
    able = Capabilities(max_input_tokens=20, max_output_tokens=0)
    assert millionths(bound({"messages": [USER]}, capabilities=able)) == 20


def test_media_count_as_the_longest_prompt():
    """What has no bytes to count is bounded by the longest prompt, or not at all."""
    able = Capabilities(max_input_tokens=2000, max_output_tokens=1)
    assert millionths(bound({"messages": [IMAGE]}, capabilities=able)) == 2010
    assert bound({"messages": [IMAGE]}, capabilities=Capabilities(max_output_tokens=1)) is None
    assert millionths(bound({"messages": [TEXTS]}, capabilities=able)) < 200


def test_tools_and_schemas_are_part_of_the_prompt():
    """Tools and response formats are billed as prompt, so they are in the bound."""
    payload = {"messages": [USER], "max_tokens": 1}
    assert bound(payload | {"tools": [{"type": "function"}]}) > bound(payload)


def test_a_number_of_any_length_counts_its_digits():
    """A schema's integer above 64 bits is measured as any other."""
    payload, digits = {"messages": [USER], "max_tokens": 1}, 31
    short, long = (
        bound(payload | {"tools": [{"type": "function", "maximum": most}]})
        for most in (1, 10 ** (digits - 1))
    )
    assert millionths(long) - millionths(short) == digits - 1


def test_no_price_no_bound():
    """A model without price has no bound."""
    assert bound({"messages": [USER], "max_tokens": 1}, price=None) is None


def rates(amount):
    return Rates(Decimal(amount), Decimal(0))


@pytest.mark.parametrize(
    ("service_tier", "size", "dearest"),
    [
        (None, 10, 2), ("default", 10, 2), ("standard", 10, 2), ("flex", 10, 1),
        ("priority", 10, 4), ("auto", 10, 4), ("unheard-of", 10, 4),
        (None, 400, 20), ("flex", 400, 10), ("priority", 400, 40),
    ],
)  # fmt: skip
def test_the_dearest_rate_that_may_apply(service_tier, size, dearest):
    """The bound takes the asked service tier, long context, and the dearest where it is open."""
    price = Price(
        "p", rates(2), flex=rates(1), priority=rates(4), long_context_over=200,
        standard_long=rates(20), flex_long=rates(10), priority_long=rates(40),
    )  # fmt: skip
    payload = {"messages": [{"role": "user", "content": "x" * size}], "max_tokens": 1}
    payload |= {"service_tier": service_tier} if service_tier else {}
    tokens = size + SIZE - 57
    assert millionths(bound(payload, price=price)) == tokens * dearest


def test_the_regional_uplift_is_in_the_bound():
    """A price with a regional multiplier is bounded as if the host were regional."""
    base = Rates(Decimal(1), Decimal(0), cache_write=Decimal(3))
    price = Price("p", base, regional_multiplier=Decimal("1.1"))
    assert (
        millionths(bound({"messages": [USER], "max_tokens": 1}, price=price))
        == Decimal("3.3") * SIZE
    )


def test_an_estimate_is_four_bytes_a_token():
    """A stream that never reported its usage is estimated from the prompt and what came."""
    assert estimate_usage({"messages": [{"role": "user", "content": "x" * 100}]}, 7) == Usage(33, 7)
    assert estimate_usage({}, 0) == Usage(1, 0)


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"tools": [{"type": "function", "function": {"name": "f" * 400, "parameters": {}}}]},
        {"response_format": {"type": "json_object"}, "metadata": {"not": "read" * 400}},
    ],
)
def test_an_estimate_counts_what_the_bound_counts(beside):
    """Both measure the prompt alike: tools and formats are read, spaces and metadata are not."""
    payload = {"messages": [USER, TEXTS], "max_tokens": 7, **beside}
    room = 16 * 3  # of two messages, and of what stands around them
    size = int(millionths(bound(payload))) - 70 - room
    assert estimate_usage(payload, 7) == Usage(size // 4, 7)
