"""openai-agents: each agent on a chain of its own, the costs of the run rolled up by its id."""

import asyncio
import tempfile
from pathlib import Path

from agents import Agent, ModelSettings, OpenAIResponsesModel, RunConfig, Runner

from cascade import Tier, TraceStore, async_openai_client, cost_tree
from cascade.testing import ScriptedModels, reply
from scorers import LengthBetween

hand_over = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "transfer_to_writer", "arguments": "{}"},
}
models = ScriptedModels(
    {
        "front": reply(None, tool_calls=[hand_over], finish_reason="tool_calls"),
        "draft": "Hm.",
        "final": "Boots and small bags are in this autumn.",
    }
)
chains = {
    "desk": [Tier("gpt-5.4-nano", name="front")],
    "writing": [
        Tier("gpt-5.4-mini", name="draft", scorer=LengthBetween(min_words=3)),
        Tier("gpt-5.5", name="final"),
    ],
}
RUN = "run-42"


async def main(store: Path) -> None:
    """The desk hands over to the writer."""
    client = async_openai_client(chains, models=models, store=store)

    def agent(name: str, chain: str, **more: object) -> Agent:
        told = {"x-cascade-parent": RUN, "x-cascade-tags": name}
        return Agent(
            name=name,
            model=OpenAIResponsesModel(chain, client),
            model_settings=ModelSettings(extra_headers=told),
            **more,
        )

    writer = agent("writer", "writing")
    desk = agent("desk", "desk", handoffs=[writer])
    # Tracing of the agents' own would be sent to OpenAI; the cascade's stays in the store.
    result = await Runner.run(desk, "What is in?", run_config=RunConfig(tracing_disabled=True))
    print(result.final_output)
    await client.close()


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "traces.db"
    asyncio.run(main(path))
    with TraceStore(path) as store:
        run = cost_tree(store, RUN)
print(f"the run: {run.total.requests} requests, ${run.total.cost_usd}")
for tag, spent in run.by_tag.items():
    print(f"{tag}: {spent.requests} requests, ${spent.cost_usd}")

# Boots and small bags are in this autumn.
# the run: 2 requests, $0.00030525
# desk: 1 requests, $0.00000325
# writer: 1 requests, $0.000302
