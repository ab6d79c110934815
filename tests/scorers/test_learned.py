"""Learned scores in a chain: what is judged, what is returned, and when there is no signal."""

import json
import sys
from pathlib import Path

import pytest
from scoring_help import draft_of, entry, judged

import scorers
from cascade import Abstained, Cascade, Chain, ConfigError, Needs, Request, Score, Start, Tier
from cascade.calibration import Gate, LearnedModel, Plan, Step, learn
from cascade.config import load_chain
from cascade.testing import ScriptedModels, reply
from scorers import Learned, LearnedEntry

sys.path.insert(0, str(Path(__file__).parents[1] / "calibration"))
from learning_help import learnable

PLANS = [
    Plan((Step("nano"), Step("mini", threshold=0.7), Step("top")), Gate("mini", 0.4)),
    Plan((Step("nano"), Step("mini", "nano", 0.7), Step("top"))),
]
RIGHT = "I worked it out, and so the answer is {}."


@pytest.fixture(scope="module")
def model():
    return learn(learnable(400), trees="never").model_for(PLANS)


def answer(tier, text, *, earlier=()):
    import dataclasses

    return dataclasses.replace(draft_of(text, earlier=earlier), tier=tier)


def test_agreement_raises_a_score_and_the_reason_says_so(model):
    """Two tiers that say the same are believed, two that do not are not."""
    first = answer("nano", RIGHT.format(1007))
    scorer = Learned(model)
    same = scorer(answer("mini", RIGHT.format(1007), earlier=[first]))
    other = scorer(answer("mini", RIGHT.format(1008), earlier=[first]))
    assert same.value > other.value + 0.3
    assert "agreement with nano" in same.reason
    assert same.reason.count(",") == 2


def test_it_is_a_scorer_like_any_other(model):
    """Runs inline, with its class's name, and twice the same."""
    scorer = Learned(model)
    outcome, asked = judged(scorer, answer("nano", "The answer is 3."))
    assert isinstance(outcome, Score)
    assert not asked
    assert scorer(answer("nano", "The answer is 3.")) == outcome


def test_a_witness_judges_and_returns_the_earlier_answer(model):
    """The score is of the tier that `returns` names, now that another has spoken."""
    first = answer("nano", RIGHT.format(1007))
    witness = Learned(model, returns="nano")
    assert witness.replaces
    found = witness(answer("mini", RIGHT.format(1007), earlier=[first]))
    assert found.reply is first.reply
    against = witness(answer("mini", RIGHT.format(1500), earlier=[first]))
    assert found.value > Learned(model)(first).value > against.value


def test_no_signal_abstains(model):
    """An unknown tier, an answer cut off, a witness whose answer is missing."""
    scorer = Learned(model)
    assert scorer(answer("other", "3")) == Abstained(
        "nothing was learned about answers of tier 'other'"
    )
    assert isinstance(scorer(answer("nano", "  ")), Abstained)
    witness = Learned(model, returns="nano")
    found = witness(answer("mini", "3"))
    assert found == Abstained("tier 'nano' gave no whole answer to judge")


def test_evidence_that_was_always_there_and_is_missing_now(model):
    """A signal that fails never looks like an answer that is fine."""
    data = json.loads(json.dumps(model.to_dict()))
    [block] = [b for b in data["states"][0]["blocks"] if b["of"] == "surface"]
    block.update(kind="own", of="logprobs")
    data["evidence"]["logprobs"] = list(scorers.LogprobFeatures._fields)
    names = data["evidence"]["logprobs"]
    block["features"] = {name: {"mean": 0.0, "scale": 1.0, "weight": -3.0} for name in names}
    scorer = Learned(data)
    state = LearnedModel.from_dict(data).states[0].state.judged
    found = scorer(answer(state, "The answer is 3."))
    assert found == Abstained("logprobs is missing, and never was before")
    block["missing"] = {"rows": 30, "weight": -4.0}
    scored = Learned(data)(answer(state, "The answer is 3."))
    assert isinstance(scored, Score)


def test_log_probabilities_are_asked_for_where_they_are_read(model):
    """Only by models that use them, and not of a witness."""
    assert Learned(model).needs == Needs()
    data = json.loads(json.dumps(model.to_dict()))
    data["evidence"]["logprobs"] = list(scorers.LogprobFeatures._fields)
    features = {
        n: {"mean": 0.0, "scale": 0.0, "weight": 0.0} for n in scorers.LogprobFeatures._fields
    }
    for state in data["states"]:
        if state["judged"] == "nano":
            block = {"kind": "own", "of": "logprobs", "tier": "", "features": features}
            state["blocks"].append({**block, "missing": {"rows": 30, "weight": 0.0}})
    wanted = Needs(logprobs=True, top_logprobs=2)
    assert Learned(data).needs == Learned(data, judges="nano").needs == wanted
    assert Learned(data, judges="mini").needs == Needs()
    assert Learned(data, returns="nano").needs == Needs()
    scored = Learned(data)(
        answer("nano", "Yes") if False else draft_of("Yes", [entry("Yes", -0.1)])
    )
    assert isinstance(scored, Abstained)  # a draft without a tier's name


