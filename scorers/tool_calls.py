"""Whether the calls of an answer can be made: known tools, arguments that fit their schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import exp, inf
from typing import Any, ClassVar

from cascade import Abstained, ConfigError, Draft, Failed, Needs, Score
from scorers.json_spans import tokens_of_part, value_spans
from scorers.schema_birth import copied, validator_of
from scorers.schema_rules import first_error
from scorers.strict_json import JsonTextError, json_path, read_json

__all__ = ["ToolCalls"]

MAX_SCHEMA_CHARS = 200_000
"""Longest schema that is read from a request; OpenAI allows 120,000 for all names in one."""

OWN = frozenset({"function", "custom", "namespace", None})
"""Tools whose calls come back in the answer. Others run on the server and leave none there."""

CHOICES = frozenset({"function", "custom", "allowed_tools"})
"""Kinds of a `tool_choice` that name tools of one's own."""

OTHERS_BRING_NAMES = frozenset({"mcp", "tool_search"})
"""Tools that bring further ones, whose names a request does not hold."""


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """Whether every tool call of the answer can be made: 1 or 0.

    Checks each call's name against the declared tools and `tool_choice`, and its arguments, read
    strictly, against the tool's schema; several calls where the request forbids it score 0. The
    reason names the call, the place and the rule: "get_weather: $.unit: 'K' is not one of ['C',
    'F'] (enum)". Works with the tools of Chat Completions, of Responses (in namespaces too) and
    with old `functions`. Free-text input of custom tools is not looked at.

    An answer without a call abstains, unless the request demands one (`tool_choice`) or `required`
    does: then it scores 0. Tools that the server runs may have been called unseen: with them, a
    demand that names no other is taken as met. A call where no tool was declared, or with
    `tool_choice="none"`, scores 0.

    With `confidence`, calls that pass are scored by how sure the model was of the least likely
    argument value (see `LogprobConfidence`), and it abstains where the log-probabilities do not
    cover the arguments, as with OpenAI's own models today.

    Costs nothing; a schema is prepared once and remembered. Schemas come with the request, so they
    are not trusted: nothing is fetched, work and patterns are bounded as in `JsonSchema`; a schema
    that cannot be used makes the scorer fail, and the reason names its tool.

    Pitfalls: valid is not right; a `Grounded` behind it looks whether the arguments occur in the
    request. Models that get `strict: true` cannot break their schema.

    Args:
        tools: in wire format, instead of the request's own.
        required: an answer without a call scores 0.
        confidence: see above.

    Raises:
        ConfigError: tools that are none, or whose schemas cannot be used.
    """

    tools: Sequence[Mapping[str, Any]] | None = field(default=None, hash=False)
    required: bool = False
    confidence: bool = False

    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("required", "confidence"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(
                    f"ToolCalls: {name} is {getattr(self, name)!r}, not true or false"
                )
        if self.tools is None:
            return
        given: object = self.tools
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise ConfigError(
                f"ToolCalls: tools is {type(given).__name__}; pass a list as on the wire: "
                "[{'type': 'function', 'function': {...}}]"
            )
        object.__setattr__(self, "tools", deepcopy(list(given)))
        declared = _Declared.of({"tools": self.tools})
        if not declared.schemas:
            raise ConfigError("ToolCalls: tools holds no tool with a name")
        for name, schema in declared.schemas.items():
            try:
                _validator(_text_of(schema))
            except ConfigError as error:
                raise ConfigError(f"ToolCalls: tool {name!r}: {error}") from error

    @property
    def needs(self) -> Needs:
        """Log-probabilities where the confidence is wanted."""
        return Needs(logprobs=self.confidence)

    def __call__(self, draft: Draft) -> Score | Abstained | Failed:
        """Check each call."""
        sent = draft.payload or draft.request.payload
        declared = _Declared.of(sent if self.tools is None else {**sent, "tools": self.tools})
        calls = draft.reply.tool_calls
        if not calls:
            if self.required or declared.demanded:
                return Score(0.0, "the answer calls no tool, and one was demanded")
            return Abstained("the answer calls no tool")
        if len(calls) > declared.most:
            return Score(0.0, f"number of calls: {len(calls)}; the request allows {declared.most}")
        for place, call in enumerate(calls, 1):
            found = declared.problem(call)
            if found is not None:
                which = f"call {place} of {len(calls)}, " if len(calls) > 1 else ""
                return replace(found, reason=f"{which}{found.reason}")
        if self.confidence:
            return _confidence(draft)
        return Score(1.0, f"{len(calls)} call{'s' * (len(calls) != 1)} as declared")


@dataclass(frozen=True, slots=True)
class _Declared:
    """The tools of a request.

    Attributes:
        schemas: the parameters' schema by name; `None` for tools without one.
        open_ended: whether further tools may turn up under names that are not declared.
        demanded: whether the request demands a call that would be seen.
        most: calls that the request allows at once.
        only: the names that `tool_choice` allows, where it names any.
        custom: the names of tools that take free text.
    """

    schemas: Mapping[str, Any]
    open_ended: bool
    demanded: bool
    most: float
    only: frozenset[str]
    custom: frozenset[str]

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> _Declared:
        schemas: dict[str, Any] = {}
        custom: set[str] = set()
        kinds: set[object] = set()
        todo = [*_mappings(payload.get("tools")), *_mappings(payload.get("functions"))]
        while todo:
            tool = todo.pop()
            kinds.add(tool.get("type"))
            inner = tool.get("function") or tool.get("custom") or tool
            todo.extend(_mappings(tool.get("tools")))  # a namespace
            if not isinstance(inner, Mapping) or tool.get("type") in ("namespace", "mcp"):
                continue
            name, schema = inner.get("name"), inner.get("parameters")
            if isinstance(name, str) and name:
                schemas[name] = schema
                if tool.get("type") == "custom":
                    custom.add(name)
        choice = payload.get("tool_choice", payload.get("function_call"))
        only = frozenset(_chosen(choice))
        mode = _mode(choice)
        return cls(
            schemas=schemas,
            open_ended=bool(kinds & OTHERS_BRING_NAMES),
            demanded=(mode == "named" and bool(only)) or (mode == "required" and kinds <= OWN),
            most=0
            if choice == "none"
            else 1
            if payload.get("parallel_tool_calls") is False
            else inf,
            only=only,
            custom=frozenset(custom),
        )

    def problem(self, call: Mapping[str, Any]) -> Score | Abstained | Failed | None:
        """What is wrong with a call, as the outcome it leads to."""
        inner = call.get("function") or call.get("custom")
        inner = inner if isinstance(inner, Mapping) else {}
        name = inner.get("name")
        if not isinstance(name, str) or not name:
            return Score(0.0, f"a call without a name: {str(call)[:80]}")
        if name not in self.schemas:
            if self.open_ended:
                return Abstained(f"{name!r} is not declared here; another tool may have brought it")
            known = ", ".join(list(self.schemas)[:8]) or "none"
            return Score(0.0, f"unknown tool {name[:60]!r}; declared: {known[:200]}")
        if self.only and name not in self.only:
            return Score(0.0, f"calls {name!r}, but {', '.join(sorted(self.only))} was demanded")
        if ("custom" in call) != (name in self.custom):
            wanted = "free text" if name in self.custom else "JSON arguments"
            return Score(0.0, f"{name}: called in another way than declared; it takes {wanted}")
        return None if "custom" in call else self._arguments_problem(name, inner.get("arguments"))

    def _arguments_problem(self, name: str, given: object) -> Score | Failed | None:
        try:
            arguments = _arguments(given)
        except JsonTextError as error:
            return Score(0.0, f"{name}: arguments are {error}")
        if not isinstance(arguments, dict):
            return Score(0.0, f"{name}: arguments are {type(arguments).__name__}, not an object")
        try:
            validator = _validator(_text_of(self.schemas[name]))
        except ConfigError as error:
            return Failed(f"the schema of tool {name!r} cannot be used: {error}")
        wrong = first_error(validator, arguments) if validator is not None else None
        return None if wrong is None else Score(0.0, f"{name}: {wrong}")


def _arguments(given: object) -> Any:
    """Decoded arguments. Some models leave them empty for a tool without parameters."""
    if isinstance(given, str):
        return read_json(given) if given.strip() else {}
    return {} if given is None else given


def _mappings(listed: object) -> list[Mapping[str, Any]]:
    items = listed if isinstance(listed, Sequence) and not isinstance(listed, str) else ()
    return [item for item in items if isinstance(item, Mapping)]


def _mode(choice: object) -> object:
    """What a `tool_choice` wants: "auto", "none", "required", or the one that is "named"."""
    if not isinstance(choice, Mapping):
        return choice
    if choice.get("type") != "allowed_tools":
        return "named"
    allowed = choice.get("allowed_tools")
    return (allowed if isinstance(allowed, Mapping) else choice).get("mode")


def _chosen(choice: object) -> list[str]:
    """The names in a `tool_choice`: of one tool, or of the allowed ones."""
    if not isinstance(choice, Mapping) or choice.get("type", "function") not in CHOICES:
        return []
    if choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools")
        holder = allowed if isinstance(allowed, Mapping) else choice
        return [name for tool in _mappings(holder.get("tools")) for name in _chosen(tool)]
    inner = choice.get("function") or choice.get("custom") or choice
    name = inner.get("name") if isinstance(inner, Mapping) else None
    return [name] if isinstance(name, str) else []


def _text_of(schema: object) -> str | None:
    """A schema as JSON text, by which its validator is remembered."""
    try:
        return None if schema is None else json.dumps(schema)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"it is no JSON ({error})") from error


