"""Agreement: what is asked, how votes are counted, ties, losses, and what is never paid for."""

import math

import pytest
from scoring_help import entry, judged, tool_call

from cascade import (
    Abstained,
    Cascade,
    Chain,
    ConfigError,
    Draft,
    Failed,
    Price,
    Reply,
    Request,
    Score,
    ScorerError,
    Tier,
    replay,
)
from cascade.testing import ScriptedModels, failure
from scorers import Agreement, JsonSchema, NoRefusal, first_reject

PAYLOAD = {"messages": [{"role": "user", "content": "2+2?"}], "seed": 7, "max_tokens": 5}


def voted(draft, *samples, payload=PAYLOAD, **settings):
    """The outcome for a draft's text (or reply) and its samples."""
    settings.setdefault("k", len(samples) + 1)
    own = draft if isinstance(draft, Reply) else Reply(draft)
    replies = [s if isinstance(s, Reply | Exception) else Reply(s) for s in samples]
    judging = Draft(Request.build("2+2?"), own, "small", "small-1", payload)
    return judged(Agreement(**settings), judging, replies)[0]


def test_the_drafts_own_call_is_repeated_at_once():
    """One wish with all samples: same tier, payload and API; no seed, and what is laid over."""
    draft = Draft(Request.build("2+2?"), Reply("4"), "small", "small-1", PAYLOAD)
    agreement = Agreement(k=4, params={"temperature": 0.7})
    outcome, (asked,) = judged(agreement, draft, [Reply("4"), Reply("5"), Reply("4")])
    assert len(asked.asks) == 3
    assert asked.asks[0].model == "small"
    assert asked.asks[0].payload == PAYLOAD
    assert asked.asks[0].params == {"seed": None, "temperature": 0.7}
    assert outcome == Score(0.75, "3 of 4 answers agree")


@pytest.mark.parametrize(
    ("by", "draft", "samples", "value"),
    [
        ("exact", "Paris", ["Paris ", "paris"], 2 / 3),
        ("normalised", "Paris.", ["paris", "The Paris"], 1.0),
        ("normalised", "so it is #### 1,000", ["The answer is 1000.0", "1001"], 2 / 3),
        ("normalised", "B", ["The answer is (b)", "C"], 2 / 3),
        ("normalised", '{"a": 1, "b": "X"}', ['{"b": "x", "a": 1.0}', "no"], 2 / 3),
        ("number", "about 7 apples", ["7.0", "no idea"], 2 / 3),
        ("text", "7", ["seven", "7!"], 2 / 3),
        (len, "ab", ["cd", "xyz"], 2 / 3),
    ],
)
def test_answers_are_compared_in_one_form(by, draft, samples, value):
    """Each comparison forgives what it says it forgives, and nothing else."""
    assert voted(draft, *samples, by=by).value == pytest.approx(value)


def test_the_majority_is_returned():
    """Two samples outvote the draft: their answer is the one to return."""
    first = Reply("5")
    outcome = voted("4", first, "5")
    assert outcome.value == pytest.approx(2 / 3)
    assert outcome.reply is first
    assert outcome.reason == "2 of 3 answers agree, the draft does not"
    assert voted("4", "4", "5").reply is None


def test_all_different_is_one_of_k():
    """When every answer differs the draft stays, and its share is its own vote."""
    outcome = voted("1", "2", "3", "4")
    assert outcome == Score(0.25, "all answers differ")


def sure(text, p):
    return Reply(text, raw_logprobs=[entry(text, math.log(p))])


def test_ties_go_to_the_draft_then_to_the_surest():
    """The draft wins a tie it is in; else log-probabilities decide, else who came first."""
    assert voted("1", "1", "2", "2").reply is None
    doubtful, surer = sure("2", 0.5), sure("3", 0.9)
    others = [doubtful, sure("2", 0.5), surer, sure("3", 0.9)]
    assert voted("1", *others).reply is surer
    assert voted("1", Reply("2"), *others[1:]).reply == Reply("2")


