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
