"""pydantic-ai asks a chain: an agent with a tool, and what its run has cost."""

import asyncio

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
from pydantic_ai.providers.openai import OpenAIProvider

from cascade import Draft, Tier, Trace, async_openai_client, cost_tree
from cascade.testing import ScriptedModels, reply

call = {"id": "call_1", "type": "function", "function": {"name": "stock", "arguments": "{}"}}
models = ScriptedModels(
    {
        "gpt-5.4-nano": [reply(None, tool_calls=[call], finish_reason="tool_calls"), "Hm."],
        "gpt-5.5": "There are 7 pairs of boots.",
    }
)
traces: list[Trace] = []


def says_something(draft: Draft) -> bool:
    """Accept calls of tools, and answers of more than one word."""
    return bool(draft.reply.tool_calls) or len(draft.text.split()) > 1


tiers = [Tier("gpt-5.4-nano", scorer=says_something), Tier("gpt-5.5")]


async def main() -> None:
    """Ask once; the agent calls the model twice."""
    client = async_openai_client(tiers, models=models, observers=[traces.append])
    agent = Agent(
        OpenAIChatModel("cascade", provider=OpenAIProvider(openai_client=client)),
        model_settings=OpenAIChatModelSettings(extra_headers={"x-cascade-parent": "run-7"}),
    )

    @agent.tool_plain
    def stock() -> str:
        """How many there are."""
        return "boots: 7 pairs"

    result = await agent.run("How many boots are there?")
    print(result.output)
    await client.close()


asyncio.run(main())
run = cost_tree(traces, "run-7")
print(f"{run.total.requests} requests, ${run.total.cost_usd}")
for trace in traces:
    print(trace.tier, [attempt.verdict for attempt in trace.attempts])

# There are 7 pairs of boots.
# 2 requests, $0.00023650
# gpt-5.4-nano ['accepted']
# gpt-5.5 ['escalated', 'accepted']
