"""Every attempt is counted, whoever makes it, and a ledger that was changed is noticed."""

import hashlib
import json
import subprocess
import sys

import pytest

from cascade.calibration.proof.attempts import (
    attempt_delta,
    attempts_on,
    read_attempts,
    spend_attempt,
    split_fingerprint,
)
from cascade.errors import RecordingError

IDS = [f"q{i}" for i in range(20)]


def spend(path, ids=IDS, test="a", **given):
    return spend_attempt(path, ids, test=test, epsilon=0.02, delta=0.05, **given)


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "support.attempts"


def test_the_errors_of_all_attempts_add_up_to_the_error_allowed():
    """However many attempts there are, together they err with delta at most."""
    spent = [attempt_delta(0.05, number) for number in range(1, 10_000)]
    assert 0.0499 < sum(spent) <= 0.05
    assert spent[0] == pytest.approx(0.0304, abs=1e-4)


def test_each_attempt_spends_less_than_the_one_before(ledger):
    """Attempts at other tests on the same requests are numbered and written down."""
    made = [spend(ledger, test=name, at="2026-11-27") for name in "abc"]
    assert [attempt.number for attempt in made] == [1, 2, 3]
    assert [attempt.spent for attempt in made] == [attempt_delta(0.05, i) for i in (1, 2, 3)]
    assert read_attempts(ledger) == tuple(made)
    assert made[0].split == split_fingerprint(reversed(IDS))


def test_the_same_test_again_is_the_same_attempt(ledger):
    """Running a command twice costs nothing."""
    first = spend(ledger)
    spend(ledger, test="b")
    assert spend(ledger) == first
    assert len(read_attempts(ledger)) == 2


def test_a_few_more_labels_make_no_fresh_start(ledger):
    """Attempts count against every part that shares a request, and against no other."""
    spend(ledger)
    assert spend(ledger, ids=[*IDS, "new"], test="b").number == 2
    assert spend(ledger, ids=["q3", "other"], test="c").number == 3
    assert spend(ledger, ids=["never", "seen"], test="d").number == 1


def test_requests_are_not_written_down(ledger):
    """A ledger holds hashes of requests' ids only."""
    spend(ledger, ids=["alice@example.com"])
    assert "alice" not in ledger.read_text()


def test_a_line_that_was_taken_out_is_noticed(ledger):
    """A ledger without one of its attempts is refused."""
    for name in "abc":
        spend(ledger, test=name)
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join(lines[:2] + lines[3:]))
    with pytest.raises(RecordingError, match=r"line 3 does not follow"):
        spend(ledger, test="d")


def test_a_line_that_was_changed_is_noticed(ledger):
    """A number that was set back breaks the line after it."""
    for name in "abc":
        spend(ledger, test=name)
    ledger.write_text(ledger.read_text().replace('"number": 2', '"number": 1'))
    with pytest.raises(RecordingError, match="was changed"):
        read_attempts(ledger)


@pytest.mark.parametrize("text", ["no json\n", "[]\n", '{"previous": "start", "kind": "x"}\n'])
def test_a_file_that_is_no_ledger_is_refused(ledger, text):
    """What is no ledger is named by its line and never written to."""
    ledger.write_text(text)
    with pytest.raises(RecordingError, match="line 1") as refused:
        spend(ledger)
    assert "Error(" not in str(refused.value)
    assert ledger.read_text() == text


def test_a_torn_last_line_is_passed_over(ledger):
    """Where a program was killed while it wrote, the next attempt goes on from the line before."""
    first = spend(ledger)
    ledger.write_text(ledger.read_text() + '{"previous": "ab')
    assert read_attempts(ledger) == (first,)
    assert spend(ledger, test="b").number == 2
    assert len(read_attempts(ledger)) == 2


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_last_lines_that_were_taken_out_are_noticed(ledger, lines):
    """A ledger cut short is refused, so that no later attempt gets a lower number."""
    for name in "abc":
        spend(ledger, test=name)
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[:-lines]))
    with pytest.raises(RecordingError, match="lost its end"):
        spend(ledger, test="d")
    with pytest.raises(RecordingError, match="lost its end"):
        read_attempts(ledger)


@pytest.mark.parametrize("left", [-1, -5])
def test_a_last_line_that_was_cut_is_noticed(ledger, left):
    """An attempt that was counted does not go away with its line's end."""
    spend(ledger)
    spend(ledger, test="b")
    ledger.write_bytes(ledger.read_bytes()[:left])
    with pytest.raises(RecordingError, match="lost its end"):
        spend(ledger, test="c")


def test_a_changed_last_line_is_noticed(ledger):
    """The last line is held by the first."""
    spend(ledger)
    ledger.write_text(ledger.read_text().replace('"epsilon": 0.02', '"epsilon": 0.01'))
    with pytest.raises(RecordingError, match="not the last that was written"):
        spend(ledger, test="b")


def test_lines_that_were_never_counted_are_passed_over(ledger):
    """Where a program was killed before it counted its lines, it had looked at nothing."""
    first = spend(ledger)
    before = ledger.read_bytes().splitlines(keepends=True)[0]
    second = spend(ledger, test="b")
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(before + b"".join(lines[1:]))
    assert read_attempts(ledger) == (first,)
    assert spend(ledger, test="c").number == second.number == 2
    assert [one.test for one in read_attempts(ledger)] == ["a", "c"]


def test_a_ledger_killed_at_its_beginning_is_new(ledger):
    """Half a first line, or none, holds no attempts."""
    spend(ledger)
    empty = ledger.read_bytes()[:20]
    for text in (b"", empty):
        ledger.write_bytes(text)
        assert read_attempts(ledger) == ()
        assert spend(ledger).number == 1


def test_an_attempt_names_its_line(ledger):
    """The hash of an attempt's line is what a certificate keeps of it."""
    made = [spend(ledger, test=name) for name in "ab"]
    lines = ledger.read_bytes().splitlines(keepends=True)
    assert made[1].line == hashlib.sha256(lines[-1]).hexdigest()[:16]
    assert spend(ledger, test="a").line == made[0].line != made[1].line


def test_attempts_that_share_a_request_are_counted(ledger):
    """The number of the next attempt is known before it is made."""
    assert attempts_on(ledger, IDS) == ()
    made = spend(ledger)
    assert attempts_on(ledger, ["q3", "new"]) == (made,)
    assert attempts_on(ledger, ["new"]) == ()


def test_a_ledger_that_cannot_be_opened_is_named(tmp_path):
    """A folder in place of a file is refused; no ledger at all is an empty one."""
    with pytest.raises(RecordingError, match="ledger"):
        spend(tmp_path)
    assert read_attempts(tmp_path / "none") == ()


def test_processes_at_the_same_time_are_all_counted(ledger):
    """Four processes with five attempts each come to twenty, numbered without a gap."""
    code = (
        "import sys\n"
        "from cascade.calibration.proof.attempts import spend_attempt\n"
        "for i in range(5):\n"
        "    spend_attempt(sys.argv[1], ['q'], test=sys.argv[2] + str(i), epsilon=.1, delta=.1)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(ledger), name]) for name in "abcd"]
    assert [process.wait(60) for process in running] == [0] * 4
    assert [attempt.number for attempt in read_attempts(ledger)] == list(range(1, 21))
    assert all(json.loads(line) for line in ledger.read_text().splitlines())
