"""How grading ends when something stops it, and what nobody has to be asked for."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from recorder_help import BIG, JUDGE, SMALL, Parallel, chain, draft, examples, labelled, models

from cascade import Chain, ConfigError, Endpoint, Price, Retry, Tier
from cascade.calibration import Example, Recorder, record
from cascade.calibration.recorder.continued import Continued, with_all_paid
from cascade.calibration.recorder.outlay import outlay_of
from cascade.calibration.recorder.quality.grading import answer_in
from cascade.calibration.recorder.record import IncompleteRecordingWarning
from cascade.testing import ScriptedModels, failure, reply

RUBRIC = f"judge:{JUDGE}:Is polite."
CHEAP = Price.of("1", "1")


def test_a_judge_that_is_left_is_booked(tmp_path):
    """A grading under way when the program leaves is written down once, its call as unknown."""
    asked, goes_on = threading.Event(), threading.Event()

    def slow(call):
        asked.set()
        goes_on.wait(20)
        return '{"c1": "yes"}'

    two = (Tier(SMALL, price=CHEAP), Tier(BIG, price=CHEAP))
    made = Parallel({SMALL: draft, BIG: draft}, scorers={JUDGE: slow})
    output = tmp_path / "r.parquet"
    recorder = Recorder(Chain(two), labelled(2), models=made, metric=RUBRIC, output=output)

    def leave():
        asked.wait(20)
        recorder.stop(0.05)

    threading.Thread(target=leave, daemon=True).start()
    recorder.run(concurrency=1)
    graded = recorder.journal.entries["q0"].graded
    assert graded.status == "cancelled"
    assert [charge.cost_usd for charge in graded.charges] == [None]
    written = (tmp_path / "r.parquet.journal").read_bytes()
    goes_on.set()
    deadline = threading.Event()
    deadline.wait(0.2)
    assert (tmp_path / "r.parquet.journal").read_bytes() == written
    assert len([call for call in made.calls if call.purpose == "scorer"]) == 1
    recorder.close()
    again = ScriptedModels({SMALL: draft, BIG: draft}, scorers={JUDGE: '{"c1": "yes"}'})
    found = record(Chain(two), labelled(2), models=again, metric=RUBRIC, output=output)
    assert (found.quality == 1).all()
    drafts = [call for call in [*made.calls, *again.calls] if call.purpose == "draft"]
    assert len(drafts) == 4


def test_a_judge_whose_account_is_empty_stops_the_recording(tmp_path):
    """Answers are kept, nothing further is begun, and the next run grades what is there."""
    poor = ScriptedModels(
        {SMALL: draft, BIG: draft},
        scorers={JUDGE: failure("billing", "no credit left", code="insufficient_quota")},
    )
    two = Chain((Tier(SMALL, price=CHEAP), Tier(BIG, price=CHEAP)))
    output = tmp_path / "r.parquet"
    with pytest.warns(IncompleteRecordingWarning, match="stopped while grading: billing"):
        found = record(two, labelled(5), models=poor, metric=RUBRIC, output=output)
    assert len(found) == 1
    assert np.isnan(found.quality).all()
    rich = ScriptedModels({SMALL: draft, BIG: draft}, scorers={JUDGE: '{"c1": "no"}'})
    found = record(two, labelled(5), models=rich, metric=RUBRIC, output=output)
    assert (found.quality == 0).all()
    assert sum(call.purpose == "draft" for call in [*poor.calls, *rich.calls]) == 10


def test_a_top_answer_that_is_cut_off_is_no_measure():
    """What was cut off, refused or is empty says nothing about the answers below."""
    script = {BIG: [reply("0", finish_reason="length"), reply(None, refusal="No"), "2"]}
    found = record(chain(), examples(3), models=models(**script), double_calls=0)
    assert np.isnan(found.quality[:2]).all()
    assert found.quality[2].tolist() == [1, 1, 1]


def test_without_a_key_nothing_begins():
    """A tier that cannot be asked is told before anything is paid, and again by a dry run."""
    recorder = Recorder(Chain((Tier("gpt-5.4-nano"), Tier("gpt-5.5"))), labelled(1))
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        recorder.check_clients()
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        recorder.run()
    assert not recorder.journal.entries


@pytest.mark.loopback
def test_the_ordinary_client_is_used_and_closed():
    """Without models of its own a recording asks the tiers' endpoints; a dead one is a gap."""
    nowhere = Tier(
        "local", client=Endpoint("http://127.0.0.1:9/v1"), price=Price.free(), retry=once()
    )
    with pytest.warns(IncompleteRecordingWarning, match="1 of 1"):
        found = record(Chain((nowhere,)), [Example("1", "hello", reference="x")])
    assert not found.answered.any()
    assert found.quality.tolist() == [[0]]


