"""A parameter that a model refuses is given up once, remembered, and shown."""

from __future__ import annotations

from decimal import Decimal

import fake_openai as fake
import pytest
from faces import PRICE, bodies, one
from fake_openai import answer, completion, sure
from test_sent import Confidence

from cascade import Tier
from cascade.core.failures import CallFailure
from cascade.core.tier import Retry
from cascade.errors import CallRefused
from cascade.provider.downgrades import Downgrades, Situation

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]

ROWS = {
    "logprobs": (
        fake.NO_LOGPROBS,
        {"logprobs": True, "top_logprobs": 2},
        {"logprobs": None, "top_logprobs": None},
    ),
    "logprobs, 403": (fake.LOGPROBS_FORBIDDEN, {"logprobs": True}, {"logprobs": None}),
    "logprobs, unknown": (fake.UNKNOWN_LOGPROBS, {"logprobs": True}, {"logprobs": None}),
    "top_logprobs cap": (
        fake.CAPPED,
        {"logprobs": True, "top_logprobs": 20},
        {"logprobs": True, "top_logprobs": 5},
    ),
    "top_logprobs alone": (fake.TOP_ALONE, {"top_logprobs": 2}, {"top_logprobs": None}),
    "temperature": (fake.NO_TEMPERATURE, {"temperature": 0}, {"temperature": None}),
    "temperature, code null": (fake.NO_TEMPERATURE_NULL, {"temperature": 0}, {"temperature": None}),
    "effort": (fake.NO_EFFORT, {"reasoning_effort": "max"}, {"reasoning_effort": None}),
    "tools and effort": (
        fake.TOOLS_AND_EFFORT,
        {"tools": TOOLS, "reasoning_effort": "low"},
        {"reasoning_effort": "none"},
    ),
    "tools without effort": (fake.TOOLS_AND_EFFORT, {"tools": TOOLS}, {"reasoning_effort": "none"}),
    "max_tokens": (
        fake.NO_MAX_TOKENS,
        {"max_tokens": 9},
        {"max_tokens": None, "max_completion_tokens": 9},
    ),
    "stop": (fake.NO_STOP, {"stop": ["x"]}, {"stop": None}),
}


@pytest.mark.parametrize(("refusal", "asked", "expected"), ROWS.values(), ids=ROWS)
def test_a_refused_parameter_is_given_up_once(face, openai_api, refusal, asked, expected):
    """One refusal, one resend with the change; the next request starts with it; all is booked."""
    openai_api.side_effect = [refusal, answer(completion()), answer(completion())]
    used = face([Tier("unheard-of", price=PRICE, retry=Retry(max_tries=1))])
    result = used.complete(**asked)
    refused, accepted = result.trace.charges
    assert (refused.outcome, refused.cost_usd, refused.basis) == (
        "unsupported",
        Decimal(0),
        "exact",
    )
    assert refused.message == refusal.json()["error"]["message"]
    assert refused.status == refusal.status_code
    assert refused.request_id == "req_1"
    assert accepted.outcome == "ok"
    assert result.cost_usd == Decimal("0.00012")
    again = used.complete(**asked)
    assert len(again.trace.charges) == 1
    for charge in (accepted, again.trace.charges[0]):
        assert any(note in charge.notes[-1] for note in asked)
    first, second, third = bodies(openai_api)
    for name, value in expected.items():
        assert second.get(name) == value
    assert second == third
    assert {**second, **{k: first[k] for k in asked}}.items() >= first.items()
    assert used.waits == []


def test_several_refusals_in_a_row(face, openai_api):
    """A model may refuse one parameter after another; each costs one request and nothing else."""
    openai_api.side_effect = [
        fake.NO_LOGPROBS,
        fake.NO_TEMPERATURE,
        fake.NO_MAX_TOKENS,
        answer(completion()),
    ]
    result = face(one()).complete(logprobs=True, temperature=0, max_tokens=5)
    assert [charge.outcome for charge in result.trace.charges] == ["unsupported"] * 3 + ["ok"]
    assert bodies(openai_api)[-1].keys() == {
        "model",
        "messages",
        "service_tier",
        "max_completion_tokens",
    }
    assert len(result.trace.charges[-1].notes) == 3


def test_a_refused_tier_of_service_leaves_the_others(face, openai_api):
    """What is said of one tier holds for that one: a cheaper one is still asked for."""
    words = "Unsupported value: 'service_tier' does not support 'priority' with this model."
    refusal = fake.refuse(400, words, param="service_tier", code="unsupported_value")
    openai_api.side_effect = [refusal, *[answer(completion())] * 3]
    used = face([Tier("unheard-of", price=PRICE, retry=Retry(max_tries=1))])
    note = used.complete(service_tier="priority").trace.charges[-1].notes[-1]
    assert note == "service_tier 'priority' given up for 'default'"
    for wanted in ("flex", "priority"):
        used.complete(service_tier=wanted)
    sent = [body["service_tier"] for body in bodies(openai_api)]
    assert sent == ["priority", "default", "flex", "default"]


