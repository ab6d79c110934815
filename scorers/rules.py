"""Rules about an answer's text: 1 when it keeps them, 0 when it does not."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import regex

from cascade import ConfigError, Draft, Score
from scorers.patterns import PATTERN_SECONDS, PatternTimeout, PatternTimer, compile_pattern
from scorers.phrases import OPENING_CHARS, REFUSAL_PHRASES

__all__ = ["Forbids", "LengthBetween", "Matches", "NoRefusal"]

CROWD = regex.compile(r"(\p{M}{30})\p{M}+")
"""More marks on one letter than any script uses; normalising them takes quadratic time."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Whether a regular expression is found in the answer, or covers all of it.

    Costs nothing. All matching on one draft has 0.25 s; a pattern that takes longer scores 0.

    Pitfall: with `mode="full"`, white space around the answer is ignored; with "search", use
    anchors for an exact match.

    Args:
        pattern: a regular expression (package `regex`, a superset of Python's `re`).
        mode: "search" finds it anywhere, "full" wants it to cover the answer.
        ignore_case: let case differ.
        multiline: `^` and `$` match at each line.
        dot_all: `.` matches line breaks.

    Raises:
        ConfigError: the pattern does not compile, or the mode is unknown.
    """

    pattern: str
    mode: Literal["search", "full"] = "search"
    ignore_case: bool = False
    multiline: bool = False
    dot_all: bool = False
    _compiled: regex.Pattern[str] = field(init=False, repr=False, compare=False)

    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.mode not in ("search", "full"):
            raise ConfigError(f"Matches: mode {self.mode!r} is unknown; use 'search' or 'full'")
        if self.pattern == "" and self.mode == "search":
            raise ConfigError(
                "Matches: pattern '' is found in every answer; write what to look for"
            )
        wanted = (
            (self.ignore_case, regex.IGNORECASE),
            (self.multiline, regex.MULTILINE),
            (self.dot_all, regex.DOTALL),
        )
        flags = sum(int(flag) for given, flag in wanted if given)
        object.__setattr__(self, "_compiled", compile_pattern(self.pattern, "Matches", flags=flags))

    def __call__(self, draft: Draft) -> Score:
        """Look for the pattern."""
        full = self.mode == "full"
        text = draft.text.strip() if full else draft.text
        try:
            found = PatternTimer().search(self._compiled, text, full=full)
        except PatternTimeout:
            return Score(0.0, f"the pattern took longer than {PATTERN_SECONDS:g} s on this answer")
        return Score(
            float(found), f"{'matches' if found else 'does not match'} {self.pattern[:60]!r}"
        )


@dataclass(frozen=True, slots=True)
class LengthBetween:
    """Whether the answer is neither too short nor too long.

    Costs nothing. Characters are counted without the white space around the answer; words are what
    white space separates. Bounds are inclusive.

    Pitfall: Chinese, Japanese and Thai have no white space between words; count characters.

    Args:
        min_chars: least number of characters.
        max_chars: most characters.
        min_words: least number of words.
        max_words: most words.

    Raises:
        ConfigError: no bound, a negative one, or a minimum above its maximum.
    """

    min_chars: int | None = None
    max_chars: int | None = None
    min_words: int | None = None
    max_words: int | None = None

    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        bounds = {
            "min_chars": self.min_chars,
            "max_chars": self.max_chars,
            "min_words": self.min_words,
            "max_words": self.max_words,
        }
        for name, bound in bounds.items():
            if bound is not None and (type(bound) is not int or bound < 0):
                raise ConfigError(f"LengthBetween: {name} {bound!r} is no whole number from 0 up")
        if all(bound is None for bound in bounds.values()):
            raise ConfigError("LengthBetween: no bound; give at least one, e.g. max_words=200")
        for unit, low, high in (
            ("chars", self.min_chars, self.max_chars),
            ("words", self.min_words, self.max_words),
        ):
            if low is not None and high is not None and low > high:
                raise ConfigError(
                    f"LengthBetween: min_{unit} {low} is above max_{unit} {high}; swap them"
                )

    def __call__(self, draft: Draft) -> Score:
        """Count."""
        text = draft.text.strip()
        counts = (
            ("characters", len(text), self.min_chars, self.max_chars),
            ("words", len(text.split()), self.min_words, self.max_words),
        )
        for unit, count, low, high in counts:
            if low is not None and count < low:
                return Score(0.0, f"{count} {unit}, at least {low} wanted")
            if high is not None and count > high:
                return Score(0.0, f"{count} {unit}, at most {high} wanted")
        return Score(1.0, f"{counts[0][1]} characters, {counts[1][1]} words")

    def hopeless(self, text: str, _tokens: object, threshold: float) -> str | None:
        """Whether an answer is too long already, for `Policy.stop_early`."""
        text = text.strip()
        if self.max_chars is not None and len(text) > self.max_chars and threshold > 0:
            return f"over {self.max_chars} characters"
        if self.max_words is not None and len(text.split()) > self.max_words and threshold > 0:
            return f"over {self.max_words} words"
        return None


@dataclass(frozen=True, slots=True)
class NoRefusal:
    """Whether the answer gets to work instead of declining in plain text.

    Costs nothing. Looks for phrases in the first 300 characters, without regard to case and the
    shape of apostrophes. (A refusal that the API marks as one never reaches a scorer: the chain's
    policy handles it.)

    Pitfalls: the phrases are English and a sign only; an answer that quotes one near its beginning
    is rejected too.

    Args:
        phrases: what gives a refusal away; replaces the shipped list.

    Raises:
        ConfigError: no phrases, or one that is no text.
    """

    phrases: Sequence[str] = REFUSAL_PHRASES

    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "phrases", _texts("NoRefusal", "phrases", self.phrases))
        if not self.phrases:
            raise ConfigError("NoRefusal: no phrases; leave them out to use the shipped list")

    def __call__(self, draft: Draft) -> Score:
        """Look at the beginning of the answer."""
        if draft.reply.refusal:
            return Score(0.0, f"the model declined: {draft.reply.refusal[:80]!r}")
        opening = _plain(draft.text.lstrip()[:OPENING_CHARS])
        found = next((phrase for phrase in self.phrases if _plain(phrase) in opening), None)
        return Score(1.0, "no refusal") if found is None else Score(0.0, f"it says {found!r}")

    def hopeless(self, text: str, _tokens: object, threshold: float) -> str | None:
        """Whether an answer has begun to decline, for `Policy.stop_early`."""
        opening = _plain(_settled(text).lstrip()[:OPENING_CHARS])
        found = next((phrase for phrase in self.phrases if _plain(phrase) in opening), None)
        return f"it says {found!r}" if found is not None and threshold > 0 else None


@dataclass(frozen=True, slots=True)
class Forbids:
    r"""Whether the answer is free of certain texts and patterns.

    Costs nothing. All patterns on one draft have 0.25 s together; longer scores 0.

    Pitfall: texts are found inside words too; for whole words use a pattern with `\b`.

    Args:
        texts: what must not occur, without regard to case and the shape of apostrophes.
        patterns: regular expressions that must not match (package `regex`).

    Raises:
        ConfigError: neither texts nor patterns, or a pattern that does not compile.
    """

    texts: Sequence[str] = ()
    patterns: Sequence[str] = ()
    _compiled: tuple[Any, ...] = field(init=False, repr=False, compare=False)

    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", _texts("Forbids", "texts", self.texts))
        object.__setattr__(self, "patterns", _texts("Forbids", "patterns", self.patterns))
        if not self.texts and not self.patterns:
            raise ConfigError("Forbids: nothing to forbid; give texts=[...] or patterns=[...]")
        compiled = tuple(compile_pattern(pattern, "Forbids") for pattern in self.patterns)
        object.__setattr__(self, "_compiled", compiled)

    def __call__(self, draft: Draft) -> Score:
        """Look for what is forbidden."""
        plain = _plain(draft.text)
        for text in self.texts:
            if _plain(text) in plain:
                return Score(0.0, f"it holds {text[:60]!r}")
        timer = PatternTimer()
        for pattern, compiled in zip(self.patterns, self._compiled, strict=True):
            try:
                found = timer.search(compiled, draft.text)
            except PatternTimeout:
                return Score(0.0, f"the patterns took longer than {PATTERN_SECONDS:g} s")
            if found:
                return Score(0.0, f"it matches {pattern[:60]!r}")
        return Score(1.0, "holds nothing forbidden")

    def hopeless(self, text: str, _tokens: object, threshold: float) -> str | None:
        """Whether a forbidden text has come already, for `Policy.stop_early`.

        Patterns are matched on whole answers only: more text can undo a match.
        """
        plain = _plain(_settled(text))
        found = next((item for item in self.texts if _plain(item) in plain), None)
        return f"it holds {found[:60]!r}" if found is not None and threshold > 0 else None


def _plain(text: str) -> str:
    """Text for comparison: one form of Unicode, no case, straight apostrophes, single spaces."""
    one_form = unicodedata.normalize("NFKC", CROWD.sub(r"\1", text))
    straight = one_form.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return " ".join(straight.casefold().split())


def _settled(text: str) -> str:
    """The part of an unfinished text that stays as it is, whatever follows.

    Marks and letters may still join those before them; nothing joins what an ASCII character ends.
    """
    end = len(text)
    while end and not text[end - 1].isascii():
        end -= 1
    return text[: max(0, end - 1)]


def _texts(owner: str, name: str, given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        given = (given,)
    if not isinstance(given, Sequence) or not all(isinstance(t, str) and t.strip() for t in given):
        raise ConfigError(f"{owner}: {name} {given!r} is no list of texts; write {name}=['...']")
    return tuple(given)
