"""Parameters beside the conversation: their names in each API, and what they become in the other.

A parameter that neither table knows may mean anything, so it is not carried over: dropping it would
accept an option and ignore it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cascade.forms.api import Api
from cascade.forms.equivalent import NoEquivalent
from cascade.forms.tools import choice_for, tools_for

__all__ = [
    "ENCRYPTED",
    "LOGPROBS",
    "OTHER_NAMES",
    "format_for",
    "params_for",
]

Params = dict[str, Any]
Data = Mapping[str, Any]
Turn = Callable[[Any, Params], None]

LOGPROBS = "message.output_text.logprobs"
"""How Responses is asked for log-probabilities, in `include`."""

ENCRYPTED = "reasoning.encrypted_content"
"""Asks for reasoning items that can be handed back; Chat has no such items to hand back."""

SHARED = frozenset(
    {
        "metadata",
        "moderation",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "temperature",
        "top_p",
        "user",
    }
)
"""The same name and meaning in both."""

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "audio": ({},),
    "background": (False,),
    "context_management": ([],),
    "frequency_penalty": (0,),
    "functions": ([],),
    "logit_bias": ({},),
    "modalities": ([], ["text"]),
    "n": (1,),
    "presence_penalty": (0,),
    "stop": ("", []),
    "truncation": ("disabled",),
}
"""Values that say what happens without them."""

CHAT_ALONE = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "modalities",
        "n",
        "prediction",
        "presence_penalty",
        "seed",
        "stop",
        "web_search_options",
    }
)

RESPONSES_ALONE = frozenset(
    {
        "access_programs",
        "background",
        "background_options",
        "context_management",
        "conversation",
        "image",
        "max_tool_calls",
        "previous_response_id",
        "prompt",
        "truncation",
    }
)

LEAST_LIMIT = 16
"""Tokens of an answer that Responses can be limited to at least; Chat takes 1."""

PLAIN_REASONING = {"context": "auto", "mode": "standard"}
"""Parts of `reasoning` that Chat lacks, with the values that change nothing."""


def params_for(params: Data, api: Api) -> Params:
    """Parameters written for the other API, as this one takes them.

    Raises:
        NoEquivalent: one of them cannot be said here, or is unknown.
    """
    turns = TO_RESPONSES if api == "responses" else TO_CHAT
    made: Params = {}
    for name, value in params.items():
        if value is None or value in NEUTRAL.get(name, ()):
            continue
        if name in SHARED:
            made[name] = value
        elif name in turns:
            turns[name](value, made)
        else:
            raise NoEquivalent(name, name, api)
    return made


def format_for(given: object, api: Api) -> Any:
    """A response format: Chat nests a schema's name and strictness, Responses does not."""
    if not isinstance(given, Mapping) or given.get("type") != "json_schema":
        return given
    nested = given.get("json_schema")
    if api == "responses" and isinstance(nested, Mapping):
        return {"type": "json_schema", **nested}
    if api == "chat" and nested is None:
        inner = {key: value for key, value in given.items() if key != "type"}
        return {"type": "json_schema", "json_schema": inner}
    return given


# To Responses ------------------------------------------------------------------------------------


def _inside(name: str, key: str) -> Turn:
    def turn(value: Any, made: Params) -> None:
        made[name] = {**made.get(name, {}), key: value}

    return turn


def _named(name: str) -> Turn:
    def turn(value: Any, made: Params) -> None:
        made[name] = value

    return turn


def _limit(name: str) -> Turn:
    def turn(value: Any, made: Params) -> None:
        if type(value) is int and value < LEAST_LIMIT:
            what = f"{name}={value} (the least is {LEAST_LIMIT})"
            raise NoEquivalent(name, what, "responses")
        if name == "max_completion_tokens" or "max_output_tokens" not in made:
            made["max_output_tokens"] = value

    return turn


def _format(value: Any, made: Params) -> None:
    made["text"] = {**made.get("text", {}), "format": format_for(value, "responses")}


def _logprobs(value: Any, made: Params) -> None:
    if value:
        made["include"] = [*made.get("include", ()), LOGPROBS]


def _options(value: Any, made: Params) -> None:
    given = value if isinstance(value, Mapping) else {}
    kept = {key: given[key] for key in given if key != "include_usage"}
    if kept:
        made["stream_options"] = kept


def _tools(api: Api) -> Turn:
    def turn(value: Any, made: Params) -> None:
        if value:
            made["tools"] = tools_for(value, api)

    return turn


def _choice(api: Api) -> Turn:
    def turn(value: Any, made: Params) -> None:
        made["tool_choice"] = choice_for(value, api)

    return turn


TO_RESPONSES: Mapping[str, Turn] = {
    "logprobs": _logprobs,
    "max_completion_tokens": _limit("max_completion_tokens"),
    "max_tokens": _limit("max_tokens"),
    "reasoning_effort": _inside("reasoning", "effort"),
    "response_format": _format,
    "store": _named("store"),
    "stream_options": _options,
    "tool_choice": _choice("responses"),
    "tools": _tools("responses"),
    "top_logprobs": _named("top_logprobs"),
    "verbosity": _inside("text", "verbosity"),
}


# To Chat -----------------------------------------------------------------------------------------


def _reasoning(value: Any, made: Params) -> None:
    for key, part in (value if isinstance(value, Mapping) else {}).items():
        if key == "effort" and part is not None:
            made["reasoning_effort"] = part
        elif part not in (None, PLAIN_REASONING.get(key)):
            raise NoEquivalent("reasoning", f"reasoning.{key}", "chat")


def _text(value: Any, made: Params) -> None:
    for key, part in (value if isinstance(value, Mapping) else {}).items():
        if key == "format":
            made["response_format"] = format_for(part, "chat")
        elif key == "verbosity":
            made["verbosity"] = part
        elif part is not None:
            raise NoEquivalent("text", f"text.{key}", "chat")


def _include(value: Any, made: Params) -> None:
    for wanted in value if isinstance(value, list | tuple) else ():
        if wanted == LOGPROBS:
            made["logprobs"] = True
        elif wanted != ENCRYPTED:
            raise NoEquivalent("include", f"include {wanted!r}", "chat")


def _store(value: Any, made: Params) -> None:
    """Responses keeps what later requests name; what Chat would keep, none of them can."""
    if value is False:
        made["store"] = False


def _alternatives(value: Any, made: Params) -> None:
    if value:  # on Responses it asks for log-probabilities by itself
        made.update(logprobs=True, top_logprobs=value)


TO_CHAT: Mapping[str, Turn] = {
    "include": _include,
    "max_output_tokens": _named("max_completion_tokens"),
    "reasoning": _reasoning,
    "store": _store,
    "stream_options": _named("stream_options"),
    "text": _text,
    "tool_choice": _choice("chat"),
    "tools": _tools("chat"),
    "top_logprobs": _alternatives,
}

_BOTH = frozenset(TO_CHAT) & frozenset(TO_RESPONSES)

OTHER_NAMES: Mapping[Api, frozenset[str]] = {
    "responses": (frozenset(TO_RESPONSES) - _BOTH) | CHAT_ALONE,
    "chat": (frozenset(TO_CHAT) - _BOTH) | RESPONSES_ALONE | {"instructions"},
    "decisions": frozenset(),
}
"""Names that the other API has and this one does not."""
