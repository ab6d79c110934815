"""What is wrong with a call before any model is asked."""

from __future__ import annotations

from typing import Any

from cascade.errors import RequestError

__all__ = ["BadCall", "UnknownModel", "shown"]

SHOWN_CHARS = 80


class BadCall(RequestError):  # noqa: N818  it is the call that is bad
    """A call that cannot be answered as it stands.

    Attributes:
        param: where in the body the fault lies.
        code: OpenAI's code for it.
    """

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, param=param)
        self.code = code


class UnknownModel(RequestError):  # noqa: N818
    """A model name that no chain has, and that is not passed on."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model `{model[:SHOWN_CHARS]}` does not exist or you do not have access to it."
        )


def shown(value: Any) -> str:
    """A value of the caller's in a message: on one line, and short."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."
