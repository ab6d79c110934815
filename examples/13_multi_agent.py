"""Agents that ask through one cascade: what the whole run cost, by agent and by tag."""

import asyncio

from cascade import AsyncCascade, Tier, Trace, cost_tree
from cascade.testing import ScriptedModels
from scorers import LengthBetween

models = ScriptedModels(
    {
        "gpt-5.4-nano": [
            "research shoes; research bags; write it up",
            "Boots are in.",
            "Small bags are in.",
            "Hm.",
            *["It is sound."] * 3,
        ],
        "gpt-5.5": "This autumn boots and small bags are in.",
    }
)
traces: list[Trace] = []
llm = AsyncCascade(
    [Tier("gpt-5.4-nano", scorer=LengthBetween(min_words=2)), Tier("gpt-5.5")],
    models=models,
    observers=[traces.append],
)


async def main() -> None:
    """A planner asks for a plan, helpers work on its steps, a critic reads their reports."""
    plan = await llm.complete("Plan the autumn page.", parent="run-42", tags=["planner"])
    steps = plan.text.split("; ")
    helpers = llm.complete_many(steps, parent=plan, tags=["helper"])
    reports = [result.unwrap() async for result in helpers]
    checks = ["Check: " + report.text for report in reports]
    async for result in llm.complete_many(checks, parent="run-42", tags=["critic"]):
        print(f"{checks[result.index]} - {result.unwrap().text}")

    run = cost_tree(traces, "run-42")
    planned = cost_tree(traces, plan.trace.id)
    print(f"the run: {run.total.requests} requests, ${run.total.cost_usd}")
    print(f"the plan and its helpers: {planned.total.requests} requests, ${planned.total.cost_usd}")
    for tag, spent in run.by_tag.items():
        print(f"{tag}: {spent.requests} requests, ${spent.cost_usd}")


asyncio.run(main())

# Check: Boots are in. - It is sound.
# Check: Small bags are in. - It is sound.
# Check: This autumn boots and small bags are in. - It is sound.
# the run: 7 requests, $0.00033400
# the plan and its helpers: 4 requests, $0.00031675
# planner: 1 requests, $0.00001075
# helper: 3 requests, $0.00030600
# critic: 3 requests, $0.00001725
