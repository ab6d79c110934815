"""Another model judges the answer, criterion by criterion."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum, isfinite
from typing import Any, ClassVar

from cascade import Chain, ConfigError, Draft, Failed, Reply, Score, Scoring, Tier, ask
from scorers.strict_json import JsonTextError, json_body, read_json
from scorers.token_mass import normal_label
from scorers.verdicts import UNTRUSTED, case_of, judges_itself, statements, unpriced

__all__ = ["Judge"]

INSTRUCTIONS = (
    "You are an impartial judge. The user message holds a conversation and the answer that was "
    "given to its last message. Decide for each criterion whether the answer meets it. Length, "
    "confidence and style prove nothing; where a criterion cannot be decided, say no. {untrusted}\n"
    "\nCriteria:\n{criteria}\n\n"
    "Reply with one JSON object and nothing else: {shape}"
)

FOR_THINKING = 2_048
FOR_VERDICT = 32
"""Room for output tokens: once, and for each criterion. Current models think by default, and a
limit that cuts the thinking leaves no verdict."""

MOST = 50
"""Criteria in one question; models lose track of longer lists."""

YES, NO = frozenset({"yes", "true", "met", "pass"}), frozenset({"no", "false", "unmet", "fail"})
_LINE = re.compile(r"[\s*-]*(?:criterion\s*)?c?(\d{1,2})\s*[:.)=-]+\s*(.{1,20})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Judge:
    """The share of your criteria that the answer meets, as another model sees it.

    For free text, where nothing can be looked up or compared. One call: the judge sees the
    conversation and the answer and says yes or no to each criterion, in JSON that a strict schema
    enforces where its server can. The reason names the criteria that are not met. Yes or no per
    criterion, because grades from 1 to 10 drift and cluster.

    A judge that answers anything but one yes or no for each criterion has *failed*: what came is
    quoted and becomes no number. The answer is fenced as data, and an answer that tries to steer
    the judge is to be failed by it; no fence is perfect, so do not let a judge be the only guard.

    Costs one call of the judge: conversation, answer and criteria in, a few tokens per criterion
    (and its thinking) out. Images and files are only named to the judge.

    Pitfalls: judges like long answers, and their own. A model that judges its own tier is refused
    when the chain is built. Judges agree with people about as often as people do at best (AUROC
    0.73 to 0.76 in our runs): calibrate the score.

    Args:
        model: a model id or the name of a tier.
        criteria: one or several, each a statement that a good answer makes true.
        weights: one positive number per criterion; equal unless given.
        all_must_hold: score 1 or 0: whether every criterion is met.
        allow_self: let the model judge answers of its own.
        max_completion_tokens: limit of the verdict with its thinking; 2,048 and 32 per criterion
            unless given.
        params: further wire parameters of the question, e.g. `{"reasoning_effort": "low"}`; they
            win, and `None` removes one (`{"response_format": None}` for servers without schemas).

    Source: rubrics and strict verdicts: Zheng et al., "Judging LLM-as-a-Judge", arXiv 2306.05685
    (position, verbosity and self-enhancement bias); Jung et al., "Trust or Escalate", arXiv
    2407.18370.

    Raises:
        ConfigError: no model, no criteria or too many, weights that do not fit.
    """

    model: str
    criteria: Sequence[str] | str
    weights: Sequence[float] | None = None
    all_must_hold: bool = False
    allow_self: bool = False
    max_completion_tokens: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)

    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model.strip():
            raise ConfigError(f"Judge: model {self.model!r} is no model id or name of a tier")
        criteria = statements("Judge", "criteria", self.criteria)
        object.__setattr__(self, "criteria", criteria)
        if len(criteria) > MOST:
            raise ConfigError(f"Judge: {len(criteria)} criteria; at most {MOST} in one question")
        if self.weights is not None:
            object.__setattr__(self, "weights", _weights(self.weights, len(criteria)))
        limit = self.max_completion_tokens
        if limit is not None and (type(limit) is not int or limit < FOR_VERDICT):
            raise ConfigError(
                f"Judge: max_completion_tokens {limit!r} leaves no room for a verdict; "
                f"give {FOR_VERDICT} or more"
            )
        if not isinstance(self.params, Mapping) or {"messages", "model", "n"} & set(self.params):
            raise ConfigError(
                f"Judge: params {self.params!r} are no further wire parameters; "
                "write params={'reasoning_effort': 'low'}"
            )
        object.__setattr__(self, "params", dict(self.params))

    def fits(self, chain: Chain, tier: Tier) -> str | None:
        """Refuses a model without a price, and to judge its own answers unless that is allowed."""
        itself = None if self.allow_self else judges_itself(chain, tier, self.model)
        return itself or unpriced(chain, self.model)

    def __call__(self, draft: Draft) -> Scoring:
        """Ask the judge, and read its verdicts."""
        keys = self._keys
        system = INSTRUCTIONS.format(
            untrusted=UNTRUSTED,
            criteria="\n".join(
                f"{key}: {text}" for key, text in zip(keys, self.criteria, strict=True)
            ),
            shape="{" + ", ".join(f'"{key}": "yes" or "no"' for key in keys) + "}",
        )
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": case_of(draft)},
        ]
        reply = yield from ask(self.model, messages, **self._wire_params)
        return self._read(reply)

    @property
    def _keys(self) -> list[str]:
        return [f"c{number}" for number in range(1, len(self.criteria) + 1)]

    @property
    def _wire_params(self) -> dict[str, Any]:
        schema = {
            "type": "object",
            "properties": {key: {"type": "string", "enum": ["yes", "no"]} for key in self._keys},
            "required": self._keys,
            "additionalProperties": False,
        }
        limit = self.max_completion_tokens or FOR_THINKING + FOR_VERDICT * len(self.criteria)
        return {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "verdicts", "strict": True, "schema": schema},
            },
            "max_completion_tokens": limit,
            **self.params,
        }

    def _read(self, reply: Reply) -> Score | Failed:
        if reply.refusal:
            return Failed(f"the judge declined: {reply.refusal[:80]!r}")
        text = reply.text.strip()
        if not text:
            cut = f" ({reply.finish_reason})" if reply.finish_reason else ""
            return Failed(f"the judge came back without a verdict{cut}")
        said = _verdicts(text, len(self.criteria))
        if isinstance(said, str):
            return Failed(f"the judge's verdict cannot be read: {said}; it said {text[:120]!r}")
        weights = self.weights or [1.0] * len(said)
        total = fsum(weights)
        share = fsum(w / total for w, met in zip(weights, said, strict=True) if met)
        unmet = [c for c, met in zip(self.criteria, said, strict=True) if not met]
        value = float(not unmet) if self.all_must_hold else share
        many = f"{len(said) - len(unmet)} of {len(said)} criteria met"
        listed = "; ".join(text[:80] for text in unmet[:3])
        return Score(min(1.0, value), f"{many}; not: {listed}" if unmet else many)


def _verdicts(text: str, count: int) -> list[bool] | str:
    """Yes or no for each criterion, or what is wrong with the verdicts, in words.

    Forgiving in form: JSON in a code fence, with keys "c1", "1" or "criterion 1", as a list or as
    lines "c1: yes"; a single word for a single criterion. Strict in content: each criterion once,
    nothing but yes or no.
    """
    try:
        given = read_json(json_body(text))
    except JsonTextError as error:
        given = _lines(text, count)
        if given is None:
            return str(error)
    if count == 1 and (verdict := _yes_or_no(given)) is not None:
        return [verdict]
    if isinstance(given, Mapping) and len(given) == 1 and count > 1:
        [inner] = given.values()
        given = inner if isinstance(inner, Mapping | list) else given
    if isinstance(given, list):
        given = {str(place): item for place, item in enumerate(given, 1)}
    if not isinstance(given, Mapping):
        return f"{str(given)[:40]!r} is neither yes nor no"
    return _by_number(given, count)


def _by_number(given: Mapping[str, Any], count: int) -> list[bool] | str:
    found: dict[int, bool] = {}
    for key, item in given.items():
        digits = re.fullmatch(r"(?:criterion[ _]?|c)?(\d{1,2})", key.strip().lower())
        number = int(digits[1]) if digits else 0
        if not 1 <= number <= count or number in found:
            return f"{key[:40]!r} is no criterion, or one that was judged already"
        verdict = _yes_or_no(item)
        if verdict is None:
            return f"criterion {number} is {str(item)[:40]!r}, neither yes nor no"
        found[number] = verdict
    missing = [str(number) for number in range(1, count + 1) if number not in found]
    if missing:
        return f"no verdict on criterion {', '.join(missing[:8])}"
    return [found[number] for number in sorted(found)]


def _yes_or_no(item: Any) -> bool | None:
    if isinstance(item, Mapping):
        said = {_yes_or_no(item[key]) for key in ("verdict", "met", "answer") if key in item}
        return said.pop() if len(said) == 1 else None
    if isinstance(item, bool):
        return item
    word = normal_label(item) if isinstance(item, str) else ""
    return True if word in YES else False if word in NO else None


def _lines(text: str, count: int) -> Any:
    """Verdicts written as lines, or as one word; `None` where any line is something else."""
    if count == 1 and _yes_or_no(text) is not None:
        return text
    read = [_LINE.fullmatch(line) for line in text.splitlines() if line.strip()]
    pairs = [(found[1], found[2]) for found in read if found is not None]
    if len(pairs) != len(read) or len({number for number, _ in pairs}) != len(pairs):
        return None
    return dict(pairs)


def _weights(given: object, count: int) -> tuple[float, ...]:
    weights = tuple(given) if isinstance(given, list | tuple) else ()
    good = all(
        isinstance(w, int | float) and not isinstance(w, bool) and isfinite(w) and w > 0
        for w in weights
    )
    if len(weights) != count or not good:
        raise ConfigError(
            f"Judge: weights {given!r} do not fit {count} criteria; give one positive number each"
        )
    return weights
