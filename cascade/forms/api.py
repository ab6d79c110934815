"""The names of the APIs that a call may go to, and which of them a payload is written for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["Api", "api_of"]

Api = Literal[
    "chat",  # POST /v1/chat/completions
    "responses",  # POST /v1/responses
    "decisions",  # POST /v1/decisions: asked by scorers only
]


def api_of(payload: Mapping[str, Any]) -> Api:
    """The API that a payload is written for: `input` is Responses', `messages` is Chat's."""
    if "messages" in payload or "input" not in payload:
        return "chat"
    return "decisions" if "questions" in payload else "responses"