def test_the_same_refusal_again_is_final(face, openai_api):
    """A model that goes on refusing what was already changed ends the request."""
    openai_api.return_value = fake.NO_TEMPERATURE
    with pytest.raises(CallRefused, match="temperature"):
        face(one(retry=Retry(max_tries=3))).complete(temperature=0)
    assert len(openai_api.calls) == 2


def test_a_typing_error_is_not_swallowed(face, openai_api):
    """A key that no model knows ends the request with the API's own words, after one try."""
    openai_api.return_value = fake.UNKNOWN_KEY
    with pytest.raises(CallRefused, match="Unknown parameter: 'zzz_unknown'") as caught:
        face(one()).complete(zzz_unknown=1)
    assert len(openai_api.calls) == 1
    assert caught.value.trace.cost_usd == 0


def test_a_refusal_holds_for_its_effort_only(face, openai_api):
    """Log-probabilities refused while reasoning are asked for again where the model does not."""
    openai_api.side_effect = [fake.NO_LOGPROBS, *[answer(sure())] * 4]
    used = face(
        [
            Tier("gpt-5.4-mini", name="small", price=PRICE, scorer=Confidence()),
            Tier("gpt-5.4", price=PRICE),
        ]
    )
    used.complete(reasoning_effort="high")
    used.complete()
    asked = [body.get("logprobs", False) for body in bodies(openai_api)]
    assert asked == [True, False, False, True, False]


def test_a_scorer_without_its_signal_abstains(face, openai_api):
    """A downgrade does not reject the draft: the scorer sees no log-probabilities, and says so."""
    openai_api.side_effect = [fake.NO_LOGPROBS, answer(completion()), answer(completion())]

    class Reads(Confidence):
        def __call__(self, draft):
            seen.append(draft.reply.logprobs)
            return 1.0

    seen = []
    tiers = [
        Tier("gpt-5.4-mini", name="small", price=PRICE, scorer=Reads()),
        Tier("gpt-5.4", price=PRICE),
    ]
    result = face(tiers).complete()
    assert seen == [None]
    assert result.tier == "small"


def test_a_stream_is_downgraded_before_it_begins(face, openai_api):
    """The refusal of a streamed call is handled as that of any other."""
    openai_api.side_effect = [fake.NO_TEMPERATURE, fake.events(fake.text_chunks("Paris"))]
    stream, chunks = face(one()).stream(temperature=0)
    assert "".join(chunk.text for chunk in chunks) == "Paris"
    assert [charge.outcome for charge in stream.trace.charges] == ["unsupported", "ok"]


def test_a_resend_needs_room_in_the_budget(face, openai_api):
    """The resend is a try of its own: a budget that holds one try allows one."""
    openai_api.return_value = fake.NO_TEMPERATURE
    with pytest.raises(CallRefused):
        face(one()).complete(temperature=0, max_completion_tokens=100, budget="0.0004")
    assert len(openai_api.calls) == 1


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Unknown parameter: 'my_logprobs'.", "my_logprobs"),
        ("Unsupported value: 'messages[0].role' does not support 'x'.", "messages[0].role"),
        ("Unsupported parameter: 'temperature' is not supported.", "temperature"),
    ],
)
def test_nothing_is_learned_from_what_was_not_sent(message, param):
    """A refusal of something that the body does not hold changes nothing."""
    memory, place = Downgrades(), Situation("https://a", "m", None)
    body = {"model": "m", "logprobs": True}
    failure = CallFailure("unsupported", message, 400, param=param)
    assert not memory.learn(place, failure, body)
    assert memory.apply(place, body) == ()


@pytest.mark.parametrize(
    ("message", "gone"),
    [
        ('Invalid JSON payload received. Unknown name "logprobs": Cannot find field.', "logprobs"),
        ("logprobs are not supported with reasoning models.", "logprobs"),
        ("unsupported parameter: seed", "seed"),
    ],
)
def test_words_count_where_param_is_missing(message, gone):
    """Compatible servers name the parameter in their message alone."""
    memory, place = Downgrades(), Situation("https://a", "m", None)
    body = {"model": "m", "logprobs": True, "seed": 1}
    assert memory.learn(place, CallFailure("unsupported", message, 400), body)
    memory.apply(place, body)
    assert gone not in body
