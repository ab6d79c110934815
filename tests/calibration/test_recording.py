"""A recording is whole, or it is refused with the place that is wrong."""

import numpy as np
import pytest

from cascade.calibration import Charges, RecordedTier, Recording
from cascade.errors import RecordingError
from tests.calibration.builders import recording


def three():
    """Three requests, two tiers and a witness."""
    return recording(
        [[0, 1, 1], [1, 1, 0], [0, 0, 1]], [10, 200, 5], names=["nano", "top", "peer"], witnesses=1
    )


def test_what_it_says_of_itself():
    """Tiers, witnesses and the top are told apart."""
    made = three()
    assert repr(made) == "<Recording 3 requests, 3 tiers: nano, top, peer>"
    assert (made.names, made.top, made.ladder, made.witnesses) == (
        ("nano", "top", "peer"),
        1,
        (0, 1),
        (2,),
    )
    assert made.index("peer") == 2
    with pytest.raises(RecordingError, match="no tier 'mini' in this recording; it has 'nano'"):
        made.index("mini")


def test_some_requests():
    """Rows are picked by mask or by index, in every column alike."""
    charges = Charges(
        np.array([0, 2, 2]),
        np.array([0, 1, 2]),
        np.array(["draft"] * 3, object),
        np.array(["a", "b", "c"], object),
        np.full(3, "", object),
        np.zeros(3, bool),
        np.zeros(3, bool),
        np.ones((3, 5)),
        np.array([10, 200, 5]),
    )
    made = recording([[0, 1, 1], [1, 1, 0], [0, 0, 1]], [10, 200, 5], charges=charges)
    kept = made.rows(np.array([False, False, True]))
    assert kept.ids.tolist() == ["q2"]
    assert kept.quality.tolist() == [[0, 0, 1]]
    assert kept.charges.request.tolist() == [0, 0]
    assert kept.charges.model.tolist() == ["b", "c"]
    assert made.rows([2, 0]).ids.tolist() == ["q2", "q0"]


def test_some_tiers():
    """Tiers are picked and ordered by name, and may change their role."""
    made = three().with_tiers(["top"], ["nano"])
    assert made.quality.tolist() == [[1, 0], [1, 1], [0, 0]]
    assert [tier.role for tier in made.tiers] == ["tier", "witness"]
    with pytest.raises(RecordingError, match="each once"):
        three().with_tiers(["top", "top"])
    with pytest.raises(RecordingError, match="one or more names"):
        three().with_tiers([])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"quality": [[0.5, 1.5]] * 2}, r"quality of request 'q0', tier 't1' is .*1\.5.* \[0, 1\]"),
        ({"quality": [[0.5, np.inf]] * 2}, "quality of request 'q0', tier 't1'"),
        ({"score": [[0.5, 1], [-np.inf, 1]]}, "score of request 'q1', tier 't0' is .*-inf"),
        ({"cost": [[1, 2], [1, -2]]}, "cost_pusd of request 'q1', tier 't1' is .*-2"),
        ({"weights": np.array([1.0, 0.0])}, "weights of request 'q1' is .*a number above 0"),
        ({"ids": ["a", "a"]}, "request id 'a' occurs twice, again in row 1"),
        ({"names": ["a", "a"]}, "each may occur once"),
        ({"witnesses": 2}, "all tiers are witnesses"),
        ({"latency_s": np.ones((2, 3))}, r"column 'latency_s' has shape \(2, 3\)"),
        ({"signals": {"x": np.ones(2)}}, r"signal 'x' has shape \(2,\)"),
    ],
)
def test_what_is_wrong_is_named(changed, words):
    """The message names the column, the request and the tier."""
    given = {"quality": [[1, 1], [0, 1]], "cost": [1, 2], **changed}
    with pytest.raises(RecordingError, match=words):
        recording(given.pop("quality"), given.pop("cost"), **given)


def test_an_empty_recording_is_none():
    """A recording without a request, or without a tier, answers nothing."""
    with pytest.raises(RecordingError, match="the recording is empty"):
        Recording.build([RecordedTier("a", "a")], [], quality=np.ones((0, 1)), cost_pusd=[])


def test_a_mask_of_another_length_is_refused():
    """A mask says something of every request, or nothing."""
    found = recording(np.ones((3, 2)), np.ones((3, 2)))
    with pytest.raises(RecordingError, match=r"mask has shape \(1,\): expected \(3,\)"):
        found.rows([True])
