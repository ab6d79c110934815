"""Filters that cannot be meant are refused: they would find nothing, in silence."""

from datetime import UTC, date, datetime, timedelta

import pytest

from cascade import ConfigError, TraceStore
from cascade.traces.filters import checked


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"status": "acepted"}, "status 'acepted' is no status; did you mean 'accepted'"),
        ({"status": "zzz"}, "expected one of accepted"),
        ({"since": "yesterday"}, "since 'yesterday' is no moment"),
        ({"until": 5}, "until 5 is no moment"),
        ({"since": "999999w"}, "is no moment"),
        ({"tag": ["a"]}, "tag ['a'] is no text"),
        ({"tier": 3}, "tier 3 is no text"),
        ({"parent": 3}, "parent 3 is no id"),
        ({"parent": [3]}, "is no id"),
    ],
)
def test_a_filter_that_is_none(tmp_path, filters, words):
    """Every way of reading refuses it at once, before the first trace is asked for."""
    with TraceStore(tmp_path / "t.sqlite3") as store:
        for ask in (store.list, store.iter_traces, store.count):
            with pytest.raises(ConfigError) as caught:
                ask(**filters)
            assert words in str(caught.value)


def test_limits_and_orders(tmp_path):
    """A limit is a number or None, an order one of three."""
    with TraceStore(tmp_path / "t.sqlite3") as store:
        for limit in (-1, "5", 2.5):
            with pytest.raises(ConfigError, match="expected a number of traces"):
                store.list(limit)
        with pytest.raises(ConfigError, match="expected one of time, cost, duration"):
            store.list(sort="price")
        assert (store.list(None), store.list(0)) == ([], [])


def test_moments():
    """A moment is a date, a datetime, ISO 8601 text or so long ago."""
    day = datetime(2026, 11, 22, tzinfo=UTC)
    assert checked({"since": date(2026, 11, 22)})["since"] == day
    assert checked({"since": day})["since"] == day
    assert checked({"since": "2026-11-22T00:00Z"})["since"] == day
    ago = datetime.now(UTC) - checked({"since": "7d"})["since"]
    assert abs(ago - timedelta(days=7)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"min_cost_usd": "much"}, "min_cost_usd 'much' is no amount"),
        ({"max_cost_usd": 0.1}, "max_cost_usd 0.1 is no amount"),
        ({"max_cost_usd": "NaN"}, "no amount"),
        ({"max_cost_usd": "1e999999"}, "no amount"),
        ({"min_duration_s": "2"}, "min_duration_s '2': expected a number of seconds"),
        ({"max_duration_s": float("nan")}, "expected a number of seconds"),
        ({"basis": "sure"}, "basis 'sure' is no basis; expected one of exact"),
        ({"basis": "exakt"}, "did you mean 'exact'"),
        ({"escalated": "yes"}, "escalated 'yes': expected True or False"),
        ({"tags": "one"}, "tags 'one': expected several tags"),
    ],
)
def test_a_number_or_word_that_is_none(wanted, message):
    """Filters on costs, times and tags that cannot be meant are refused before a database is asked."""
    with pytest.raises(ConfigError, match=message):
        checked(wanted)


def test_numbers_narrow_a_list(store, make_trace, failed_trace):
    """Costs, times, escalation, basis and several tags narrow a list, on any database."""
    from dataclasses import replace

    trace = make_trace(tags=["a", "b"])
    cost = trace.cost_usd
    for made in (trace, replace(failed_trace, id="failed", duration_s=9.0)):
        store.save(made)
    store.flush()

    def found(**wanted):
        return [row.id for row in store.list(**wanted)]

    assert found(min_cost_usd=cost, max_cost_usd=cost) == [trace.id]
    assert found(min_cost_usd=str(cost * 2)) == []
    assert found(max_cost_usd=str(cost / 2)) == ["failed"]
    assert found(min_duration_s=9) == ["failed"]
    assert found(max_duration_s=8.5) == [trace.id]
    assert found(escalated=True) == [trace.id]
    assert found(escalated=False) == ["failed"]
    assert found(basis="unknown") == []
    assert found(tags=["b", "a"]) == [trace.id]
    assert found(tags=["a", "c"]) == []
