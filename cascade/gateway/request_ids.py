"""Names for requests: one of ours on every answer, and the caller's own, given back if harmless."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

__all__ = ["names_of", "new_request_id"]

CALLERS_OWN = b"x-client-request-id"

HARMLESS = re.compile(rb"[\x21-\x7e]{1,512}")
"""OpenAI's rule: ASCII, at most 512 characters; ours besides: nothing that is not printed."""


drawn = random.Random()  # noqa: S311  names, no secrets: asking the system each time costs a wait


def new_request_id() -> str:
    """An id that no other request has, in the form of OpenAI's."""
    return "req_" + drawn.randbytes(16).hex()


def names_of(request_id: str, headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Headers of an answer: its own id, and the caller's own where it may be repeated."""
    given = headers.get(CALLERS_OWN)
    if given is None or not HARMLESS.fullmatch(given):
        return {"x-request-id": request_id}
    return {"x-request-id": request_id, CALLERS_OWN.decode(): given.decode()}
