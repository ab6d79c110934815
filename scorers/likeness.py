"""How far two answers to the same request say the same: the pair evidence of learned scorers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from cascade import Draft
from scorers.answers import calls_of, decoded, flaw_of
from scorers.call_text import Call, canonical_call, written_calls
from scorers.canonical import canonical_value
from scorers.final_answer import ANSWER_NAMES, Final, final_answer
from scorers.strict_json import JsonTextError, json_body, read_json

__all__ = ["Likeness", "likeness"]


class Likeness(NamedTuple):
    """How far two answers say the same; all in [0, 1], and rising with agreement.

    Attributes:
        same: 1 if their final answers, calls or records are equal in canonical form.
        compatible: 1 if nothing in one contradicts the other: an argument or a field that only one
            of them has does not count, and neither does prose without a final answer.
        shared: how much of them is equal: arguments of calls, fields of records, words of texts.
        certain: 1 if both say what their final answer is, and it is the same; 0 if both say it and
            it is not; 0.5 where it had to be guessed for one of them.
    """

    same: float
    compatible: float
    shared: float
    certain: float


REASONING = frozenset(
    {
        *("reasoning", "reason", "explanation", "rationale", "thought", "thoughts", "thinking"),
        *("analysis", "steps", "chain_of_thought", "justification", "confidence"),
    }
)
"""Fields of a record that say how it was found, and not what."""

READ_CHARS = 20_000
"""How much of an answer is read."""

_ANSWER = re.compile(ANSWER_NAMES, re.IGNORECASE)
_WORD = re.compile(r"\w+")


def likeness(one: Draft, other: Draft) -> Likeness | None:
    """How far two drafts of the same request say the same.

    Looks through the words around an answer: see `scorers.final_answer`; tool calls, also those
    written as text, are compared by name and arguments, records by their fields. Where tools are
    offered, two answers in words are the same: neither calls one.

    Returns:
        The likeness, or `None` where one of them is no whole answer: refused, empty, cut off.

    Pitfalls: models of one family share mistakes; free text is hardly ever the same.
    """
    mine, theirs = _read(one), _read(other)
    if mine is None or theirs is None:
        return None
    found = _compare(mine, theirs)
    if mine.kind == theirs.kind == "text" and _offers_tools(one):
        return Likeness(1.0, 1.0, found.shared, 1.0)  # both call nothing
    return found


def _offers_tools(draft: Draft) -> bool:
    payload = draft.request.payload
    return bool(payload.get("tools") or payload.get("functions"))


class _Said(NamedTuple):
    """An answer read for comparison: its parts, and what it finally says."""

    kind: str  # "calls", "record" or "text"
    parts: frozenset[Any]
    final: Final


def _read(draft: Draft) -> _Said | None:
    reply = draft.reply
    if flaw_of(reply) is not None:
        return None
    if reply.tool_calls:
        return _of_calls([canonical_call(name, decoded(given)) for name, given in calls_of(reply)])
    return _said(reply.text[:READ_CHARS])


def _compare(mine: _Said, theirs: _Said) -> Likeness:
    both = len(mine.parts & theirs.parts)
    union = len(mine.parts) + len(theirs.parts) - both
    shared = both / union if union else 1.0
    if mine.kind == theirs.kind != "text":
        same = both == union
        return Likeness(float(same), float(same or _compatible(mine, theirs)), shared, float(same))
    same = mine.final.form == theirs.final.form != ""
    same_kind = mine.kind == theirs.kind
    silent = same_kind and not (mine.final.form and theirs.final.form)
    certain = mine.final.marked and theirs.final.marked
    near = silent or (same_kind and _one_in_the_other(mine.final.form, theirs.final.form))
    return Likeness(float(same), float(same or near), shared, float(same) if certain else 0.5)


def _one_in_the_other(one: str, other: str) -> bool:
    """Whether one short text holds all words of the other, as "Paris" and "Paris, France" do."""
    if not (one.startswith("text:") and other.startswith("text:")):
        return False
    mine, theirs = set(one[5:].split()), set(other[5:].split())
    return mine <= theirs or theirs <= mine


def _compatible(mine: _Said, theirs: _Said) -> bool:
    """Whether calls or records differ only in what one of them leaves out."""
    names = {part[:-1] for part in mine.parts ^ theirs.parts}
    if mine.kind == "calls" and any(len(name) == 1 for name in names):
        return False  # a call that only one of them makes
    return all(not (_has(mine, name) and _has(theirs, name)) for name in names)


def _has(said: _Said, name: tuple[Any, ...]) -> bool:
    return any(part[:-1] == name for part in said.parts)


@lru_cache(maxsize=256)
def _said(text: str) -> _Said:
    """Read a text once, however many others it is compared with."""
    calls = written_calls(text)
    if calls is not None:
        return _of_calls(calls)
    record = _record(text)
    if record is not None:
        parts = frozenset((key, json.dumps(value, sort_keys=True)) for key, value in record.items())
        return _Said("record", parts, Final("", "", marked=True))
    return _Said("text", frozenset(_WORD.findall(text.lower())), final_answer(text))


def _of_calls(calls: list[Call] | tuple[Call, ...]) -> _Said:
    """Calls in any order; each name and each argument is a part, numbered where names repeat."""
    parts: list[Any] = []
    seen: dict[str, int] = {}
    for name, arguments in sorted(calls):
        turn = seen[name] = seen.get(name, 0) + 1
        parts.append((name, turn))
        parts.extend((name, turn, *pair) for pair in arguments)
    return _Said("calls", frozenset(parts), Final("", "", marked=True))


def _record(text: str) -> Mapping[str, Any] | None:
    """The fields of a JSON record; `None` where it is none, or one of its fields is the answer."""
    body = json_body(text)
    if body[:1] != "{":
        return None
    try:
        found = canonical_value(read_json(body, raw_newlines=True))
    except JsonTextError:
        return None
    if any(_ANSWER.fullmatch(key) for key in found):
        return None
    return {key: value for key, value in found.items() if key.lower() not in REASONING}
