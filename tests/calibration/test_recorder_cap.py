"""A cap on what a recording costs: nothing is begun that could break it, and nothing is lost."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from recorder_help import (
    BIG,
    JUDGE,
    MIDDLE,
    SMALL,
    Parallel,
    chain,
    draft,
    labelled,
    models,
    opinion,
)

from cascade import Chain, ConfigError, Price, Tier, ask
from cascade.calibration import Recorder, record
from cascade.calibration.recorder.cap import Cap
from cascade.calibration.recorder.outlay import outlay_of
from cascade.calibration.recorder.record import IncompleteRecordingWarning
from cascade.testing import ScriptedModels

LIMITED = {"max_completion_tokens": 8}


def limited():
    """The chain with short answers, so that the worst case is near what is paid."""
    return replace(chain(), tiers=tuple(replace(t, params=LIMITED) for t in chain().tiers))


def parallel():
    script = dict.fromkeys((SMALL, MIDDLE, BIG), draft)
    return Parallel(script, scorers={BIG: lambda call: "no", JUDGE: opinion})


@pytest.mark.parametrize("cap", ["0.0003", "0.0007", "0.0011", "0.01"])
@pytest.mark.parametrize("kind", [models, parallel])
def test_no_cap_is_ever_broken(cap, kind):
    """Whatever the cap, what is paid stays below it, and what was begun is whole."""
    recorder = Recorder(limited(), labelled(12), models=kind(), max_cost=cap)
    recorder.run(concurrency=4)
    standing = recorder.standing
    assert standing.spent_usd <= Decimal(cap)
    assert standing.done == 12 or "could break the cap" in recorder.why_stopped
    if standing.done:
        assert recorder.recording().answered.sum() >= 3 * standing.done
    assert (standing.done == 12) == (cap == "0.01")


def test_a_higher_cap_goes_on_where_the_lower_one_stopped(tmp_path):
    """The cap is one on the whole recording; a run under a higher one asks for the rest alone."""
    output = tmp_path / "r.parquet"
    settings = {"output": output, "metric": f"judge:{JUDGE}:Is polite."}
    asked = []
    for cap in ("0.0115", "0.0125", "0.1"):
        spied = models()
        asked.append(spied)
        if cap == "0.1":
            found = record(limited(), labelled(9), models=spied, max_cost=cap, **settings)
        else:
            with pytest.warns(IncompleteRecordingWarning, match="could break the cap"):
                record(limited(), labelled(9), models=spied, max_cost=cap, **settings)
    whole = models()
    alike = record(limited(), labelled(9), models=whole, metric=settings["metric"])
    assert sum(len(one.calls) for one in asked) == len(whole.calls)
    assert all(one.calls for one in asked)
    assert np.array_equal(found.quality, alike.quality)
    assert found.charges.cost_pusd.sum() == alike.charges.cost_pusd.sum()


def test_a_question_that_does_not_fit_is_put_later(tmp_path):
    """What scorers ask is not known beforehand: one that was held back is asked by the next run."""

    def curious(draft):
        said = yield from ask(BIG, "x" * 4000, max_completion_tokens=8)
        return float(bool(said.text))

    tiers = (
        Tier(SMALL, scorer=curious, params=LIMITED, price=Price.of("1", "1")),
        Tier(BIG, params=LIMITED, price=Price.of("5", "5")),
    )
    built = Chain(tiers, name="support")
    told = {"scorers": {BIG: "yes"}}
    output = tmp_path / "r.parquet"
    recorder = Recorder(
        built, labelled(1), models=models_with(told), max_cost="0.01", output=output
    )
    recorder.run()
    assert recorder.remaining == ["q0"]
    assert recorder.recording().score_kind[0, 0] == 3
    recorder.close()
    again = Recorder(built, labelled(1), models=models_with(told), max_cost="0.1", output=output)
    again.run()
    assert not again.remaining
    assert again.recording().score[0, 0] == 1
    assert (again.recording().charges.purpose == "draft").sum() == 2
    again.close()


def test_a_question_without_a_bound_stops_the_recording():
    """Under a cap a scorer that could be answered at any length would fail on every draft."""

    def endless(draft):
        said = yield from ask(BIG, "go on")
        return float(bool(said.text))

    tiers = (
        Tier(SMALL, scorer=endless, params=LIMITED, price=Price.of("1", "1")),
        Tier(BIG, params=LIMITED, price=Price.of("5", "5")),
    )
    recorder = Recorder(Chain(tiers), labelled(9), models=models(), max_cost="1")
    recorder.run()
    assert "set max_completion_tokens in what it asks" in recorder.why_stopped
    assert len(recorder.journal.entries) == 1
    assert len(recorder.remaining) == 9


def models_with(told):
    return ScriptedModels({SMALL: draft, BIG: draft}, **told)


def test_a_cap_needs_a_bound():
    """A model whose longest answer nobody knows cannot be held to a cap: said before it is asked."""
    asked = models()
    recorder = Recorder(chain(), labelled(1), models=asked, max_cost="1")
    with pytest.raises(ConfigError, match="tier 'small': no upper bound"):
        recorder.run()
    assert not asked.calls


def test_a_cap_lets_requests_wait_for_each_other():
    """A request waits for room that another one will free; alone it must fit."""
    cap = Cap("1")
    assert cap.begin("one", Decimal("0.7")) == "begun"
    assert cap.begin("two", Decimal("0.7")) == "later"
    cap.wait(0)
    cap.end("one")
    cap.wait(20)  # nothing is under way, so there is nothing to wait for
    assert cap.begin("two", Decimal("0.7")) == "begun"
    cap.end("two")
    assert cap.begin("three", Decimal("1.1")) == "never"


def test_what_is_left_to_pay_is_foretold(tmp_path):
    """An outlay counts what is missing alone, and learns the length of answers from what is there."""
    output = tmp_path / "r.parquet"
    recorder = Recorder(limited(), labelled(10), models=models(), output=output, max_cost="0.0011")
    before = outlay_of(recorder)
    assert (before.requests, before.calls) == (10, 30)
    assert before.least_usd < before.expected_usd < before.most_usd
    recorder.run()
    left, standing = outlay_of(recorder), recorder.standing
    assert left.requests == 10 - standing.done
    assert left.calls == 3 * left.requests
    each = before.expected_usd / 10
    assert left.expected_usd / left.requests < each  # answers of one token instead of eight
    assert any("may ask comes on top" in note for note in left.notes)
    recorder.close()


def test_notes_say_what_is_not_counted():
    """Scorers and judges that may ask models are named; agreement asks nobody."""
    listed = labelled(1)
    plain = outlay_of(Recorder(limited(), listed, models=models())).notes
    assert [note for note in plain if "'asks' of tier 'small'" in note]
    assert not [note for note in plain if "metric" in note]
    judged = Recorder(limited(), listed, models=models(), metric=f"judge:{JUDGE}:Is polite.")
    assert [note for note in outlay_of(judged).notes if "what the metric 'judge:" in note]
    unlabelled = Recorder(limited(), [replace(listed[0], reference=None)], models=models())
    notes = outlay_of(unlabelled).notes
    assert [
        note for note in notes if "agreement with 'big', which is asked 1 of them twice" in note
    ]
    assert not [note for note in notes if "metric" in note]
