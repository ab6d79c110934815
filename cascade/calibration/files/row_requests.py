"""What a row of a data set asks: a prompt, messages or a payload, with parameters beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cascade.core.asked import asked_in, with_system
from cascade.core.request import Asked
from cascade.errors import RequestError

__all__ = ["PARAMS", "request_in", "text_of"]

AS_JSON = frozenset(
    {
        *("messages", "body", "tools", "tool_choice", "response_format", "reasoning"),
        *("temperature", "top_p", "max_completion_tokens", "max_output_tokens"),
    }
)
"""What is no text, and stands in the text of a CSV or Parquet as JSON."""

PARAMS = (
    *("tools", "tool_choice", "response_format", "temperature", "top_p", "stop", "instructions"),
    *("max_completion_tokens", "max_output_tokens", "reasoning_effort", "reasoning", "verbosity"),
)
"""Parameters of the API that may be columns beside what is asked; others go into a payload."""


def request_in(asks: Mapping[str, Any], data: Mapping[str, Any], system: str | None) -> Asked:
    """The request of a row.

    Args:
        asks: the columns that hold what is asked, by `cascade.core.asked.WAYS`.
        data: the whole row, for parameters.
        system: a system message to put in front.

    Raises:
        RequestError: it asks twice, or holds what is no JSON where JSON is expected.
    """
    decoded = {name: _decoded(value, name) for name, value in asks.items()}
    params = {name: _decoded(data[name], name) for name in PARAMS if data.get(name) is not None}
    if set(decoded) == {"prompt"} and not params and isinstance(decoded["prompt"], str):
        return with_system(decoded["prompt"], system)
    if "body" in decoded and "url" in data:
        params["url"] = data["url"]  # a line for the Batch API
    return with_system(asked_in({**decoded, **params}), system)


def text_of(value: Any) -> str:
    """A value as text: what is no text as JSON, so that 18 is "18" and a record its JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _decoded(value: Any, name: str) -> Any:
    if not isinstance(value, str) or name not in AS_JSON:
        return value
    if name == "tool_choice" and not value.lstrip().startswith("{"):
        return value  # "auto", "required"
    try:
        return json.loads(value)
    except ValueError as error:
        raise RequestError(f"{name} is {value[:60]!r}, which is no JSON: {error}") from error
