"""Programs that other people wrote, answered by a chain in this process, offline."""

from __future__ import annotations

import json

import openai
import pytest
from pydantic import BaseModel
from sdk_faces import ASKED, numbered, scripted, two_tiers
from typer.testing import CliRunner

from cascade import TraceStore, async_openai_client, cost_tree, openai_client, trace_of
from cascade.cli import app
from cascade.testing import ScriptedModels, failure

pytestmark = [  # their own affairs
    pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]

CITY = '{"name": "Paris"}'


class City(BaseModel):
    name: str


def calls_tool(name, arguments=CITY):
    """A reply that calls a tool."""
    inner = {"name": name, "arguments": arguments}
    call = {"id": "call_1", "type": "function", "function": inner}
    return numbered(None, tool_calls=[call], finish_reason="tool_calls")


def broken():
    return ScriptedModels(
        dict.fromkeys(["gpt-5.4-nano", "gpt-5.5"], failure("invalid", status=400))
    )


# instructor ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["TOOLS", "JSON", "JSON_SCHEMA", "RESPONSES_TOOLS"])
def test_instructor(mode):
    """Instructor gets its value in each of its modes; value and completion lead to the trace."""
    instructor = pytest.importorskip("instructor")

    def answer(call):
        return calls_tool("City") if call.payload.get("tools") else numbered(CITY)

    traces = []
    models = ScriptedModels({"gpt-5.4-nano": "Hm.", "gpt-5.5": answer})
    with openai_client(two_tiers(), models=models, observers=[traces.append]) as client:
        ask = instructor.from_openai(client, mode=instructor.Mode[mode])
        city, done = ask.chat.completions.create_with_completion(
            model="cascade", messages=ASKED, response_model=City
        )
    assert city.name == "Paris"
    assert [trace_of(done), trace_of(city)] == [traces[0]] * 2


def test_an_answer_that_instructor_cannot_use_leads_to_its_trace():
    """What did not fit was paid for all the same."""
    instructor = pytest.importorskip("instructor")
    from instructor.core.exceptions import InstructorRetryException

    traces = []
    with openai_client(two_tiers(), models=scripted(top="{}"), observers=[traces.append]) as client:
        ask = instructor.from_openai(client, mode=instructor.Mode.JSON)
        with pytest.raises(InstructorRetryException) as caught:
            ask.chat.completions.create(
                model="cascade", messages=ASKED, response_model=City, max_retries=0
            )
    assert trace_of(caught.value) is traces[-1]


async def test_instructor_async_and_streamed():
    """Partial values come from a streamed answer of a chain, awaited."""
    instructor = pytest.importorskip("instructor")
    client = async_openai_client(two_tiers(), models=scripted(top=CITY))
    ask = instructor.from_openai(client, mode=instructor.Mode.JSON)
    stream = ask.chat.completions.create_partial(
        model="cascade", messages=ASKED, response_model=City
    )
    values = [value async for value in stream]
    assert values[-1].name == "Paris"
    await client.close()


# LangChain ----------------------------------------------------------------------------------------


def langchain(models, **settings):
    chat = pytest.importorskip("langchain_openai").ChatOpenAI
    client, later = (
        openai_client(two_tiers(), models=models),
        async_openai_client(two_tiers(), models=models),
    )
    return chat(
        model="cascade",
        api_key="not used",
        root_client=client,
        client=client.chat.completions,
        root_async_client=later,
        async_client=later.chat.completions,
        max_retries=0,
        **settings,
    )


@pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])
async def test_langchain(responses):
    """LangChain asks whole, streamed, awaited and for a value; a message leads to its trace."""
    llm = langchain(scripted(top=CITY), use_responses_api=responses)
    message = llm.invoke("Capital of France?")
    assert message.text == CITY
    assert message.usage_metadata["input_tokens"] == 20
    assert trace_of(message).tier == "gpt-5.5"
    assert "".join(piece.text for piece in llm.stream("?")) == CITY
    assert (await llm.ainvoke("?")).text == CITY
    assert "".join([piece.text async for piece in llm.astream("?")]) == CITY
    assert llm.with_structured_output(City).invoke("?") == City(name="Paris")


def test_langchain_streams_lead_to_their_traces():
    """With the headers of an answer, a streamed message keeps the way to its trace."""
    llm = langchain(scripted(top=CITY), include_response_headers=True)
    first, second = (sum_of(llm.stream("?")) for _ in range(2))
    found = [trace_of(first), trace_of(second)]
    assert [trace.tier for trace in found] == ["gpt-5.5", "gpt-5.5"]
    assert found[0].id != found[1].id


def sum_of(pieces):
    first, *others = pieces
    for piece in others:
        first += piece
    return first


def test_langchain_tools_and_errors():
    """Tool calls come through; a refusal is the SDK's error, or LangChain's kind of it."""
    models = ScriptedModels({"gpt-5.4-nano": lambda _: calls_tool("City")})
    (call,) = langchain(models).bind_tools([City]).invoke("?").tool_calls
    assert (call["name"], call["args"]) == ("City", {"name": "Paris"})
    with pytest.raises(openai.BadRequestError) as caught:
        langchain(broken()).invoke("?")
    assert trace_of(caught.value).status == "refused"


