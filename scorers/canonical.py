"""Bringing answers into one form, so that equal answers are equal.

Each function takes a text and returns its canonical form, or `None` where the text holds nothing of
that kind. Two answers agree when their forms are equal. Knows no drafts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal
from unicodedata import category, normalize

from scorers.strict_json import JsonTextError, json_body, read_json

__all__ = [
    "Canonical",
    "canonical_form",
    "canonical_json",
    "canonical_kind",
    "canonical_number",
    "canonical_option",
    "canonical_text",
    "canonical_value",
    "fenced_code",
]

Canonical = Literal["number", "option", "json", "text"]

_NUMBER = re.compile(
    r"(?<![\w.])[-+]?\$?(?:(?:\d{1,3}(?:,\d{3})++|\d++)(?:\.\d++)?|\.\d++)(?:[eE][-+]?\d{1,3}(?!\d))?"
)
_MARKED = re.compile(
    r"(?:####|\\boxed\{|\banswer\s*(?:is|:|=))[\s*:=$]{0,8}(?=[-+$\d])", re.IGNORECASE
)
_ONLY_NUMBER = re.compile(
    r"[^\w<>≤≥≠±√]*[-+]?[$€£]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?"
    r"\s?(?:%|[^\W\d]{1,12})?[^\w%]*"
)
"""What `canonical_number` reads whole; "12,50", "192.168.0.1" and "03.05.2026" are texts."""
_GOES_ON = re.compile(
    r"[-.,:/^][\d(]|\s[-+*/^=]\s?[\w(\\]|[^\W\d]\s?[-+*/^]\s?[\d(]|\s?(?:or|and|to)\s\d"
    r"|[\s{]{0,2}\\(?:sqrt|pi|frac|cdot|times|pm|sin|cos|log|ln|e)\b|[√π]"
)
"""Behind a number that is a part only: of a date, a time, a fraction, a formula, a list."""
_ONLY_OPTION = re.compile(r"[\s*(\[]*([A-J])[\s*.)\]:]*")
_SAID_OPTION = re.compile(
    r"(?i:\b(?:answer|option|choice)\b\s*(?:is|:)?)[\s*:]{0,6}"
    r"(?:\(?([A-Ja-j])\)|([B-HJ])(?![A-Za-z'])|([AI])(?=\s*$|[).\]:*,;]))",
    re.MULTILINE,
)
"""Bare "A" and "I" are words too: they need a mark or the end of the line behind them."""
_LED_BY_OPTION = re.compile(r"[\s*(]*([A-J])\)")
_SIGNS = (
    r"[+<>=^%|]|(?<!\d)/|/(?!\d)"
    r"|(?<=\w)#|(?<=[\w)])\*(?=[\w(])|(?<=[\w)] )\*(?= [\w(])"
    r"|(?<![\w)])-(?=[\d(.])|(?<=[\w)] )-(?= (?:[\d(]|\w\b))"
)
"""Marks that change what an answer says: "-3", "x + 1", "a < b", "C#". Hyphens, bullets and
Markdown's stars do not."""
_WORD = re.compile(rf"\w+(?:[.,]\d+)*|{_SIGNS}")
_CROWD = re.compile(r"[^\w\s]{31}")
"""More marks on one letter than any script uses; normalising them takes quadratic time."""
_FENCE = re.compile(r"^(`{3,})[^`\n]*\n(.*?)^\1`*[ \t]*$", re.MULTILINE | re.DOTALL)
_DECIMAL_COMMA = re.compile(r"\d,\Z")
_ARTICLE = re.compile(r"\b(?:an?|the)\s+(?=[*_\"'(\[]*\w)")
"""An article stands before a word: not at the end of "vitamin A", nor in "A, B" or "x@a.org"."""
_CODE = re.compile(r"0\d")
_DIGITS = 400
"""Longest number that is compared as a number."""


def canonical_number(text: str) -> Decimal | None:
    r"""The number an answer ends on: "so 1,000 in total" gives 1000, which equals 1000.0.

    A number marked as the answer (`#### 42`, `\boxed{42}`, "the answer is 42") wins over the last
    one in the text; marked dates, times, fractions and formulas are no number. Signs and thousands
    commas are read; units, currencies and "%" are dropped.

    Pitfalls: "12,50" may be a price or a list and is no number; "1/2" gives 2 where it is not
    marked.
    """
    plain = text.replace("\N{MINUS SIGN}", "-")
    marked = None
    for marked in _MARKED.finditer(plain):  # noqa: B007  the last one counts
        pass
    found = _NUMBER.match(plain, marked.end()) if marked else None
    if found is not None and _GOES_ON.match(plain, found.end()):
        return None
    if found is None:
        for found in _NUMBER.finditer(plain):  # noqa: B007
            pass
        if found is not None and _DECIMAL_COMMA.search(
            plain, max(0, found.start() - 2), found.start()
        ):
            return None
    if found is None or len(found[0]) > _DIGITS:
        return None
    return Decimal(found[0].replace(",", "").replace("$", ""))


