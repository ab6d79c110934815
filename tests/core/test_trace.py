"""Traces: sums, the JSON form, and the text form."""

from __future__ import annotations

import decimal
import io
import json
from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade import Attempt, Charge, ScoreRecord, Trace, TraceError, TraceVersionError, Usage
from cascade.core.trace_text import score_text, shorten


def charge(cost="0.1", **settings):
    basis = "unknown" if cost is None else "exact"
    values = {"call": 0, "purpose": "draft", "tier": "low", "model": "m-1", "outcome": "ok",
              "cost_usd": cost and Decimal(cost), "basis": basis, "started_s": 0.0, "latency_s": 0.5}  # fmt: skip
    return Charge(**values | settings)


def attempt(*charges, **settings):
    return Attempt(**{"tier": "low", "model": "m", "verdict": "escalated", "reason": "why"} | settings,
                   charges=charges)  # fmt: skip


def trace(*attempts, **settings):
    values = {"id": "t1", "status": "accepted", "chain": "chain", "chain_digest": "d",
              "price_table": "p", "started_at": "2026-11-22T00:00:00.000+00:00", "duration_s": 1.5,
              "tier": "low", "reason": "fine", "attempts": attempts}  # fmt: skip
    return Trace(**values | settings)


PARTS = ScoreRecord("both", "score", 0.4, "so", (
    ScoreRecord("a", "score", 0.4), ScoreRecord("b", "abstained", None, "no signal"),
))  # fmt: skip
FULL = trace(
    attempt(
        charge(usage=Usage(10, 2, 4), notes=("n",), reply={"text": "ü"}),
        charge("0.02", purpose="scorer", scorer="both", started_s=1.0),
        score=PARTS, threshold=0.5, text="an answer", tool_calls=({"id": "1"},),
    ),
    attempt(charge("0.003", tier="top", outcome="ok", started_s=2.0), tier="top", model="m"),
    request={"messages": []}, budget_usd=Decimal("1.00"), top_tier_cost_usd=Decimal("0.2"),
    top_tier="top", requested_model="gpt", metadata={"k": [1]},
)  # fmt: skip


def test_sums_of_a_trace():
    """Costs add up exactly, in whatever decimal context the caller works."""
    with decimal.localcontext(prec=1):
        assert FULL.cost_usd == Decimal("0.123")
        assert FULL.known_cost_usd == Decimal("0.123")
        assert FULL.saved_usd == Decimal("0.077")
    assert FULL.scoring_cost_usd == Decimal("0.02")
    assert FULL.cost_by_tier == {"low": Decimal("0.12"), "top": Decimal("0.003")}
    assert FULL.usage == Usage(10, 2, 4)
    assert (FULL.accepted, FULL.escalations, FULL.basis) == (True, 1, "exact")
    assert FULL.attempts[0].latency_s == 1.5
    assert [record.scorer for record in FULL.attempts[0].scores] == ["a", "b"]


def test_unknown_is_none():
    """One unknown charge makes the sum unknown; what is known is kept apart."""
    some = trace(attempt(charge(None), charge("0.5", basis="estimated")))
    assert some.cost_usd is None
    assert some.saved_usd is None
    assert some.known_cost_usd == Decimal("0.5")
    assert some.basis == "unknown"
    assert trace(attempt(charge("0.5", basis="estimated"))).basis == "estimated"


def test_a_trace_of_nothing():
    """A request that asked nobody cost exactly nothing."""
    empty = trace(attempt())
    assert (empty.cost_usd, empty.known_cost_usd, empty.basis) == (0, 0, "exact")
    assert (empty.escalations, empty.attempts[0].latency_s, empty.attempts[0].scores) == (
        0,
        0.0,
        (),
    )


@pytest.mark.parametrize("one", [FULL, trace(), trace(attempt(charge(None)))])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_trace_reads_back_from_json(one, indent):
    """JSON and back is the same trace, and amounts are decimal strings in it."""
    assert Trace.from_json(one.to_json(indent=indent)) == one
    assert Trace.from_dict(json.loads(one.to_json())) == one
    assert json.loads(one.to_json())["cost_usd"] == (
        None if one.cost_usd is None else f"{one.cost_usd:f}"
    )


