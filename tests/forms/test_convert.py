"""Requests written for one API and sent to the other; the SDK's own types judge the result."""

from __future__ import annotations

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from cascade.forms.api import api_of
from cascade.forms.convert import convert, shaped, with_preamble
from cascade.forms.equivalent import NoEquivalent
from cascade.forms.reading import messages_of

CHAT = TypeAdapter(CompletionCreateParamsNonStreaming)
RESPONSES = TypeAdapter(ResponseCreateParamsNonStreaming)

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}

CHAT_MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA", "filename": "a"}},
        ],
    },
    {
        "role": "assistant",
        "content": "I will look.",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            {"id": "c2", "type": "custom", "custom": {"name": "run", "input": "ls"}},
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
    {"role": "tool", "tool_call_id": "c2", "content": "files"},
    {"role": "user", "content": "So?"},
]  # fmt: skip

ITEMS = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
            {"type": "input_file", "file_data": "data:application/pdf;base64,AA", "filename": "a"},
        ],
    },
    {"role": "assistant", "content": "I will look."},
    {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
    {"type": "custom_tool_call", "call_id": "c2", "name": "run", "input": "ls"},
    {"type": "function_call_output", "call_id": "c1", "output": "a cat"},
    {"type": "custom_tool_call_output", "call_id": "c2", "output": "files"},
    {"role": "user", "content": "So?"},
]

SHARED = {
    "temperature": 0.2,
    "top_p": 0.9,
    "metadata": {"team": "blue"},
    "store": False,
    "user": "u",
    "safety_identifier": "s",
    "prompt_cache_key": "k",
    "service_tier": "flex",
    "parallel_tool_calls": False,
    "top_logprobs": 3,
}

CHAT_PAYLOAD = {
    "messages": CHAT_MESSAGES,
    **SHARED,
    "logprobs": True,
    "max_completion_tokens": 50,
    "reasoning_effort": "low",
    "verbosity": "high",
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "place", "schema": SCHEMA, "strict": True},
    },
    "tools": [
        {
            "type": "function",
            "function": {"name": "look", "parameters": SCHEMA, "strict": True, "description": "d"},
        },
        {
            "type": "custom",
            "custom": {
                "name": "run",
                "format": {"type": "grammar", "grammar": {"definition": "x", "syntax": "lark"}},
            },
        },
    ],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
}

RESPONSES_PAYLOAD = {
    "input": ITEMS,
    **SHARED,
    "include": ["message.output_text.logprobs"],
    "max_output_tokens": 50,
    "reasoning": {"effort": "low"},
    "text": {
        "verbosity": "high",
        "format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True},
    },
    "tools": [
        {"type": "function", "name": "look", "parameters": SCHEMA, "strict": True, "description": "d"},
        {"type": "custom", "name": "run", "format": {"type": "grammar", "definition": "x", "syntax": "lark"}},
    ],
    "tool_choice": {"type": "function", "name": "look"},
}  # fmt: skip


def test_a_request_is_the_same_in_both_forms():
    """Everything that both APIs can say comes over, in both directions, and back."""
    assert convert(CHAT_PAYLOAD, "responses") == RESPONSES_PAYLOAD
    assert convert(RESPONSES_PAYLOAD, "chat") == CHAT_PAYLOAD


def test_chat_is_not_asked_to_keep_what_responses_would():
    """What Responses keeps, later requests may name; Chat would keep it where none of them can."""
    assert convert({"input": "x", "store": True}, "chat") == convert({"input": "x"}, "chat")
    kept = {"messages": [{"role": "user", "content": "x"}], "store": True}
    assert convert(kept, "responses")["store"] is True
    assert shaped({"input": "x"}, {"store": True}, "chat")["store"] is True, "a tier's own word"


def test_the_sdk_takes_what_is_made():
    """The SDK's own parameter types accept the converted requests."""
    RESPONSES.validate_python({"model": "m", **convert(CHAT_PAYLOAD, "responses")})
    CHAT.validate_python({"model": "m", **convert(RESPONSES_PAYLOAD, "chat")})


def test_a_payload_in_its_own_form_is_not_touched():
    """Nothing is rewritten where nothing has to be: unknown keys and odd values stay."""
    odd = {"messages": [{"role": "user", "name": "ann", "content": 5}], "zzz": 1, "seed": 7}
    assert convert(odd, "chat") == odd
    assert shaped(odd, {"top_k": 3}, "chat") == {**odd, "top_k": 3}
    hosted = {"input": "x", "tools": [{"type": "tool_search"}, {"type": "namespace"}], "zzz": 1}
    assert convert(hosted, "responses") == hosted


