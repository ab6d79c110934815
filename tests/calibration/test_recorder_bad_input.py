"""Recording what is odd: each case has an outcome that says what is wrong and what remains."""

import numpy as np
import pytest
from recorder_help import BIG, MIDDLE, SMALL, chain, examples, labelled, models

from cascade import Chain, ConfigError, Price, RecordingError, Tier
from cascade.calibration import Example, Recorder, gaps, record
from cascade.calibration.recorder.outlay import outlay_of
from cascade.calibration.recorder.record import IncompleteRecordingWarning
from cascade.testing import failure

CHEAP = Price.of("1", "1")


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ([], "there is no example to record"),
        ([*examples(2), *examples(1)], "two examples have the id 'q0'"),
        (["what is 1?"], "expected an Example"),
        ([Example("a", {"messages": [{"role": "user", "content": "x"}], "n": 3})], "'a': n=3"),
    ],
)
def test_examples_that_cannot_be_recorded(listed, words):
    """Refused before anything is asked, by name."""
    asked = models()
    with pytest.raises((RecordingError, ValueError), match=words):
        record(chain(), listed, models=asked)
    assert not asked.calls


def test_one_tier_alone_is_recorded():
    """Its cost and quality can be told; that there is nothing to choose between is said."""
    built = Chain((Tier(BIG, price=CHEAP),))
    recorder = Recorder(built, labelled(2), models=models())
    assert any("is the only tier" in note for note in outlay_of(recorder).notes)
    recorder.run()
    assert recorder.recording().quality.tolist() == [[1], [1]]


def test_a_tier_that_never_answers():
    """It is in the recording with its failures, worth 0; others are not held up by it."""
    down = {MIDDLE: failure("malformed", "an HTML page")}
    found = record(chain(), labelled(3), models=models(**down))
    assert found.answered.sum(axis=0).tolist() == [3, 0, 3]
    assert found.quality[:, 1].tolist() == [0, 0, 0]
    assert not gaps(found).any()


def test_rows_without_a_reference_are_not_graded():
    """Their quality is unknown; the count is told beforehand."""
    mixed = [*labelled(2), Example("x", "what is 7?")]
    recorder = Recorder(chain(), mixed, models=models())
    assert any("1 of 3 examples have no reference" in n for n in outlay_of(recorder).notes)
    recorder.run()
    assert not recorder.remaining
    found = recorder.recording()
    assert np.isnan(found.quality[2]).all()
    assert not np.isnan(found.quality[:2]).any()


def test_a_metric_that_raises_leaves_quality_unknown():
    """Nothing paid is lost by it, and it is asked again by nobody."""

    def broken(answer, reference):
        raise KeyError(reference)

    recorder = Recorder(chain(), labelled(2), models=models(), metric=broken)
    recorder.run()
    found = recorder.recording()
    assert np.isnan(found.quality).all()
    assert found.answered.all()
    assert not recorder.remaining
    record_ = recorder.journal.entries["q0"].graded.attempts[0].score
    assert (record_.kind, record_.reason) == ("failed", "KeyError: '0'")


def test_a_top_tier_that_gives_no_answer_is_no_measure():
    """Without references and without its answer nothing is known of the others."""
    refuses = {BIG: failure("invalid")}
    found = record(chain(), examples(2), models=models(**refuses))
    assert found.quality[:, 2].tolist() == [0, 0]
    assert np.isnan(found.quality[:, :2]).all()
    assert found.about.self_disagreement is None


def test_an_answer_of_another_kind_disagrees_with_the_top_tier():
    """Where the top tier says a number, no number is another answer, not an unknown one."""
    found = record(chain(), examples(1), models=models(**{SMALL: "no idea", MIDDLE: "0 apples"}))
    assert found.quality[0].tolist() == [0, 1, 1]


def test_an_account_without_credit_stops_the_recording(tmp_path):
    """Nothing further is begun; what was paid is kept, and the next run goes on."""
    poor = {MIDDLE: failure("billing", "no credit left", status=429, code="insufficient_quota")}
    output = tmp_path / "r.parquet"
    asked = models(**poor)
    with pytest.warns(IncompleteRecordingWarning, match="the account cannot pay"):
        found = record(chain(), labelled(9), models=asked, output=output)
    assert len(found) == 1
    assert found.answered[0].tolist() == [True, False, False]
    rich = models()
    whole = record(chain(), labelled(9), models=rich, output=output)
    assert whole.answered.all()
    calls = len(asked.calls) + len(rich.calls)
    assert calls == 9 * 4 + 1  # the refused call alone is made twice


@pytest.mark.parametrize("kind", ["auth", "not_found"])
def test_a_refusal_that_all_would_meet_stops_the_recording(kind):
    """A wrong key or model name costs no more than the first request's lower tiers."""
    asked = models(**{MIDDLE: failure(kind, "no such thing")})
    with pytest.warns(IncompleteRecordingWarning, match="would be refused alike"):
        found = record(chain(), labelled(9), models=asked)
    assert len(found) == 1


def test_nothing_recorded_is_an_error():
    """A recording without a request is none."""
    recorder = Recorder(chain(), labelled(1), models=models())
    with pytest.raises(RecordingError, match="nothing was recorded"):
        recorder.finish()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"double_calls": -1}, "double_calls -1"),
        ({"double_calls": True}, "double_calls True"),
        ({"content": "some"}, "content is 'some'"),
        ({"max_cost": "0"}, "not above 0"),
        ({"max_cost": 0.5}, "pass dollars as a string"),
        ({"witnesses": "big"}, "expected a list"),
        ({"witnesses": ["no-such-model"]}, "has no price"),
        ({"witnesses": [SMALL, MIDDLE, BIG]}, "one that answers is needed"),
        ({"witnesses": [Tier(BIG, price=CHEAP)]}, "two tiers are named 'big'"),
        ({"metric": "exakt"}, "did you mean 'exact'"),
    ],
)
def test_settings_that_cannot_work(settings, words):
    """Refused when the recorder is made, before money flows."""
    with pytest.raises(ConfigError, match=words):
        Recorder(chain(), labelled(1), models=models(), **settings)


def test_ids_may_be_long():
    """Tags of traces have a longest length; ids of examples have none."""
    long = ["x" * 300 + str(i) for i in range(2)]
    listed = [Example(name, "what is 4?", reference="4") for name in long]
    found = record(chain(), listed, models=models())
    assert found.ids.tolist() == long


def test_a_model_whose_usage_is_unknown_makes_costs_unknown():
    """What a provider does not report is unknown in the recording, never 0."""
    from cascade.testing import reply

    found = record(chain(), labelled(2), models=models(**{MIDDLE: reply("0", input_tokens=None)}))
    assert (found.cost_pusd[:, 1] == -1).all()
    assert (found.cost_pusd[:, [0, 2]] > 0).all()


def test_an_error_of_the_models_themselves_is_raised():
    """A bug behind the client is no gap of the recording: it is raised, what was paid is kept."""

    def breaks(call):
        raise RuntimeError("broken client")

    recorder = Recorder(chain(), labelled(3), models=models(**{MIDDLE: breaks}))
    with pytest.raises(RuntimeError, match="broken client"):
        recorder.run()
    assert len(recorder.journal.entries) == 1