def test_half_a_character_survives():
    """Text that no encoding can hold is escaped, so that a trace can always be written."""
    odd = trace(attempt(charge(), text="half \ud83d"))
    assert Trace.from_json(odd.to_json().encode()) == odd


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "this is no JSON"),
        ("[" * 100_000, "this is no JSON"),
        ("[]", "format is 'list'"),
        ("{}", "format is None"),
        ('{"format": "cascade.trace"}', "version is None"),
        ('{"format": "cascade.trace", "version": 0}', "version is 0"),
        ('{"format": "cascade.trace", "version": true}', "version is True"),
        ('{"format": "cascade.trace", "version": 1}', "damaged: KeyError"),
        ('{"format": "cascade.trace", "version": 1, "attempts": [5]}', "damaged"),
    ],
)
def test_what_is_no_trace_is_refused(text, words):
    """Other data is refused with what was found in it."""
    with pytest.raises(TraceError) as caught:
        Trace.from_json(text)
    assert words in str(caught.value)


def nested(depth):
    """A score of scores of scores."""
    score = {"scorer": "a", "kind": "score", "value": 0.5, "parts": []}
    for _ in range(depth):
        score = {**score, "parts": [score]}
    return score


DAMAGE = [
    *(("budget_usd", value) for value in ("lots", "NaN", "Infinity", "-1", "1e999999999")),
    *(("attempts", None), ("attempts", 5), ("status", "fine"), ("content", "open")),
    *((name, value) for name in ("id", "started_at") for value in (None, "", 5)),
    *(("request", []), ("metadata", "x"), ("tags", "ab"), ("tags", [1]), ("parent_id", 5)),
    *(("duration_s", "1"), ("duration_s", None), ("duration_s", float("nan"))),
    *(("verdict", "maybe"), ("threshold", "0.5"), ("threshold", 2), ("score", nested(5_000))),
    *(("score", {"scorer": "a", "kind": kind, "value": value}) for kind, value in (
        ("guess", None), ("score", 7), ("score", "x"), ("score", True),
    )),
    *(("cost_usd", value) for value in (None, "NaN", "sNaN", "Infinity", "-1", "1e99", "1e-99")),
    *(("basis", "sure"), ("basis", "unknown"), ("purpose", "fun")),
    *(("latency_s", "x"), ("latency_s", -1), ("started_s", None), ("started_s", float("nan"))),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), DAMAGE)
def test_a_damaged_trace_is_refused(key, value):
    """A value of the wrong kind, or no credible amount, is damage, and the schema is named."""
    data = json.loads(FULL.to_json())
    first = data["attempts"][0]
    places = [data, first, first["charges"][0]]
    if key in ("cost_usd", "basis"):  # at the top they are derived, and not read back
        places = places[2:]
    next(place for place in places if key in place)[key] = value
    with pytest.raises(TraceError, match=r"damaged.*trace.schema.json"):
        Trace.from_dict(data)


def test_newer_traces_are_told_apart():
    """A later version asks for an upgrade; a later minor addition is passed over."""
    data = FULL.to_dict()
    with pytest.raises(TraceVersionError, match=r"version 99.*upgrade frugal-cascade"):
        Trace.from_dict(data | {"version": 99})
    assert Trace.from_dict(data | {"brand_new": 1}) == FULL


def test_a_trace_prints_as_text():
    """The text shows status, cost, each attempt's verdict, scores and charges."""
    text = str(FULL)
    for words in (
        "accepted by low", "cost $0.123 (exact)", "saved $0.077 against top", "1. low (m): escalated",
        "a: 0.400", "b: abstained, no signal", "10 in (4 cached), 2 out = $0.1", "both asks m-1",
        "answer   an answer",
    ):  # fmt: skip
        assert words in text
    assert repr(FULL) == "<Trace t1 accepted tier='low' cost_usd=0.123>"
    failed = trace(
        attempt(charge(None, outcome="server", message="down"), tier="m"), reason="", tier=None
    )
    assert "tokens unknown = unknown (unknown) server: down" in str(failed)
    assert "1. m: escalated" in str(failed)


