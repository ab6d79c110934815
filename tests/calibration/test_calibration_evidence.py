"""Evidence that packages register: read once, checked, and never mistaken for a number."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest
from learning_help import learnable, objects

from cascade import Draft, Reply, Request
from cascade.calibration import learn
from cascade.calibration.learning import evidence
from cascade.calibration.learning.evidence import OWN_GROUP, PAIR_GROUP, Reading, readings
from cascade.calibration.learning.evidence_table import BOUND, gather
from cascade.errors import ConfigError, RecordingError, ScorerError

DRAFT = Draft(Request.build("?"), Reply("Yes."))


class Size(NamedTuple):
    chars: float
    lines: float


@pytest.fixture
def registered(monkeypatch):
    """Registers callables for one test."""

    def register(own=None, pairs=None):
        known = {OWN_GROUP: own or {}, PAIR_GROUP: pairs or {}}
        monkeypatch.setattr(evidence, "registered_evidence", known.__getitem__)

    return register


def test_shipped_evidence_is_registered():
    """What the scorers package brings is found by name."""
    assert set(readings(None, OWN_GROUP)) >= {"surface", "logprobs", "calls", "sums"}
    assert set(readings(None, PAIR_GROUP)) >= {"agreement"}


@pytest.mark.parametrize(
    ("found", "numbers"),
    [
        (Size(4, 1), (4, 1)),
        ({"chars": 4, "lines": 1}, (4, 1)),
        (None, None),
    ],
)
def test_named_tuples_and_mappings_are_read(found, numbers):
    """Both give numbers in order; `None` is no signal."""
    reading = Reading("size", lambda _: found)
    assert reading.read(DRAFT) == numbers
    assert reading.fields == (() if found is None else ("chars", "lines"))


@pytest.mark.parametrize("found", [3.0, "long", (1, 2), {}])
def test_anything_else_is_refused(found):
    """What has no names is no evidence."""
    with pytest.raises(ScorerError, match="evidence 'size' gave"):
        Reading("size", lambda _: found).read(DRAFT)


def test_other_fields_than_before_are_refused():
    """Numbers under changed names would be weighed wrongly."""
    answers = iter([{"a": 1.0}, {"b": 1.0}])
    reading = Reading("size", lambda _: next(answers))
    reading.read(DRAFT)
    with pytest.raises(ScorerError, match="gave the fields b; expected a"):
        reading.read(DRAFT)


def test_a_name_that_nobody_registered():
    """The message lists what there is."""
    with pytest.raises(ConfigError, match=r"'nothing' is not registered .* there is agreement"):
        readings(["nothing"], PAIR_GROUP)


def test_evidence_that_cannot_be_loaded(monkeypatch):
    """A broken package is named."""

    class Point:
        def load(self):
            raise ImportError("no module named lab")

    monkeypatch.setattr(evidence, "registered", lambda group: {"lab": Point()})
    evidence.registered_evidence.cache_clear()
    try:
        with pytest.raises(ConfigError, match="'lab' cannot be loaded: no module named lab"):
            evidence.registered_evidence(OWN_GROUP)
    finally:
        evidence.registered_evidence.cache_clear()


def test_infinite_numbers_are_far_out_and_nan_is_missing(registered):
    """-inf is clipped to a documented bound; a NaN makes the whole block missing."""
    values = {"a": -np.inf, "b": np.inf, "c": np.nan, "d": 2.0}
    registered(own={"one": lambda draft: {"x": values[draft.text], "y": 1.0}})
    rec = learnable(4, texts=np.array([[t] * 3 for t in "abcd"], object))
    fields, numbers = gather(rec).own["one"]
    assert fields == ("x", "y")
    assert numbers[:2, 0, 0].tolist() == [-BOUND, BOUND]
    assert np.isnan(numbers[2, 0]).all()
    assert numbers[3, 0].tolist() == [2.0, 1.0]


def test_evidence_that_raises_is_named_with_the_answer(registered):
    """Learning stops and says whose code failed, and where."""
    registered(own={"lab": lambda draft: 1 / 0})
    with pytest.raises(
        RecordingError, match=r"'lab' raised ZeroDivisionError.*request 'q0'.*'nano'"
    ):
        gather(learnable(3))


def test_evidence_of_no_kind_stops_learning(registered):
    """What gives no named numbers is named itself."""
    registered(own={"lab": lambda draft: 3.0})
    with pytest.raises(ScorerError, match="evidence 'lab' gave float"):
        gather(learnable(3))


def test_pairs_without_a_signal(registered):
    """`None` for two answers is a row that is missing."""
    registered(pairs={"equal": lambda one, other: None})
    assert gather(learnable(3)).pairs == {}
    seen = iter([None, {"same": 1.0}, {"same": 0.0}] * 3)
    registered(pairs={"equal": lambda one, other: next(seen)})
    table = gather(learnable(3))
    assert np.isnan(table.pair("equal", 0, 1)).all()
    assert table.pair("equal", 0, 2)[:, 0].tolist() == [1, 1, 1]


def test_a_pair_is_read_once_and_in_either_order(registered):
    """Evidence of two answers is symmetric and shared by all states."""
    seen = []

    def same(one, other):
        seen.append((one.tier, other.tier))
        return {"same": float(one.text == other.text)}

    registered(pairs={"equal": same})
    table = gather(learnable(5))
    assert len(seen) == 15
    assert np.array_equal(table.pair("equal", 2, 0), table.pair("equal", 0, 2))


def test_answers_that_are_not_whole_give_nothing():
    """Refused, cut off, empty, or not kept."""
    rec = learnable(4)
    usable, texts = rec.usable.copy(), rec.texts.copy()
    usable[0, 0] = False
    texts[1, 0] = None
    texts[2, 0] = "  "
    table = gather(dataclasses.replace(rec, usable=usable, texts=texts))
    numbers = table.own["surface"][1]
    assert np.isnan(numbers[:3, 0]).all()
    assert np.isfinite(numbers[3, 0]).all()
    assert table.usable[:, 0].tolist() == [False, True, False, True]
    assert np.isnan(table.pair("agreement", 0, 1)[:3]).all()


def test_requests_that_were_not_kept():
    """Answers are read all the same; there are no words."""
    table = gather(learnable(3, requests=objects([None] * 3)))
    assert table.words.tolist() == ["", "", ""]
    assert np.isfinite(table.own["surface"][1]).all()


def test_only_what_is_wanted():
    """Names choose evidence, signals and words."""
    rec = learnable(3)
    rec = dataclasses.replace(rec, signals={"msp": np.ones((3, 3)), "other": np.ones((3, 3))})
    table = gather(rec, ["sums", "msp"])
    assert (set(table.own), set(table.pairs), set(table.signals)) == ({"sums"}, set(), {"msp"})
    assert not any(table.words)
    assert all(gather(rec, ["words"]).words)


def test_progress_is_told():
    """Now and then, for a bar."""
    told = []
    gather(learnable(250), ["sums"], progress=lambda done, of: told.append((done, of)))
    assert told == [(100, 250), (200, 250)]


def test_a_part_of_a_table():
    """Rows of a table are the table of those rows."""
    rec = learnable(20)
    keep = np.array([3, 5, 11])
    part, own = gather(rec).rows(keep), gather(rec.rows(keep))
    assert np.array_equal(part.own["surface"][1], own.own["surface"][1])
    assert np.array_equal(part.pair("agreement", 0, 2), own.pair("agreement", 0, 2))
    assert part.words.tolist() == own.words.tolist()


def test_a_users_own_evidence_is_learned_from_and_served(registered):
    """A package's callable becomes features like those shipped."""
    registered(own={"oracle": lambda draft: {"sure": float("perhaps" not in draft.text)}})
    rec = learnable(200)
    learning = learn(rec)
    scores = learning.source.scores((0,), 0)
    right = rec.quality[:, 0] == 1
    assert scores[right].mean() > scores[~right].mean() + 0.05
    verdict = learning.model.judge(
        Draft(Request.build(rec.requests[0]), Reply("perhaps 3"), tier="nano")
    )
    assert "oracle sure" in verdict.reason


def test_evidence_that_changed_since_is_refused(registered):
    """A model does not score with numbers it did not learn from."""
    registered(own={"size": lambda draft: Size(len(draft.text), 1)})
    rec = learnable(60)
    learning = learn(rec)
    learning.source.scores((0,), 0)
    model = learning.model
    registered(own={"size": lambda draft: {"chars": 1.0, "words": 2.0}})
    with pytest.raises(RecordingError, match=r"'size' has the fields chars, words now"):
        model.on(rec)
