"""SelfCheck: what it asks, what it repeats of the draft's call, how it reads verdicts."""

import math

import pytest
from scoring_help import draft_of, entry, judged, tool_call

from cascade import (
    Abstained,
    Cascade,
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
from scorers import SelfCheck

PAYLOAD = {
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}],
    "tools": [{"type": "function", "function": {"name": "add"}}],
    "tool_choice": "auto",
    "reasoning_effort": "none",
    "verbosity": "low",
    "prompt_cache_key": "k",
    "response_format": {"type": "json_object"},
    "max_completion_tokens": 900,
    "stop": ["\n"],
    "chat_template_kwargs": {"enable_thinking": False},
}
DRAFT = draft_of("4", payload=PAYLOAD)


def verdict(text, *tokens):
    """A reply; tokens are (text, probability, alternatives)."""
    wire = [entry(t, math.log(p), [(a, math.log(q)) for a, q in top]) for t, p, top in tokens]
    return Reply(text, raw_logprobs=wire or None)


def outcome_of(reply, **settings):
    return judged(SelfCheck(**settings), DRAFT, reply)[0]


# What is asked ---------------------------------------------------------------------------------


def test_the_question_is_appended_so_that_the_prefix_can_be_cached():
    """The conversation as sent comes first, unchanged; draft and question follow."""
    _, (asked,) = judged(SelfCheck(), DRAFT, Reply("Yes 90"))
    assert list(asked.messages[:2]) == PAYLOAD["messages"]
    assert asked.messages[2] == {"role": "assistant", "content": "4"}
    assert asked.messages[3]["role"] == "user"
    assert asked.model is None


def test_the_same_model_is_asked_with_the_drafts_parameters():
    """What is part of the cached prefix is repeated; what would bend the verdict is not."""
    _, (asked,) = judged(SelfCheck(), DRAFT, Reply("Yes 90"))
    assert asked.params == {
        "tools": PAYLOAD["tools"],
        "tool_choice": "none",
        "reasoning_effort": "none",
        "verbosity": "low",
        "prompt_cache_key": "k",
        "chat_template_kwargs": {"enable_thinking": False},
        "max_completion_tokens": 16,
        "logprobs": True,
        "top_logprobs": 5,
    }


def test_another_model_gets_none_of_the_drafts_parameters():
    """Parameters of one model can be errors on another; only its own are sent."""
    check = SelfCheck("gpt-5.5", mode="stated", params={"reasoning_effort": "none"})
    _, (asked,) = judged(check, DRAFT, Reply("90"))
    assert asked.model == "gpt-5.5"
    assert asked.params == {"max_completion_tokens": 16, "reasoning_effort": "none"}


def test_legacy_names_are_kept():
    """A server that was told max_tokens and functions is told the same way again."""
    draft = draft_of(
        "4", payload={"max_tokens": 50, "functions": [{"name": "f"}], "function_call": "auto"}
    )
    _, (asked,) = judged(SelfCheck(mode="stated"), draft, Reply("90"))
    assert asked.params == {"max_tokens": 16, "functions": [{"name": "f"}], "function_call": "none"}


@pytest.mark.parametrize(
    "draft",
    [
        draft_of("4", payload={"reasoning_effort": "high"}),
        draft_of("4", usage=Usage(10, 50, reasoning_tokens=40)),
    ],
)
def test_a_model_that_reasons_gets_room_for_it(draft):
    """Thinking counts towards the limit, so the limit grows where the draft shows thinking."""
    _, (asked,) = judged(SelfCheck(), draft, Reply("Yes 90"))
    assert asked.params["max_completion_tokens"] == 16 + 2048


def test_without_a_payload_the_request_is_shown():
    """A draft made by hand falls back on its request."""
    _, (asked,) = judged(SelfCheck(question="Right?"), draft_of("4"), Reply("Yes 90"))
    assert [m["content"] for m in asked.messages] == ["What is it?", "4", "Right?"]


def test_tool_calls_are_shown_as_text():
    """A call in the draft is written out, since a real one would have to be answered."""
    calls = (
        tool_call("add", {"a": 2}),
        {"type": "custom", "custom": {"name": "sh", "input": "ls"}},
        {"type": "odd"},
        {"function": {"name": "f", "arguments": {"x": 1}}},
    )
    draft = draft_of("Let me see.", tool_calls=calls)
    _, (asked,) = judged(SelfCheck(), draft, Reply("Yes 90"))
    assert asked.messages[1]["content"] == (
        'Let me see.\n[calls add({"a": 2})]\n[calls sh(ls)]\n[calls odd()]\n[calls f({"x": 1})]'
    )


# Reading verdicts ------------------------------------------------------------------------------


def test_p_true_is_the_share_of_yes_words():
    """All spellings of yes against yes, no and unlisted mass."""
    top = [("Yes", 0.6), (" yes", 0.1), ("TRUE", 0.05), ("No", 0.2), ("Maybe", 0.05)]
    outcome = outcome_of(verdict("Yes 90", ("Yes", 0.6, top), (" 90", 1.0, [])))
    assert outcome.value == pytest.approx(0.75 / 0.95)
    assert outcome.reason == "P(true) = 0.7895, said 'Yes 90'"


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([("Yes", 1.0, [("Yes", 1.0)])], 1.0),
        ([("No", 1.0, [("No", 1.0)])], 0.0),
        ([("Yes", 0.8, [])], 0.8),
        ([("**", 1.0, []), ("Yes", 0.9, [("Yes", 0.9), ("No", 0.1)])], 0.9),
    ],
)
def test_short_lists_of_alternatives_give_lower_bounds(tokens, expected):
    """Unlisted mass never counts as yes; marks before the verdict are skipped."""
    assert outcome_of(verdict("Yes", *tokens), mode="logprobs").value == pytest.approx(expected)