def test_samples_that_are_no_answers_are_named_and_do_not_count():
    """Failed calls, refusals, empty and cut answers are no votes against."""
    outcome = voted(
        "4",
        "4",
        ScorerError("rate limited"),
        Reply("", refusal="no"),
        Reply("4", finish_reason="length"),
        "",
    )
    assert outcome.value == 1.0
    assert outcome.reason == (
        "2 of 2 answers agree; 4 did not count: rate limited; refused; cut off (length); empty"
    )


def test_without_any_other_answer_there_is_no_vote():
    """Failed where calls failed, silent where none of them was an answer."""
    failed = voted("4", ScorerError("rate limited"), "")
    assert failed == Failed("none of 2 samples counts: rate limited; empty")
    assert isinstance(voted("4", "", Reply("", refusal="no")), Abstained)


def test_rambling_votes_alone():
    """A whole answer without the form does not vanish: it stands against the draft."""
    assert voted("42", "who knows", "who knows", by="number") == Score(1 / 3, "all answers differ")


def test_tool_calls_vote_by_name_and_arguments():
    """The order of arguments does not count; other arguments do."""
    calls = [
        Reply("", tool_calls=(tool_call("f", text),))
        for text in ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', '{"a": 1, "b": 3}')
    ]
    assert voted(*calls).value == pytest.approx(2 / 3)


# Fields ----------------------------------------------------------------------------------------


def test_each_field_is_voted_on_and_the_fittest_answer_returned():
    """The sample with most majorities is returned, scored by the votes for its values."""
    samples = [
        Reply('{"name": "ann", "total": 12, "city": "Bonn"}'),
        Reply('{"name": "Ann", "total": 12, "city": "Rome"}'),
    ]
    outcome = voted('{"name": "Ann", "total": 7, "city": "Rome"}', *samples, by="fields")
    assert outcome.reply is samples[1]
    assert outcome.value == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert outcome.reason == "3 fields of 3 answers; least agreed: 'total', by 2"


def test_named_fields_only():
    """Other fields may differ; a field that all lack agrees, and with none at all nothing is known."""
    texts = ['{"a": {"b": 1}, "c": 1}', '{"a": {"b": 1}, "c": 2}']
    assert voted(*texts, by="fields", fields=["a.b"]).value == 1.0
    assert voted(*texts, by="fields", fields=["a.b", "c"]).value == 0.75
    assert voted(*texts, by="fields", fields=["a.b", "none"]).value == 1.0
    unknown = voted(*texts, by="fields", fields=["none", "a.x"])
    assert unknown == Abstained("no answer has any of the fields none, a.x")
    assert voted("{}", "{}", by="fields").value == 1.0


def test_a_sample_that_is_no_record_agrees_with_nothing():
    """Prose counts among the answers, and never wins."""
    outcome = voted('{"a": 1}', "no record", by="fields")
    assert outcome.value == 0.5
    assert outcome.reply is None


# Never paid for --------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [{"temperature": 0}, {"temperature": 0.0}, {"top_k": 1}])
def test_samples_that_would_repeat_each_other_are_not_taken(sent):
    """A greedy request abstains without a call; one laid over makes it vary."""
    outcome = voted("4", payload={**PAYLOAD, **sent}, k=3)
    assert isinstance(outcome, Abstained)
    assert "would repeat each other" in outcome.reason
    varied = {"temperature": 0.7, "top_k": None}
    assert voted("4", "4", payload={**PAYLOAD, **sent}, params=varied).value == 1.0


def test_a_conversation_that_a_server_keeps_is_not_added_to():
    """Samples of such a call would be remembered as turns of the conversation."""
    outcome = voted("4", payload={**PAYLOAD, "conversation": "conv_1"}, k=3)
    assert outcome.reason == "samples would become a part of the conversation that the server keeps"


@pytest.mark.parametrize(
    ("draft", "by"), [("no idea", "number"), ("prose", "fields"), ("{", "json"), ("[1]", "fields")]
)
def test_a_draft_without_the_form_is_not_sampled(draft, by):
    """Nothing to compare: it abstains before anything is paid."""
    outcome = voted(draft, by=by, k=3)
    assert isinstance(outcome, Abstained)
    assert repr(draft) in outcome.reason


