"""What an answer claims that can be looked up: values of a record, numbers, quotations, names.

And looking it up in a text, forgiving in form and strict in content: case, white space, dashes,
quotation marks and the ways of writing a number do not count; words count as whole words. Knows no
drafts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from unicodedata import normalize

__all__ = ["Claim", "ProseKind", "Source", "claims_in_text", "values_of"]

ProseKind = Literal["numbers", "quotes", "names"]

WRITTEN = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
"""Numbers that people write out where a record holds digits."""

SPACED = 0x0E00
"""Scripts below this code point put white space between words; from Thai on many do not."""

MOST_PLACES = 20_000
MOST_CHARS = 100_000_000
"""Places of a text that are looked at, and characters that are read, for all values together: half
a second. A text made to be slow has more, and is given up."""

THOUSAND = 3
"""Digits that follow a thousands separator."""

_NUMBER = re.compile(
    r"(?<![\w.,])[-+]?[$€£¥₹]?"
    r"(\d{1,3}(?:[,.' ]\d{3}){1,12}(?:[.,]\d{1,9})?|\d{1,40}(?:[.,]\d{1,40})?|\.\d{1,40})"
    r"(?!\d)(\s?(?:%|per\s?cent\b))?"
)
_LED = re.compile(r"\d(?:(?<=[^\W\d_]{2}\.\d)|(?<=\b(?:eur|usd|gbp|chf|cad|aud|inr|jpy|cny)\d))")
"""A number right behind a shortened word or a currency, as in "No.5" and "EUR5"; not "A5"."""
_RUN = re.compile(r"\d(?<![\w.,]\d)\d*+[.,]-?\d[\d.,-]*+(?!\w)")
"""Digits with marks between them. Patterns that begin with a digit are three times faster."""
_ROW = re.compile(r"\d+(?:\.\d+)?(?:,-?\d+(?:\.\d+)?)+")
"""Numbers with commas and no spaces between them, as programs write lists: "1,5,7"."""
_DOTTED = re.compile(r"\d+(?:\.\d+){2,}")
"""Numbers between full stops, as in "03.05.2026"."""
_LIST_MARK = re.compile(r"^[ \t>*_#]*+\d{1,2}[.)](?=[ \t]+\S)", re.MULTILINE)
_ONLY_NUMBER = re.compile(r"[-+]?[$€£¥₹]?[-+]?[\d,.]{1,40}(?:\s?%)?")
_CODE = re.compile(r"0\d{2,}")
"""A number that would be another one without its zeros; "07" may be a month."""
_WRITTEN = re.compile(rf"\b(?:{'|'.join(WRITTEN)})\b")
_QUOTE = re.compile(
    r'"([^"\n]{3,400})"|“([^“”\n]{3,400})”|«([^«»\n]{3,400})»|„([^„“”\n]{3,400})[“”]'
)
_CAPITAL = r"[A-ZÀ-ÖØ-Þ][\w'\u2019-]*"
_NAME = re.compile(
    rf"(?<![.!?:]\s)(?<!^)\b{_CAPITAL}(?:\s(?:(?:of|de|van|von)\s)?{_CAPITAL})*", re.MULTILINE
)
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
_QUOTES = {
    **dict.fromkeys(map(ord, "\u2018\u2019\u201a"), "'"),
    **dict.fromkeys(map(ord, "“”„«»"), '"'),
}
_FORMS = {**_DASHES, **_QUOTES}
_CROWD = re.compile(r"[^\w\s]{31}")
"""More marks on one letter than any script uses; normalising them takes quadratic time."""


class Claim(NamedTuple):
    """Something an answer says that can be looked up.

    Attributes:
        place: the field, or the kind of claim.
        text: as the answer says it.
        numbers: the ways to read it, where it is a number: "1,000" may be 1000 or 1.
    """

    place: str
    text: str
    numbers: frozenset[Decimal] = frozenset()


@dataclass(slots=True)
class Source:
    """A text in which claims are looked up."""

    text: str
    _plain: str = field(init=False)
    _numbers: Counter[Decimal] | None = None
    _places: int = MOST_PLACES
    _chars: int = MOST_CHARS

    def __post_init__(self) -> None:
        self._plain = plain(self.text)

    @property
    def given_up(self) -> bool:
        """Whether looking further would take too long; what is not found may be there."""
        return self._places <= 0 or self._chars <= 0

    def count(self, claim: Claim, *, most: int = 1) -> int:
        """How often the text says it, counted up to `most`."""
        if claim.numbers:
            if self._numbers is None:
                self._numbers = _numbers_of(self._plain)
            return min(most, max(self._numbers[number] for number in claim.numbers))
        wanted = plain(claim.text)
        found, at = 0, -1
        while wanted and found < most and self._places > 0 and self._chars > 0:
            self._places -= 1
            start = at + 1
            at = self._plain.find(wanted, start)
            self._chars -= (at if at >= 0 else len(self._plain)) - start
            if at < 0:
                break
            found += _is_whole(self._plain, at, at + len(wanted))
        return found


def plain(text: str) -> str:
    """Text for comparison: one form of Unicode, no case, simple dashes and quotes and spaces."""
    if not text.isascii():
        if not _CROWD.search(text):
            text = normalize("NFKC", text)
        text = text.translate(_FORMS)
    return " ".join(text.casefold().split())


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a place in a text begins and ends where words do."""
    opens = start == 0 or not _inside_word(text[start - 1], text[start])
    return opens and (end == len(text) or not _inside_word(text[end - 1], text[end]))


