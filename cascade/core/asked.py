"""What a line of a file asks: a prompt, a payload of either API, or a line for the Batch API.

One convention for whatever reads requests from files. Opens none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cascade.core.request import Asked
from cascade.errors import RequestError

__all__ = ["WAYS", "asked_in", "decoded_line", "with_system"]

ENDPOINTS = ("/v1/chat/completions", "/v1/responses")

WAYS = ("body", "prompt", "messages", "input")
"""Keys that hold what is asked, one of which an object has."""


def decoded_line(raw: bytes | str) -> Any:
    """What a line of JSON holds.

    Raises:
        RequestError: it is no JSON, or an object has a key twice, one of which would be lost.
    """
    try:
        return json.loads(raw, object_pairs_hook=_object)
    except RequestError:
        raise
    except (ValueError, RecursionError) as error:
        raise RequestError(f"this is no JSON: {error}") from error


def asked_in(data: Any) -> Asked:
    """The request that decoded JSON holds.

    Args:
        data: a text, `{"prompt": ...}` with further parameters beside it, a payload of Chat
            Completions (`messages`) or of Responses (`input`), or a line for the Batch API.

    Raises:
        RequestError: it holds none, or two.
    """
    if isinstance(data, str):
        return data
    if not isinstance(data, dict):
        raise RequestError(f"expected a JSON string or object, got {type(data).__name__}")
    ways = [name for name in WAYS if name in data]
    stored = "input" in data and isinstance(data.get("prompt"), dict)  # a template of Responses
    if len(ways) > 1 and not (stored and ways == ["prompt", "input"]):
        raise RequestError(f"{' and '.join(ways)} are both given; ask with one of them")
    if "body" in data:
        return _batch_body(data)
    if "prompt" in data and not stored:
        prompt = data["prompt"]
        if not isinstance(prompt, str):
            raise RequestError(f"prompt is {prompt!r}; expected text")
        rest = {name: value for name, value in data.items() if name not in ("prompt", "custom_id")}
        return {**rest, "messages": [{"role": "user", "content": prompt}]}
    if "messages" in data or "input" in data:
        return {name: value for name, value in data.items() if name != "custom_id"}
    raise RequestError(f"neither prompt, messages, input nor body among its keys {sorted(data)}")


def with_system(asked: Asked, system: str | None) -> Asked:
    """The request with a system message in front."""
    if system is None:
        return asked
    message = {"role": "system", "content": system}
    if isinstance(asked, str):
        return [message, {"role": "user", "content": asked}]
    if isinstance(asked, Mapping) and "input" in asked:
        given = asked.get("instructions")
        return {**asked, "instructions": f"{system}\n\n{given}" if given else system}
    if isinstance(asked, Mapping):
        messages = asked.get("messages")
        listed = messages if isinstance(messages, list) else []
        return {**asked, "messages": [message, *listed]} if listed else asked
    return [message, *asked]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RequestError(f"the key {twice!r} stands twice in one object; keep one of them")
    return made


def _batch_body(data: dict[str, Any]) -> Asked:
    url, body = data.get("url", ENDPOINTS[0]), data["body"]
    if url not in ENDPOINTS:
        raise RequestError(f"url is {url!r}; a chain answers {' and '.join(ENDPOINTS)}")
    if not isinstance(body, dict):
        raise RequestError("body is no object; expected a Chat Completions or Responses payload")
    return body