def test_from_a_file(model, tmp_path):
    """A path, its data and the model itself are one scorer."""
    path = tmp_path / "support.json"
    model.save(path)
    one, two, three = Learned(model), Learned(str(path)), Learned(json.loads(path.read_text()))
    assert one == two == three
    assert hash(one) == hash(two)
    draft = answer("nano", "The answer is 3.")
    assert one(draft) == two(draft) == three(draft) == Learned(path)(draft)


def test_another_model_is_another_scorer(model):
    """A digest that was written down notices that the model was learned again."""
    other = learn(learnable(100, seed=5), trees="never").model
    assert Learned(model) != Learned(other)
    assert Learned(model, digest=model.digest) == Learned(model)
    with pytest.raises(ConfigError, match="changed or learned again since"):
        Learned(other, digest=model.digest)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": 3}, "model is int '3': expected a LearnedModel"),
        ({"model": {}}, "is no learned model"),
        ({"model": "nowhere.json"}, "nowhere.json.*No such file"),
        ({"returns": None}, "returns is None: expected a tier's name"),
        ({"judges": 1}, "judges is 1"),
    ],
)
def test_settings_that_cannot_be(model, settings, message):
    """Found at birth, in words."""
    with pytest.raises(ConfigError, match=message):
        Learned(**{"model": model, **settings})


def test_a_chain_in_toml(model, tmp_path):
    """`model_file` stands beside the chain's file; an entry as well."""
    model.save(tmp_path / "support.json")
    (tmp_path / "chain.toml").write_text(
        """
        allow_unknown_prices = true
        entry = { use = "learned_entry", model_file = "support.json", tier = "nano", start_at = "mini", threshold = 0.4 }

        [[tier]]
        model = "nano"
        threshold = 0.8
        scorer = { use = "learned", model_file = "support.json" }

        [[tier]]
        model = "mini"
        threshold = 0.7
        scorer = { use = "learned", model_file = "support.json", returns = "nano" }

        [[tier]]
        model = "top"
        """
    )
    chain = load_chain(tmp_path / "chain.toml")
    assert chain.tiers[0].scorer == Learned(model)
    assert chain.tiers[1].scorer == Learned(model, returns="nano")
    assert chain.entry == LearnedEntry(model, "nano", "mini", 0.4)


def chain_of(model, **tiers):
    scored = [
        Tier("nano", scorer=Learned(model), threshold=tiers["nano"]),
        Tier("mini", scorer=Learned(model, returns="nano"), threshold=tiers["mini"]),
    ]
    return Chain([*scored, Tier("top")], allow_unknown_prices=True)


def test_a_witness_in_a_chain(model):
    """Where the witness agrees, the first tier's answer is returned; where not, the top is asked."""
    chain = chain_of(model, nano=0.999, mini=0.7)
    agreeing = ScriptedModels(
        {"nano": reply(RIGHT.format(1007)), "mini": reply("1007"), "top": reply("x")}
    )
    done = Cascade(chain, models=agreeing).complete("A rather easy question number 7?")
    assert (done.text, done.tier) == (RIGHT.format(1007), "mini")
    against = ScriptedModels(
        {"nano": reply(RIGHT.format(1007)), "mini": reply("1500"), "top": reply("x")}
    )
    assert Cascade(chain, models=against).complete("?").text == "x"


def test_an_entry_begins_higher_up(model):
    """Where the request says that the first tier will fail, it is not asked."""
    low, high = LearnedEntry(model, "nano", "mini", 0.0), LearnedEntry(model, "nano", "mini", 1.0)
    request = Request.build("A rather hard question number 7?")
    assert low(request) is None
    started = high(request)
    assert isinstance(started, Start)
    assert started.at == "mini"
    assert started.reason.startswith("P(nano is right) = ")
    assert started.reason.endswith(" < 1")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tier": "top"}, "no gate for tier 'top'"),
        ({"threshold": 1.5}, r"threshold 1.5 is outside \[0, 1\]"),
        ({"threshold": True}, "threshold True"),
        ({"digest": "0"}, "learned again since"),
    ],
)
def test_entries_that_cannot_be(model, settings, message):
    """Found at birth, in words."""
    given = {"model": model, "tier": "nano", "start_at": "mini", "threshold": 0.4}
    with pytest.raises(ConfigError, match=message):
        LearnedEntry(**{**given, **settings})


def test_evidence_that_raises_fails_the_score(model, monkeypatch):
    """Somebody's broken evidence escalates; it is never taken for an answer that is fine."""
    from cascade.calibration.learning import evidence

    known = evidence.registered_evidence("cascade.evidence")
    broken = {**known, "surface": lambda draft: 1 / 0}
    both = {
        "cascade.evidence": broken,
        "cascade.pair_evidence": evidence.registered_evidence("cascade.pair_evidence"),
    }
    monkeypatch.setattr(evidence, "registered_evidence", both.__getitem__)
    chain = chain_of(LearnedModel.from_dict(model.to_dict()), nano=0.0, mini=0.0)
    models = ScriptedModels({"nano": reply("1"), "mini": reply("1"), "top": reply("x")})
    done = Cascade(chain, models=models).complete("?")
    assert done.text == "x"
    assert "ZeroDivisionError" in str(done.trace.attempts[0].score)
