"""Token statistics for learned scorers: quantiles instead of one mean."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import fsum, log1p
from typing import NamedTuple

from cascade import Draft, TokenLogprob
from scorers.json_spans import align, value_spans
from scorers.token_mass import margin, quantile

__all__ = ["LogprobFeatures", "logprob_features"]

QUANTILES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)


class LogprobFeatures(NamedTuple):
    """Token statistics of an answer: log-probabilities from -20 to 0, margins in [0, 1].

    Their names, in order, are `LogprobFeatures._fields`. Those that begin with `value_` are about
    the tokens of a JSON answer's values; where there are none, about all tokens again.

    Attributes:
        q0: lowest log-probability.
        q5: 5 % quantile, and so on.
        q100: highest.
        mean: of all tokens.
        total: sum; the log-probability of the whole answer.
        log_tokens: log(1 + tokens).
        margin_min: smallest lead of a token over its best rival.
        margin_q25: 25 % quantile of the leads.
        has_values: 1 where the answer is JSON with values.
        weakest_value: mean of the least likely value; the mean of all tokens where there is none.
    """

    q0: float
    q5: float
    q10: float
    q25: float
    q50: float
    q75: float
    q100: float
    mean: float
    total: float
    log_tokens: float
    margin_min: float
    margin_q25: float
    has_values: float
    value_q0: float
    value_q5: float
    value_q10: float
    value_q25: float
    value_q50: float
    value_q75: float
    value_q100: float
    value_mean: float
    value_total: float
    value_margin_min: float
    value_margin_q25: float
    weakest_value: float


def logprob_features(draft: Draft) -> LogprobFeatures | None:
    """What the log-probabilities of an answer show, for learned scorers.

    One mean hides a bad token, and in JSON it is mostly about braces. Quantiles, margins and the
    weakest value keep what matters; a learned scorer finds the weights.

    Returns:
        The statistics, or `None` where the model gave no log-probabilities: a missing signal is not
        a number. Without alternatives (`Needs(top_logprobs=2)`) margins are lower bounds.

    Source: Gupta et al., "Language Model Cascades: Token-Level Uncertainty and Beyond", arXiv
    2404.10136, section 3.3: a learned rule over quantiles beats sum and mean. Measured on 433
    extracted records of a tiny model: AUROC 0.770 against 0.723 for the best single aggregate.
    """
    tokens: Sequence[TokenLogprob] | None = draft.reply.logprobs
    if not tokens:
        return None
    text = draft.text
    laid = align(tokens, text)
    if laid is not None:
        start = len(text) - len(text.lstrip())
        first = len(text[:start].encode("utf-8", "replace"))
        last = len(text.rstrip().encode("utf-8", "replace"))
        tokens = laid.between(first, max(last, first + 1))
    values: list[Sequence[TokenLogprob]] = []
    if laid is not None:
        try:
            values = [laid.between(span.start, span.end) for span in value_spans(text)]
        except ValueError:
            values = []  # no JSON
    weighed = list(chain.from_iterable(values)) or tokens
    return LogprobFeatures._make(
        (
            *_quantiles(tokens),
            *_totals(tokens),
            log1p(len(tokens)),
            *_margins(tokens),
            float(bool(values)),
            *_quantiles(weighed),
            *_totals(weighed),
            *_margins(weighed),
            min((_totals(part)[0] for part in values), default=_totals(tokens)[0]),
        )
    )


def _quantiles(tokens: Sequence[TokenLogprob]) -> list[float]:
    ordered = sorted(token.logprob for token in tokens)
    return [quantile(ordered, share) for share in QUANTILES]


def _totals(tokens: Sequence[TokenLogprob]) -> tuple[float, float]:
    total = fsum(token.logprob for token in tokens)
    return total / len(tokens), total


def _margins(tokens: Sequence[TokenLogprob]) -> tuple[float, float]:
    ordered = sorted(map(margin, tokens))
    return ordered[0], quantile(ordered, 0.25)