# pydantic-ai --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["OpenAIChatModel", "OpenAIResponsesModel"])
async def test_pydantic_ai(kind):
    """An agent of pydantic-ai uses tools, streams and structured output over a chain."""
    room = pytest.importorskip("pydantic_ai.models.openai")
    from pydantic_ai import Agent, ModelHTTPError
    from pydantic_ai.providers.openai import OpenAIProvider

    def agent(models, **more):
        client = async_openai_client(two_tiers(), models=models)
        provider = OpenAIProvider(openai_client=client)
        return Agent(getattr(room, kind)("cascade", provider=provider), **more)

    result = await agent(scripted()).run("Capital of France?")
    assert result.output == "Paris it is."
    assert trace_of(result.response).tier == "gpt-5.5"
    async with agent(scripted()).run_stream("?") as stream:
        assert [piece async for piece in stream.stream_text()][-1] == "Paris it is."

    called = []
    turns = ScriptedModels(
        {"gpt-5.4-nano": [calls_tool("look", "{}"), "Hm."], "gpt-5.5": "Done it."}
    )
    asking = agent(turns)

    @asking.tool_plain
    def look() -> str:
        called.append(1)
        return "fine"

    assert (await asking.run("?")).output == "Done it."
    assert called == [1]

    answer = ScriptedModels({"gpt-5.4-nano": lambda _: calls_tool("final_result")})
    assert (await agent(answer, output_type=City).run("?")).output == City(name="Paris")
    with pytest.raises(ModelHTTPError) as caught:
        await agent(broken()).run("?")
    assert caught.value.status_code == 400
    assert trace_of(caught.value).status == "refused"


# openai-agents ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["OpenAIChatCompletionsModel", "OpenAIResponsesModel"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_openai_agents(kind, streamed, tmp_path):
    """Each agent asks a chain of its own; the run's costs add up under its id, by agent."""
    agents = pytest.importorskip("agents")
    hand_over = calls_tool("transfer_to_writer", "{}")
    models = ScriptedModels({"front": hand_over, "gpt-5.4-nano": "Hm.", "gpt-5.5": "Boots are in."})
    desk_tiers = [type(two_tiers()[0])("gpt-5.4-mini", name="front")]
    chains = {"desk": desk_tiers, "writing": two_tiers()}
    client = async_openai_client(chains, models=models, store=tmp_path / "traces.db")

    def agent(name, chain, **more):
        told = {"x-cascade-parent": "run-42", "x-cascade-tags": name}
        return agents.Agent(
            name=name,
            model=getattr(agents, kind)(chain, client),
            model_settings=agents.ModelSettings(extra_headers=told),
            **more,
        )

    desk = agent("desk", "desk", handoffs=[agent("writer", "writing")])
    config = agents.RunConfig(tracing_disabled=True)
    if streamed:
        result = agents.Runner.run_streamed(desk, "What is in?", run_config=config)
        async for _ in result.stream_events():
            pass
    else:
        result = await agents.Runner.run(desk, "What is in?", run_config=config)
    assert result.final_output == "Boots are in."
    assert result.last_agent.name == "writer"
    answers = [trace_of(answer) for answer in result.raw_responses]
    await client.close()
    with TraceStore(tmp_path / "traces.db") as store:
        kept = [store.get(trace.id) for trace in answers]
        run = cost_tree(store, "run-42")
    assert [trace.chain for trace in kept] == ["desk", "writing"]
    assert run.total.requests == 2
    assert run.total.cost_usd == sum(trace.cost_usd for trace in kept)
    assert {tag: spent.requests for tag, spent in run.by_tag.items()} == {"desk": 1, "writer": 1}
    told = CliRunner().invoke(
        app, ["trace", "tree", "run-42", "--store", str(tmp_path / "traces.db"), "--json"]
    )
    assert told.exit_code == 0
    assert str(run.total.cost_usd) in json.dumps(json.loads(told.output))


# LiteLLM ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def litellm():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would fetch prices on import
        return pytest.importorskip("litellm")


async def test_litellm(litellm):
    """LiteLLM asks whole, streamed and awaited; the cost rides in its answer as well."""
    client = openai_client(two_tiers(), models=scripted())
    done = litellm.completion(model="openai/cascade", messages=ASKED, client=client)
    assert done.choices[0].message.content == "Paris it is."
    assert done.cascade["cost_usd"] == format(trace_of(done).cost_usd, "f")
    stream = litellm.completion(model="openai/cascade", messages=ASKED, client=client, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in stream) == "Paris it is."
    later = async_openai_client(two_tiers(), models=scripted())
    done = await litellm.acompletion(model="openai/cascade", messages=ASKED, client=later)
    assert trace_of(done).tier == "gpt-5.5"
    await later.close()


def test_litellms_errors(litellm):
    """A refusal of the chain is LiteLLM's error for it."""
    client = openai_client(two_tiers(), models=broken())
    with pytest.raises(litellm.BadRequestError) as caught:
        litellm.completion(model="openai/cascade", messages=ASKED, client=client, max_retries=0)
    assert trace_of(caught.value).status == "refused"


def test_litellms_retries(litellm):
    """LiteLLM, told not to ask again after a timeout, asks and pays once."""
    traces = []
    models = ScriptedModels(dict.fromkeys(["gpt-5.4-nano", "gpt-5.5"], failure("timeout")))
    client = openai_client(two_tiers(), models=models, observers=[traces.append])
    asked = {"model": "openai/cascade", "messages": ASKED, "client": client}
    with pytest.raises(litellm.Timeout):
        litellm.completion(**asked, max_retries=0)
    assert len(traces) == 1
