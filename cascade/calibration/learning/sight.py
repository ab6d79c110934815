"""What a draft shows to a state of evidence: the numbers of its blocks, a function for each.

The functions are made once per state; a block that the draft does not have gives `None`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import nan

from cascade.calibration.learning.evidence import Reading
from cascade.calibration.learning.query_words import WordWeights, request_text
from cascade.calibration.learning.states import Block, State, request_shape, slice_numbers, votes
from cascade.core.scoring import Draft

__all__ = ["Read", "Sight", "reader_of"]

Numbers = Sequence[float]


class Sight:
    """One answer that is judged, and what was bought beside it.

    Args:
        judged: the answer, or for a gate a draft without one.
        bought: all whole answers by tier.
        slice_name: of the request, "" for none.
    """

    __slots__ = ("bought", "judged", "pairs", "slice_name")

    def __init__(self, judged: Draft, bought: Mapping[str, Draft], slice_name: str) -> None:
        self.judged, self.bought, self.slice_name = judged, bought, slice_name
        self.pairs: dict[tuple[str, str, str], Numbers | None] | None = None


Read = Callable[[Sight], Numbers | None]


def reader_of(
    block: Block,
    state: State,
    own: Mapping[str, Reading],
    pairs: Mapping[str, Reading],
    words: Mapping[str, WordWeights],
) -> Read:
    """The function that reads a block.

    Args:
        block: which.
        state: of evidence.
        own: evidence on one answer, by name.
        pairs: evidence on two, by name.
        words: weights of a request's words, by tier.
    """
    if block.kind == "own":
        read = own[block.of].read
        return lambda sight: read(sight.judged)
    if block.kind == "pair":
        reading, judged, other = pairs[block.of], state.judged, block.tier
        return lambda sight: _pair(sight, reading, judged, other)
    if block.kind == "votes":
        reading = pairs[block.of]
        return lambda sight: _votes(sight, reading, state)
    if block.kind == "words":
        weights = words.get(state.judged)
        return _nothing if weights is None else lambda sight: _words(sight, weights)
    return _READERS[block.kind](block)


def _nothing(_: object) -> None:
    """A recorded signal: a draft has none."""


def _pair(sight: Sight, reading: Reading, one: str, other: str) -> Numbers | None:
    """Evidence of two answers, read once."""
    if sight.pairs is None:
        sight.pairs = {}
    key = reading.name, min(one, other), max(one, other)
    if key not in sight.pairs:
        sight.pairs[key] = reading.read(sight.bought[one], sight.bought[other])
    return sight.pairs[key]


def _votes(sight: Sight, reading: Reading, state: State) -> Numbers | None:
    def first(one: str, other: str) -> float:
        found = _pair(sight, reading, one, other)
        return nan if found is None else float(found[0])

    same = [first(state.judged, other) for other in state.beside]
    return votes(same, [first(one, two) for one, two in combinations(state.beside, 2)]) or None


def _words(sight: Sight, weights: WordWeights) -> Numbers | None:
    text = request_text(sight.judged.request)
    return (weights.log_odds(text),) if text else None


def _slices(block: Block) -> Read:
    return lambda sight: slice_numbers(block, sight.slice_name) or None


def _request(_: Block) -> Read:
    return lambda sight: request_shape(request_text(sight.judged.request))


_READERS: Mapping[str, Callable[[Block], Read]] = {
    "signal": lambda block: _nothing,  # noqa: ARG005
    "slice": _slices,
    "request": _request,
}
