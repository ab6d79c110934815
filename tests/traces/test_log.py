"""Log events: stable keys, no content, silence unless somebody listens."""

import logging
from dataclasses import replace

import pytest
import structlog

from cascade import ScoreRecord
from cascade.traces.log import event_of, log_trace

KEYS = [
    "trace_id", "status", "tier", "attempts", "cost_usd", "basis", "scoring_cost_usd", "saved_usd",
    "duration_s", "tags", "parent_id", "reason",
]  # fmt: skip


@pytest.fixture
def listening(caplog):
    caplog.set_level(logging.INFO, logger="cascade")
    return caplog


@pytest.fixture
def configured():
    yield structlog
    structlog.reset_defaults()


def test_silence_by_default(trace, caplog, capsys):
    """Without a listener at level INFO nothing is logged or printed."""
    log_trace(trace)
    assert caplog.records == []
    assert capsys.readouterr() == ("", "")


def test_a_line_for_a_plain_listener(trace, listening):
    """An application that only uses the standard library gets one line of key=value pairs."""
    log_trace(trace)
    (record,) = listening.records
    assert (record.name, record.levelname) == ("cascade", "INFO")
    assert record.getMessage().startswith(
        f"event='cascade.request' trace_id='{trace.id}' status='accepted' tier='big' attempts=2 "
        "cost_usd='0.00220628' basis='exact'"
    )


def test_processors_of_the_application_apply(trace, listening, configured):
    """Where structlog is configured its processors see the event with exactly the stable keys."""
    configured.configure(
        processors=[structlog.stdlib.add_log_level, structlog.processors.JSONRenderer()],
        cache_logger_on_first_use=False,
    )
    log_trace(trace)
    import json

    event = json.loads(listening.records[0].getMessage())
    assert sorted(event) == sorted([*KEYS, "event", "level"])
    assert event["cost_usd"] == "0.00220628"


def test_keys_are_stable_and_hold_no_content(trace):
    """The keys are the documented ones, in order, and no word of the conversation is among them."""
    event = event_of(trace)
    assert list(event) == KEYS
    for word in ("parcel", "Friday", "grounded", "know"):
        assert word not in str(event)


def test_reasons_are_numbers_and_kinds(trace, failed_trace):
    """The reason says how the last attempt ended without quoting anybody."""
    last = trace.attempts[-1]

    def reason(**changes):
        return event_of(replace(trace, attempts=(replace(last, **changes),)))["reason"]

    assert event_of(trace)["reason"] == "score 0.97 >= 0.5"
    assert event_of(failed_trace)["reason"] == "not_found"
    assert reason(threshold=0.99) == "score 0.97 < 0.99"
    assert reason(score=ScoreRecord("x", "abstained", None, "secret")) == "scorer abstained"
    assert reason(score=None) == "accepted"
    assert event_of(replace(trace, attempts=()))["reason"] == "not asked"


def test_skipped_tiers_and_what_a_request_was_made_for(trace):
    """A tier that was not asked does not count as asked; tags and parent are there, scrubbed."""
    skipped = replace(trace.attempts[1], verdict="skipped", score=None, charges=())
    event = event_of(
        replace(trace, attempts=(trace.attempts[0], skipped), tags=("agent:a",), parent_id="run-1")
    )
    assert (event["attempts"], event["reason"]) == (1, "score 0.41 < 0.92")
    assert (event["tags"], event["parent_id"]) == (("agent:a",), "run-1")
    assert event_of(replace(trace, attempts=(skipped,)))["reason"] == "not asked"
    assert "sk-" not in str(event_of(replace(trace, tags=("sk-proj-abcdefghijkl",))))


def test_unknown_amounts_are_none(trace):
    """An unknown amount is `None` in the event, never 0."""
    lost = replace(trace.attempts[0].charges[0], cost_usd=None, basis="unknown")
    event = event_of(replace(trace, attempts=(replace(trace.attempts[0], charges=(lost,)),)))
    assert (event["cost_usd"], event["saved_usd"], event["basis"]) == (None, None, "unknown")