@pytest.mark.parametrize(
    ("payload", "param", "words"),
    [
        ({"seed": 1}, "seed", "seed has no equivalent in the Responses API"),
        ({"stop": ["x"]}, "stop", "stop has"),
        ({"logit_bias": {"1": 2}}, "logit_bias", "logit_bias has"),
        ({"presence_penalty": 0.5}, "presence_penalty", "presence_penalty has"),
        ({"audio": {"voice": "x"}}, "audio", "audio has"),
        ({"modalities": ["text", "audio"]}, "modalities", "modalities has"),
        ({"prediction": {"type": "content"}}, "prediction", "prediction has"),
        ({"functions": [{"name": "f"}]}, "functions", "functions has"),
        ({"web_search_options": {}}, "web_search_options", "web_search_options has"),
        ({"zzz": 1}, "zzz", "zzz has"),
        ({"messages": [{"role": "user", "name": "ann", "content": "x"}]}, "messages", "messages[0].name"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages", "role 'function'"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
            "messages",
            "messages[0].content[0] of type 'input_audio'",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]}]},
            "messages",
            "messages[0].content[0].cache_control",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u", "zzz": 1}}]}]},
            "messages",
            "messages[0].content[0].image_url.zzz",
        ),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": "x", "zzz": 1}]}, "messages", "messages[0].zzz"),
        ({"max_tokens": 5}, "max_tokens", "max_tokens=5 (the least is 16) has"),
        ({"max_completion_tokens": 15}, "max_completion_tokens", "max_completion_tokens=15 (the"),
        ({"tools": [{"type": "function", "function": {"name": "f"}, "zzz": 1}]}, "tools", "tools[0].zzz"),
        ({"tools": [{"type": "x"}]}, "tools", "tools[0] of type 'x'"),
        ({"tool_choice": {"type": "x"}}, "tool_choice", "tool_choice of type 'x'"),
    ],
    ids=str,
)  # fmt: skip
def test_what_responses_cannot_say(payload, param, words):
    """Each part without an equivalent is named with its path; nothing is dropped silently."""
    with pytest.raises(NoEquivalent) as caught:
        convert({"messages": [{"role": "user", "content": "x"}], **payload}, "responses")
    assert caught.value.param == param
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("payload", "param", "words"),
    [
        ({"previous_response_id": "r"}, "previous_response_id", "previous_response_id has"),
        ({"conversation": "c"}, "conversation", "conversation has no equivalent in Chat"),
        ({"background": True}, "background", "background has"),
        ({"truncation": "auto"}, "truncation", "truncation has"),
        ({"prompt": {"id": "p"}}, "prompt", "prompt has"),
        ({"max_tool_calls": 3}, "max_tool_calls", "max_tool_calls has"),
        ({"include": ["file_search_call.results"]}, "include", "include 'file_search_call.results'"),
        ({"reasoning": {"summary": "auto"}}, "reasoning", "reasoning.summary"),
        ({"text": {"zzz": 1}}, "text", "text.zzz"),
        ({"tools": [{"type": "web_search"}]}, "tools", "tools[0] of type 'web_search'"),
        ({"tools": [{"type": "tool_search"}]}, "tools", "tools[0] of type 'tool_search'"),
        (
            {"tools": [{"type": "function", "name": "f", "defer_loading": True}]},
            "tools",
            "tools[0].defer_loading",
        ),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice", "tool_choice of type"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input", "input[0] of type 'item_reference'"),
        ({"input": [{"type": "web_search_call"}]}, "input", "input[0] of type 'web_search_call'"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input",
            "input[0].content[0].file_id",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "u"}]}]},
            "input",
            "input[0].content[0].file_url",
        ),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": "u"}]}]},
            "input",
            "an output that is no text",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f", "detail": "low"}]}]},
            "input",
            "input[0].content[0].detail",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f", "image_url": "u"}]}]},
            "input",
            "input[0].content[0].file_id",
        ),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_image", "image_url": "u"}]}]},
            "input",
            "input[0].content[0]: an answer that is no text",
        ),
        (
            {"input": [{"type": "function_call", "call_id": "c", "caller": {"type": "program"}}]},
            "input",
            "input[0] of type 'function_call' in a namespace or from a program",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_what_chat_cannot_say(payload, param, words):
    """The same towards Chat: hosted tools, stored state, references."""
    with pytest.raises(NoEquivalent) as caught:
        convert({"input": "x", **payload}, "chat")
    assert caught.value.param == param
    assert words in str(caught.value)


def test_what_is_said_beside_a_call_joins_it():
    """Chat takes nothing between a call and its output, so a word after the call goes before it."""
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    word = {"role": "assistant", "content": "One moment."}
    output = {"type": "function_call_output", "call_id": "c", "output": "1"}
    after = convert({"input": [call, word, output, word]}, "chat")["messages"]
    assert [message["role"] for message in after] == ["assistant", "tool", "assistant"]
    assert after == convert({"input": [word, call, output, word]}, "chat")["messages"]
    twice = convert({"input": [word, call, word, output]}, "chat")["messages"]
    assert twice[0]["content"] == "One moment.One moment."


def test_nothings_are_left_out_of_tools_and_files():
    """Responses' own objects hold nulls, which Chat refuses."""
    tool = {
        "type": "function",
        "name": "f",
        "description": None,
        "parameters": None,
        "strict": None,
    }
    file = {
        "type": "input_file",
        "file_id": "f",
        "filename": None,
        "file_url": None,
        "detail": "auto",
    }
    made = convert({"input": [{"role": "user", "content": [file]}], "tools": [tool]}, "chat")
    assert made["tools"] == [{"type": "function", "function": {"name": "f"}}]
    assert made["messages"][0]["content"] == [{"type": "file", "file": {"file_id": "f"}}]


def test_values_that_say_nothing_are_left_out():
    """Defaults that clients spell out are no reason to refuse a request."""
    chat = {
        "messages": [{"role": "user", "content": "x"}], "n": 1, "frequency_penalty": 0.0,
        "presence_penalty": 0, "modalities": ["text"], "stop": [], "logprobs": False,
        "stream_options": {"include_usage": True}, "tools": [],
    }  # fmt: skip
    assert convert(chat, "responses") == {"input": [{"role": "user", "content": "x"}]}
    responses = {
        "input": "x", "truncation": "disabled", "background": False, "include": [],
        "previous_response_id": None, "reasoning": {"effort": None, "summary": None},
        "text": {}, "tools": [],
    }  # fmt: skip
    assert convert(responses, "chat") == {"messages": [{"role": "user", "content": "x"}]}


def test_an_answer_handed_back_as_it_came():
    """The empty fields of a dumped message say nothing; a refusal does."""
    message = {
        "role": "assistant", "content": None, "refusal": "No.", "annotations": [], "audio": None,
        "function_call": None, "tool_calls": None, "reasoning_content": "hm",
    }  # fmt: skip
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    assert convert({"messages": [message]}, "responses") == {"input": [refused]}
    assert convert({"input": [refused]}, "chat")["messages"] == [
        {"role": "assistant", "content": None, "refusal": "No."}
    ]


def test_instructions_and_reasoning_items():
    """Instructions lead as a system message; reasoning items stay out, Chat takes none back."""
    asked = {
        "instructions": "Be kind.",
        "include": ["reasoning.encrypted_content"],
        "input": [
            {"type": "message", "role": "user", "content": "2+2?"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAA"},
            {
                "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "4", "annotations": []}],
            },
            {"role": "user", "content": "Sure?"},
        ],
    }  # fmt: skip
    assert convert(asked, "chat") == {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "2+2?"},
            {"role": "assistant", "content": "4"},
            {"role": "user", "content": "Sure?"},
        ]
    }
    assert convert(asked, "responses") == asked


