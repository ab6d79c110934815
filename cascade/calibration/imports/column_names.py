"""What the columns of other people's tables mean, by their names.

A table is one of answers (a row per request and model) or of requests. The first name that is there
counts; `columns=` of an importer names others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cascade.calibration.imports.tables import Table
from cascade.core.clean import on_one_line
from cascade.errors import RecordingError

__all__ = ["ANSWERS", "PARTS", "REQUESTS", "Columns", "is_signal"]

ANSWERS: Mapping[str, tuple[str, ...]] = {
    "id": (
        "query_id",
        "request_id",
        "question_id",
        "example_id",
        "id",
        "qid",
        "prompt_id",
        "sample_id",
    ),
    "model": ("model", "model_name", "model_id", "tier"),
    "quality": (
        *("correct", "is_correct", "quality", "passed", "pass", "success", "accuracy", "acc"),
        *("exact_match", "em", "score", "grade", "rating"),
    ),
    "text": (
        *("output", "response", "completion", "generation", "model_output", "answer"),
        *("prediction", "pred", "model_response"),
    ),
    "cost_usd": ("cost_usd", "cost_usd_answer", "cost_usd_recorded", "cost", "total_cost"),
    "input_tokens": ("prompt_tokens", "input_tokens", "tokens_in"),
    "output_tokens": ("completion_tokens", "output_tokens", "tokens_out"),
    "cached_tokens": ("cached_tokens",),
    "reasoning_tokens": ("reasoning_tokens",),
    "latency": ("latency_s", "latency_ms", "latency", "duration_s"),
}
"""Columns of answers. Of `cost_usd`, any that begins so; a latency in `_ms` is milliseconds."""

REQUESTS: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt", "query", "question", "input", "instruction", "headline"),
    "messages": ("messages",),
    "system": ("system", "system_prompt"),
    "tools": ("tools", "functions_json", "functions"),
    "reference": ("gold", "reference", "label", "target", "expected", "possible_answer_json"),
    "slice": ("slice", "task", "category", "subject", "domain", "dataset", "eval_name"),
    "split": ("split",),
    "group": ("group", "group_id", "conversation_id", "user_id", "document_id"),
    "weight": ("weight",),
}
"""Columns of requests, in a table of their own or beside the answers. A slice is the first of them
that takes several values."""

PARTS = ("task", "category", "turn", "sample", "sample_id", "trial", "repeat", "seed", "round")
"""Columns that make an id unique where it alone is not, e.g. the turn of a conversation."""

SIGNALS = frozenset(
    {
        *("conf", "confidence", "logprob", "logprobs", "logit", "logits", "msp", "prob", "probs"),
        *("probability", "entropy", "perplexity", "margin", "certainty", "valid", "parseable"),
        *("found", "string", "verifier", "selfcheck"),
    }
)
"""Words in the names of numeric columns that are signals. Others are left out: a number that was
computed from the right answer would look like the best signal of all."""

TELLTALE = frozenset({"correct", "gold", "label", "reference"})
"""Words that say that a number was computed from the right answer."""


def is_signal(name: str) -> bool:
    """Whether a numeric column of that name is evidence that was there without the right answer."""
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    return bool(words & SIGNALS) and not words & TELLTALE


class Columns:
    """Which column of one or two tables means what.

    Args:
        answers: the table of answers.
        requests: the table of requests, `None` where the answers hold them.
        given: column names by meaning, which go before the known names; "" for none.

    Raises:
        RecordingError: a meaning that there is not, or a column that is in neither table.
    """

    def __init__(
        self, answers: Table, requests: Table | None, given: Mapping[str, str] | None
    ) -> None:
        self._given = dict(given or {})
        self._answers = answers
        self._requests = requests
        known = {**ANSWERS, **REQUESTS, "part": ()}
        if unknown := [name for name in self._given if name not in known]:
            raise RecordingError(
                f"columns (--column): {unknown[0]!r} means nothing here; expected some of "
                f"{', '.join(known)}"
            )
        there = {*answers.columns, *(requests.columns if requests else ())}
        for meaning, name in self._given.items():
            if name and name not in there:
                raise RecordingError(
                    f"columns (--column): there is no column {name!r} for {meaning!r}; there are "
                    f"{_listed(sorted(there))}"
                )

    def answer(self, meaning: str) -> str | None:
        """The column of the answers that means it."""
        if meaning in self._given:
            return self._given[meaning] or None
        here = self._answers.columns
        found = [name for name in ANSWERS[meaning] if name in here]
        if meaning == "cost_usd":
            found += [name for name in here if name.startswith("cost_usd")]
        return found[0] if found else None

    def needed(self, meaning: str) -> str:
        """The same; raises `RecordingError` where there is none."""
        found = self.answer(meaning)
        if found is None:
            raise RecordingError(
                f"{self._answers.name}: no column is the {meaning}; expected one of "
                f"{', '.join(ANSWERS[meaning])}; there are {_listed(self._answers.columns)}. "
                f"Say which it is: on the command line --column {meaning}=NAME, in Python "
                f"columns={{{meaning!r}: ...}}"
            )
        return found

    def request(self, meaning: str, table: Table) -> list[str]:
        """The columns of a table that may mean it, best first."""
        if meaning in self._given:
            return [name for name in (self._given[meaning],) if name in table.columns]
        taken = {self.answer(name) for name in ANSWERS} if table is self._answers else set()
        names = REQUESTS[meaning]
        if meaning == "reference" and table is not self._answers:
            names = (*names, "answer")  # beside the answers it would be a model's
        return [name for name in names if name in table.columns and name not in taken]

    def parts(self) -> list[str]:
        """Columns of the answers that may complete an id."""
        if "part" in self._given:
            return [name for name in (self._given["part"],) if name]
        return [name for name in PARTS if name in self._answers.columns]

    def id_of(self, table: Table) -> str:
        """The column of the table of requests that is their id."""
        given = self.needed("id")
        found = [name for name in (given, *ANSWERS["id"]) if name in table.columns]
        if not found:
            raise RecordingError(
                f"{table.name}: no column is the id; expected {given!r}, as in the answers; there "
                f"are {_listed(table.columns)}"
            )
        return found[0]


def _listed(names: Sequence[str]) -> str:
    return on_one_line(", ".join(map(repr, names)))
