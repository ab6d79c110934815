"""A trace as rows of the tables."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.traces.schema import charges, rows_of, tags, traces, utc


def test_rows_are_in_the_order_of_the_columns(make_trace):
    """Every value stands in the column of its name."""
    trace = make_trace(tags=["a", "b", "a"], parent_id="run-7")
    kept = rows_of(trace)
    row = dict(zip(traces.c.keys(), kept.trace, strict=True))
    assert row.pop("id") == kept.id == trace.id
    assert row.pop("json") == kept.json
    assert row.pop("started_at") == utc(trace.started_at)
    assert row.pop("attempts") == len(trace.attempts)
    amounts = {name: row.pop(name) for name in ("cost_usd", "scoring_cost_usd", "saved_usd")}
    assert amounts == {name: format(getattr(trace, name), "f") for name in amounts}
    assert row == {name: getattr(trace, name) for name in row}
    rows = [dict(zip(charges.c.keys(), each, strict=True)) for each in kept.charges]
    for place, (charge, row) in enumerate(zip(trace.charges, rows, strict=True)):
        assert (row.pop("trace_id"), row.pop("position")) == (trace.id, place)
        cost = row.pop("cost_usd")
        assert cost == (None if charge.cost_usd is None else format(charge.cost_usd, "f"))
        tokens = {name: row.pop(name) for name in list(row) if name.endswith("_tokens")}
        assert tokens == {name: getattr(charge.usage, name, None) for name in tokens}
        assert row == {name: getattr(charge, name) for name in row}
    assert tags.c.keys() == ["trace_id", "position", "tag"]
    assert kept.tags == [(trace.id, 0, "a"), (trace.id, 1, "b")]


MOMENTS = st.datetimes(
    timezones=st.sampled_from([None, UTC]) | st.timezones(),
    min_value=datetime(2, 1, 1),  # noqa: DTZ001  with the zone it has to stay within 1 to 9999
    max_value=datetime(9998, 1, 1),  # noqa: DTZ001
)


@given(MOMENTS, st.sampled_from(["milliseconds", "microseconds", "seconds", "minutes"]))
def test_moments_as_text(moment, spec):
    """However a moment is written, it is kept in UTC and with microseconds."""
    text = moment.isoformat(timespec=spec)
    assert utc(text) == utc(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-11-22T09:30:00.125+00:00", "2026-11-22T09:30:00.125000+00:00"),
        ("2026-11-22 09:30:00.125+00:00", "2026-11-22T09:30:00.125000+00:00"),
        ("2026-11-22T09:30:00.125+01:00", "2026-11-22T08:30:00.125000+00:00"),
        ("2026-11-22", "2026-11-22T00:00:00.000000+00:00"),
        ("2026-02-30T09:30:00.125+00:00", "2026-02-30T09:30:00.125+00:00"),
        ("2026-11-22T09:30:00.125+00:00\n", "2026-11-22T09:30:00.125+00:00\n"),
        ("yesterday", "yesterday"),
    ],
)
def test_text_of_moments(given, kept):
    """Text in another form is written anew, and text that names no moment is kept as it is."""
    assert utc(given) == kept
