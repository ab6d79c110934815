"""Metrics of requests: amounts, units, and that their names are bounded."""

import pytest

from cascade import Cascade, Price, Tier
from cascade.testing import ScriptedModels, reply

pytest.importorskip("opentelemetry.sdk.metrics", reason="opentelemetry-sdk is missing")

PRICE = Price.of("0.20", "1.25")


def sums(points, name):
    """Values added up by one attribute."""
    found = {}
    for attributes, value in points:
        key = attributes.get(name)
        found[key] = found.get(key, 0) + value
    return found


def test_tokens_and_times_are_counted_per_call(kept, ask):
    """The conventions' two histograms hold every call, retries and errors told apart."""
    done = ask(kept.observer)
    unit, points = kept.points("gen_ai.client.token.usage")
    assert unit == "{token}"
    assert sums(points, "gen_ai.token.type") == {
        "input": done.trace.usage.input_tokens,
        "output": done.trace.usage.output_tokens,
    }
    unit, points = kept.points("gen_ai.client.operation.duration")
    assert unit == "s"
    assert sums(points, "error.type") == {"rate_limit": 0.25, None: 0.5}


def test_cost_requests_and_verdicts_are_counted(kept, ask):
    """Dollars, ends of requests and verdicts add up to what the traces say."""
    done = [ask(kept.observer) for _ in range(3)]
    unit, points = kept.points("cascade.cost")
    assert unit == "{USD}"
    assert sum(value for _, value in points) == pytest.approx(
        float(sum(item.cost_usd for item in done))
    )
    assert kept.points("cascade.requests")[1] == [
        ({"cascade.chain": "support", "cascade.tier": "big", "cascade.status": "accepted"}, 3)
    ]
    verdicts = kept.points("cascade.verdicts")[1]
    assert sums(verdicts, "cascade.verdict") == {"escalated": 3, "accepted": 3}
    assert sum(value for _, value in kept.points("cascade.request.duration")[1]) == pytest.approx(
        sum(item.trace.duration_s for item in done)
    )


def test_a_call_of_unknown_cost_is_counted_as_that(kept):
    """An unknown cost does not enter the sum as zero, and it is seen that one is missing."""
    llm = Cascade(
        [Tier("mine")],
        models=ScriptedModels({"mine": "ok"}),
        observers=[kept.observer],
        allow_unknown_prices=True,
    )
    llm.complete("hello")
    assert [value for _, value in kept.points("cascade.cost.unknown")[1]] == [1]
    with pytest.raises(ValueError):
        kept.points("cascade.cost")


def test_names_that_a_server_makes_up_are_bounded(kept):
    """A server that answers under ever new names does not fill the memory of the metrics."""
    lines = [reply("ok", model=f"m-{number}") for number in range(300)]
    llm = Cascade(
        [Tier("gpt-5.5", price=PRICE)],
        models=ScriptedModels({"gpt-5.5": lines}),
        observers=[kept.observer],
    )
    for _ in lines:
        llm.complete("hello")
    points = kept.points("gen_ai.client.operation.duration")[1]
    models = {attributes["gen_ai.response.model"] for attributes, _ in points}
    assert len(models) == 101
    assert "_OTHER" in models
