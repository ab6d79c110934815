"""Confidence from the log-probabilities of the answer's own tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum
from typing import ClassVar, Literal, get_args

from cascade import Abstained, ConfigError, Draft, Needs, Score, TokenLogprob
from scorers.json_spans import AnswerTokens, align, value_spans
from scorers.strict_json import json_path
from scorers.token_mass import label_share, margin, normal_label, quantile

__all__ = ["Aggregate", "LogprobConfidence"]

Aggregate = Literal["mean", "min", "sum", "first", "quantile", "margin"]
Over = Literal["text", "json_values"]

LABEL_ALTERNATIVES = 5
"""The most that GPT-5.x returns; asking it for 6 is an error."""


@dataclass(frozen=True, slots=True)
class LogprobConfidence:
    """How sure the model was of the tokens it wrote.

    Measures one of
    - `mean`: exp of the mean log-probability, the geometric mean per token;
    - `min`: the least likely token;
    - `sum`: exp of the sum, the probability of the whole answer (falls with its length);
    - `first`: the first token that is not white space;
    - `quantile`: exp of a low quantile of the log-probabilities, a minimum that forgives outliers;
    - `margin`: mean lead of a token over its best rival. A rival that is not listed is taken to
      hold all the mass left over, so a single alternative of probability p leads by 2p - 1; a
      token that was not the likeliest leads by 0.

    With `over="json_values"` each value of a JSON answer is weighed alone and the weakest counts:
    keys and punctuation, which no model gets wrong, would hide a bad field in any average. A token
    that overlaps a value belongs to it. With `labels` the score is the probability of the chosen
    label among the allowed ones, read from the alternatives at its first token (and following ones
    while several labels begin alike); another answer scores 0. Where one label begins another
    ("ship", "shipping"), stopping leaves no trace in the tokens and the shorter one is halved.

    Costs nothing but a longer reply: 345 kB for 1,000 tokens with 5 alternatives, so alternatives
    are only requested for `margin` (2) and `labels` (5).

    Pitfalls: GPT-5.x saturates near 1.0, so calibrate per model. Reasoning models give no
    log-probabilities: the scorer abstains, it never guesses. In structured output the numbers may
    predate the grammar's mask.

    Args:
        aggregate: how tokens become one number.
        quantile: which quantile, in (0, 1); for `aggregate="quantile"`.
        over: all tokens of the text, or those of a JSON answer's values.
        labels: the allowed answers, for classification; replaces `aggregate` and `over`.

    Source: Gupta et al., "Language Model Cascades: Token-Level Uncertainty and Beyond", arXiv
    2404.10136, section 3 (sum, mean and quantiles; quantiles beat both).

    Raises:
        ConfigError: an unknown aggregate or span, a quantile outside (0, 1), labels that are alike.
    """

    aggregate: Aggregate = "mean"
    quantile: float = 0.1
    over: Over = "text"
    labels: Sequence[str] | None = None

    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_choice("aggregate", self.aggregate, get_args(Aggregate))
        _check_choice("over", self.over, get_args(Over))
        if not isinstance(self.quantile, int | float) or not 0.0 < self.quantile < 1.0:
            raise ConfigError(
                f"LogprobConfidence: quantile {self.quantile!r} is outside (0, 1); "
                "0.1 looks at the weakest tenth, aggregate='min' at the weakest token"
            )
        if self.labels is not None:
            object.__setattr__(self, "labels", _label_tuple(self.labels))
            if self.aggregate != "mean" or self.over != "text":
                raise ConfigError(
                    "LogprobConfidence: labels replace aggregate and over; leave those out"
                )

    @property
    def needs(self) -> Needs:
        """Log-probabilities, with alternatives only where they are read."""
        if self.labels is not None:
            return Needs(logprobs=True, top_logprobs=LABEL_ALTERNATIVES)
        return Needs(logprobs=True, top_logprobs=2 if self.aggregate == "margin" else 0)

    def __call__(self, draft: Draft) -> Score | Abstained:
        """Weigh the answer's tokens; abstains where there are none."""
        reply, text = draft.reply, draft.text
        core = text.strip()
        columns = reply.logprob_columns if self._reads_numbers else None
        if columns is not None:
            words, values = columns
            if core == text == "".join(words) and words[0] and words[-1]:
                return self._score(self._of_numbers(values), len(values))  # each is the text's
        tokens: Sequence[TokenLogprob] | None = reply.logprobs
        if tokens is None:
            return Abstained("the model gave no log-probabilities")
        if not core:
            return Abstained("the answer has no text, and log-probabilities cover text only")
        aligned = align(tokens, text)
        if self.over == "json_values":
            return self._weakest_value(aligned, text)
        if aligned is not None:  # without a fit, all tokens are the best reading there is
            tokens = aligned.between(*_content(text))
        if self.labels is not None:
            return self._label(tokens, text, self.labels)
        return self._score(self._combined(tokens), len(tokens))

    def hopeless(self, text: str, tokens: Sequence[TokenLogprob], threshold: float) -> str | None:
        """Whether the threshold is out of reach already, for `Policy.stop_early`.

        Only the smallest and the product can tell: no further token raises them.
        """
        falls_only = self.aggregate in ("min", "sum") and self.over == "text" and not self.labels
        aligned = align(tokens, text) if falls_only and tokens and text.strip() else None
        read = aligned.between(*_content(text)) if aligned is not None else ()
        if not read or (value := self._combined(read)) >= threshold:
            return None
        return f"{self._words} {value:.4g} < {threshold:g} after {len(read)} tokens"

    @property
    def _words(self) -> str:
        kind = f"{self.quantile:g}-quantile" if self.aggregate == "quantile" else self.aggregate
        return "mean margin" if kind == "margin" else f"{kind} p ="

    def _combined(self, tokens: Sequence[TokenLogprob]) -> float:
        """One number in [0, 1] from at least one token."""
        if self.aggregate == "margin":
            return fsum(map(margin, tokens)) / len(tokens)
        if self.aggregate == "first":
            return exp(next((t for t in tokens if t.token.strip()), tokens[0]).logprob)
        return self._of_numbers([token.logprob for token in tokens])

    @property
    def _reads_numbers(self) -> bool:
        """Whether the numbers of all tokens are all that counts."""
        return (
            self.aggregate not in ("margin", "first")
            and self.over == "text"
            and self.labels is None
        )

    def _of_numbers(self, values: Sequence[float]) -> float:
        if self.aggregate == "mean":
            return exp(fsum(values) / len(values))
        if self.aggregate == "min":
            return exp(min(values))
        if self.aggregate == "sum":
            return exp(fsum(values))
        return exp(quantile(sorted(values), self.quantile))

    def _score(self, value: float, count: int) -> Score:
        return Score(value, f"{self._words} {value:.4g} over {count} token{'s' * (count != 1)}")

    def _weakest_value(self, aligned: AnswerTokens | None, text: str) -> Score | Abstained:
        try:
            spans = value_spans(text)
        except ValueError as error:
            return Abstained(f"no JSON, so no values to weigh: {error}")
        if not spans:
            return Abstained("the JSON holds no values")
        if aligned is None:
            return Abstained("the tokens do not spell the answer, so values cannot be found")
        fields = []
        for span in spans:
            tokens = aligned.between(span.start, span.end)  # never none: they spell the text
            fields.append((self._combined(tokens), span.path))
        value, path = min(fields, key=lambda field: field[0])
        many = f"weakest of {len(fields)} values" if len(fields) > 1 else "the only value"
        return Score(value, f"{json_path(path)}: {self._words} {value:.4g}, {many}")

    def _label(
        self, tokens: Sequence[TokenLogprob], text: str, labels: Sequence[str]
    ) -> Score | Abstained:
        allowed = {normal_label(label): label for label in labels}
        found = normal_label(text)
        if found not in allowed:
            return Score(0.0, f"{text.strip()[:40]!r} is none of the {len(allowed)} labels")
        value = label_share(tokens, allowed, found)
        if value is None:
            return Abstained("the tokens do not spell the label")
        return Score(value, f"{allowed[found]!r}: p = {value:.4g} among {len(allowed)} labels")


def _content(text: str) -> tuple[int, int]:
    """The UTF-8 offsets of a text without the ASCII white space around it."""
    data = text.encode("utf-8", "replace")
    start = len(data) - len(data.lstrip())
    return start, max(len(data.rstrip()), start + 1)


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(
            f"LogprobConfidence: {name} {value!r} is unknown; use one of {', '.join(allowed)}"
        )


def _label_tuple(labels: object) -> tuple[str, ...]:
    if isinstance(labels, str) or not isinstance(labels, Sequence):
        raise ConfigError(
            f"LogprobConfidence: labels {labels!r} is no list; write labels=['yes', 'no']"
        )
    seen: dict[str, str] = {}
    for label in labels:
        normal = normal_label(label) if isinstance(label, str) else ""
        if not normal:
            raise ConfigError(f"LogprobConfidence: label {label!r} is no text with content")
        if normal in seen:
            raise ConfigError(
                f"LogprobConfidence: labels {seen[normal]!r} and {label!r} are alike but for case "
                "and marks around them; keep one"
            )
        seen[normal] = label
    if len(seen) < 2:  # noqa: PLR2004
        raise ConfigError(f"LogprobConfidence: labels {labels!r} leave no choice; name two or more")
    return tuple(labels)
