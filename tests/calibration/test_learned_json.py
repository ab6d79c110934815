"""A learned model's file: read back as it was, and refused where it was damaged or edited."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learning_help import learnable

from cascade.calibration import Gate, LearnedModel, Plan, Step, learn
from cascade.errors import ConfigError

PLAN = Plan((Step("nano"), Step("mini", threshold=0.7), Step("top")), Gate("mini", 0.4))


@pytest.fixture(scope="module")
def recorded():
    rec = learnable(120, slices=("a", "b"))
    signal = np.random.default_rng(0).random((120, 3))
    return rec, {"msp": signal}


@pytest.fixture(scope="module")
def model(recorded):
    import dataclasses

    rec, signals = recorded
    return learn(dataclasses.replace(rec, signals=signals), trees="always").model_for([PLAN])


@pytest.fixture(scope="module")
def data(model):
    return json.loads(json.dumps(model.to_dict()))


def test_a_file_gives_the_same_model(model, tmp_path):
    """Saved and loaded, it is the same to the last digit, and its file stays the same."""
    path = tmp_path / "support.json"
    model.save(path)
    loaded = LearnedModel.load(path)
    assert loaded.to_dict() == model.to_dict()
    assert loaded.digest == model.digest
    text = path.read_text(encoding="utf-8")
    loaded.save(path)
    assert path.read_text(encoding="utf-8") == text


def test_numbers_stand_beside_their_names(model, tmp_path):
    """The file can be read by people: a feature's weight is on the line of its name."""
    path = tmp_path / "support.json"
    model.save(path)
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    assert any(line.startswith('"hedges": { "mean": ') for line in lines)
    assert any(line.startswith('"same": { "mean": ') for line in lines)


def place(data, *steps):
    for step in steps:
        data = data[step]
    return data


