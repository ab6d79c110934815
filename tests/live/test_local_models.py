"""The whole way, with real models: llama.cpp's server, the real SDK, real log-probabilities."""

import json

import numpy as np
import pytest

from cascade import (
    AsyncCascade,
    Cascade,
    Chain,
    Endpoint,
    Policy,
    Price,
    Retry,
    Tier,
    Trace,
    replay,
)
from cascade.calibration import record, what_if
from cascade.demo.job import LABELS, local_chain, tickets
from cascade.demo.servers import GEMMA, SMOLLM
from scorers import JsonSchema, LogprobConfidence, SelfCheck, first_reject

pytestmark = [pytest.mark.live, pytest.mark.loopback]

PRICE = Price.of("0.20", "1.25", cached_input="0.02")
SHORT = {"temperature": 0, "max_tokens": 12}


def tier(models, model, **settings):
    """A tier on one of the running models."""
    settings.setdefault("params", SHORT)
    return Tier(model, client=Endpoint(models[model].base_url), price=PRICE, **settings)


def test_the_demo_job_is_recorded_and_priced(models):
    """Eight tickets are recorded on four real tiers; every answer is a label, every cost exact."""
    recording = record(local_chain(models), tickets(8), concurrency=2)
    assert recording.answered.all()
    assert {text.strip() for text in recording.texts.ravel()} <= set(LABELS)
    assert (recording.score_kind[:, :3] == 1).all()
    assert set(np.unique(recording.quality)) <= {0.0, 1.0}
    found = what_if(local_chain(), recording)
    assert found.total_usd == sum(tier.cost_usd for tier in found.tiers) > 0
    assert sum(tier.returned for tier in found.tiers) == 1


def test_real_log_probabilities_reach_the_scorer(models):
    """A real model's tokens are scored, the trace replays to itself and reads back from JSON."""
    chain = [
        tier(models, SMOLLM, scorer=LogprobConfidence(), threshold=1.0),
        tier(models, GEMMA, name="top"),
    ]
    policy = Policy(on_length="score")
    done = Cascade(chain, policy=policy).complete("The capital of France is")
    first = done.trace.attempts[0]
    assert first.verdict == "escalated"
    assert 0 < first.score.value < 1
    assert "tokens" in first.score.reason
    assert done.tier == "top"
    assert replay(done.trace, Chain(tuple(chain), policy=policy)) == done.trace
    assert Trace.from_json(done.trace.to_json()) == done.trace


def test_the_streamed_text_is_the_completed_text(models):
    """Temperature 0: streaming and completing give the same text, and the usage is exact."""
    llm = Cascade([tier(models, SMOLLM, name="only")])
    whole = llm.complete("Once upon a time")
    with llm.stream("Once upon a time") as chunks:
        pieces = [chunk.text for chunk in chunks]
    assert "".join(pieces) == whole.text
    assert len([piece for piece in pieces if piece]) > 1
    assert chunks.completion.trace.basis == "exact"
    assert chunks.completion.trace.usage.output_tokens == whole.trace.usage.output_tokens


async def test_async_rounds_and_sync_give_the_same_answers(models):
    """Async, lock-step and sync drivers agree on real models."""
    chain = [
        tier(models, SMOLLM, scorer=LogprobConfidence(aggregate="min"), threshold=0.5),
        tier(models, GEMMA, name="top"),
    ]
    questions = ["One plus one is", "The sky is", "Berlin is the capital of"]
    policy = Policy(on_length="score")
    with Cascade(chain, policy=policy) as sync:
        expected = [sync.complete(question).text for question in questions]
    async with AsyncCascade(chain, policy=policy) as llm:
        assert [(await llm.complete(question)).text for question in questions] == expected
        rounds = await llm.complete_rounds(questions, concurrency=2)
    assert [done.text for done in rounds] == expected


def test_json_under_a_grammar_is_valid_and_its_values_are_weighed(models):
    """A real model's schema-constrained answer validates, and its values get a confidence."""
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue"]}},
        "required": ["colour"],
        "additionalProperties": False,
    }
    scorer = first_reject(
        JsonSchema(schema), LogprobConfidence(aggregate="min", over="json_values")
    )
    llm = Cascade(
        [
            tier(models, SMOLLM, scorer=scorer, threshold=0.01, params={"max_tokens": 40}),
            tier(models, GEMMA, name="top"),
        ]
    )
    form = {"type": "json_schema", "json_schema": {"name": "colour", "schema": schema}}
    done = llm.complete("Which colour is the sky? As JSON.", response_format=form)
    assert done.tier == SMOLLM
    assert json.loads(done.text)["colour"] in {"red", "blue"}
    by_name = {score.scorer: score for score in done.trace.attempts[0].scores}
    assert by_name["JsonSchema"].value == 1
    assert "$.colour" in by_name["LogprobConfidence"].reason


def test_a_self_check_is_asked_and_paid(models):
    """A real model judges its own answer; the question is a charge of the same attempt."""
    llm = Cascade(
        [tier(models, SMOLLM, scorer=SelfCheck(), threshold=0.0), tier(models, GEMMA)],
        policy=Policy(on_length="score"),
    )
    done = llm.complete("The capital of France is")
    purposes = [charge.purpose for charge in done.trace.attempts[0].charges]
    assert purposes[:2] == ["draft", "scorer"]
    assert done.scoring_cost_usd > 0
    assert done.cost_usd == sum(charge.cost_usd for charge in done.trace.charges)


def test_what_a_real_server_refuses_is_in_the_trace(models):
    """A prompt that does not fit is refused by the server, and the next tier answers."""
    chain = Chain(
        (
            tier(models, SMOLLM, retry=Retry(max_tries=1)),
            Tier(GEMMA, name="top", client=Endpoint(models[GEMMA].base_url), price=PRICE),
        ),
        policy=Policy(on_length="accept"),
    )
    done = Cascade(chain).complete("word " * 1400, max_tokens=4)
    assert done.trace.attempts[0].charges[-1].outcome in {"context_length", "ok"}
    assert done.trace.charges[0].cost_usd is not None