@pytest.mark.parametrize(
    ("strict", "schema", "expected"),
    [(None, SCHEMA, True), (None, {"type": "object"}, None), (False, SCHEMA, False)],
)
def test_strictness_keeps_its_meaning(strict, schema, expected):
    """Responses makes functions strict by itself where it can, Chat does not: it is spelled out."""
    tool = {"type": "function", "name": "f", "parameters": schema, "strict": strict}
    (made,) = convert({"input": "x", "tools": [tool]}, "chat")["tools"]
    assert made["function"].get("strict") == expected
    chat = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
    asked = {"messages": [{"role": "user", "content": "x"}], "tools": [chat]}
    assert convert(asked, "responses")["tools"][0]["strict"] is False


def test_allowed_tools():
    """A choice among allowed tools is nested in Chat and flat in Responses."""
    chat = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
    }  # fmt: skip
    flat = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}
    asked = {"messages": [{"role": "user", "content": "x"}]}
    assert convert({**asked, "tool_choice": chat}, "responses")["tool_choice"] == flat
    assert convert({"input": "x", "tool_choice": flat}, "chat")["tool_choice"] == chat


@pytest.mark.parametrize(
    ("payload", "params", "api", "expected"),
    [
        ({"messages": []}, {"reasoning": {"effort": "low"}}, "chat", {"reasoning_effort": "low"}),
        ({"messages": []}, {"max_output_tokens": 5}, "chat", {"max_completion_tokens": 5}),
        (
            {"messages": [], "max_tokens": 9},
            {"max_output_tokens": 5},
            "chat",
            {"max_completion_tokens": 5},
        ),
        ({"input": []}, {"reasoning_effort": "none"}, "responses", {"reasoning": {"effort": "none"}}),
        (
            {"input": [], "reasoning": {"effort": "high", "summary": "auto"}},
            {"reasoning_effort": "none"},
            "responses",
            {"reasoning": {"effort": "none", "summary": "auto"}},
        ),
        (
            {"input": [], "text": {"verbosity": "low", "format": {"type": "text"}}},
            {"response_format": {"type": "json_object"}},
            "responses",
            {"text": {"verbosity": "low", "format": {"type": "json_object"}}},
        ),
        (
            {"input": [], "text": {"format": {"type": "json_object"}, "verbosity": "low"}},
            {"text": {"verbosity": "high"}},
            "responses",
            {"text": {"format": {"type": "json_object"}, "verbosity": "high"}},
        ),
        (
            {"input": [], "text": {"verbosity": "low"}},
            {"text": {"verbosity": None}},
            "responses",
            {},
        ),
        (
            {"messages": [], "response_format": {"type": "json_object"}, "verbosity": "low"},
            {"text": {"verbosity": "high"}},
            "responses",
            {"text": {"format": {"type": "json_object"}, "verbosity": "high"}},
        ),
        (
            {"messages": [], "response_format": {"type": "json_object"}, "verbosity": "low"},
            {"text": {"verbosity": "high"}},
            "chat",
            {"response_format": {"type": "json_object"}, "verbosity": "high"},
        ),
        (
            {"messages": [], "reasoning_effort": "low"},
            {"reasoning": {"summary": "auto"}},
            "responses",
            {"reasoning": {"effort": "low", "summary": "auto"}},
        ),
        (
            {"input": [], "reasoning": {"effort": "high", "summary": "auto"}},
            {"reasoning": {"effort": "low", "summary": None}},
            "chat",
            {"reasoning_effort": "low"},
        ),
        (
            {"messages": [], "max_tokens": 9},
            {"max_completion_tokens": 50},
            "chat",
            {"max_completion_tokens": 50},
        ),
        (
            {"messages": [], "max_completion_tokens": 9, "max_tokens": 9},
            {"seed": 1},
            "chat",
            {"max_completion_tokens": 9, "max_tokens": 9, "seed": 1},
        ),
        ({"messages": [], "seed": 1, "stop": "x"}, {"seed": None, "stop": None}, "responses", {}),
        ({"messages": [], "reasoning_effort": "low"}, {"reasoning": None}, "responses", {}),
        ({"input": [], "max_output_tokens": 9}, {"max_tokens": None}, "chat", {}),
        ({"input": [], "include": ["x"]}, {"include": None}, "chat", {}),
        (
            {"input": [], "include": ["x"]},
            {"logprobs": True},
            "responses",
            {"include": ["x", "message.output_text.logprobs"]},
        ),
        (
            {"messages": []},
            {"tools": [{"type": "web_search"}, {"type": "function", "function": {"name": "f"}}]},
            "responses",
            {"tools": [{"type": "web_search"}, {"type": "function", "name": "f", "strict": False}]},
        ),
    ],
    ids=str,
)  # fmt: skip
def test_a_tiers_parameters_in_either_apis_names(payload, params, api, expected):
    """They are laid over the converted request; `None` removes one before it is converted."""
    made = shaped(payload, params, api)
    assert {k: v for k, v in made.items() if k not in ("messages", "input")} == expected
    assert api_of(made) == api


