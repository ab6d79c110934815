"""Asking the same tier again and counting votes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from cascade import (
    Abstained,
    Chain,
    ConfigError,
    Draft,
    Failed,
    Reply,
    Score,
    ScorerError,
    Scoring,
    Tier,
    sample,
)
from scorers.answers import (
    MISSING,
    answer_text,
    field_names,
    flaw_of,
    record_of,
    value_at,
    without_fields,
)
from scorers.canonical import Canonical, canonical_form, canonical_kind

__all__ = ["Agreement"]

Form = Callable[[str], Hashable | None]
By = Literal["normalised", "exact", "fields"] | Canonical

MOST = 32
"""Answers that are asked for at most; votes of more hardly change."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The share of votes that the most frequent of k answers got; that answer is returned.

    The tier is asked k - 1 more times, all at once, exactly as it was asked for the draft; the
    draft votes too. Answers are compared
    - `exact`: as texts, without white space around them;
    - `normalised`: in the form that suits the draft (number, option, JSON, words), or in the one
      you name: "number", "option", "json", "text";
    - `fields`: JSON objects, field by field. The answer that agrees with most majorities is
      returned; the score is the mean over fields of the votes for its value; with `fields` that
      no answer has it abstains;
    - by a function of yours from a text to something comparable, `None` for no answer.
    Tool calls are compared by name and arguments.

    An answer that cannot be brought into the form (no number in it, no JSON) votes alone. Samples
    that failed, refused, came back empty or were cut off are named and do not count; with none left
    to compare it fails where calls failed, and abstains otherwise. When all answers differ the
    score is 1 of k.

    Ties: the draft's answer wins; else the answer with the highest mean log-probability where all
    tied ones have log-probabilities, else the one that came first. In a `first_reject`, put it
    before the parts that should judge the answer that is returned.

    Costs k - 1 further calls; `any_of` or a `first_reject` with free parts in front saves them.

    Pitfalls: samples must be able to differ. At temperature 0 they repeat the draft and the score
    means nothing: such a tier is refused when the chain is built, such a request abstains without
    a call, and so does one whose `conversation` a server keeps. A `seed` is not repeated. Agreement
    of one model with itself is weak evidence (AUROC 0.600 for three answers of a tiny model); cheap
    answers of other models are much better: see `AgreesWithEarlier`.

    Args:
        k: answers in all, 2 to 32.
        by: see above.
        fields: the fields that count, as "total" or "customer.name", for `by="fields"`; all unless
            given.
        params: wire parameters of the samples, e.g. `{"temperature": 0.7}`; `None` removes one.

    Source: Wang et al., "Self-Consistency", arXiv 2203.11171; cascades on it: Yue et al., arXiv
    2310.03094.

    Raises:
        ConfigError: k outside its range, an unknown comparison, fields without `by="fields"`, or
            parameters that would change what is asked.
    """

    k: int = 3
    by: By | Form = "normalised"
    fields: Sequence[str] | None = None
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)

    inline: ClassVar[bool] = True
    replaces: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if type(self.k) is not int or not 2 <= self.k <= MOST:  # noqa: PLR2004  as documented
            raise ConfigError(
                f"Agreement: k {self.k!r} is no whole number from 2 to {MOST}; it counts the draft"
            )
        known = ("normalised", "exact", "fields", *get_args(Canonical))
        if not callable(self.by) and self.by not in known:
            raise ConfigError(
                f"Agreement: by {self.by!r} is unknown; use one of {', '.join(known)}, or a "
                "function of a text"
            )
        if self.fields is not None:
            if self.by != "fields":
                raise ConfigError("Agreement: fields need by='fields'")
            object.__setattr__(self, "fields", field_names("Agreement", self.fields))
        fixed = {"model", "messages", "input", "stream"}
        if not isinstance(self.params, Mapping) or fixed & set(self.params):
            raise ConfigError(
                f"Agreement: params {self.params!r} would change what is asked; "
                "write params={'temperature': 0.7}"
            )
        if self.params.get("n") not in (None, 1):
            raise ConfigError(
                f"Agreement: params n={self.params['n']!r}; samples are calls of their own, so "
                "that each is booked: set k"
            )
        object.__setattr__(self, "params", dict(self.params))

    def fits(self, chain: Chain, tier: Tier) -> str | None:  # noqa: ARG002  the protocol's form
        """Refuses a tier whose samples would all be alike."""
        return _alike(tier.params, self.params)

    def __call__(self, draft: Draft) -> Scoring:
        """Take the samples and count."""
        why_not = _alike(draft.payload, self.params) or _kept(draft.payload)
        if why_not is not None:
            return Abstained(why_not)
        form = self._form(draft)
        mine = form(draft.reply)
        if mine is None:
            text = answer_text(draft.reply)
            return Abstained(f"the answer {text[:40]!r} has no form to compare by {self._by}")
        if self.by != "fields" and not isinstance(mine, Hashable):
            raise TypeError(
                f"{self._by} gave {type(mine).__name__}, which cannot be counted; "
                "return a text, a number or a tuple"
            )
        params = {"seed": None, **self.params} if "seed" in draft.payload else self.params
        replies = yield from sample(draft, self.k - 1, **params)
        whole: list[Reply] = [draft.reply]
        lost: list[str] = []
        for reply in replies:
            flaw = str(reply) if isinstance(reply, ScorerError) else flaw_of(reply)
            if isinstance(reply, Reply) and flaw is None:
                whole.append(reply)
            else:
                lost.append(str(flaw))
        if len(whole) == 1:
            kind = Failed if any(isinstance(r, ScorerError) for r in replies) else Abstained
            return kind(f"none of {self.k - 1} samples counts: {'; '.join(dict.fromkeys(lost))}")
        if self.fields and (why_not := without_fields(map(form, whole), self.fields)):
            return Abstained(why_not)
        count = self._by_fields if self.by == "fields" else self._by_votes
        value, words, winner = count(whole, form)
        if lost:
            words = f"{words}; {len(lost)} did not count: {'; '.join(dict.fromkeys(lost))[:160]}"
        return Score(value, words, reply=None if winner is draft.reply else winner)

    @property
    def _by(self) -> str:
        return self.by if isinstance(self.by, str) else getattr(self.by, "__name__", "a function")

    def _form(self, draft: Draft) -> Callable[[Reply], Any]:
        """How an answer is brought into comparable form."""
        by = self.by
        if by == "fields":
            return record_of
        if not isinstance(by, str):
            function = by
            return lambda reply: function(answer_text(reply))
        if by == "exact":
            return lambda reply: answer_text(reply).strip() or None
        kind = canonical_kind(answer_text(draft.reply)) if by == "normalised" else by
        return lambda reply: canonical_form(answer_text(reply), kind)

    def _by_votes(
        self, replies: Sequence[Reply], form: Callable[[Reply], Any]
    ) -> tuple[float, str, Reply]:
        groups: dict[Any, list[Reply]] = {}
        for place, reply in enumerate(replies):
            said = form(reply)
            groups.setdefault(("alone", place) if said is None else ("said", said), []).append(
                reply
            )
        most = max(map(len, groups.values()))
        tied = [group[0] for group in groups.values() if len(group) == most]
        winner = _first_choice(tied, replies[0])
        words = f"{most} of {len(replies)} answers agree" if most > 1 else "all answers differ"
        if most > 1 and winner is not replies[0]:
            words = f"{words}, the draft does not"
        return most / len(replies), words, winner

    def _by_fields(
        self, replies: Sequence[Reply], form: Callable[[Reply], Any]
    ) -> tuple[float, str, Reply]:
        records = [form(reply) for reply in replies]
        known = [record for record in records if record is not None]
        names = self.fields or tuple(dict.fromkeys(name for record in known for name in record))
        votes = {name: _votes(name, records) for name in names}
        majority = {name: counted.most_common(1)[0][0] for name, counted in votes.items()}
        agreed = [
            -1 if record is None else sum(_said(record, name) == majority[name] for name in names)
            for record in records
        ]
        tied = [reply for reply, kept in zip(replies, agreed, strict=True) if kept == max(agreed)]
        best = _first_choice(tied, replies[0])
        mine = form(best)
        shares = {name: votes[name][_said(mine, name)] / len(replies) for name in names}
        if not shares:
            return 1.0, "records without fields agree", best
        least = min(shares, key=lambda name: shares[name])
        words = f"{len(names)} fields of {len(replies)} answers; least agreed: {least!r}"
        return (
            min(1.0, sum(shares.values()) / len(shares)),
            f"{words}, by {round(shares[least] * len(replies))}",
            best,
        )


def _votes(name: str, records: Sequence[Mapping[str, Any] | None]) -> Counter[str]:
    """Votes on a field, in the order in which they were first cast: the draft's comes first."""
    return Counter(_said(record, name) for record in records if record is not None)