def canonical_option(text: str) -> str | None:
    """The letter of a multiple-choice answer, A to J: "B", "(b)", "**B.**", "the answer is (B)".

    A lone letter counts in either case; inside a sentence only after "answer", "option" or
    "choice" (the last one counts), or as "B) ..." at the beginning.
    """
    only = _ONLY_OPTION.fullmatch(text.strip().upper())
    if only:
        return only[1]
    said = _SAID_OPTION.findall(text)
    if said:
        return "".join(said[-1]).upper()
    led = _LED_BY_OPTION.match(text)
    return led[1] if led else None


def canonical_json(text: str) -> str | None:
    """A JSON answer with sorted keys and canonical leaves; a code fence around it is dropped."""
    try:
        document = read_json(json_body(text), raw_newlines=True)
    except JsonTextError:
        return None
    return json.dumps(canonical_value(document), sort_keys=True, ensure_ascii=False)


def canonical_value(value: Any) -> Any:
    """A decoded JSON value with its leaves in canonical form.

    Text that is nothing but a number equals that number, unless it is a code with leading zeros;
    other text is `canonical_text`. `true` and 1 stay different.
    """
    if isinstance(value, Mapping):
        return {key: canonical_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [canonical_value(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    number = value if isinstance(value, int | float) else _whole_number(value)
    return canonical_text(str(value)) if number is None else f"number:{_plain(number)}"


def canonical_text(text: str) -> str | None:
    """The words of a text without case, punctuation, white space and English articles.

    Signs that carry meaning stay, as in "x < -3" and "C++".
    """
    words = _words(_ARTICLE.sub("", text.casefold().replace("\N{MINUS SIGN}", "-")))
    return " ".join(words) if words else (text.strip() or None)


def _words(text: str) -> list[str]:
    """Words and signs. Vowel signs are part of a word: many scripts differ in nothing else."""
    if text.isascii():
        return _WORD.findall(text)
    if not _CROWD.search(text):
        text = normalize("NFC", text)
    kinds = {char: category(char) for char in set(text) if not char.isascii()}
    marks = "".join(char for char, kind in kinds.items() if kind[0] == "M")
    symbols = "".join(char for char, kind in kinds.items() if kind in ("Sm", "So"))
    other = f"|[{symbols}]" if symbols else ""
    return re.findall(rf"\w[\w{marks}]*(?:[.,]\d+)*|{_SIGNS}{other}", text)


def fenced_code(text: str) -> str:
    """What stands in the Markdown code blocks of a text, one after the other; else the text."""
    blocks = [code for _, code in _FENCE.findall(text)]
    return "\n".join(blocks) if blocks else text


def canonical_kind(text: str) -> Canonical:
    """Which form suits an answer.

    JSON objects and arrays are "json"; a lone letter or a named option is "option"; a text that is
    one number with its unit, or marks one as the answer, is "number"; the rest is "text". A number
    somewhere in a sentence does not make it a number.
    """
    body = json_body(text)
    if body[:1] in ("{", "[") and canonical_json(text) is not None:
        return "json"
    if canonical_option(text) is not None:
        return "option"
    if len(text) <= 200 and _ONLY_NUMBER.fullmatch(text):  # noqa: PLR2004  the longest such answer
        return "number"
    return "number" if _MARKED.search(text) and canonical_number(text) is not None else "text"


def canonical_form(text: str, kind: Canonical) -> Decimal | str | None:
    """A text in the canonical form of a kind."""
    return _FORMS[kind](text)


_FORMS: Mapping[Canonical, Callable[[str], Decimal | str | None]] = {
    "number": canonical_number,
    "option": canonical_option,
    "json": canonical_json,
    "text": canonical_text,
}


def _whole_number(text: str) -> Decimal | None:
    found = _NUMBER.fullmatch(text.strip().replace("\N{MINUS SIGN}", "-"))
    if found is None or len(found[0]) > _DIGITS or _CODE.match(found[0]):
        return None
    return Decimal(found[0].replace(",", "").replace("$", ""))


def _plain(number: Decimal | float) -> str:
    """Equal for equal numbers: 1000, 1000.0 and 1e3 give one text."""
    exact = number if isinstance(number, Decimal) else Decimal(str(number))
    sign, digits, exponent = exact.as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    scale = int(exponent) + len(digits) - len(text)
    text = text.lstrip("0")
    return f"{'-' if sign and text else ''}{text or '0'}e{scale if text else 0}"