def test_examples_go_after_the_leading_messages():
    """A preamble takes the form of the payload it is put into."""
    shots = ({"role": "user", "content": "q"}, {"role": "assistant", "content": "a"})
    made = with_preamble({"input": "x"}, shots)
    assert made["input"] == [*shots, {"role": "user", "content": "x"}]
    led = with_preamble({"input": [{"role": "developer", "content": "d"}, {"role": "user", "content": "x"}]}, shots)  # fmt: skip
    assert [item["role"] for item in led["input"]] == ["developer", "user", "assistant", "user"]
    written = ({"role": "user", "content": [{"type": "input_text", "text": "q"}]},)
    chat = with_preamble({"messages": [{"role": "user", "content": "x"}]}, written)
    assert chat["messages"][0]["content"] == [{"type": "text", "text": "q"}]
    marked = ({"role": "user", "content": [{"type": "text", "text": "q", "cache_control": {}}]},)
    assert (
        with_preamble({"messages": [{"role": "user", "content": "x"}]}, marked)["messages"][0]
        == marked[0]
    )


def test_a_conversation_can_be_read_from_either_form():
    """Scorers see Chat's messages; what Chat cannot say is left out of the view."""
    asked = {
        "instructions": "s",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "see"}, {"type": "input_image", "file_id": "f"}]},
            {"type": "web_search_call", "id": "ws"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        ],
    }  # fmt: skip
    roles = [(message["role"], message.get("content")) for message in messages_of(asked)]
    assert roles == [("system", "s"), ("user", "see"), ("assistant", None)]
