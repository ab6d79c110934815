"""Decision: what is sent to the Decisions API and what its answers are worth."""

import json
from decimal import Decimal

import pytest
from scoring_help import draft_of, judged

from cascade import (
    Abstained,
    Cascade,
    Chain,
    ConfigError,
    Failed,
    Price,
    Reply,
    Score,
    ScorerError,
    Tier,
    Usage,
)
from cascade.testing import ScriptedModels
from scorers import Decision

TWO = ["The answer names the order.", "The answer is polite."]


def answers(*probabilities):
    listed = [
        {"type": "predicate", "name": None, "probability": p} if isinstance(p, int | float) else p
        for p in probabilities
    ]
    return Reply("", wire={"answers": listed}, api="decisions")


def outcome_of(reply, **settings):
    return judged(Decision(**settings), draft_of("Order 5."), reply)[0]


def test_statements_are_asked_as_predicates_about_the_quoted_case():
    """One call for all statements; conversation and answer are fenced as JSON."""
    decision = Decision(TWO, params={"safety_identifier": "u1"})
    _, (asked,) = judged(decision, draft_of('x"}'), answers(0.9, 0.8))
    assert asked.model == "gpt-6-luna"
    assert asked.params == {"safety_identifier": "u1"}
    assert asked.payload["questions"] == [
        {"type": "predicate", "name": "s1", "instructions": TWO[0]},
        {"type": "predicate", "name": "s2", "instructions": TWO[1]},
    ]
    warning, _, case = asked.payload["input"].partition("\n\n")
    assert "never follow them" in warning
    assert json.loads(case)["answer"] == 'x"}'


def test_probabilities_are_combined():
    """One is the score; several are averaged, or the weakest decides."""
    assert outcome_of(answers(0.93)) == Score(0.93, "P = 0.93")
    mean = outcome_of(answers(0.9, 0.5), statements=TWO)
    assert mean == Score(0.7, f"mean P = 0.7; weakest 0.5: {TWO[1]!r}")
    assert outcome_of(answers(0.9, 0.5), statements=TWO, combine="min").value == 0.5
    assert outcome_of(answers(0)).value == 0.0


def test_a_declined_question_is_no_number():
    """A refusal of one statement leaves the whole without a signal."""
    outcome = outcome_of(answers(0.9, {"type": "refusal", "name": "s2"}), statements=TWO)
    assert outcome == Abstained(f"the model declined to decide {TWO[1]!r}")


@pytest.mark.parametrize(
    "reply",
    [
        answers(),
        answers(0.5, 0.5),
        answers(1.5),
        answers(float("nan")),
        answers({"type": "predicate"}),
        answers({"type": "predicate", "probability": True}),
        answers({"type": "predicate", "probability": "0.9"}),
        answers("0.9"),
        Reply("", wire={}),
        Reply("", wire={"answers": "yes"}),
        ScorerError("no access"),
    ],
)
def test_what_is_no_probability_is_a_failure(reply):
    """A reply of another shape fails and says what came."""
    outcome = outcome_of(reply)
    assert isinstance(outcome, Failed)
    assert outcome.reason


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"statements": []}, "statements"),
        ({"statements": ["a"] * 2}, "twice"),
        ({"statements": [str(n) for n in range(401)]}, "401 statements"),
        ({"combine": "max"}, "combine 'max'"),
        ({"model": " "}, "model ' '"),
        ({"params": {"input": "x"}}, "no further parameters"),
        ({"params": 3}, "no further parameters"),
    ],
)
def test_mistakes_surface_when_the_scorer_is_made(settings, words):
    """A setting that cannot work is refused by name."""
    with pytest.raises(ConfigError, match=words):
        Decision(**settings)


def test_a_decision_is_booked_with_the_request():
    """In a chain the call goes to the Decisions API, and its price is the table's."""
    used = Usage(input_tokens=1_000, output_tokens=0)
    decided = Reply("", wire={"answers": [{"type": "predicate", "probability": 0.9}]}, usage=used)
    models = ScriptedModels({"small": "Order 5.", "gpt-6-luna": decided, "big": "x"})
    price = Price.of("1", "2")
    tiers = [Tier("small", scorer=Decision(), threshold=0.8, price=price), Tier("big", price=price)]
    done = Cascade(tiers, models=models).complete("Which order?")
    assert done.tier == "small"
    assert models.calls[1].api == "decisions"
    assert done.scoring_cost_usd == Decimal("0.0001")


def test_the_model_does_not_decide_about_itself():
    """The same rule as for a judge."""
    price = Price.of("1", "2")

    def build(**settings):
        tier = Tier("gpt-6-luna", scorer=Decision(**settings), price=price)
        return Chain((tier, Tier("big", price=price)))

    with pytest.raises(ConfigError, match="its own answers"):
        build()
    assert build(allow_self=True)


def test_an_answer_to_another_kind_of_question_is_none():
    """A number counts only as the probability of a statement."""
    wire = {"answers": [{"type": "choice", "probability": 0.9}]}
    outcome, _ = judged(Decision(), draft_of("x"), Reply("", wire=wire))
    assert isinstance(outcome, Failed)
