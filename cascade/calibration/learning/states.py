"""A state of evidence: whose answer is judged, beside which others, and which numbers that gives.

The numbers come in blocks. A block is there or missing as a whole; what a state does not list it
cannot see. The same blocks are read from a draft when serving and from a table when learning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan, log1p, nan
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.learning.evidence_table import EvidenceTable

__all__ = [
    "Block",
    "BlockKind",
    "RequestShape",
    "State",
    "blocks_of",
    "numbers_of",
    "request_shape",
    "slice_numbers",
    "votes",
]

Floats = NDArray[np.float64]

BlockKind = Literal["own", "signal", "pair", "votes", "words", "slice", "request"]

OTHER_SLICES = "(other)"
"""Stands for slices too small for a level of their own, and for requests of none."""

VOTES = ("share", "rivals", "pairs", "unanimous")


@dataclass(frozen=True, slots=True)
class State:
    """What is known when an answer is judged.

    Attributes:
        judged: the tier whose answer is judged.
        beside: the other tiers whose answers were bought, in the order of the recording.
        from_request: nothing was bought yet, and the request alone speaks: a query gate.
    """

    judged: str
    beside: tuple[str, ...] = ()
    from_request: bool = False

    def __str__(self) -> str:
        if self.from_request:
            return f"{self.judged}, from the request"
        return f"{self.judged} beside {' and '.join(self.beside)}" if self.beside else self.judged


@dataclass(frozen=True, slots=True)
class Block:
    """Numbers that are there or missing together.

    Attributes:
        kind: "own" and "pair" evidence, a recorded "signal", "votes" (agreement counted over all
            others), "words" (of the request), "slice", or "request" (its shape).
        of: name of the evidence or of the signal; "" for others.
        tier: the other tier it is about; "" for the judged one.
        fields: names of the numbers.
    """

    kind: BlockKind
    of: str
    tier: str
    fields: tuple[str, ...]

    @property
    def label(self) -> str:
        """How it is called in reasons, e.g. "agreement with nano"."""
        name = self.of or self.kind
        if self.kind == "votes":
            return f"{name} votes"
        if not self.tier:
            return name
        return f"{name} with {self.tier}" if self.kind == "pair" else f"{name} of {self.tier}"


class RequestShape(NamedTuple):
    """What a request looks like."""

    log_chars: float
    log_words: float
    log_lines: float
    log_numbers: float
    mark_share: float
    questions: float


def request_shape(text: str) -> RequestShape:
    """What a request looks like, as numbers; for gates, which see nothing else."""
    words = text.split()
    numbers = sum(word[0].isdigit() or word[-1].isdigit() for word in words)
    marks = sum(not (char.isalnum() or char.isspace()) for char in text)
    return RequestShape(
        log1p(len(text)),
        log1p(len(words)),
        log1p(text.count("\n")),
        log1p(numbers),
        marks / max(1, len(text)),
        float(text.count("?")),
    )


def votes(same: Sequence[float], among: Sequence[float]) -> tuple[float, ...]:
    """Agreement counted over all others.

    Args:
        same: of each other answer, whether it agrees with the judged one; NaN where unknown.
        among: of each pair of others, in the order of `combinations`.

    Returns:
        The share that agrees, the size of the largest camp against it as a share, how far the
        others agree among themselves, and whether all agree; () where nothing is known.
    """
    known = [value for value in same if not isnan(value)]
    if not known:
        return ()
    others = [value for value in among if not isnan(value)]
    camps = dict.fromkeys(range(len(same)), 1.0)
    for (one, other), value in zip(combinations(range(len(same)), 2), among, strict=True):
        if not isnan(value):
            camps[one] += value
            camps[other] += value
    rivals = [camps[at] * (1.0 - value) for at, value in enumerate(same) if not isnan(value)]
    return (
        sum(known) / len(known),
        max(rivals) / len(known),
        sum(others) / len(others) if others else 0.5,
        float(min(known) == 1.0),
    )


def blocks_of(state: State, table: EvidenceTable, slices: Sequence[str]) -> Iterator[Block]:
    """The blocks that a state sees, in order.

    Args:
        state: which.
        table: the evidence there is.
        slices: names of the slices that get a level of their own; () for none.
    """
    if not state.from_request:
        yield from _blocks_of_answers(state, table)
    if any(table.words):
        yield Block("words", "", "", ("log_odds",))
        if state.from_request:
            yield Block("request", "", "", RequestShape._fields)
    if slices:
        rest = (OTHER_SLICES,) if set(table.slices) - set(slices) else ()
        yield Block("slice", "", "", (*slices, *rest))


def _blocks_of_answers(state: State, table: EvidenceTable) -> Iterator[Block]:
    for name, (fields, _) in table.own.items():
        yield Block("own", name, "", fields)
    for name in table.signals:
        for tier in ("", *state.beside):
            yield Block("signal", name, tier, ("value", "rank"))
    for name, (fields, _) in table.pairs.items():
        for tier in state.beside:
            yield Block("pair", name, tier, fields)
        if len(state.beside) > 1:
            yield Block("votes", name, "", VOTES)


def numbers_of(
    block: Block, state: State, table: EvidenceTable, place: Mapping[str, int]
) -> Floats:
    """The numbers of a block for all requests, shape (n, fields); rows of NaN where missing.

    Not those of "words", which depend on what was learned; a signal gives its value only.
    """
    judged = place[state.judged]
    if block.kind == "own":
        return table.own[block.of][1][:, judged]
    if block.kind == "signal":
        return table.signals[block.of][:, [place[block.tier] if block.tier else judged]]
    if block.kind == "pair":
        return table.pair(block.of, judged, place[block.tier])
    if block.kind == "votes":
        return _all_votes(block, state, table, place)
    if block.kind == "request":
        return np.array([request_shape(text) for text in table.words], float)
    blank = (nan,) * len(block.fields)
    return np.array([slice_numbers(block, name) or blank for name in table.slices], float)


def slice_numbers(block: Block, name: str) -> tuple[float, ...]:
    """Which slice a request is of, as numbers; () for one that nothing was learned about."""
    known = name if name in block.fields else OTHER_SLICES
    if known not in block.fields:
        return ()
    return tuple([float(field == known) for field in block.fields])


def _all_votes(
    block: Block, state: State, table: EvidenceTable, place: Mapping[str, int]
) -> Floats:
    judged, others = place[state.judged], [place[name] for name in state.beside]
    same = [table.pair(block.of, judged, other)[:, 0] for other in others]
    among = [table.pair(block.of, one, two)[:, 0] for one, two in combinations(others, 2)]
    patterns, which = np.unique(np.column_stack([*same, *among]), axis=0, return_inverse=True)
    count = len(same)
    blank = (nan,) * len(VOTES)
    found = [votes(row[:count].tolist(), row[count:].tolist()) or blank for row in patterns]
    return np.array(found, float)[which.ravel()]