def once():
    return Retry(max_tries=1)


def test_models_that_stream_are_passed_through():
    """A recording asks for whole answers; what stands in for the models streams all the same."""
    made = models()
    assert Continued(made, {}, lambda: 0.0).in_order
    calls = []
    made.stream = calls.append
    Continued(made, {}, lambda: 0.0).stream("call")
    assert calls == ["call"]


def test_a_trace_keeps_what_it_continues():
    """Charges of a tier that was not reached again, and of tries that were not repeated, stay."""
    recorder = Recorder(chain(), labelled(1), models=models())
    recorder.run()
    trace = recorder.journal.entries["q0"].trace
    assert with_all_paid(trace, None) is trace
    assert with_all_paid(trace, trace) == trace
    short = replace(trace, attempts=trace.attempts[:1])
    assert with_all_paid(short, trace) == trace
    bare = replace(trace.attempts[0], charges=trace.attempts[0].charges[:1])
    partly = replace(trace, attempts=(bare, *trace.attempts[1:]))
    whole = with_all_paid(partly, trace)
    assert whole.known_cost_usd == trace.known_cost_usd


def test_an_unknown_price_is_told_beforehand():
    """A chain that allows it is recorded; its costs are unknown, and so is what it will cost."""
    built = Chain(
        (Tier("own", scorer=lambda _: 1), Tier(BIG, price=CHEAP)), allow_unknown_prices=True
    )
    recorder = Recorder(built, labelled(1), models=ScriptedModels({"own": "0", BIG: "0"}))
    outlay = outlay_of(recorder)
    assert "tier 'own' has no price: its cost will be unknown" in outlay.notes
    assert (outlay.least_usd, outlay.expected_usd, outlay.most_usd) == (None, None, None)
    recorder.run()
    assert recorder.recording().cost_pusd[0].tolist()[0] == -1
    assert recorder.standing.unknown_costs == 1


def test_answers_that_cannot_be_read_again_are_not_graded():
    """A reply that is none any more, such as one that was scrubbed, is passed over."""
    recorder = Recorder(chain(), labelled(1), models=models())
    recorder.run()
    attempt = recorder.journal.entries["q0"].trace.attempts[2]
    broken = replace(attempt.charges[0], reply={"choices": "none"})
    assert answer_in(replace(attempt, charges=(broken,))) is None
    assert answer_in(replace(attempt, charges=(broken, *attempt.charges))).text == "0"


def test_a_stop_ends_the_wait_for_room():
    """A recording that waits for its cap can be stopped, and begins nothing more."""
    begun, goes_on = threading.Event(), threading.Event()

    def slow(call):
        begun.set()
        goes_on.wait(20)
        return "0"

    limited = {"max_completion_tokens": 8}
    two = tuple(Tier(name, price=CHEAP, params=limited) for name in (SMALL, BIG))
    made = Parallel({SMALL: slow, BIG: slow})
    recorder = Recorder(Chain(two), labelled(3), models=made, max_cost="0.0003")

    def stop():
        begun.wait(20)
        recorder.stop()
        goes_on.set()

    threading.Thread(target=stop, daemon=True).start()
    recorder.run(concurrency=3)
    assert len(recorder.journal.entries) == 1
    assert recorder.standing.done == 1
    assert not recorder.why_stopped
