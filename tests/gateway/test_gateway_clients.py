"""The gateway as OpenAI's own clients see it."""

from __future__ import annotations

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

pytestmark = pytest.mark.loopback


@pytest.fixture
def client(serve):
    with OpenAI(api_key="ck-any", base_url=serve().url, max_retries=0) as made:
        yield made


def ask(client, words, **more):
    messages = [{"role": "user", "content": words}]
    return client.chat.completions.create(model="support", messages=messages, **more)


def test_an_answer_of_the_first_tier(client, traces):
    """An answer is OpenAI's, and tells which tier gave it and what it cost."""
    done = ask(client, "an easy one")
    assert done.choices[0].message.content == "The answer is this."
    (trace,) = traces()
    assert done.cascade == {
        "trace_id": trace.id,
        "chain": "support",
        "tier": "small",
        "accepted": True,
        "cost_usd": "0.00012",
        "saved_usd": "0.00108",
        "attempts": 1,
    }
    assert done.usage.total_tokens == 110
