"""What is wrong with a call before any model is asked."""

from __future__ import annotations

import json
from typing import Any

from cascade.errors import RequestError

__all__ = ["BadCall", "UnknownModel", "shown"]

SHOWN_CHARS = 80


class BadCall(RequestError):  # noqa: N818  it is the call that is bad
    """A call that cannot be answered as it stands; `param` is where in the body the fault lies."""


class UnknownModel(RequestError):  # noqa: N818
    """A model name that no chain has, and that is not passed on."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model `{model[:SHOWN_CHARS]}` does not exist or you do not have access to it."
        )


def shown(value: Any) -> str:
    """A value of the caller's in a message: as JSON, on one line, and short."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if not text.isprintable():
        text = json.dumps(value, default=str)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."
