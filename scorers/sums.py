"""Whether the arithmetic that an answer writes down is right: "3 * 4 = 12", worked out again."""

from __future__ import annotations

import re
from math import log1p
from typing import NamedTuple

from cascade import Draft

__all__ = ["SumFeatures", "sum_features"]


class SumFeatures(NamedTuple):
    """The equations of an answer, as far as they can be worked out.

    Attributes:
        log_sums: log(1 + equations).
        wrong: equations that do not hold.
        right_share: share that does.
        last_right: 1 if the last one does.
        last_is_answer: 1 if the result of the last one stands in the answer's last line.
        off: largest relative error, at most 1.
    """

    log_sums: float
    wrong: float
    right_share: float
    last_right: float
    last_is_answer: float
    off: float


READ_CHARS = 20_000
"""How much of an answer is read."""

MOST = 60
"""Equations that are looked at, from the end: the last ones decide."""

REACH = 80
"""Characters before an equals sign that its left side may take."""

NEAR = 0.006
"""Relative error that rounding to two or three digits explains."""

_NUMBER = r"(?:\d{1,3}(?:,\d{3})++|\d{1,15}+)(?:\.\d{1,15}+)?%?"
_SIGN = r"[-+*/×÷]|\\times|\\div|\\cdot|(?<=\s)x(?=\s)"  # noqa: RUF001  the sign for times
_UNIT = r"(?:\s[a-z]{2,12}|[a-z]{2,12})?"
_TERM = rf"[$€£(]*{_NUMBER}\)*{_UNIT}"
_LEFT = re.compile(rf"(?<![\w.,^)])({_TERM}(?:\s*(?:{_SIGN})\s*{_TERM}){{1,6}})\s*$", re.IGNORECASE)
_RIGHT = re.compile(
    rf"\s*([-+]?)[$€£]?({_NUMBER})(?!\s*(?:{_SIGN}|\^)\s*[\d$(\\]|[\d.,]*\d|[a-z]\b)",
    re.IGNORECASE,
)
_PART = re.compile(rf"({_NUMBER})|({_SIGN})|([()])", re.IGNORECASE)
_PLAIN = {"×": "*", "x": "*", "X": "*", "\\times": "*", "\\cdot": "*", "÷": "/", "\\div": "/"}  # noqa: RUF001


NO_SUMS = SumFeatures(0.0, 0.0, 1.0, 1.0, 0.0, 0.0)


def sum_features(draft: Draft) -> SumFeatures:
    """The equations that an answer writes down; an answer without any has no wrong one.

    Pitfalls: right sums do not make a right answer; wrong ones hardly ever lead to one. Expressions
    with brackets inside and with letters are passed over.
    """
    text = draft.text[:READ_CHARS]
    errors: list[float] = []
    last, at = "", len(text)
    while len(errors) < MOST and (at := text.rfind("=", 0, at)) >= 0:
        if text.startswith("<<", at + 1) or text.startswith(" <<", at + 1):
            continue  # the same equation follows as a note for a calculator, without words
        right = _RIGHT.match(text, at + 1)
        left = _LEFT.search(_before(text, at)) if right else None
        error = _error(left[1], right) if left and right else None
        if error is not None and right is not None:
            last = last or right[2]
            errors.append(error)
    if not errors:
        return NO_SUMS
    wrong = len([error for error in errors if error > NEAR])
    end = text.rstrip().rpartition("\n")[2]
    return SumFeatures(
        log1p(len(errors)),
        float(wrong),
        1.0 - wrong / len(errors),
        float(errors[0] <= NEAR),
        float(last.replace(",", "").rstrip("%") in end.replace(",", "")),
        min(1.0, max(errors)),
    )


def _before(text: str, at: int) -> str:
    """What stands before an equals sign, from the beginning of its clause."""
    reach = text[max(0, at - REACH) : at]
    return reach[max(reach.rfind(mark) for mark in ("=", "\n", ": ", ". ", ", ", "; ")) + 1 :]


def _error(left: str, right: re.Match[str]) -> float | None:
    """The relative error of an equation; `None` where it cannot be worked out."""
    terms: list[float] = []
    signs: list[str] = []
    for number, sign, bracket in _PART.findall(left):
        if bracket:
            return None
        if number:
            terms.append(_value(number))
        else:
            signs.append(_PLAIN.get(sign, sign))
    value = _worked_out(terms, signs)
    if value is None:
        return None
    given = _value(right[2]) * (-1.0 if right[1] == "-" else 1.0)
    percent = right[2].endswith("%") and "%" not in left  # "5 / 20 * 100 = 25%"
    best = min(abs(value - one) for one in ((given, given * 100.0) if percent else (given,)))
    return best / max(1e-9, abs(value), abs(given))


def _value(number: str) -> float:
    plain = number.replace(",", "")
    return float(plain[:-1]) / 100.0 if plain.endswith("%") else float(plain)


def _worked_out(terms: list[float], signs: list[str]) -> float | None:
    """The value of an expression, multiplication first; `None` where it divides by nothing."""
    total, product, add = 0.0, terms[0], 1.0
    for sign, term in zip(signs, terms[1:], strict=True):
        if sign == "*":
            product *= term
        elif sign == "/":
            if not term:
                return None
            product /= term
        else:
            total += add * product
            product, add = term, 1.0 if sign == "+" else -1.0
    return total + add * product
