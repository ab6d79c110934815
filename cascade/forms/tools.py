"""Tools and the choice among them: Chat nests a function's definition, Responses does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascade.forms.api import Api
from cascade.forms.equivalent import NoEquivalent
from cascade.forms.strict_subset import fits_strict

__all__ = ["choice_for", "function_of", "tools_for"]

Data = Mapping[str, Any]

FUNCTION = ("name", "description", "parameters", "strict")
CUSTOM = ("name", "description", "format")


def tools_for(tools: object, api: Api, *, meant: bool = False) -> Any:
    """Tools in the form that an API takes; those in that form already stay as they are.

    Args:
        tools: tools in either form.
        api: where they go.
        meant: whether they were written for that API, so that what is not known passes as it is.

    Raises:
        NoEquivalent: a hosted tool towards Chat, or a property that Chat's functions lack.
    """
    if not isinstance(tools, list | tuple):
        return tools
    return [
        tool if meant and _kind(tool) is None else _tool(tool, f"tools[{index}]", api)
        for index, tool in enumerate(tools)
    ]


def function_of(tool: object) -> Data | None:
    """A function tool's definition in either form, `None` for any other tool."""
    if not isinstance(tool, Mapping) or tool.get("type") != "function":
        return None
    nested = tool.get("function")
    return nested if isinstance(nested, Mapping) else tool


def _kind(tool: object) -> str | None:
    kind = tool.get("type") if isinstance(tool, Mapping) else None
    return kind if kind in ("function", "custom") else None


def _tool(tool: Any, where: str, api: Api) -> Any:
    kind = _kind(tool)
    if kind is None:
        shown = tool.get("type") if isinstance(tool, Mapping) else tool
        raise NoEquivalent("tools", f"{where} of type {shown!r}", api)
    nested = isinstance(tool.get(kind), Mapping)
    if nested is (api == "chat"):
        return tool
    if api == "responses":
        return _flat(tool, kind, where)
    known = {"type", *(FUNCTION if kind == "function" else CUSTOM)}
    for key, value in tool.items():
        if key not in known and value:
            raise NoEquivalent("tools", f"{where}.{key}", api)
    inner = {key: tool[key] for key in known - {"type"} if tool.get(key) is not None}
    if kind == "custom":
        return {"type": kind, kind: _format(inner, "chat")}
    if inner.get("strict") is None and fits_strict(inner.get("parameters")):
        inner["strict"] = True  # Responses does so unless told otherwise; Chat waits to be told
    return {"type": kind, kind: inner}


def _flat(tool: Data, kind: str, where: str) -> dict[str, Any]:
    for key, value in tool.items():
        if key not in ("type", kind) and value is not None:
            raise NoEquivalent("tools", f"{where}.{key}", "responses")
    inner = dict(tool[kind])
    if kind == "custom":
        return {"type": kind, **_format(inner, "responses")}
    if inner.get("strict") is None:
        inner["strict"] = False  # Chat's default; Responses' is true
    return {"type": kind, **inner}


def _format(custom: dict[str, Any], api: Api) -> dict[str, Any]:
    """A custom tool's grammar: Chat nests that, too."""
    given = custom.get("format")
    if not isinstance(given, Mapping) or given.get("type") != "grammar":
        return custom
    nested = given.get("grammar")
    if api == "responses" and isinstance(nested, Mapping):
        return {**custom, "format": {"type": "grammar", **nested}}
    if api == "chat" and nested is None:
        inner = {key: value for key, value in given.items() if key != "type"}
        return {**custom, "format": {"type": "grammar", "grammar": inner}}
    return custom


def choice_for(choice: object, api: Api, *, meant: bool = False) -> Any:
    """A tool choice in the form that an API takes; arguments and errors as `tools_for`."""
    if not isinstance(choice, Mapping):
        return choice
    kind = choice.get("type")
    if kind in ("function", "custom"):
        return _named(choice, kind, api)
    if kind != "allowed_tools" and meant:
        return choice
    if kind != "allowed_tools":
        raise NoEquivalent("tool_choice", f"tool_choice of type {kind!r}", api)
    nested = choice.get("allowed_tools")
    inner = nested if isinstance(nested, Mapping) else choice
    allowed = {
        "mode": inner.get("mode", "auto"),
        "tools": [choice_for(tool, api, meant=meant) for tool in inner.get("tools") or ()],
    }
    if api == "chat":
        return {"type": kind, kind: allowed}
    return {"type": kind, **allowed}


def _named(choice: Data, kind: str, api: Api) -> dict[str, Any]:
    nested = choice.get(kind)
    name = (nested if isinstance(nested, Mapping) else choice).get("name")
    return {"type": kind, kind: {"name": name}} if api == "chat" else {"type": kind, "name": name}
