"""The Decisions API: probabilities as answers to questions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cascade.core.reply import Reply
from cascade.core.usage import Usage
from cascade.wire.faults import MalformedReply, error_in, kind_of, text_or_none

__all__ = ["read_decision"]


def read_decision(body: object) -> Reply:
    """Read what `POST /v1/decisions` answers.

    Args:
        body: the decoded JSON body.

    Returns:
        A reply whose text is the compact JSON of the answers, a list.

    Raises:
        MalformedReply: an error body in a 200, or no answers.
    """
    if not isinstance(body, Mapping):
        raise MalformedReply(f"the reply is {kind_of(body)}, expected a JSON object")
    usage = Usage.from_wire(body.get("usage"))
    try:
        answers = _answers(body)
    except MalformedReply as error:
        error.usage = usage
        raise
    return Reply(
        text=json.dumps(answers, ensure_ascii=False, separators=(",", ":")),
        wire=body,
        model=text_or_none(body.get("model")),
        finish_reason="stop",
        usage=usage,
        service_tier=text_or_none(body.get("service_tier")),
        id=text_or_none(body.get("id")),
        api="decisions",
        notes=tuple(_oddities(body, usage)),
    )


def _answers(body: Mapping[str, Any]) -> list[Any]:
    if body.get("error"):
        raise MalformedReply(*error_in(body, "an error came with status 200"))
    answers = body.get("answers")
    if not isinstance(answers, list):
        raise MalformedReply(f"answers is {kind_of(answers)}, expected a list")
    return answers


def _oddities(body: Mapping[str, Any], usage: Usage | None) -> Iterator[str]:
    if usage is None:
        yield "usage is missing" if body.get("usage") is None else "usage cannot be read"
    if text_or_none(body.get("model")) is None:
        yield "model is missing"
