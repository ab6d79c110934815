"""The names of the APIs that a call may go to."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["APIS", "Api"]

Api = Literal[
    "chat",  # POST /v1/chat/completions
    "responses",  # POST /v1/responses
    "decisions",  # POST /v1/decisions: asked by scorers only
]

APIS = frozenset(get_args(Api))