def test_a_first_token_that_is_no_verdict_falls_back_on_the_number():
    """Where most mass is on other words, `auto` reads the stated number and `logprobs` abstains."""
    reply = verdict("Probably 70", ("Probably", 0.9, [("Probably", 0.9), ("Yes", 0.1)]))
    assert outcome_of(reply) == Score(0.7, "stated 0.7")
    assert isinstance(outcome_of(reply, mode="logprobs"), Abstained)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Yes 90", 0.9),
        ("Yes, 90%.", 0.9),
        ("Yes,90", 0.9),
        ("No 15", 0.15),
        ("85", 0.85),
        ("**No** - 5", 0.05),
        ("90/100", 0.9),
        ("Yes 99.5", 0.995),
        ("0.5%", 0.005),
        ("0", 0.0),
        ("1", 0.01),
        ("yes: 100 percent", 1.0),
    ],
)
def test_a_stated_number_is_read(text, value):
    """Without log-probabilities the number decides, with or without its unit."""
    assert outcome_of(Reply(text)).value == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "Yes",
        "",
        "No 90",
        "Yes 10",
        "between 60 and 80",
        "Yes 900",
        "-5",
        "0.9",
        "Yes 1.0",
        "1,000",
        "Yes 101",
        "x" * 500 + " 90",
    ],
)
def test_an_unreadable_verdict_is_no_number(text):
    """No number, several, one outside the scale, a bare fraction or a contradiction abstains."""
    outcome = outcome_of(Reply(text, finish_reason="length"))
    assert isinstance(outcome, Abstained)
    assert text[:10] in outcome.reason


def test_stated_mode_ignores_yes_and_no():
    """Mode "stated" reads the number alone and asks for no log-probabilities."""
    outcome, (asked,) = judged(SelfCheck(mode="stated"), DRAFT, Reply("No, 90"))
    assert outcome.value == 0.9
    assert "logprobs" not in asked.params


def test_words_can_be_replaced():
    """Other languages bring their own words."""
    check = {"yes": ["Ja"], "no": "Nein", "question": "Stimmt das?", "mode": "logprobs"}
    assert outcome_of(
        verdict("Ja", ("Ja", 0.9, [("Ja", 0.9), ("nein", 0.1)])), **check
    ).value == pytest.approx(0.9)


def test_a_failed_question_is_a_failure():
    """An error of the call is the scorer's failure, not a score."""
    assert isinstance(outcome_of(ScorerError("rate limited")), Failed)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mode": "vote"}, "mode 'vote'"),
        ({"question": " "}, "question ' '"),
        ({"model": ""}, "model ''"),
        ({"max_completion_tokens": 5}, "5 is below 16"),
        ({"max_completion_tokens": 20.0}, "20.0 is below"),
        ({"yes": []}, "holds no word"),
        ({"yes": [1]}, "no list of words"),
        ({"yes": ["ok"], "no": ["OK"]}, "both yes and no"),
        ({"params": ["x"]}, "no wire parameters"),
        ({"params": {"messages": []}}, "no wire parameters"),
    ],
)
def test_mistakes_surface_when_the_scorer_is_made(settings, words):
    """A setting that cannot work is refused by name."""
    with pytest.raises(ConfigError, match=words):
        SelfCheck(**settings)


@pytest.mark.parametrize(
    "said", ["Incorrect 95", "Nope 90", "Not correct 90", "Certainly not, 99", "It isn't. 97"]
)
def test_how_sure_a_denial_is_does_not_become_approval(said):
    """A high number after a denial is no confidence in the answer; nothing is guessed."""
    assert isinstance(outcome_of(Reply(said)), Abstained)


def test_a_draft_from_the_responses_api():
    """The check goes the way of the draft: same conversation, same effort, a limit of its own."""
    asked = {
        "instructions": "Be brief.",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "2+2?"}]}],
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "max_output_tokens": 500,
        "include": ["reasoning.encrypted_content"],
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
        "conversation": "conv_1",
        "previous_response_id": "resp_1",
    }
    models = ScriptedModels({"m": "4"}, scorers={"m": "Yes 90"})
    tiers = [Tier("m", scorer=SelfCheck(), price=Price.free()), Tier("n", price=Price.free())]
    done = Cascade(tiers, models=models).complete(asked)
    assert done.accepted
    call = models.calls[-1]
    assert (call.api, call.purpose) == ("responses", "scorer")
    assert [item["role"] for item in call.payload["input"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert call.payload["reasoning"] == {"effort": "low"}
    assert call.payload["text"] == {"verbosity": "low"}
    assert call.payload["max_output_tokens"] == 16 + 2048
    assert call.payload["tools"] == asked["tools"]
    assert call.payload["tool_choice"] == "none"
    assert call.payload["previous_response_id"] == "resp_1"
    assert not {"conversation", "include", "instructions"} & call.payload.keys()
    assert call.needs.logprobs
