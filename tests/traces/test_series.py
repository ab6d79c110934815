"""Requests over time, exactly."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cascade import ConfigError
from cascade.traces.series import series
from cascade.traces.stats import trace_stats

MOMENTS = [
    "2026-11-20T23:59:59.999+00:00",
    "2026-11-21T00:00:00.000+00:00",
    "2026-11-21T01:30:00.000+02:00",  # the day before in UTC
    "2026-11-23T12:00:00.000+00:00",
    "2027-01-01T00:00:00.000+00:00",
]


@pytest.fixture
def kept(store, make_trace, failed_trace):
    trace = make_trace()
    unknown = replace(trace.attempts[1].charges[0], cost_usd=None, basis="unknown")
    half = replace(
        trace, attempts=(trace.attempts[0], replace(trace.attempts[1], charges=(unknown,)))
    )
    made = [trace, half, failed_trace, replace(trace, chain="other"), trace]
    made = [
        replace(one, id=f"s{place}", started_at=moment)
        for place, (one, moment) in enumerate(zip(made, MOMENTS, strict=True))
    ]
    for one in made:
        store.save(one)
    store.flush()
    return store, made


class TestSeries:
    def test_it_agrees_with_the_statistics(self, kept):
        """Requests, costs to the digit, savings and times are those of `trace_stats`."""
        store, made = kept
        whole, stats = series(store).whole, trace_stats(made)
        assert whole.requests == stats.requests == 5
        assert whole.cost == stats.cost
        assert whole.cost.unknown == 1
        assert whole.saved == stats.saved
        assert whole.statuses == stats.statuses
        assert whole.time == stats.time
        assert whole.escalated == 4
        assert whole.escalation == 0.8
        assert dict(whole.answers) == {"": 1, "big": 4}

    def test_days_are_days_in_utc_without_gaps(self, kept):
        """Every day from the first to the last has its place, in UTC, empty or not."""
        store, _ = kept
        spans = series(store, until="2026-12-01").spans
        assert [(moment.day, span.requests) for moment, span in spans.items()] == [
            (20, 2),
            (21, 1),
            (22, 0),
            (23, 1),
        ]
        assert next(iter(spans)) == datetime(2026, 11, 20, tzinfo=UTC)

    def test_a_time_that_was_chosen_is_shown_in_full(self, store, make_trace):
        """Days of the last week before the first request, and after the last, have their places."""
        now = datetime.now(UTC)
        store.save(replace(make_trace(), started_at=(now - timedelta(days=2)).isoformat()))
        store.flush()
        spans = series(store, since="7d").spans
        assert [span.requests for span in spans.values()] == [0, 0, 0, 0, 0, 1, 0, 0]
        assert next(iter(spans)).date() == (now - timedelta(days=7)).date()
        assert len(series(store, step="hour", since="7d").spans) == 169
        assert len(series(store, since="7d", until=now).spans) == 1
        assert len(series(store, step="hour", since="9999d").spans) == 1  # too many to show

    @pytest.mark.parametrize(("step", "count"), [("hour", 986), ("day", 43), ("month", 3)])
    def test_steps(self, kept, step, count):
        """Hours, days and months."""
        store, _ = kept
        spans = series(store, step=step).spans
        assert len(spans) == count
        assert sum(span.requests for span in spans.values()) == 5

    def test_the_parts_are_the_whole(self, kept):
        """Spans, and chains, add up to the whole, to the digit."""
        store, _ = kept
        found = series(store)
        for parts in (found.spans.values(), found.chains.values()):
            assert sum(span.cost.known_usd for span in parts) == found.whole.cost.known_usd
            assert sum(span.top_tier for span in parts) == found.whole.top_tier > 0
        assert list(found.chains) == ["support", "chain", "other"] or set(found.chains) >= {
            "support",
            "other",
        }

    def test_what_is_known_of_an_unknown_cost_counts(self, kept):
        """The known calls of a trace with an unknown one are in the sum."""
        store, made = kept
        found = series(store, basis="unknown").whole.cost
        assert found.usd is None
        assert found.known_usd == made[1].known_cost_usd > 0

    def test_nothing(self, store):
        """An empty store has no spans and no sums."""
        found = series(store)
        assert found.spans == {}
        assert found.whole.cost.usd == Decimal(0)
        assert found.whole.escalation is None
        assert found.whole.time.p50_s is None

    def test_tiers_stand_in_the_order_in_which_they_are_asked(self, store, make_trace):
        """The tier that answers first stands first, whatever its name."""
        trace = make_trace()
        one = replace(trace, id="one", tier="nano", attempts=trace.attempts[:1])
        for made in (trace, one):
            store.save(made)
        store.flush()
        assert series(store).tiers == ("nano", "big")

    def test_a_step_that_is_none(self, store):
        """There are three steps."""
        with pytest.raises(ConfigError, match="hour, day, month"):
            series(store, step="week")

    def test_what_others_put_there(self, sqlite, make_trace):
        """Rows that hold what no trace would are passed over."""
        from cascade import TraceStore

        with TraceStore(sqlite.where) as store:
            for place in range(3):
                store.save(replace(make_trace(), id=f"d{place}", started_at=MOMENTS[0]))
            store.flush()
            sqlite.sql("UPDATE traces SET cost_usd = 'much' WHERE id = 'd0'")
            sqlite.sql("UPDATE traces SET started_at = 'long ago' WHERE id = 'd1'")
            found = series(store)
            assert found.whole.requests == 2
            assert len(found.spans) == 1