def test_a_function_that_gives_what_cannot_be_counted_fails_before_it_costs():
    """The mistake is named, and no sample was taken."""
    outcome = voted("4", by=list, k=3)
    assert outcome == Failed(
        "TypeError: list gave list, which cannot be counted; return a text, a number or a tuple"
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"k": 1}, "k 1 is no whole number from 2 to 32"),
        ({"k": 33}, "k 33"),
        ({"k": True}, "k True"),
        ({"by": "meaning"}, "by 'meaning' is unknown"),
        ({"fields": ["a"]}, "fields need by='fields'"),
        ({"fields": [], "by": "fields"}, "Agreement: fields"),
        ({"params": {"n": 3}}, "n=3; samples are calls of their own"),
        ({"params": {"messages": []}}, "would change what is asked"),
        ({"params": 5}, "params 5"),
    ],
)
def test_mistakes_surface_when_the_scorer_is_made(settings, words):
    """A setting that cannot work is refused by name."""
    with pytest.raises(ConfigError, match=words):
        Agreement(**settings)


# In a chain ------------------------------------------------------------------------------------

PRICE = Price.of("1", "2")


def test_a_chain_returns_the_majority_and_books_every_sample():
    """The draft loses the vote: the answer is the majority's, and each call is charged."""
    models = ScriptedModels({"small": ["5", "4", "four: 4"], "big": "x"})
    tiers = [
        Tier("small", scorer=first_reject(Agreement(k=3, by="number"), NoRefusal()), price=PRICE),
        Tier("big", price=PRICE),
    ]
    done = Cascade(tiers, models=models).complete("2+2?")
    assert (done.text, done.tier) == ("4", "small")
    assert [charge.purpose for charge in done.trace.charges] == ["draft", "scorer", "scorer"]
    assert done.cost_usd == sum(charge.cost_usd for charge in done.trace.charges)
    assert replay(done.trace, Chain(tuple(tiers))) == done.trace


def test_a_failed_sample_in_a_chain_does_not_count():
    """A call that fails for good is named in the reason, and the rest decides."""
    down = failure("server")
    models = ScriptedModels({"small": ["4", "4", down, down, down]})
    tiers = [
        Tier("small", scorer=Agreement(k=3), price=PRICE, threshold=1.0),
        Tier("big", price=PRICE),
    ]
    done = Cascade(tiers, models=models).complete("2+2?")
    assert done.tier == "small"
    assert "1 did not count" in done.trace.attempts[0].reason


def test_a_greedy_tier_is_refused_when_the_chain_is_built():
    """Where the tier itself fixes the temperature, no request could ever be voted on."""
    tiers = (
        Tier("small", scorer=first_reject(Agreement()), params={"temperature": 0}, price=PRICE),
        Tier("big", price=PRICE),
    )
    with pytest.raises(ConfigError, match=r"tier 'small': scorer 'Agreement': samples at temp"):
        Chain(tiers)


def test_nothing_is_lost_early_before_the_vote():
    """A draft that breaks its schema may still be outvoted, so it is read to its end."""
    gate = first_reject(Agreement(by="json"), JsonSchema(True))
    assert gate.hopeless("not JSON", (), 0.5) is None
    assert first_reject(JsonSchema(True), Agreement()).hopeless("not JSON", (), 0.5)


def test_an_answer_replaced_by_the_vote_is_judged_by_later_parts():
    """The gate behind the vote sees the majority's answer, not the draft."""
    gate = first_reject(Agreement(by="json"), JsonSchema({"type": "object"}))
    models = ScriptedModels({"small": ["[1]", "{}", "{}"], "big": "x"})
    tiers = [Tier("small", scorer=gate, price=PRICE), Tier("big", price=PRICE)]
    assert Cascade(tiers, models=models).complete("JSON!").text == "{}"


def test_what_is_said_before_a_call_does_not_vote():
    """Equal words before different calls are no agreement, and different words before equal ones are."""

    def calling(words, place):
        return Reply(words, tool_calls=(tool_call("delete", {"id": place}),))

    assert voted(calling("Let me see.", 1), calling("Let me see.", 2)).value == 0.5
    assert voted(calling("Let me see.", 1), calling("One moment.", 1)).value == 1.0
