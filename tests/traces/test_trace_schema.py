"""The JSON schema of a trace and the traces themselves agree."""

import copy
import json
from dataclasses import fields, replace
from importlib.resources import files

import jsonschema
import pytest

from cascade import Attempt, Charge, ScoreRecord, Trace, Usage
from cascade.traces.content import redact

DERIVED = {"cost_usd", "scoring_cost_usd", "saved_usd", "basis"}


@pytest.fixture(scope="module")
def schema():
    return json.loads(files("cascade.data").joinpath("trace.schema.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def validator(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("content", ["full", "hashed", "none"])
def test_real_traces_are_valid(validator, make_trace, failed_trace, content):
    """What `to_dict` writes is valid under every content policy, also for failed requests."""
    for trace in (make_trace(metadata={"who": "x"}), failed_trace):
        data = json.loads(redact(trace, content).to_json())
        assert list(validator.iter_errors(data)) == []


def test_unknown_costs_and_combined_scores_are_valid(validator, trace):
    """Unknown amounts, abstentions and scorers within scorers are part of the format."""
    parts = (ScoreRecord("a", "abstained"), ScoreRecord("b", "failed", None, "boom"))
    charge = replace(trace.charges[0], cost_usd=None, basis="unknown", usage=None)
    score = ScoreRecord("both", "score", 1.0, None, parts)
    attempt = replace(trace.attempts[0], score=score, charges=(charge,))
    data = replace(trace, attempts=(attempt,), top_tier_cost_usd=None).to_dict()
    assert list(validator.iter_errors(data)) == []


def test_skipped_tiers_tags_and_parents_are_valid(validator, trace):
    """Tiers that were not asked, streams left on purpose, tags and parents are part of the format."""
    skipped = replace(trace.attempts[0], verdict="skipped", score=None, text=None, charges=())
    left = replace(trace.attempts[0].charges[1], outcome="stopped", basis="estimated")
    last = replace(trace.attempts[1], charges=(left, *trace.attempts[1].charges))
    full = replace(trace, attempts=(skipped, last), tags=("agent:a",), parent_id="run-7")
    assert list(validator.iter_errors(json.loads(full.to_json()))) == []
    assert Trace.from_json(full.to_json()) == full
    older = {k: v for k, v in full.to_dict().items() if k not in ("tags", "parent_id")}
    assert (Trace.from_dict(older).tags, Trace.from_dict(older).parent_id) == ((), None)


def damaged(path, value):
    def damage(data):
        *way, last = path
        place = data
        for step in way:
            place = place[step]
        if value is KeyError:
            del place[last]
        else:
            place[last] = value

    return damage


CHARGE = ("attempts", 1, "charges", 0)


@pytest.mark.parametrize(
    "damage",
    [
        damaged(("format",), "other"),
        damaged(("version",), 2),
        damaged(("id",), KeyError),
        damaged(("status",), "fine"),
        damaged(("duration_s",), -1),
        damaged(("cost_usd",), 0.5),
        damaged(("cost_usd",), "1e-7"),
        damaged(("top_tier_cost_usd",), "NaN"),
        damaged(("attempts",), {}),
        damaged(("attempts", 0, "verdict"), "maybe"),
        damaged(("attempts", 0, "threshold"), 1.4),
        damaged(("attempts", 0, "score", "value"), 1.1),
        damaged(("attempts", 0, "score", "value"), None),
        damaged(("attempts", 0, "score", "kind"), "abstained"),
        damaged((*CHARGE, "basis"), "unknown"),
        damaged((*CHARGE, "cost_usd"), None),
        damaged((*CHARGE, "usage", "input_tokens"), -1),
        damaged((*CHARGE, "usage", "input_tokens"), 1.5),
        damaged((*CHARGE, "latency_s"), "fast"),
        damaged((*CHARGE, "purpose"), KeyError),
    ],
)
def test_damaged_traces_are_rejected(validator, trace, damage):
    """A missing field, a wrong type, an impossible number or a contradiction is invalid."""
    data = copy.deepcopy(json.loads(trace.to_json()))
    assert validator.is_valid(data)
    damage(data)
    assert not validator.is_valid(data)


def test_the_schema_names_every_field(schema):
    """Each field of the values is in the schema, required and described, and no other."""
    kinds = {
        None: Trace,
        "attempt": Attempt,
        "charge": Charge,
        "score": ScoreRecord,
        "usage": Usage,
    }
    for name, kind in kinds.items():
        found = schema if name is None else schema["$defs"][name]
        extra = {"format", "version", *DERIVED} if kind is Trace else set()
        assert set(found["properties"]) == {spec.name for spec in fields(kind)} | extra
        assert set(found["required"]) == set(found["properties"])
        assert all("description" in spec for spec in found["properties"].values())