@lru_cache(maxsize=64)
def _validator(schema: str | None) -> Any:
    """The validator of a schema's JSON text; `None` where anything fits."""
    if schema is None:
        return None
    if len(schema) > MAX_SCHEMA_CHARS:
        raise ConfigError(f"{len(schema):,} characters long; at most {MAX_SCHEMA_CHARS:,} are read")
    return validator_of(copied(json.loads(schema)), formats=False)


def _confidence(draft: Draft) -> Score | Abstained:
    """How sure the model was of the least likely value in the arguments."""
    tokens = draft.reply.logprobs
    if not tokens:
        return Abstained("the calls are as declared; no log-probabilities to weigh them by")
    weakest: list[tuple[float, str]] = []
    start = 0
    for call in draft.reply.tool_calls:
        inner = call.get("function")
        text = inner.get("arguments") if isinstance(inner, Mapping) else None
        if not isinstance(inner, Mapping) or not isinstance(text, str) or not text.strip():
            continue
        laid = tokens_of_part(tokens, text, start)
        if laid is None:
            return Abstained("the calls are as declared; the log-probabilities do not cover them")
        start = laid.base + 1
        for span in value_spans(text):
            values = [token.logprob for token in laid.between(span.start, span.end)]
            mean = exp(sum(values) / len(values))
            weakest.append((mean, f"{inner['name']}: {json_path(span.path)}"))
    if not weakest:
        return Abstained("the calls have no arguments to weigh")
    value, place = min(weakest)
    return Score(
        min(1.0, value), f"{place}: mean p = {value:.4g}, weakest of {len(weakest)} values"
    )
