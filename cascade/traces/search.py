"""Which traces hold some words in what was asked or answered, where the words were kept.

The database finds those that may; whether they do is decided here, whatever its rules for letters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jiter
from sqlalchemy import or_

from cascade.traces.queries import Conditions
from cascade.traces.schema import column_text, traces

__all__ = ["holds", "may_hold"]

PLAIN = re.compile(r"[^\W_]+(?: [^\W_]+)*")
"""Words that JSON writes as they are, with single blanks between them."""

ESCAPED = "\\ud"
"""Where a model wrote half of a surrogate pair, the whole record is in escapes."""


def may_hold(words: str) -> Conditions:
    """Conditions that every trace fulfils that holds the words, and few others."""
    found: Conditions = [traces.c.content == "full"]
    runs = sorted(_runs(words), key=len)
    if runs:
        run = column_text(runs[-1])
        sure = traces.c.json.icontains(run, autoescape=True)
        is_ascii = run.isascii()
        found.append(sure if is_ascii else or_(sure, traces.c.json.contains(ESCAPED)))
    return found


def holds(text: Any, words: str) -> bool:
    """Whether the JSON of a trace has the words in its request or in an answer; in any case."""
    try:
        data = jiter.from_json(str(text).encode(), partial_mode=False)
    except ValueError:  # damaged, or with half a surrogate pair, which only the slower reader takes
        try:
            data = json.loads(text)
        except (TypeError, ValueError, RecursionError):
            return False
    if not isinstance(data, Mapping):
        return False
    wanted = words.casefold()
    attempts = data.get("attempts")
    kept = [data.get("request")]
    for attempt in attempts if isinstance(attempts, list) else ():
        if isinstance(attempt, Mapping):
            kept += [attempt.get("text"), attempt.get("tool_calls")]
    return any(wanted in part.casefold() for part in _texts(kept))


def _runs(words: str) -> Iterator[str]:
    """Parts of the words that stand in the JSON as they are, in whatever case they were written."""
    for found in PLAIN.finditer(words):
        run = ""
        for letter in found[0]:
            if letter.isascii() or letter.lower() == letter.upper():
                run += letter
            elif run:  # databases differ in what they take for the same letter
                yield run.strip()
                run = ""
        if run.strip():
            yield run.strip()


def _texts(data: Any) -> Iterator[str]:
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
