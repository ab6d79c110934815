"""Whether what an answer says stands in the text it was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from cascade import Abstained, ConfigError, Draft, Score
from scorers.answers import calls_of, decoded
from scorers.claims import Claim, ProseKind, Source, claims_in_text, plain, values_of
from scorers.source_text import SourceText, source_text
from scorers.strict_json import JsonTextError, json_body, read_json

__all__ = ["Grounded"]

MAX_CLAIMS = 1_000
"""Most values that are looked up; an honest record has tens."""

ROLES = ("user", "tool", "system", "assistant")

Looking = Literal["auto", "values"] | ProseKind


@dataclass(frozen=True, slots=True)
class Grounded:
    """The share of an answer's values that occur in the text of the request.

    For answers that are taken from a given text: extraction, tool calls, quotations. The best free
    evidence there is for those, without a label. Looked up are
    - `values`: strings and numbers of a JSON answer, and of the arguments of tool calls;
    - `numbers`, `quotes`, `names` (capitalised words within a sentence) of an answer in prose;
    - `auto`: values where the answer is a JSON object or array or a tool call, else numbers and
      quotes.

    Case, white space, kinds of dashes and quotation marks do not count. Numbers are compared as
    numbers: 1000 stands in "1,000", "1.000,00" and "$1,000"; 0.15 in "15 %"; 2 in "two". Dates and
    codes with leading zeros are compared as they are written. Words count whole: "an" does not
    stand in "banana". Left out are booleans, `null`, empty texts, what the schema of the request
    lists in an `enum` (a choice is no copy), and in prose the numbers of a list's items.

    Abstains when nothing is left to look up, when the request has no text, and when values are
    missing that may stand where it cannot read: in an image, a file or audio, in earlier turns that
    a server keeps, in what a server's tool (`web_search`, `file_search`) found. A refusal scores 0.

    Costs nothing; under a millisecond for a record of ten values and a page of text.

    Pitfalls: a grounded value may be the wrong one (two dates in a letter). Values that are
    computed, translated or summarised are nowhere in the text: name them in `leave_out`.

    Args:
        look_for: see above; one or several.
        fields: for JSON, the fields that are looked up, as "total" or "items.price"; one that the
            answer does not have counts as not grounded. All values unless given.
        leave_out: fields that are not looked up.
        distinct: equal values of several fields need as many places in the text.
        all_values: score 1 or 0: whether everything is grounded.
        roles: whose messages are the text: "user", "tool" (their outputs), "system", "assistant".
        also: a text that belongs to every request (a catalogue, a manual).

    Source: measured on 433 extracted records of a tiny model: AUROC 0.824 (all keys present, all
    values in the text, all distinct) against 0.723 for the best single log-probability aggregate;
    together 0.923. On 320 other orders, half with a misleading second value, 0.79 against 0.65 to
    0.82; together 0.93 (`benchmarks/evidence.py`).

    Raises:
        ConfigError: an unknown kind or role, or fields that are no names.
    """

    look_for: Looking | Sequence[Looking] = "auto"
    fields: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    distinct: bool = False
    all_values: bool = False
    roles: Sequence[str] = ("user", "tool")
    also: str = ""

    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        kinds = _names("look_for", self.look_for, ("auto", "values", *get_args(ProseKind)))
        object.__setattr__(self, "look_for", kinds)
        object.__setattr__(self, "roles", _names("roles", self.roles, ROLES))
        for name in ("fields", "leave_out"):
            given = getattr(self, name)
            object.__setattr__(self, name, _names(name, given) if given else ())
        for name in ("distinct", "all_values"):
            given = getattr(self, name)
            if not isinstance(given, bool):
                raise ConfigError(f"Grounded: {name} is {given!r}; expected True or False")
        if not isinstance(self.also, str):
            raise ConfigError(f"Grounded: also is {type(self.also).__name__}; pass one text")

    def __call__(self, draft: Draft) -> Score | Abstained:
        """Look the answer's claims up."""
        if draft.reply.refusal:
            return Score(0.0, f"the model declined: {draft.reply.refusal[:80]!r}")
        try:
            claims, absent = self._claims(draft)
        except JsonTextError as error:
            return Abstained(f"no JSON, so no values to look up: {error}")
        return self._looked_up(claims, absent, source_text(draft.request, self.roles))

    def _looked_up(
        self, claims: list[Claim], absent: list[Claim], asked: SourceText
    ) -> Score | Abstained:
        if not asked.strip() and not self.also.strip():
            return Abstained(f"the request has no text of {', '.join(self.roles)} to look in")
        if not claims and not absent:
            return Abstained("the answer holds nothing to look up")
        if len(claims) > MAX_CLAIMS:
            return Abstained(f"{len(claims):,} values; at most {MAX_CLAIMS:,} are looked up")
        source = Source(f"{asked}\n\n{self.also}")
        missing = [*absent, *self._missing(claims, source)]
        if missing and source.given_up:
            return Abstained("the text is too long, or repeats itself too much, to look all up")
        if missing and asked.unread:
            return Abstained(
                f"{_shown(missing[0])} may stand in what cannot be read here: "
                + ", ".join(asked.unread)
            )
        total = len(claims) + len(absent)
        share = (total - len(missing)) / total
        value = float(not missing) if self.all_values else share
        many = f"{total - len(missing)} of {total} values occur in the request"
        return Score(value, f"{many}; not {_shown(missing[0])}" if missing else many)

    def _missing(self, claims: Sequence[Claim], source: Source) -> list[Claim]:
        if not self.distinct:
            return [claim for claim in claims if not source.count(claim)]
        keys = [claim.numbers or plain(claim.text) for claim in claims]
        needed, used, missing = Counter(keys), Counter[Any](), []
        for claim, key in zip(claims, keys, strict=True):
            used[key] += 1
            if source.count(claim, most=needed[key]) < used[key]:
                missing.append(claim)
        return missing

    def _claims(self, draft: Draft) -> tuple[list[Claim], list[Claim]]:
        """What is to be looked up, and the fields that the answer should have and has not."""
        text, kinds = draft.text, set(self.look_for)
        calls = calls_of(draft.reply)
        if "auto" in kinds:
            structured = bool(self.fields or calls) or json_body(text)[:1] in ("{", "[")
            kinds |= {"values"} if structured else {"numbers", "quotes"}
        claims: list[Claim] = []
        absent: list[Claim] = []
        if "values" in kinds:
            documents = [decoded(given) for _, given in calls]
            if not calls:  # what is said before a call is no part of the answer
                documents = [read_json(json_body(text), raw_newlines=True)]
            choices = _choices(draft.payload)
            for document in documents:
                found = values_of(document, fields=self.fields, leave_out=self.leave_out)
                claims += [claim for claim in found if claim.text not in choices]
            absent = [
                Claim(name, "missing")
                for name in self.fields
                if not any(_has(document, name.split(".")) for document in documents)
            ]
        claims += claims_in_text(text, kinds)
        return claims, absent


