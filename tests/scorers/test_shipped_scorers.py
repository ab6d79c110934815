"""What all shipped scorers have in common."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from scoring_help import draft_of, judged

import scorers
from cascade import Abstained, Reply, Score, scorer_name

NO_MODEL = {
    "format": "cascade learned model", "version": 1, "about": "", "tiers": [], "slice_key": "slice",
    "evidence": {}, "pair_evidence": {}, "states": [], "words": {},
}  # fmt: skip
READY = [
    scorers.Agreement(),
    scorers.AgreesWithEarlier(),
    scorers.Command([sys.executable, "-c", "pass"]),
    scorers.Decision(),
    scorers.Forbids(["x"]),
    scorers.Grounded(),
    scorers.JsonSchema(True),
    scorers.Judge("big", ["Is polite."]),
    scorers.Learned(NO_MODEL),
    scorers.LengthBetween(max_words=3),
    scorers.LogprobConfidence(),
    scorers.Matches("a"),
    scorers.NoRefusal(),
    scorers.Reference({"What is it?": "4"}),
    scorers.SelfCheck(),
    scorers.ToolCalls(),
    scorers.all_of(scorers.NoRefusal()),
    scorers.any_of(scorers.NoRefusal()),
    scorers.calibrated(scorers.NoRefusal(), [(0, 0.1), (1, 0.9)]),
    scorers.first_reject(scorers.NoRefusal()),
    scorers.weighted(scorers.NoRefusal(), weights=[1]),
]


def test_public_names_are_sorted_and_exist():
    """`__all__` is sorted and complete."""
    assert list(scorers.__all__) == sorted(scorers.__all__)
    assert all(getattr(scorers, name).__doc__ for name in scorers.__all__)
    assert dir(scorers) == scorers.__all__
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        scorers.Nothing  # noqa: B018


def test_importing_a_scorer_loads_no_library_it_does_not_use():
    """LogprobConfidence comes without jsonschema, numpy and the SDK."""
    code = (
        "import sys; from scorers import LogprobConfidence, SelfCheck, first_reject; "
        "print(sorted({'jsonschema', 'regex', 'numpy', 'openai'} & set(sys.modules)))"
    )
    root = Path(scorers.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("scorer", READY, ids=scorer_name)
def test_scorers_are_frozen_inline_values_with_a_name(scorer):
    """A shipped scorer is immutable and is called what its users call it; all but a command are quick."""
    assert getattr(scorer, "inline", False) is not isinstance(scorer, scorers.Command)
    assert scorer_name(scorer) in scorers.__all__
    first = dataclasses.fields(scorer)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(scorer, first, None)
    assert not hasattr(scorer, "__dict__")


@pytest.mark.parametrize("scorer", READY, ids=scorer_name)
@pytest.mark.parametrize("text", ["", chr(0xD800), "\x00", "{" * 3000, "a" * 50_000, "\ufffd"])
def test_no_text_makes_a_scorer_fail(scorer, text):
    """Odd answers get a score or an abstention, never an exception."""
    draft = draft_of(text, [{"token": text, "logprob": -0.1}])
    verdict = Reply("yes", wire={"answers": [{"type": "predicate", "probability": 0.5}]})
    asked = {"Agreement": [Reply(text), Reply("4")], "Judge": verdict, "Decision": verdict}
    outcome, _ = judged(scorer, draft, asked.get(scorer_name(scorer), Reply(text)))
    assert isinstance(outcome, Score | Abstained)


def test_settings_are_json_friendly():
    """Scorers can be built from a configuration file by keyword."""
    settings = json.loads('{"aggregate": "min", "over": "json_values", "quantile": 0.2}')
    assert scorers.LogprobConfidence(**settings).aggregate == "min"
    assert scorers.LogprobConfidence(labels=json.loads('["a", "b"]')).labels == ("a", "b")
    knots = json.loads("[[0, 0.1], [1, 0.9]]")
    assert scorers.calibrated(scorers.NoRefusal(), to=knots).to == ((0.0, 0.1), (1.0, 0.9))
    assert scorers.Grounded(**json.loads('{"look_for": ["values"]}')).look_for == ("values",)
    assert scorers.Judge(**json.loads('{"model": "m", "criteria": ["a"]}')).criteria == ("a",)
    assert scorers.Command(**json.loads('{"argv": ["sh", "-c", "exit 0"]}')).argv[0] == "sh"
    assert scorers.Forbids(texts=json.loads('["x"]')) == scorers.Forbids(("x",))
