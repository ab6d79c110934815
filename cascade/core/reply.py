"""One reading of a model's reply, whatever wire format it came in.

A `Reply` keeps the wire object untouched and reads from it only what decisions need. The modules of
`cascade.wire` build replies; nothing here knows a wire format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cascade.core.quick import quick
from cascade.core.usage import Usage
from cascade.forms.api import Api

__all__ = ["FLOOR_LOGPROB", "Reply", "TokenLogprob", "read_tokens"]

SENTINEL_LOGPROB = -9999.0
"""OpenAI's "outside the top 20": a marker, not a probability."""

FLOOR_LOGPROB = -20.0
"""What the sentinel becomes on a chosen token: about 2e-9. Dropping the token instead would raise
the confidence of an answer exactly where the model was least sure."""


class TokenLogprob:
    """One token of the answer.

    Attributes:
        token: its text; parts of a multi-byte character may be unprintable, then see `raw`.
        logprob: natural logarithm of its probability, in [`FLOOR_LOGPROB`, 0].
    """

    # Long answers hold thousands, with five alternatives each, and most scorers read the numbers
    # alone: so no dataclass, and the alternatives wait as they came until somebody looks.
    __slots__ = ("_raw", "_top", "logprob", "token")

    def __init__(
        self,
        token: str,
        logprob: float,
        top: Sequence[tuple[str, float]] = (),
        raw: bytes | None = None,
    ) -> None:
        self.token = token
        self.logprob = logprob
        self._top: Any = tuple(top) if top else ()
        self._raw: Any = raw

    @property
    def top(self) -> tuple[tuple[str, float], ...]:
        """Alternatives as (token, logprob), most likely first.

        May be shorter than what was asked, even empty: GPT-5.x returns only tokens with real mass.
        """
        if type(self._top) is not tuple:
            self._top = _top(self._top.get("top_logprobs"))
        return self._top

    @property
    def raw(self) -> bytes | None:
        """The token's bytes where the server gives them."""
        if self._raw is not None and type(self._raw) is not bytes:
            self._raw = _bytes(self._raw.get("bytes"))
        return self._raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenLogprob) and self._whole() == other._whole()

    def __hash__(self) -> int:
        return hash(self._whole())

    def __repr__(self) -> str:
        return "TokenLogprob(token={!r}, logprob={!r}, top={!r}, raw={!r})".format(*self._whole())

    def _whole(self) -> tuple[Any, ...]:
        return self.token, self.logprob, self.top, self.raw


@quick
@dataclass(frozen=True)
class Reply:
    """What a model answered.

    Attributes:
        text: the answer's text, of an answer in audio its transcript; "" where there is none (a
            tool call, a refusal).
        wire: the reply as it came, for the caller and for the trace.
        model: the model the provider says has answered.
        finish_reason: in Chat's words, whatever the API: "stop", "length", "tool_calls",
            "content_filter", ...
        refusal: the model's words when it declined.
        tool_calls: in Chat's form, whatever the API.
        usage: token counts, or `None` where the server gave none that can be read.
        service_tier: the tier the provider billed.
        api: the API whose wire format `wire` is in.
        notes: what was odd about the reply, in words.
        billed_apart: calls of hosted tools, which cost by the call: the usage does not show them.
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
    billed_apart: int = 0

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

    @cached_property
    def logprob_columns(self) -> tuple[tuple[str, ...], tuple[float, ...]] | None:
        """The texts and the log-probabilities of `logprobs`, for who reads nothing else of them.

        Long answers hold thousands: no object is made for each.
        """
        entries = self.raw_logprobs
        try:
            texts = tuple([entry["token"] for entry in entries])  # type: ignore[union-attr]
            values = tuple(
                [
                    value
                    for entry in entries or ()
                    if type(value := entry["logprob"]) is float and FLOOR_LOGPROB <= value <= 0.0
                ]
            )
            "".join(texts)  # refuses what is no text
        except (KeyError, TypeError):
            values = ()
        if values and len(values) == len(texts):
            return texts, values
        tokens = self.logprobs  # something is odd about one of them, or there are none
        if tokens is None:
            return None
        return tuple([one.token for one in tokens]), tuple([one.logprob for one in tokens])


def read_tokens(entries: Sequence[Any]) -> tuple[TokenLogprob, ...]:
    """Log-probability entries as they come on the wire, read as `Reply.logprobs` says."""
    tokens = []
    for entry in entries:  # thousands of them: no function is called for the usual one
        token = value = None
        if type(entry) is dict:
            token, value = entry.get("token"), entry.get("logprob")
        if type(token) is not str or type(value) is not float or not FLOOR_LOGPROB <= value <= 0.0:
            pair = _pair(entry)
            if pair is None:
                continue
            token, value = pair[0], min(0.0, max(pair[1], FLOOR_LOGPROB))
        read = _made(TokenLogprob)
        read.token, read.logprob = token, value
        read._top = read._raw = entry  # noqa: SLF001  to be read
        tokens.append(read)
    return tuple(tokens)


_made = TokenLogprob.__new__


def _top(listed: object) -> tuple[tuple[str, float], ...]:
    if not isinstance(listed, list):
        return ()
    pairs = [pair for item in listed if (pair := _pair(item)) is not None]
    return tuple(
        [pair if pair[1] <= 0.0 else (pair[0], 0.0) for pair in pairs if pair[1] > SENTINEL_LOGPROB]
    )


def _pair(entry: Any) -> tuple[str, float] | None:
    """Token and number of an entry; exact types, because thousands of them are read."""
    if type(entry) is not dict:
        return None
    token, value = entry.get("token"), entry.get("logprob")
    if type(token) is not str:
        return None
    if type(value) is not float:
        if type(value) is not int:
            return None
        value = float(value)
    return (token, value) if value == value else None  # noqa: PLR0124  NaN is not itself


def _bytes(raw: object) -> bytes | None:
    if not isinstance(raw, list):
        return None
    try:
        return bytes(raw)
    except (TypeError, ValueError):
        return None