def _has(document: Any, steps: Sequence[str]) -> bool:
    if isinstance(document, list):
        return any(_has(item, steps) for item in document)
    if not steps or (isinstance(document, Mapping) and ".".join(steps) in document):
        return True
    return (
        isinstance(document, Mapping)
        and steps[0] in document
        and _has(document[steps[0]], steps[1:])
    )


def _choices(payload: Mapping[str, Any]) -> set[str]:
    """The texts and numbers that the schemas of a request list in an `enum` or `const`."""
    found: set[str] = set()
    todo: list[Any] = [
        payload.get(key) for key in ("response_format", "text", "tools", "functions")
    ]
    while todo:
        part = todo.pop()
        if isinstance(part, list):
            todo.extend(part)
        elif isinstance(part, Mapping):
            listed = part.get("enum")
            items = [*(listed if isinstance(listed, list) else ()), part.get("const")]
            found.update(str(item) for item in items if isinstance(item, str | int | float))
            todo.extend(part.values())
    return found


def _shown(claim: Claim) -> str:
    return f"{claim.place[:40]} {claim.text[:40]!r}"


def _names(argument: str, given: object, known: Collection[str] = ()) -> tuple[str, ...]:
    listed = (given,) if isinstance(given, str) else given
    names = tuple(listed) if isinstance(listed, Sequence) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"Grounded: {argument} {given!r} is no list of names; write ['total']")
    unknown = [name for name in names if known and name not in known]
    if unknown:
        raise ConfigError(f"Grounded: {argument} {unknown[0]!r} is unknown; use {', '.join(known)}")
    return names
