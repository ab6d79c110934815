"""Comparing an answer with a known right one, where there is one: offline, in tests, for labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, get_args

from cascade import Abstained, ConfigError, Draft, Request, Score
from scorers.answers import record_in, same_field
from scorers.canonical import canonical_json, canonical_number, canonical_option, canonical_text
from scorers.source_text import source_text

__all__ = ["Reference"]

Comparison = Literal["exact", "normalised", "number", "option", "json", "fields", "f1"]
Expected = str | float | Sequence[str | float] | None


@dataclass(frozen=True, slots=True)
class Reference:
    """How close the answer comes to a known right answer.

    For recordings with labels, tests and audits: it turns a data set into scores, whatever the
    model. Compares
    - `exact`: the texts, without white space around them: 1 or 0;
    - `normalised`: words without case, punctuation and articles: 1 or 0;
    - `number`: the number an answer ends on, within a tolerance: 1 or 0;
    - `option`: the letter of a multiple-choice answer: 1 or 0;
    - `json`: records with sorted keys and canonical leaves: 1 or 0;
    - `fields`: the share of the right record's own fields that the answer has right: in [0, 1];
    - `f1`: overlap of words, as in reading comprehension: in [0, 1].
    Where several answers are right, the closest counts. Abstains where no answer is known.

    Costs nothing.

    Args:
        expected: right answers by request: a mapping, or a function of the `Request`. A right
            answer is a text or a number, or a list of them; `None` where none is known.
        by: see above.
        key: how a mapping is asked: the name of a label in the request's `metadata`; the text of
            the last user message unless given.
        tolerance: for `number`, the absolute difference that is forgiven.
        relative: for `number`, the relative difference that is forgiven, in [0, 1).

    Raises:
        ConfigError: nothing expected, an unknown comparison, or a tolerance below 0.
    """

    expected: Mapping[str, Expected] | Callable[[Request], Expected] = field(hash=False)
    by: Comparison = "normalised"
    key: str | None = None
    tolerance: float = 0.0
    relative: float = 0.0

    def __post_init__(self) -> None:
        if not callable(self.expected) and not (
            isinstance(self.expected, Mapping) and self.expected
        ):
            raise ConfigError(
                f"Reference: expected {str(self.expected)[:40]!r} holds no answers; pass "
                "{question: answer} or a function of the request"
            )
        if self.by not in get_args(Comparison):
            raise ConfigError(
                f"Reference: by {self.by!r} is unknown; "
                f"use one of {', '.join(get_args(Comparison))}"
            )
        if self.key is not None and (callable(self.expected) or not isinstance(self.key, str)):
            raise ConfigError(
                f"Reference: key {self.key!r} names a label for a mapping of answers; "
                "a function finds its own"
            )
        for name, most in (("tolerance", math.inf), ("relative", 1.0)):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value < most:
                raise ConfigError(f"Reference: {name} {value!r} is no number from 0 below {most:g}")

    @property
    def inline(self) -> bool:
        """A mapping is looked up at once; a function of the user's may take its time."""
        return not callable(self.expected)

    def __call__(self, draft: Draft) -> Score | Abstained:
        """Look the right answer up, and compare."""
        known = self._known(draft.request)
        if isinstance(known, Abstained):
            return known
        if draft.reply.refusal:
            return Score(0.0, f"the model declined: {draft.reply.refusal[:80]!r}")
        value, closest = max(
            ((self._closeness(draft.text, right), right) for right in known),
            key=lambda pair: pair[0],
        )
        if value >= 1.0:
            return Score(1.0, f"is the expected {str(closest)[:40]!r} ({self.by})")
        return Score(value, f"expected {str(closest)[:40]!r} ({self.by})")

    def _known(self, request: Request) -> list[str | float] | Abstained:
        if callable(self.expected):
            found, asked = self.expected(request), "this request"
        else:
            asked = _label(request, self.key)
            found = self.expected.get(asked)
        if found is None:
            return Abstained(f"no right answer is known for {asked[:40]!r}")
        known: list[Any]
        known = [found] if isinstance(found, str) or not isinstance(found, Sequence) else [*found]
        for right in known:
            if not isinstance(right, str | int | float):
                raise TypeError(
                    f"{right!r} is no right answer for {asked[:40]!r}; give a text, a number, or a "
                    "list of them (a record as its JSON text)"
                )
        return known or Abstained(f"the list of right answers for {asked[:40]!r} is empty")

    def _closeness(self, text: str, right: str | float) -> float:
        known = str(right)
        if self.by == "exact":
            return float(text.strip() == known.strip())
        if self.by == "fields":
            return _shared_fields(text, known)
        if self.by == "f1":
            return _f1(canonical_text(text) or "", canonical_text(known) or "")
        if self.by == "number":
            said, meant = canonical_number(text), canonical_number(known)
            if said is None or meant is None:
                return 0.0
            return float(said == meant or self._is_near(said, meant))
        form = FORMS[self.by]
        said_form = form(text)
        return float(said_form is not None and said_form == form(known))

    def _is_near(self, said: Decimal, meant: Decimal) -> bool:
        """Whether two different numbers are within a tolerance; without one they never are."""
        forgiven = self.relative or self.tolerance
        return bool(forgiven) and math.isclose(
            said, meant, rel_tol=self.relative, abs_tol=self.tolerance
        )


FORMS: Mapping[str, Callable[[str], Any]] = {
    "normalised": canonical_text,
    "option": canonical_option,
    "json": canonical_json,
}


def _label(request: Request, key: str | None) -> str:
    if key is not None:
        return str(request.metadata.get(key))
    last = [m for m in request.messages if m.get("role") == "user"][-1:]
    if last:
        content = last[0].get("content")
        if isinstance(content, str):
            return content
    return str(source_text(request, ("user",)))


def _shared_fields(text: str, known: str) -> float:
    meant = record_in(known)
    if not meant:
        raise TypeError(
            f"the right answer {known[:40]!r} is no JSON object with fields; compare by 'json'"
        )
    said = record_in(text)
    return (
        0.0 if said is None else sum(same_field(said, meant, name) for name in meant) / len(meant)
    )


def _f1(said: str, meant: str) -> float:
    ours, theirs = Counter(said.split()), Counter(meant.split())
    shared = (ours & theirs).total()
    return 2 * shared / (ours.total() + theirs.total()) if shared else 0.0