def _said(record: Any, name: str) -> str:
    value = value_at(record, name)
    return "missing" if value is MISSING else json.dumps(value, sort_keys=True)


def _first_choice(tied: Sequence[Reply], draft: Reply) -> Reply:
    """The answer to return among tied ones, in the order in which they came."""
    means = [_mean_logprob(reply) for reply in tied]
    known = [mean for mean in means if mean is not None]
    if tied[0] is draft or len(known) < len(tied):
        return tied[0]
    return tied[known.index(max(known))]


def _mean_logprob(reply: Reply) -> float | None:
    columns = reply.logprob_columns
    return sum(columns[1]) / len(columns[1]) if columns else None


def _kept(payload: Mapping[str, Any]) -> str | None:
    """Why samples would do harm: the server would write them into a conversation."""
    if payload.get("conversation") is None:
        return None
    return "samples would become a part of the conversation that the server keeps"


def _alike(payload: Mapping[str, Any], params: Mapping[str, Any]) -> str | None:
    """Why samples of a call would repeat each other; `None` where they can differ."""
    sent = {**payload, **params}
    for name, fixed in (("temperature", 0), ("top_k", 1), ("top_p", 0)):
        value = sent.get(name)
        if value is not None and not isinstance(value, bool) and value == fixed:
            return (
                f"samples at {name} {value:g} would repeat each other; "
                "pass params={'temperature': 0.7}"
            )
    return None
