r"""What an answer finally says, under all the words around it.

Finds `\boxed{...}`, `#### 42`, "the answer is (B)", the `answer` of a JSON record that also holds
its reasoning, a short answer as a whole, and otherwise the letter or number on which the last line
ends. Two final answers are equal when their canonical forms are: option letters, numbers (with
fractions and units), or texts. Knows no drafts.
"""

from __future__ import annotations

import re
from decimal import Decimal
from math import gcd
from typing import NamedTuple

from scorers.canonical import canonical_text

__all__ = ["Final", "final_answer"]


class Final(NamedTuple):
    """A final answer.

    Attributes:
        form: equal for equal answers; "" where none was found.
        text: as it was written.
        marked: it was said to be the answer, or is all there is; otherwise it was guessed.
    """

    form: str
    text: str
    marked: bool


SHORT = 120
"""Characters up to which a text in one line is an answer as a whole."""

TAIL = 4_000
"""How much of the end of a long answer is searched."""

ANSWER_NAMES = "answer|final_answer|final answer|finalanswer|prediction|choice|result|solution"

_FIELD = re.compile(
    rf'"(?:{ANSWER_NAMES})"\s*:\s*(?:"((?:[^"\\]|\\.)*+)"|([^"\s][^\n]*))',
    re.IGNORECASE | re.DOTALL,
)
_HASHES = re.compile(r"####\s*([^\n]+)")
_SAID = re.compile(
    r"(?:\banswers?\b(?:\s+(?:choice|option)\b)?(?:\s+(?:to|for|of)\s[^.:\n]{0,80}?)?"
    r"\s*(?:is|are|:|=|would be|should be|must be)"
    r"|(?:^|\n)\s*A(?:ns)?\s*:(?=[\s$*(]*(?:[-+.\d]|(?-i:[A-J])\)?[\s.)*]*(?:\n|$)))"
    r"|\b(?:correct|best|right)\s+(?:option|choice)\s*(?:is|:)"
    r"|(?:\boption\s+)?(?=\(?(?-i:[A-J])\)?\s+is\s+(?:the\s+)?(?:correct|right|best)\b))"
    r"(?:\s+(?:therefore|thus|then|hence|clearly|simply|indeed|approximately|about)\b,?)*"
    r"[\s*:_]*([^\n]{1,300})",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"(?:(?i:option|choice)\b)?[\s*_:]*(?:\\text(?:bf)?\{)?[\s*]*"
    r"(?:[(\[]\s*([A-Ja-j])\s*[)\]]|([A-Ja-j])\)"
    r"|([A-J])(?=[\s*_`'\"}.:),$]*(?:$|[.:)]\s|\*|\s+is\b)))"
)
"""A bare small letter is a variable, or an article."""
_NUMBER = re.compile(
    r"[-+]?(?:(?:\d{1,3}(?:,\d{3})++|\d++)(?:\.\d++)?|\.\d++)(?:[eE][-+]?\d{1,3}(?!\d))?"
)
_FRACTION = re.compile(r"\\?frac\{(-?\d{1,18})\}\{(\d{1,18})\}|(-?\d{1,18})/(\d{1,18})(?![\d/])")
_LATEX = (
    (re.compile(r"\\(?:left|right|displaystyle|bigl?|bigr|,|!|;|:|quad|qquad)(?![a-z])"), ""),
    (re.compile(r"\\[dt]frac"), r"\\frac"),
    (re.compile(r"\\frac(\d)(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\(?:text|mathrm|mathbf|textbf|mbox|operatorname)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\^\s*\{?\\circ\}?|°|\\degree"), " degrees "),
    (re.compile(r"\\[%$&#_{} ]"), lambda found: found[0][1]),
    (re.compile(r"(?<=\d)\{,\}(?=\d)"), ","),
    (re.compile(r"\\[()\[\]]|\$"), ""),
    (re.compile(r"\\cdot|\\times"), "*"),
)
_LAST_LETTER = re.compile(r"\(([A-J])\)[^()\w]*$")
"""An answer that ends on a letter, as "so it must be (C).\""""
_LOOKS_LATEX = re.compile(r"[\\$°]|\{,\}")
_NAMED = re.compile(r"^\s*[A-Za-z]\w{0,2}\s*(?:=|\\in)\s*")
_REMARK = re.compile(r"(?<=[\w%])\s+\([^()]{1,60}\)[\s.]*$")
"""What is added in brackets: "5 (five)"."""
_UNITS = re.compile(r"\s*(?:%|percent|[a-z][a-z\s/²³^.-]{0,60})?\s*[.!]?\s*", re.IGNORECASE)
_NEXT_QUESTION = re.compile(r"\n\s*(?:Question|Problem|Q|Human|User)\s*\d*\s*:", re.IGNORECASE)
_CODE_MARKS = re.compile(r"[\[\](){}<>\\^_=|'\"]")


