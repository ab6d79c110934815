"""Resuming: whatever ended a recording, the same call goes on, and pays nothing twice."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from recorder_help import (
    JUDGE,
    MIDDLE,
    SMALL,
    as_parallel,
    chain,
    draft,
    examples,
    labelled,
    made,
    models,
)

from cascade import Policy, RecordingError, Tier
from cascade.calibration import Recorder, record
from cascade.calibration.recorder.record import IncompleteRecordingWarning
from cascade.core.chain import Chain
from cascade.testing import failure

RUBRIC = f"judge:{JUDGE}:Is polite."


class Killed(BaseException):
    """Ends the program at once, as a second Ctrl-C does."""


class Spied:
    """Models that do something before each call: they fail, or look around."""

    in_order = True

    def __init__(self, inner, before):
        self.inner, self.before, self.calls = inner, before, []

    def call(self, call):
        self.before(len(self.calls))
        answer = self.inner.call(call)
        self.calls.append(call)
        return answer


def recorded(path, asked, *, listed=None, metric=RUBRIC, **settings):
    listed = examples(3) if listed is None else listed
    return record(chain(), listed, models=asked, output=path, metric=metric, **settings)


def same(one, other):
    """Whether two recordings hold the same answers, grades, scores and money."""
    return (
        np.array_equal(one.quality, other.quality, equal_nan=True)
        and np.array_equal(one.score, other.score, equal_nan=True)
        and np.array_equal(one.cost_pusd, other.cost_pusd)
        and np.array_equal(one.score_cost_pusd, other.score_cost_pusd)
        and sorted(one.charges.cost_pusd) == sorted(other.charges.cost_pusd)
        and one.tiers == other.tiers
        and one.about.self_disagreement == other.about.self_disagreement
    )


def calls_of_a_whole_run(**settings):
    asked = Spied(models(), lambda _: None)
    whole = record(chain(), examples(3), models=asked, **settings)
    return whole, len(asked.calls)


WHOLE, CALLS = calls_of_a_whole_run(metric=RUBRIC)


@pytest.mark.parametrize("metric", [RUBRIC, None])
def test_a_kill_at_any_call_loses_that_call_alone(metric, tmp_path):
    """Power cut during the k-th call, for every k: only the request under way is asked again."""
    whole, calls = calls_of_a_whole_run(metric=metric)
    journal, kept = tmp_path / "r.parquet.journal", []
    recorded(
        tmp_path / "r.parquet",
        Spied(models(), lambda _: kept.append(journal.read_bytes())),
        metric=metric,
    )
    assert len(kept) == calls
    for k, what_was_written in enumerate(kept):
        journal.write_bytes(what_was_written)
        (tmp_path / "r.parquet").unlink(missing_ok=True)
        again = Spied(models(), lambda _: None)
        found = recorded(tmp_path / "r.parquet", again, metric=metric)
        assert same(found, whole), k
        done = what_was_written.count(b'"graded"')
        assert len(again.calls) <= calls - done * calls // 3


@pytest.mark.parametrize("k", range(CALLS))
def test_leaving_at_any_call_pays_nothing_twice(k, tmp_path):
    """What was answered before the program was left is never asked again, scorers and all."""

    def dies(place):
        if place == k:
            raise Killed

    first = Spied(models(), dies)
    with pytest.raises(Killed):
        recorded(tmp_path / "r.parquet", first)
    second = Spied(models(), lambda _: None)
    found = recorded(tmp_path / "r.parquet", second)
    assert max(Counter(map(made, [*first.calls, *second.calls])).values()) == 1
    assert len(first.calls) + len(second.calls) == CALLS
    assert np.array_equal(found.quality, WHOLE.quality)
    lost = found.charges.cost_pusd == -1  # the call that was cut off: nobody knows what it cost
    assert lost.sum() == 1
    assert sorted(found.charges.cost_pusd[~lost]) == sorted(WHOLE.charges.cost_pusd)


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    """A journal cut at any byte is read up to its last whole line, and written on from there."""
    journal, output = tmp_path / "r.parquet.journal", tmp_path / "r.parquet"
    recorder = Recorder(chain(), labelled(2), models=models(), output=output)
    recorder.run()
    recorder.close()
    whole = journal.read_bytes()
    for cut in range(0, len(whole), 331):
        journal.write_bytes(whole[:cut])
        again = Recorder(chain(), labelled(2), models=models(), output=output)
        assert again.standing.done == max(0, whole[:cut].count(b"\n") - 1) // 2
        again.run()
        assert again.standing.done == 2
        again.close()
        assert all(json.loads(line) for line in journal.read_bytes().splitlines())


def test_gaps_are_filled_in_by_the_next_run(tmp_path):
    """Where a tier could not be reached the next run asks that tier alone."""
    output = tmp_path / "r.parquet"
    down = {MIDDLE: failure("unreachable", "no route to host")}
    words = "3 of 3 examples.*tier 'middle' failed on 3, first: unreachable: no route to host"
    with pytest.warns(IncompleteRecordingWarning, match=words):
        found = recorded(output, models(**down), listed=labelled(3), metric=None)
    assert found.answered[:, 1].tolist() == [False] * 3
    assert found.quality[:, 1].tolist() == [0, 0, 0]
    asked = models()
    found = recorded(output, asked, listed=labelled(3), metric=None)
    assert {call.model for call in asked.calls} == {MIDDLE}
    assert found.answered.all()
    assert found.quality[:, 1].tolist() == [1, 1, 1]
    assert not (tmp_path / "r.parquet.journal").exists()


def test_what_was_refused_is_not_asked_again(tmp_path):
    """A refusal of the request itself ends it: paid tiers are kept, those above are gaps."""
    refuses = {MIDDLE: lambda call: failure("invalid") if "1" in str(call.payload) else draft(call)}
    output = tmp_path / "r.parquet"
    found = recorded(output, models(**refuses), listed=labelled(3), metric=None)
    assert found.answered.tolist() == [[True] * 3, [True, False, False], [True] * 3]
    assert found.cost_pusd[1, 0] > 0
    assert found.quality[1, 1] == 0
    assert np.isnan(found.quality[1, 2])
    assert found.cost_pusd[1, 2] == -1
    assert not (tmp_path / "r.parquet.journal").exists()


def test_a_finished_recording_is_not_paid_again(tmp_path):
    """The same call again reads the output, and says that nothing is left."""
    output = tmp_path / "r.parquet"
    first = recorded(output, models())
    asked, before = models(), output.read_bytes()
    again = recorded(output, asked)
    assert not asked.calls
    assert output.read_bytes() == before
    assert not (tmp_path / "r.parquet.journal").exists()
    assert np.array_equal(again.quality, first.quality, equal_nan=True)
    recorder = Recorder(chain(), labelled(3), models=models(), output=tmp_path / "other.parquet")
    recorder.run()
    spent = recorder.standing.spent_usd
    recorder.finish()
    recorder.close()
    again = Recorder(chain(), labelled(3), models=models(), output=tmp_path / "other.parquet")
    assert again.standing.done == 3
    assert again.standing.spent_usd == spent
    again.close()


@pytest.mark.parametrize(
    ("listed", "metric", "says"),
    [
        (labelled(4), None, "holds other examples"),
        ([replace(one, request="else") for one in labelled(3)], None, "asks something else"),
        ([replace(one, reference="9") for one in labelled(3)], None, "another reference"),
        (labelled(3), "exact", "holds quality 'normalised'"),
    ],
)
def test_an_output_of_something_else_is_not_written_over(tmp_path, listed, metric, says):
    """What differs from the output that is there is named, and nobody is asked."""
    output, asked = tmp_path / "r.parquet", models()
    recorded(output, models(), listed=labelled(3), metric=None)
    with pytest.raises(RecordingError, match=says):
        recorded(output, asked, listed=listed, metric=metric)
    assert not asked.calls


def test_an_output_of_another_chain_is_not_written_over(tmp_path):
    """A tier with another scorer is not what was recorded."""
    output = tmp_path / "r.parquet"
    recorded(output, models(), listed=labelled(3), metric=None)
    first, *others = chain().tiers
    other = Chain((replace(first, scorer=None), *others), name="support")
    with pytest.raises(RecordingError, match="holds tier 'small' with another"):
        Recorder(other, labelled(3), models=models(), output=output)


def seven(answer, reference):
    """No quality."""
    return 7


def raises(answer, reference):
    """Fails on every answer."""
    raise ValueError("no such field")


@pytest.mark.parametrize(
    ("metric", "why"), [(seven, r"score 7.0 is outside \[0, 1\]"), (raises, "no such field")]
)
def test_a_metric_that_fails_is_told(metric, why):
    """Unknown quality never comes silently: the metric, the count and the first error are named."""
    words = f"metric '{metric.__name__}' failed on 9 answers.*{why}"
    with pytest.warns(IncompleteRecordingWarning, match=words):
        found = record(chain(), labelled(3), metric=metric, models=models())
    assert np.isnan(found.quality).all()


def test_another_metric_grades_without_asking_the_tiers(tmp_path):
    """Grades are made anew where the metric or a reference has changed; answers are kept."""
    output = tmp_path / "r.parquet"
    recorder = Recorder(chain(), labelled(3), models=models(), output=output)
    recorder.run()
    recorder.close()
    asked = models()
    found = recorded(output, asked, listed=labelled(3), metric=RUBRIC)
    assert {call.tier.model for call in asked.calls} == {JUDGE}
    assert found.about.quality == RUBRIC
    assert (found.quality == 1).all()


def other_chains():
    tiers = chain().tiers
    return {
        "with another model, other settings or another scorer": [
            replace(tiers[0], params={"temperature": 0.5}), *tiers[1:]
        ],
        "records the tiers": tiers[1:],
        "tier 'middle' with another model": [tiers[0], replace(tiers[1], scorer=None), tiers[2]],
    }  # fmt: skip


@pytest.mark.parametrize("words", other_chains())
def test_a_journal_of_another_chain_is_refused(words, tmp_path):
    """Answers of two chains are never mixed; the message says what differs."""
    output = tmp_path / "r.parquet"
    recorder = Recorder(chain(), labelled(1), models=models(), output=output)
    recorder.run()
    recorder.close()
    other = Chain(tuple(other_chains()[words]), name="support")
    with pytest.raises(RecordingError, match=words):
        Recorder(other, labelled(1), models=models(), output=output)
    with pytest.raises(RecordingError, match="keeps content 'full', not 'none'"):
        Recorder(chain(), labelled(1), models=models(), output=output, content="none")


def test_thresholds_may_change_between_runs(tmp_path):
    """A recording accepts nothing, so that thresholds say nothing about it."""
    output = tmp_path / "r.parquet"
    recorder = Recorder(chain(), labelled(1), models=models(), output=output)
    recorder.run()
    recorder.close()
    other = chain().with_thresholds({SMALL: 0.7})
    again = Recorder(other, labelled(1), models=models(), output=output)
    assert not again.remaining
    assert again.finish().tiers[0].threshold == 0.7
    again.close()


def test_a_changed_example_is_refused_and_a_new_one_is_asked(tmp_path):
    """An id means one request; more of them may come."""
    output = tmp_path / "r.parquet"
    recorder = Recorder(chain(), labelled(2), models=models(), output=output)
    recorder.run()
    recorder.close()
    one, two = labelled(2)
    with pytest.raises(RecordingError, match="'q1' asks something else"):
        Recorder(chain(), [one, replace(two, request="what is 9?")], output=output)
    asked = models()
    found = recorded(output, asked, listed=labelled(3), metric=None)
    assert len(found) == 3
    assert {call.payload["messages"][-1]["content"][-2:] for call in asked.calls} == {"2?"}


def test_two_processes_do_not_share_a_journal(tmp_path):
    """Who comes second is told, instead of paying for everything a second time."""
    output = tmp_path / "r.parquet"
    first = Recorder(chain(), labelled(1), models=models(), output=output)
    with pytest.raises(RecordingError, match="another process is recording into it"):
        Recorder(chain(), labelled(1), models=models(), output=output)
    first.close()
    assert not list(tmp_path.iterdir())  # nothing was paid, so nothing is kept


@pytest.mark.parametrize("bad", [b'{"journal": 2}\n', b"no journal\n", b'["journal"]\n'])
def test_what_is_no_journal_is_refused(bad, tmp_path):
    """A file of something else, or of a later version, is never written into."""
    journal = tmp_path / "r.parquet.journal"
    journal.write_bytes(bad)
    with pytest.raises(RecordingError, match="journal"):
        Recorder(chain(), labelled(1), models=models(), output=tmp_path / "r.parquet")
    assert journal.read_bytes() == bad


def test_a_damaged_line_is_named(tmp_path):
    """Damage in the middle is no torn end: nothing is guessed."""
    output, journal = tmp_path / "r.parquet", tmp_path / "r.parquet.journal"
    recorder = Recorder(chain(), labelled(2), models=models(), output=output)
    recorder.run()
    recorder.close()
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], b"{broken\n", *lines[3:]]))
    with pytest.raises(RecordingError, match="line 3 cannot be read"):
        Recorder(chain(), labelled(2), models=models(), output=output)


def test_under_a_stricter_policy_what_was_left_is_asked_again(tmp_path):
    """Without kept answers a request under way starts anew; what it has paid stays booked."""
    output = tmp_path / "r.parquet"

    def dies(place):
        if place == 6:
            raise Killed

    first = Spied(models(), dies)
    with pytest.raises(Killed):
        recorded(output, first, listed=labelled(3), metric=None, content="none")
    second = Spied(models(), lambda _: None)
    found = recorded(output, second, listed=labelled(3), metric=None, content="none")
    assert len(first.calls) + len(second.calls) == 12 + 2
    assert len(found.charges) == 12 + 2 + 1
    assert (found.charges.cost_pusd == -1).sum() == 1
    with pytest.raises(RecordingError, match="is there already"):
        Recorder(chain(), labelled(3), models=models(), output=output, content="none")


def test_answers_that_were_not_kept_cannot_be_graded_anew(tmp_path):
    """Another metric needs the answers; the message says so before anything is asked."""
    output = tmp_path / "r.parquet"
    settings = {"models": models(), "output": output, "content": "hashed"}
    recorder = Recorder(chain(), labelled(2), **settings)
    recorder.run()
    recorder.close()
    with pytest.raises(RecordingError, match="no grade by this metric"):
        Recorder(chain(), labelled(2), metric="exact", **settings)


def test_stop_lets_requests_under_way_finish(tmp_path):
    """After `stop` nothing is begun, and what was begun is whole."""
    recorder = Recorder(chain(), labelled(30), models=as_parallel(), output=tmp_path / "r.parquet")
    recorder.run(concurrency=3, progress=lambda now: recorder.stop() if now.done == 5 else None)
    done = recorder.standing.done
    assert 5 <= done <= 12
    assert len(recorder.recording()) == done
    recorder.close()
    assert (tmp_path / "r.parquet.journal").exists()


def test_a_disk_that_is_full_stops_the_recording(tmp_path, monkeypatch):
    """What cannot be written down must not be paid for any longer."""
    recorder = Recorder(chain(), labelled(9), models=models(), output=tmp_path / "r.parquet")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cascade.calibration.recorder.journal.os.fsync", full)
    with pytest.raises(RecordingError, match="cannot be written: No space left"):
        recorder.run()
    recorder.close()


def test_a_witness_is_part_of_what_was_recorded(tmp_path):
    """A further witness makes another recording."""
    output = tmp_path / "r.parquet"
    recorder = Recorder(chain(), labelled(1), models=models(), output=output)
    recorder.run()
    recorder.close()
    more = Tier("gpt-5.4-nano")
    with pytest.raises(RecordingError, match="records the tiers small, middle, big, not"):
        Recorder(chain(), labelled(1), models=models(), output=output, witnesses=[more])


def test_answers_to_other_examples_are_not_thrown_away(tmp_path):
    """A journal that holds more than was asked for this time stays, because it was paid for."""
    output, journal = tmp_path / "r.parquet", tmp_path / "r.parquet.journal"
    recorder = Recorder(chain(), labelled(3), models=models(), output=output)
    recorder.run()
    recorder.close()
    asked = models()
    assert len(recorded(output, asked, listed=labelled(2), metric=None)) == 2
    assert journal.exists()
    assert len(recorded(output, asked, listed=labelled(3), metric=None)) == 3
    assert not asked.calls
    assert not journal.exists()


def test_another_policy_is_another_recording(tmp_path):
    """Where flawed answers go to a scorer, its scores are others."""
    output = tmp_path / "r.parquet"
    recorder = Recorder(chain(), labelled(1), models=models(), output=output)
    recorder.run()
    recorder.close()
    other = chain(policy=Policy(on_length="score"))
    with pytest.raises(RecordingError, match="under another policy"):
        Recorder(other, labelled(1), models=models(), output=output)
