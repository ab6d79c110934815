"""One reading of a model's reply, whatever wire format it came in.

A `Reply` keeps the wire object untouched and reads from it only what decisions need. The modules of
`cascade.wire` build replies; nothing here knows a wire format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cascade.core.usage import Usage
from cascade.forms.api import Api

__all__ = ["FLOOR_LOGPROB", "Reply", "TokenLogprob", "read_tokens"]

SENTINEL_LOGPROB = -9999.0
"""OpenAI's "outside the top 20": a marker, not a probability."""

FLOOR_LOGPROB = -20.0
"""What the sentinel becomes on a chosen token: about 2e-9. Dropping the token instead would raise
the confidence of an answer exactly where the model was least sure."""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of the answer.

    Attributes:
        token: its text; parts of a multi-byte character may be unprintable, then see `raw`.
        logprob: natural logarithm of its probability, in [`FLOOR_LOGPROB`, 0].
        top: alternatives as (token, logprob), most likely first. May be shorter than what was
            asked, even empty: GPT-5.x returns only tokens with real mass.
        raw: the token's bytes where the server gives them.
    """

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()
    raw: bytes | None = None


@dataclass(frozen=True)
class Reply:
    """What a model answered.

    Attributes:
        text: the answer's text, "" where there is none (a tool call, a refusal).
        wire: the reply as it came, for the caller and for the trace.
        model: the model the provider says has answered.
        finish_reason: as on the wire: "stop", "length", "tool_calls", "content_filter", ...
        refusal: the model's words when it declined.
        tool_calls: as on the wire.
        usage: token counts, or `None` where the server gave none that can be read.
        service_tier: the tier the provider billed.
        api: the API whose wire format `wire` is in.
        notes: what was odd about the reply, in words.
    """

    text: str
    wire: Mapping[str, Any] = field(default_factory=dict, repr=False)
    model: str | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    usage: Usage | None = None
    service_tier: str | None = None
    id: str | None = None
    raw_logprobs: Sequence[Any] | None = field(default=None, repr=False)
    api: Api = "chat"
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it: no text, no refusal, no tool call."""
        return not (self.text.strip() or self.refusal or self.tool_calls)

    @cached_property
    def logprobs(self) -> tuple[TokenLogprob, ...] | None:
        """The answer's tokens with their log-probabilities, or `None` where the model gave none.

        Read on first use (a long answer holds thousands). Entries without a number are left out;
        the sentinel -9999.0 becomes `FLOOR_LOGPROB` on a chosen token and is dropped from the
        alternatives.
        """
        if self.raw_logprobs is None:
            return None
        return read_tokens(self.raw_logprobs) or None


def read_tokens(entries: Sequence[Any]) -> tuple[TokenLogprob, ...]:
    """Log-probability entries as they come on the wire, read as `Reply.logprobs` says."""
    read = (_token(entry) for entry in entries)
    return tuple(token for token in read if token is not None)


def _token(entry: object) -> TokenLogprob | None:
    pair = _pair(entry)
    if pair is None or not isinstance(entry, Mapping):
        return None
    listed = entry.get("top_logprobs")
    alternatives = [_pair(item) for item in listed] if isinstance(listed, list) else []
    raw = entry.get("bytes")
    return TokenLogprob(
        token=pair[0],
        logprob=min(0.0, max(pair[1], FLOOR_LOGPROB)),
        top=tuple(
            (token, min(0.0, value))
            for token, value in (item for item in alternatives if item is not None)
            if value > SENTINEL_LOGPROB
        ),
        raw=_bytes(raw),
    )


def _pair(entry: object) -> tuple[str, float] | None:
    if not isinstance(entry, Mapping):
        return None
    token, value = entry.get("token"), entry.get("logprob")
    if not isinstance(token, str) or isinstance(value, bool):
        return None
    if not isinstance(value, int | float) or value != value:  # noqa: PLR0124  NaN is not itself
        return None
    return token, float(value)


def _bytes(raw: object) -> bytes | None:
    if not isinstance(raw, list):
        return None
    try:
        return bytes(raw)
    except (TypeError, ValueError):
        return None