def test_pieces_of_the_text():
    """Long text is cut, scores stand beside their thresholds."""
    assert shorten("a\n b" + "c" * 100, 10) == "a bcccccc…"
    assert score_text(None, 0.5) == "-"
    assert score_text(PARTS, 0.5) == "0.400 < 0.5"
    assert score_text(replace(PARTS, value=0.5), 0.5) == "0.500 >= 0.5"


def test_a_trace_shows_itself_in_rich():
    """Printing a trace with rich gives a panel."""
    from rich.console import Console

    console = Console(width=100, record=True, file=io.StringIO())
    console.print(FULL)
    assert "low" in console.export_text()


# The JSON's text is a stored format: as the plain walk over the fields gives it. --------------------


def walked(value):
    """A value as JSON-ready data, field by field."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Trace | Usage | Attempt | Charge | ScoreRecord):
        return {spec.name: walked(getattr(value, spec.name)) for spec in fields(value)}
    if isinstance(value, tuple):
        return [walked(item) for item in value]
    return value


AMOUNTS = st.decimals(0, 10**6, places=12) | st.sampled_from(
    [Decimal("0E-20"), Decimal("1E-7"), Decimal("2E+3")]
)
WORDS = st.none() | st.text(max_size=5)
PLAIN = st.none() | st.dictionaries(
    st.text(max_size=5), st.floats() | st.text(max_size=5) | st.lists(st.integers())
)
USAGES = st.none() | st.builds(
    Usage,
    st.integers(9, 99),
    st.integers(9, 99),
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(0, 9),
)
CHARGES = st.builds(
    charge,
    AMOUNTS | st.none(),
    usage=USAGES,
    reply=PLAIN,
    message=WORDS,
    latency_s=st.floats(0, 9),
    purpose=st.sampled_from(["draft", "scorer"]),
    notes=st.lists(st.text(max_size=5)).map(tuple),
)
SCORES = st.recursive(
    st.builds(ScoreRecord, st.text(), st.just("score"), st.floats(0, 1), WORDS),
    lambda inner: st.builds(
        ScoreRecord,
        st.text(),
        st.just("score"),
        st.none(),
        WORDS,
        st.lists(inner, max_size=2).map(tuple),
    ),
    max_leaves=4,
)
CALLS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5)), max_size=2).map(tuple)
ATTEMPTS = st.lists(CHARGES, max_size=3).flatmap(
    lambda charges: st.builds(
        attempt, *map(st.just, charges), score=st.none() | SCORES, text=WORDS, tool_calls=CALLS
    )
)
TRACES = st.lists(ATTEMPTS, max_size=3).flatmap(
    lambda attempts: st.builds(
        trace, *map(st.just, attempts), request=PLAIN, metadata=PLAIN.filter(bool), parent_id=WORDS,
        tags=st.lists(st.text(max_size=5)).map(tuple), budget_usd=st.none() | AMOUNTS, top_tier_cost_usd=st.none() | AMOUNTS,
    )
)  # fmt: skip


@given(TRACES)
def test_the_json_form_is_the_walk_over_the_fields(made):
    """Every field in its order, amounts in digits, then what is derived, in text and in order."""
    derived = ("cost_usd", "scoring_cost_usd", "saved_usd", "basis")
    plain = {"format": "cascade.trace", "version": 1, **walked(made)}
    plain |= {name: walked(getattr(made, name)) for name in derived}
    assert json.dumps(made.to_dict()) == json.dumps(plain)


@given(TRACES)
def test_sums_are_those_of_the_charges(made):
    """However often they are asked for, by whomever first, sums are those of the charges."""
    charges = [item for one in made.attempts for item in one.charges]
    for _ in range(2):
        assert list(made.charges) == charges
        assert made.usage == sum((c.usage for c in charges if c.usage), Usage(0, 0))
        known = [c.cost_usd for c in charges if c.cost_usd is not None]
        assert made.known_cost_usd == sum(known)
        assert made.cost_usd == (sum(known) if len(known) == len(charges) else None)
    assert replace(made, attempts=()).cost_usd == 0
    assert replace(made) == made