def final_answer(text: str) -> Final:
    """What a text finally says.

    Args:
        text: an answer of any length; only its end is searched where it is long.
    """
    body = _own_words(text.strip())
    if not body:
        return Final("", "", marked=False)
    tail = body[-TAIL:]
    said = _marked(tail)
    if said is None and len(body) <= SHORT and "\n" not in body:
        said = body
    if said is not None:
        said = said.strip()
        return Final(_form(said), said, marked=True)
    line = _last_line(tail)
    letter = _LAST_LETTER.search(line)
    if letter:
        return Final(f"option:{letter[1]}", letter[0], marked=False)
    numbers = _NUMBER.findall(line.replace("\N{MINUS SIGN}", "-"))
    if numbers:
        return Final(_of_number(numbers[-1]) or numbers[-1], numbers[-1], marked=False)
    return Final("", "", marked=False)


def _own_words(body: str) -> str:
    """The answer without the next question, which base models go on to ask and answer."""
    found = _NEXT_QUESTION.search(body, 1)
    if found is None or _marked(body[: found.start()][-TAIL:]) is None:
        return body
    return body[: found.start()]


def _marked(tail: str) -> str | None:
    """What the text itself says is its answer."""
    boxed = tail.rfind("\\boxed")
    if boxed >= 0 and (inside := _braced(tail, boxed + len("\\boxed"))) is not None:
        return inside
    if '"' in tail and (fields := _FIELD.findall(tail)):
        quoted, bare = map(str, fields[-1])
        if quoted or not bare:
            return _unescaped(quoted)
        return bare.strip().rstrip("`").rstrip().removesuffix("}").rstrip().rstrip(",")
    if found := _HASHES.findall(tail):
        return str(found[-1])
    if found := _SAID.findall(tail):
        return _sentence(str(found[-1]))
    return None


def _braced(text: str, start: int) -> str | None:
    """What stands in the braces that open at `start`."""
    if text[start : start + 1] != "{":
        return None
    depth = 0
    for place in range(start, len(text)):
        if text[place] == "{":
            depth += 1
        elif text[place] == "}":
            depth -= 1
            if not depth:
                return text[start + 1 : place]
    return None


def _unescaped(quoted: str) -> str:
    """A JSON string without its escapes; a model's LaTeX is often escaped once too little."""
    plain = quoted.replace('\\"', '"').replace("\\\\", "\\")
    return plain if "\\n" not in plain else re.sub(r"\\n(?![a-z])", "\n", plain)


def _sentence(line: str) -> str:
    """The first sentence of a line, unless the full stop belongs to a number or a formula."""
    return re.split(r"(?<![A-Z(])\.\s+(?=[A-Z])|\s+because\s|\s+since\s", line, maxsplit=1)[0]


def _last_line(tail: str) -> str:
    lines = [line for line in tail.splitlines() if line.strip(" `*}]\t")]
    return lines[-1] if lines else ""


def _form(said: str) -> str:
    """A form that is equal for equal answers."""
    option = _OPTION.match(said.strip("*_$`'\" "))
    if option:
        return f"option:{(option[1] or option[2] or option[3]).upper()}"
    plain = said.replace("\N{MINUS SIGN}", "-").strip(" \t\n*_`")
    for pattern, instead in _LATEX:
        if not _LOOKS_LATEX.search(plain):
            break
        plain = pattern.sub(instead, plain)
    plain = _REMARK.sub("", _NAMED.sub("", plain)).strip()
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\"":
        plain = plain[1:-1]
    number = _number_of(plain)
    if number is not None:
        return number
    if _CODE_MARKS.search(plain):  # a formula, a literal: marks and capitals matter
        return "as it is:" + re.sub(r"\s+", "", plain).strip(".'\"").replace('"', "'")
    return f"text:{canonical_text(plain) or ''}"


def _number_of(plain: str) -> str | None:
    """The form of a text that is a number, a fraction or an amount with its unit."""
    fraction = _FRACTION.fullmatch(plain.strip().rstrip("."))
    if fraction:
        top, bottom = fraction[1] or fraction[3], fraction[2] or fraction[4]
        return _of_fraction(int(top), int(bottom))
    sign = re.match(
        r"(?:about|approximately|only|[≈~=\s])*([-+]?)\s*[$€£]?\s*(?=[\d.+-])", plain, re.IGNORECASE
    )
    if sign is None:
        return None
    found = _NUMBER.match(plain, sign.end())
    if found is None or not _UNITS.fullmatch(plain, found.end()):
        return None
    if sign[1] and found[0][0] in "+-":
        return None  # two signs
    return _of_number(sign[1] + found[0])


def _of_number(digits: str) -> str | None:
    value = Decimal(digits.replace(",", ""))
    if len(digits) > 60 or abs(value.adjusted()) > 60:  # noqa: PLR2004  longer is text
        return None
    return f"number:{value.normalize() + 0:f}"


def _of_fraction(top: int, bottom: int) -> str | None:
    if not bottom:
        return None
    common = gcd(top, bottom)
    top, bottom = top // common, bottom // common
    rest = bottom
    for factor in (2, 5):
        while rest % factor == 0:
            rest //= factor
    if rest == 1:  # it has an end as a decimal
        return f"number:{(Decimal(top) / Decimal(bottom)).normalize() + 0:f}"
    return f"fraction:{top}/{bottom}"