def _inside_word(one: str, two: str) -> bool:
    return one.isalnum() and two.isalnum() and ord(one) < SPACED and ord(two) < SPACED


# Numbers ---------------------------------------------------------------------------------------


def _numbers_of(text: str) -> Counter[Decimal]:
    """Every number of a text, in each way it can be read; "15 %" is 15 and 0.15, "0815" a code."""
    numbers: Counter[Decimal] = Counter()
    text = _RUN.sub(_spaced, _LED.sub(r" \g<0>", text))
    written = Counter((found[0], found[1], bool(found[2])) for found in _NUMBER.finditer(text))
    for (whole, digits, percent), count in written.items():
        if _CODE.fullmatch(digits):
            continue
        for number in _readings(whole, digits):
            numbers[number] += count
            if percent:
                numbers[number / 100] += count
        if " " in digits:  # "12 345" may be two numbers
            for part in digits.split():
                if part.isdecimal():
                    numbers[Decimal(part)] += count
    for word, count in Counter(_WRITTEN.findall(text)).items():
        numbers[Decimal(WRITTEN.index(word))] += count
    return numbers


def _spaced(found: re.Match[str]) -> str:
    """Several numbers with spaces between them; one number stays. "[20,30]" may be either."""
    row = found[0].rstrip(".,-")
    rest = found[0][len(row) :]
    if _NUMBER.fullmatch(row) is not None:
        listed = "," in row and found.string.endswith("[", 0, found.start())
        listed = listed and found.string.startswith("]", found.end())
        return f"{row} ; {row.replace(',', ' , ')}" if listed else found[0]
    if _ROW.fullmatch(row) is not None:
        return row.replace(",", " , ") + rest
    return row.replace(".", " . ") + rest if _DOTTED.fullmatch(row) is not None else found[0]


def _readings(whole: str, digits: str) -> frozenset[Decimal]:
    """What a written number may mean: 1,234.50 and 1.234,50; 12,5; 1,000 is 1000 or 1."""
    sign = "-" if whole.startswith("-") else ""
    if digits.isdecimal():
        return frozenset([Decimal(f"{sign}{digits}")])
    bare = digits.replace("'", "").replace(" ", "")
    point, comma = bare.rfind("."), bare.rfind(",")
    last = bare[max(point, comma)] if max(point, comma) >= 0 else "."
    other = "," if last == "." else "."
    head, _, tail = bare.replace(other, "").rpartition(last)
    as_thousands = (head + tail).replace(last, "")
    if not head and last in bare:  # ".5"
        forms = {f"0.{tail}"}
    elif not head:
        forms = {bare}
    elif other in bare or len(tail) != THOUSAND or len(head) > THOUSAND or head == "0":
        forms = {as_thousands} if last in head else {f"{head}.{tail}"}
    else:
        forms = {as_thousands, f"{head}.{tail}"}
    return frozenset(Decimal(f"{sign}{form}") for form in forms)


def _claimed(found: re.Match[str]) -> frozenset[Decimal]:
    """What a number of an answer may mean; "15 %" is 0.15 too."""
    numbers = _readings(found[0], found[1])
    return numbers | {number / 100 for number in numbers} if found[2] else numbers


# What is claimed -------------------------------------------------------------------------------


def values_of(document: Any, *, fields: Collection[str], leave_out: Collection[str]) -> list[Claim]:
    """The values of a decoded JSON document that can be looked up, in order.

    Strings with content and numbers; `true`, `false` and `null` are nobody's words. A text that is
    nothing but a number is one; a date and a code with leading zeros stay texts.

    Args:
        document: as `strict_json.read_json` gives it.
        fields: names as "total" or "items.price": these and what is in them; empty for all.
        leave_out: names that do not count.
    """
    found: list[Claim] = []
    todo: list[tuple[str, Any]] = [("", document)]
    while todo:
        path, value = todo.pop()
        if _covered(path, leave_out):
            continue
        if isinstance(value, Mapping):
            named = [(f"{path}.{key}" if path else str(key), item) for key, item in value.items()]
            todo.extend(reversed(named))
        elif isinstance(value, list):
            todo.extend((path, item) for item in reversed(value))
        elif not fields or _covered(path, fields):
            found.extend(_claims(path or "the value", value))
    return found


def _covered(path: str, names: Collection[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in names)


def _claims(place: str, value: object) -> Iterator[Claim]:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield Claim(place, str(value), frozenset([Decimal(str(value))]))
    elif text := str(value).strip():
        number = _NUMBER.fullmatch(text) if _ONLY_NUMBER.fullmatch(text) else None
        if number is None or _CODE.fullmatch(text):
            yield Claim(place, text)
        else:
            yield Claim(place, text, _claimed(number))


def claims_in_text(text: str, kinds: Collection[str]) -> list[Claim]:
    """What prose claims: its quotations, numbers, and capitalised names within sentences.

    Args:
        text: the answer.
        kinds: of `ProseKind`; others are passed over.
    """
    found = []
    if "quotes" in kinds:
        quoted = (next(filter(None, groups)) for groups in _QUOTE.findall(text))
        found += [Claim("quote", words.strip(" .,;:!?")) for words in quoted]
    if "numbers" in kinds:
        numbers = _NUMBER.finditer(plain(_LIST_MARK.sub("", text)))
        found += [Claim("number", n[0].strip(), _claimed(n)) for n in numbers]
    if "names" in kinds:
        found += [Claim("name", name[0]) for name in _NAME.finditer(text)]
    return found
