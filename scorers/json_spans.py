"""Where the values of a JSON answer stand, and which tokens wrote them.

In JSON most tokens are structure that a model cannot get wrong; averaging over them hides one bad
field (59 % of tokens at a mean confidence of 0.954 in our extraction runs). So tokens are mapped
onto values by byte offset. Bytes, because a token may hold half a character.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from cascade import TokenLogprob

__all__ = ["AnswerTokens", "Span", "align", "tokens_of_part", "value_spans"]

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY, _COMMA, _COLON, _QUOTE = b'{}[],:"'


Link = tuple[Any, str | int] | None
"""The way to a value: the link of the container around it, and the last step. Links are shared, so
that many values deep down cost no more than many at the top."""


class Span(NamedTuple):
    """A value of a JSON text: the way to it, and its bytes as `data[start:end]`."""

    link: Link
    start: int
    end: int

    @property
    def path(self) -> tuple[str | int, ...]:
        """Keys and indexes from the root to the value."""
        steps, link = [], self.link
        while link is not None:
            link, step = link
            steps.append(step)
        return tuple(reversed(steps))


def value_spans(text: str) -> list[Span]:
    """The values in a JSON text: strings without their quotes, numbers, booleans, null.

    Keys, punctuation and white space are nobody's value; nor are empty containers. An empty string
    has no bytes of its own, so its closing quote stands for it. White space and one code fence
    around the JSON are tolerated, raw line breaks inside strings too: it reads and does not judge.

    Returns:
        Spans in order, as offsets into the UTF-8 bytes of `text`.

    Raises:
        ValueError: the text is no JSON.
    """
    data = text.encode("utf-8", "replace")
    start, end = _body_bounds(data)
    try:
        json.loads(data[start:end].decode("utf-8"), strict=False)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return _scan(data, start, end)


def _body_bounds(data: bytes) -> tuple[int, int]:
    """The bytes inside white space and one code fence; `strict_json.json_body`, with offsets."""
    start, end = _stripped(data, 0, len(data))
    if data.startswith(b"```", start) and data.endswith(b"```", start, end):
        newline = data.find(b"\n", start, end)
        if newline >= 0 and data[start + 3 : newline].strip().lower() in (b"", b"json"):
            return _stripped(data, newline, end - 3)
    return start, end


def _stripped(data: bytes, start: int, end: int) -> tuple[int, int]:
    part = data[start:end]
    kept = part.lstrip()
    start += len(part) - len(kept)
    return start, start + len(kept.rstrip())


def _scan(data: bytes, start: int, end: int) -> list[Span]:
    """Walk over the tokens of a text that is known to be JSON."""
    spans: list[Span] = []
    links: list[Link] = []  # one per open container: the way to it
    steps: list[str | int] = []  # one per open container: the key or index it is at
    key_next = False
    for found in _TOKEN.finditer(data, start, end):
        first, last = found.span()
        mark = data[first]
        if mark == _COLON:
            continue
        if mark == _COMMA:
            at = steps[-1]
            if isinstance(at, int):
                steps[-1] = at + 1
            else:
                key_next = True
        elif mark == _QUOTE and key_next:
            steps[-1] = _key(data[first:last])
            key_next = False
        elif mark in (_CLOSE_OBJECT, _CLOSE_ARRAY):
            links.pop()
            steps.pop()
            key_next = False
        else:
            link = (links[-1], steps[-1]) if steps else None
            if mark in (_OPEN_OBJECT, _OPEN_ARRAY):
                key_next = mark == _OPEN_OBJECT
                links.append(link)
                steps.append("" if key_next else 0)
            elif mark == _QUOTE:
                begin = first + 1 if last - first > len('""') else last - 1
                spans.append(Span(link, begin, max(last - 1, begin + 1)))
            else:
                spans.append(Span(link, first, last))
    return spans


def _key(quoted: bytes) -> str:
    if b"\\" in quoted:
        return str(json.loads(quoted, strict=False))
    return quoted[1:-1].decode("utf-8")


@dataclass(frozen=True, slots=True)
class AnswerTokens:
    """The tokens of a reply, laid along the answer's text.

    Attributes:
        tokens: all tokens of the reply.
        ends: byte offset after each token, counted from the first token.
        base: byte offset at which the answer's text begins; negative where its leading white space
            has no token.
    """

    tokens: Sequence[TokenLogprob]
    ends: list[int]
    base: int

    def between(self, start: int, end: int) -> Sequence[TokenLogprob]:
        """Tokens that share a byte with `text[start:end]` (UTF-8 offsets)."""
        first = bisect_right(self.ends, self.base + start)
        last = bisect_right(self.ends, self.base + end - 1, lo=first)
        return self.tokens[first : last + 1]


def align(tokens: Sequence[TokenLogprob], text: str) -> AnswerTokens | None:
    """Lay tokens along the text they spell.

    Servers differ: some list thinking tokens before the answer, some an end-of-turn token after it,
    some strip white space or the code fence from the text. `None` when the tokens do not spell the
    text even so.
    """
    words = [token.token for token in tokens]
    if text.isascii() and "".join(words) == text:  # as nearly always: nothing to search or decode
        return AnswerTokens(tokens, list(accumulate(map(len, words))), 0) if text.strip() else None
    pieces = _pieces(tokens)
    ends = list(accumulate(map(len, pieces)))
    joined, whole = b"".join(pieces), text.encode("utf-8", "replace")
    core = whole.strip()
    if not core:
        return None
    lead = len(whole) - len(whole.lstrip())
    for spelled in (joined, joined[: len(joined) - len(pieces[-1])]):
        for body in (spelled.rstrip(), spelled.rstrip().removesuffix(b"```").rstrip()):
            if body.endswith(core):
                return AnswerTokens(tokens, ends, len(body) - len(core) - lead)
    return None


def tokens_of_part(tokens: Sequence[TokenLogprob], part: str, start: int) -> AnswerTokens | None:
    """Lay tokens along a text that stands somewhere among what they spell.

    Args:
        tokens: of the whole reply.
        part: the text to find, e.g. the arguments of a call.
        start: byte offset to look from.
    """
    pieces = _pieces(tokens)
    base = b"".join(pieces).find(part.encode("utf-8", "replace"), start)
    return AnswerTokens(tokens, list(accumulate(map(len, pieces))), base) if base >= 0 else None


def _pieces(tokens: Sequence[TokenLogprob]) -> list[bytes]:
    return [
        token.raw if token.raw is not None else token.token.encode("utf-8", "replace")
        for token in tokens
    ]
