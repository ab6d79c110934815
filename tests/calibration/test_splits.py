"""Requests fall into the same part whatever else is recorded, and groups stay together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.calibration.proof.splits import keyed_splits, own_splits
from cascade.errors import ConfigError, RecordingError
from tests.calibration.builders import recording

NAMES = st.lists(st.text(max_size=8), min_size=1, max_size=60)


@given(NAMES, NAMES)
def test_requests_added_later_move_none_of_the_old(old, new):
    """The parts of the first requests do not depend on what follows them."""
    before = keyed_splits(old, "key").parts
    assert (keyed_splits([*old, *new], "key").parts[: len(old)] == before).all()


@given(NAMES)
def test_groups_never_straddle(groups):
    """Requests of one group are in one part."""
    parts = keyed_splits(groups, b"key").parts.tolist()
    assert len(set(zip(groups, parts, strict=True))) == len(set(groups))


def test_shares_are_kept_about():
    """Of 10,000 groups each part gets its share, give or take two points."""
    found = keyed_splits([f"user-{i}" for i in range(10_000)], "key", (0.5, 0.3, 0.2))
    sizes = [found.size(part) / 10_000 for part in ("learn", "certify", "monitor")]
    assert sizes == pytest.approx([0.5, 0.3, 0.2], abs=0.02)


def test_another_key_splits_otherwise():
    """Parts under two keys agree no more than by chance, and the keys' fingerprints differ."""
    groups = [f"g{i}" for i in range(2_000)]
    one, two = keyed_splits(groups, "one"), keyed_splits(groups, "two")
    assert np.mean(one.parts == two.parts) < 0.5
    assert one.key != two.key
    assert "one" not in one.key


def test_a_share_of_nothing_is_an_empty_part():
    """Whoever wants no monitor part gets none, and is told where one is asked of it."""
    made = recording([[1, 1]] * 50, [1, 2])
    found = keyed_splits(made.groups, "key", (0.5, 0.5, 0.0))
    assert found.size("monitor") == 0
    assert len(found.part(made, "learn")) + len(found.part(made, "certify")) == 50
    with pytest.raises(RecordingError, match="monitor"):
        found.part(made, "monitor")


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.5, 0.5, 0.5), (1.5, -0.5, 0.0)])
def test_shares_that_are_none_are_refused(shares):
    """Shares add up to 1."""
    with pytest.raises(ConfigError, match="add up to 1"):
        keyed_splits(["a"], "key", shares)


def test_an_empty_key_is_refused():
    """A hash without a key could be computed by anybody."""
    with pytest.raises(ConfigError, match="key"):
        keyed_splits(["a"], "")


def split(names, **given):
    return recording([[1, 1]] * len(names), [1, 2], splits=np.array(names, object), **given)


def test_a_recording_that_came_split_keeps_its_parts():
    """Train is learnt from, test certifies."""
    found = own_splits(split(["train", "test", "monitor", "certify"]))
    assert found.mask("learn").tolist() == [True, False, False, False]
    assert found.mask("certify").tolist() == [False, True, False, True]
    assert found.key == ""


@pytest.mark.parametrize("name", ["", "dev"])
def test_parts_of_another_name_are_refused(name):
    """A request without a part, or in one of an unknown name, is refused and named."""
    with pytest.raises(RecordingError, match=repr(name)):
        own_splits(split(["train", name]))


def test_straddling_groups_are_named():
    """A group with requests in two parts is refused by name, and seven are not all listed."""
    groups = np.array([f"user-{i}" for i in range(7)] * 2, object)
    with pytest.raises(RecordingError, match=r"'user-0', .*'user-4' and 2 more"):
        own_splits(split(["train"] * 7 + ["test"] * 7, groups=groups))


def asking(*asked, **given):
    requests = np.empty(len(asked), object)
    requests[:] = asked
    return recording([[1, 1]] * len(asked), [1, 2], requests=requests, **given)


def test_copies_never_straddle():
    """Requests that ask exactly the same are in one part, whatever their ids."""
    made = asking(*[f"question {i % 40}" for i in range(200)])
    parts = keyed_splits(made, "key").parts
    assert len({(i % 40, part) for i, part in enumerate(parts.tolist())}) == 40
    assert len(set(parts.tolist())) == 3
    plain = asking(*[f"question {i}" for i in range(200)])
    assert (keyed_splits(plain, "key").parts == keyed_splits(plain.groups, "key").parts).all()


def test_what_was_learnt_from_does_not_certify():
    """In a recording that came split, copies go where the first part that holds one is."""
    names = np.array(["test", "train", "monitor", "test", "monitor"], object)
    found = own_splits(asking("a", "a", "a", "b", "b", splits=names))
    assert found.parts.tolist() == [0, 0, 0, 1, 1]
