"""What an operator allows at most holds, whatever a caller says."""

from __future__ import annotations

import openai
import pytest
from openai import OpenAI

from cascade import Sticky
from cascade.errors import ConfigError
from cascade.gateway import Limits

MESSAGES = [{"role": "user", "content": "a hard one"}]


@pytest.fixture
def client_of():
    made = []

    def make(served):
        made.append(OpenAI(api_key="ck-any", base_url=served.url, max_retries=0))
        return made[-1]

    yield make
    for client in made:
        client.close()


def ask(client, **own):
    return client.chat.completions.create(
        model="support",
        messages=MESSAGES,
        max_completion_tokens=10,
        extra_body={"cascade": own},
    )


@pytest.mark.loopback
def test_the_smaller_budget_counts(serve, client_of, traces):
    """A caller can ask for less than the operator allows, not for more."""
    client = client_of(serve(limits={"budget_usd": "0.002"}))
    ask(client, budget="100")
    ask(client)
    with pytest.raises(openai.RateLimitError):
        ask(client, budget="0.00005")
    assert [str(trace.budget_usd) for trace in traces()] == ["0.002", "0.002", "0.00005"]


@pytest.mark.loopback
def test_the_shorter_deadline_counts(serve, client_of):
    """The same for time."""
    client = client_of(serve(limits={"deadline_s": 0.2}))
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(
            model="support",
            messages=[{"role": "user", "content": "wait 5"}],
            extra_body={"cascade": {"deadline_s": 60}},
        )
    assert caught.value.status_code == 504


@pytest.mark.loopback
def test_conversations_stay_with_their_tier(serve, client_of, upstream):
    """A conversation goes on where it was answered."""
    client = client_of(serve(sticky=Sticky(60)))
    ask(client, conversation="c1")
    ask(client, conversation="c1")
    assert [model for model, _ in upstream.asked] == ["small", "big", "big"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_body_bytes": 0},
        {"max_concurrent": 1.5},
        {"max_waiting": -1},
        {"drain_s": -1},
        {"body_timeout_s": "30"},
        {"keep_alive_s": True},
        {"budget_usd": "0"},
        {"silence_s": -1},
        {"silence_s": None},
        {"deadline_s": 0},
        {"deadline_s": float("nan")},
    ],
)
def test_limits_that_cannot_be(wrong):
    """A limit outside its range is refused by name when it is set."""
    with pytest.raises(ConfigError, match="budget|" + next(iter(wrong))):
        Limits(**wrong)
