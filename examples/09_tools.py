"""Tool calls are answers: they are judged like any other, and your loop looks as it always did."""

import json
from typing import Any

from cascade import Cascade, Draft, Tier
from cascade.testing import ScriptedModels, reply
from scorers import ToolCalls

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "parcel_status",
            "description": "Where a parcel is.",
            "parameters": {
                "type": "object",
                "properties": {"number": {"type": "string", "pattern": "^[0-9]{4}$"}},
                "required": ["number"],
                "additionalProperties": False,
            },
        },
    }
]


def call(number: str) -> dict[str, Any]:
    """A tool call as a model writes it."""
    arguments = json.dumps({"number": number})
    function = {"name": "parcel_status", "arguments": arguments}
    return {"id": "call_1", "type": "function", "function": function}


models = ScriptedModels(
    {
        # The small model forgets a digit; then it has nothing to call and answers in words.
        "gpt-5.4-nano": [
            reply(None, tool_calls=[call("471")], finish_reason="tool_calls"),
            "It is in Lyon and arrives tomorrow.",
        ],
        "gpt-5.5": reply(None, tool_calls=[call("4711")], finish_reason="tool_calls"),
    }
)
check = ToolCalls()


def calls_fit(draft: Draft) -> Any:
    """Calls must be as declared; an answer in words is good enough here."""
    return check(draft) if draft.reply.tool_calls else 1.0


llm = Cascade(
    [
        Tier("gpt-5.4-nano", scorer=calls_fit),
        # GPT-5.5 takes tools beside reasoning through the Responses API only.
        Tier("gpt-5.5", api="responses", params={"reasoning_effort": "low"}),
    ],
    models=models,
)
messages: list[dict[str, Any]] = [{"role": "user", "content": "Where is parcel 4711?"}]
done = llm.complete(messages, tools=TOOLS)
print(done.trace.attempts[0].reason)
for wanted in done.reply.tool_calls:
    print(done.tier, "calls", wanted["function"]["name"], wanted["function"]["arguments"])
    messages.append(done.reply.wire["choices"][0]["message"])
    messages.append({"role": "tool", "tool_call_id": wanted["id"], "content": "Lyon, tomorrow"})

done = llm.complete(messages, tools=TOOLS)
print(done.tier, "says", done.text)

# score 0 < 0.5: parcel_status: $.number: '471' does not match '^[0-9]{4}$' (pattern)
# gpt-5.5 calls parcel_status {"number": "4711"}
# gpt-5.4-nano says It is in Lyon and arrives tomorrow.
