"""LangChain asks a chain: a message knows its trace, and structured output works as ever."""

from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from cascade import Tier, async_openai_client, openai_client, trace_of
from cascade.testing import ScriptedModels
from scorers import LengthBetween


class Place(BaseModel):
    """An answer as a value."""

    city: str


models = ScriptedModels(
    {
        "gpt-5.4-nano": ["Hm.", '{"city": "Paris"}', "Hm."],
        "gpt-5.5": ["Paris is the capital.", "It has two million people."],
    }
)
tiers = [Tier("gpt-5.4-nano", scorer=LengthBetween(min_words=2)), Tier("gpt-5.5")]
client = openai_client(tiers, models=models)
later = async_openai_client(tiers, models=models)
llm = ChatOpenAI(
    model="cascade",
    api_key="not used",
    root_client=client,
    client=client.chat.completions,
    root_async_client=later,
    async_client=later.chat.completions,
    include_response_headers=True,
)

message = llm.invoke("Capital of France?")
headers = message.response_metadata["headers"]
print(message.content, "from", headers["x-cascade-tier"], "for", headers["x-cascade-cost-usd"])
print([attempt.verdict for attempt in trace_of(headers["x-cascade-trace-id"]).attempts])
print(repr(llm.with_structured_output(Place).invoke("Capital of France?")))
print("|".join(piece.content for piece in llm.stream("How many people?")))

# Paris is the capital. from gpt-5.5 for 0.00017325
# ['escalated', 'accepted']
# Place(city='Paris')
# It| has| two| million| people.||
