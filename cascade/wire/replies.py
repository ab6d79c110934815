"""One way to read a reply, whichever API it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cascade.core.reply import Reply
from cascade.forms.api import Api
from cascade.wire.chat import read_completion
from cascade.wire.decisions import read_decision
from cascade.wire.responses import read_response

__all__ = ["api_of_reply", "read_reply"]

READERS: Mapping[Api, Callable[[object], Reply]] = {
    "chat": read_completion,
    "responses": read_response,
    "decisions": read_decision,
}


def read_reply(body: object, api: Api | None = None) -> Reply:
    """Read the body of a reply.

    Args:
        body: the decoded JSON body.
        api: the API that was asked; `None` tells it from the body, e.g. of a recording.

    Raises:
        MalformedReply: it holds no answer.
    """
    return READERS[api or api_of_reply(body)](body)


def api_of_reply(body: object) -> Api:
    """The API whose reply this is."""
    if not isinstance(body, Mapping) or "choices" in body:
        return "chat"
    if body.get("object") == "response" or "output" in body:
        return "responses"
    return "decisions" if "answers" in body else "chat"