BROKEN = [
    ((), "format", "pickle", "is no learned model"),
    ((), "version", 2, "version 2; this release reads up to 1"),
    ((), "version", True, "version True"),
    ((), "tiers", ["nano", "nano"], "one stands twice"),
    ((), "tiers", ["nano"], "expected other tiers of 'nano'"),
    ((), "states", {}, "expected a list"),
    ((), "words", [], "expected a JSON object"),
    ((), "slice_key", 3, "expected a text"),
    (("states", 0), "intercept", "high", "expected a number"),
    (("states", 0), "intercept", 1e400, "expected a number"),
    (("states", 0), "right", 3, r"expected a number in \[0, 1\]"),
    (("states", 0), "beside", ["nano"], "expected other tiers"),
    (("states", 0), "trees", {"share": 0.5, "base": 0.0, "nodes": [[[0, 1]]]}, "expected one number, or five"),
    (("states", 0), "trees", {"share": 0.5, "base": 0.0, "nodes": 3}, "expected lists"),
    (("states", 0), "trees", {"share": 0.5, "base": 0.0, "nodes": [[3]]}, "lists of numbers"),
    (("states", 0), "trees", {"share": 2.0, "base": 0.0, "nodes": [[[1.0]]]}, r"number in \[0, 1\]"),
    (("states", 0, "blocks", 0), "kind", "code", "expected one of own"),
    (("states", 0, "blocks", 0), "of", "nothing", "fields of own 'nothing'"),
    (("states", 0, "blocks", 0), "tier", "other", "expected one of the tiers beside"),
    (("states", 0, "blocks", 0), "missing", None, "expected a JSON object"),
    (("states", 0, "maps", 0, "everyone"), "kind", "exec", "expected one of shift"),
    (("states", 0, "maps", 0, "everyone"), "numbers", [], "make no rising"),
    (("states", 0, "maps", 0), "everyone", {"kind": "platt", "numbers": [-1.0, 0.0]}, "make no rising"),
    (("states", 0, "maps", 0), "everyone", {"kind": "isotonic", "numbers": [2, 1, 0, 0]}, "make no rising"),
    (("states", 0, "maps", 0), "everyone", {"kind": "mean", "numbers": [0, 1, 1, 0]}, "make no rising"),
    (("states", 0, "maps", 0), "everyone", {"kind": "mean", "numbers": [0, 1, -1, 0, 0, 1, 0, 1]}, "make no rising"),
    (("states", 0, "maps", 0), "slices", {"a": "low"}, "expected a number"),
    (("words", "nano"), "bias", None, "expected a number"),
    (("words", "nano"), "rarity_and_weight", {"x": [0, 1]}, "expected a rarity above 0"),
    (("words", "nano"), "rarity_and_weight", {"x": "much"}, "a list of at most 2 numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "name", "value", "message"), BROKEN)
def test_what_does_not_fit_is_refused(data, where, name, value, message):
    """Each edit is refused with the place that is wrong."""
    edited = copy.deepcopy(data)
    place(edited, *where)[name] = value
    with pytest.raises(ConfigError, match=message):
        LearnedModel.from_dict(edited)


def test_one_state_twice_is_refused(data):
    """Two models for one state would leave open which one judges."""
    edited = {**data, "states": [*data["states"], data["states"][0]]}
    with pytest.raises(ConfigError, match="one state twice"):
        LearnedModel.from_dict(edited)


def test_a_feature_that_was_dropped_is_refused(data):
    """Numbers would be read under the wrong names."""
    edited = copy.deepcopy(data)
    edited["states"][0]["blocks"][0]["features"].popitem()
    with pytest.raises(ConfigError, match="are not the listed ones"):
        LearnedModel.from_dict(edited)


def test_ranks_that_fall_are_refused(data):
    """The quantiles of a signal rise."""
    edited = copy.deepcopy(data)
    blocks = edited["states"][0]["blocks"]
    [at] = [place for place, block in enumerate(blocks) if block["kind"] == "signal"]
    blocks[at]["knots"] = [1.0, 0.0]
    with pytest.raises(ConfigError, match="rising numbers"):
        LearnedModel.from_dict(edited)


@pytest.mark.parametrize(
    "nodes",
    [
        [[[0, 0.5, 0, 1, 0], [1.0]]],  # to itself: a walk without end
        [[[0, 0.5, 1, 2, 0], [0, 0.5, 0, 2, 0], [1.0]]],  # back to its parent
        [[[0, 0.5, 1, 9, 0], [1.0]]],
        [[[0, 0.5, 1.5, 1, 0], [1.0]]],
        [[[99999, 0.5, 1, 2, 0], [1.0], [1.0]]],
        [[[-1, 0.5, 1, 2, 0], [1.0], [1.0]]],
        [[[0, "x", 1, 2, 0], [1.0], [1.0]]],
        [[[0, 0.5, 1, 2, 7], [1.0], [1.0]]],
        [[[True]]],
        [[[float("nan")]]],
        [[]],
        [[[0, 0.5, i + 1, i + 2, 0] if i % 2 == 0 else [1.0] for i in range(200)] + [[1.0]]],
    ],
)  # fmt: skip
def test_trees_that_never_end_or_lead_nowhere_are_refused(data, nodes):
    """Every walk ends in a number: children stand behind parents, and depth has a bound."""
    edited = copy.deepcopy(data)
    edited["states"][0]["trees"] = {"share": 0.5, "base": 0.0, "nodes": nodes}
    with pytest.raises(ConfigError, match="learn the model again"):
        LearnedModel.from_dict(edited)


def test_trees_are_read_and_written(data):
    """A model with trees is the same again."""
    edited = copy.deepcopy(data)
    nodes = [[[0, 0.5, 1, 2, 1], [0.25], [-0.25]], [[0.125]]]
    for state in edited["states"]:
        state["trees"] = {"share": 0.5, "base": 0.0, "nodes": nodes}
    assert LearnedModel.from_dict(edited).to_dict() == edited


def test_evidence_that_is_not_installed(data):
    """A model that reads another package's evidence says which one is missing."""
    edited = json.loads(json.dumps(data).replace('"surface"', '"radiology"'))
    with pytest.raises(ConfigError, match="evidence 'radiology' is not registered"):
        LearnedModel.from_dict(edited)


@pytest.mark.parametrize("text", ["", "[]", "3", "null", '{"format": "x"', "[" * 100_000, "\x00"])
def test_files_that_are_no_model(tmp_path, text):
    """Whatever else a file holds is refused with its name."""
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"x\.json"):
        LearnedModel.load(path)


def test_a_file_that_is_not_there(tmp_path):
    """The message has the path."""
    with pytest.raises(ConfigError, match=r"none\.json.*No such file"):
        LearnedModel.load(tmp_path / "none.json")


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(junk=JUNK, data_=st.data())
def test_any_damage_is_refused_or_harmless(data, junk, data_):
    """Whatever stands in place of a part: `ConfigError`, or a model that can be written again."""
    edited = copy.deepcopy(data)
    node, path = edited, []
    for _ in range(data_.draw(st.integers(1, 7))):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            break
        key = data_.draw(st.sampled_from(keys))
        path.append((node, key))
        node = node[key]
        if not isinstance(node, dict | list):
            break
    parent, key = path[-1]
    parent[key] = junk
    try:
        found = LearnedModel.from_dict(edited)
    except ConfigError:
        return
    json.dumps(found.to_dict(), allow_nan=False)
