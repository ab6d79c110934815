"""The evidence of a recording: every answer and every pair of answers, read once.

States share it: what a plan may use of it is cut out by `cascade.calibration.learning.states`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.drafts import Drafts
from cascade.calibration.learning.evidence import OWN_GROUP, PAIR_GROUP, Reading, is_whole, readings
from cascade.calibration.learning.query_words import request_text
from cascade.calibration.recording import Recording
from cascade.core.request import Request
from cascade.core.scoring import Draft
from cascade.errors import CascadeError, RecordingError

__all__ = ["BOUND", "WORDS", "EvidenceTable", "gather"]

Floats = NDArray[np.float64]

WORDS = "words"
"""Names the words of the requests among evidence; no package brings them."""

BOUND = 1e6
"""Numbers are clipped to this: -inf, the logarithm of nothing, is a value like any other, only far
out. NaN is none: the signal is missing."""


@dataclass(frozen=True, eq=False)
class EvidenceTable:
    """Evidence of n requests and k tiers; rows of NaN where a signal is missing.

    Attributes:
        own: by name: field names, and numbers of shape (n, k, fields).
        pairs: by name: field names, and by (tier, later tier) numbers of shape (n, fields).
        signals: recorded numbers by name, (n, k).
        usable: which answers could be read, (n, k).
        words: the requests' texts; "" where they were not kept.
        slices: as recorded.
    """

    own: Mapping[str, tuple[tuple[str, ...], Floats]]
    pairs: Mapping[str, tuple[tuple[str, ...], Mapping[tuple[int, int], Floats]]]
    signals: Mapping[str, Floats]
    usable: NDArray[np.bool_]
    words: NDArray[np.object_]
    slices: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.usable)

    def pair(self, name: str, one: int, other: int) -> Floats:
        """Evidence of two tiers' answers, in either order, shape (n, fields)."""
        return self.pairs[name][1][min(one, other), max(one, other)]

    def rows(self, keep: Any) -> Self:
        """The same for some requests: a mask, or indices."""
        return replace(
            self,
            own={name: (fields, values[keep]) for name, (fields, values) in self.own.items()},
            pairs={
                name: (fields, {pair: values[keep] for pair, values in by_pair.items()})
                for name, (fields, by_pair) in self.pairs.items()
            },
            signals={name: values[keep] for name, values in self.signals.items()},
            usable=self.usable[keep],
            words=self.words[keep],
            slices=self.slices[keep],
        )


def gather(
    recording: Recording,
    evidence: Iterable[str] | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> EvidenceTable:
    """Read the evidence of all answers of a recording.

    Answers that are not whole (see `Recording.usable`) give none; where neither their text nor
    their reply was kept, only recorded signals remain.

    Args:
        recording: what the tiers answered.
        evidence: names of evidence of both groups, of recorded signals, and "words" for those of
            the requests; all there is unless given.
        progress: called with (requests done, of how many) now and then.

    Raises:
        ConfigError: evidence that is not registered.
        RecordingError: evidence raised; the request and the tier are named.
    """
    wanted = _Wanted.of(evidence, recording)
    gatherer = _Gatherer(recording, wanted.own, wanted.pairs)
    for row in range(len(recording)):
        gatherer.read(row)
        if progress is not None and row % 100 == 99:  # noqa: PLR2004  often enough for a bar
            progress(row + 1, len(recording))
    words = np.full(len(recording), "", object)
    if wanted.words:
        words[:] = [gatherer.text(row) for row in range(len(recording))]
    return EvidenceTable(
        own=gatherer.own,
        pairs=gatherer.pairs,
        signals={name: _clipped(recording.signals[name]) for name in wanted.signals},
        usable=gatherer.usable,
        words=words,
        slices=recording.slices,
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be read, by name."""

    own: Mapping[str, Reading]
    pairs: Mapping[str, Reading]
    signals: Sequence[str]
    words: bool

    @classmethod
    def of(cls, evidence: Iterable[str] | None, recording: Recording) -> _Wanted:
        """All there is, or what `evidence` names."""
        known = list(recording.signals)
        if evidence is None:
            return cls(readings(None, OWN_GROUP), readings(None, PAIR_GROUP), known, words=True)
        names, of_pairs = list(evidence), readings(None, PAIR_GROUP)
        pairs = {name: of_pairs[name] for name in names if name in of_pairs}
        signals = [name for name in names if name in known and name not in pairs]
        rest = [name for name in names if name not in (*pairs, *signals, WORDS)]
        return cls(readings(rest, OWN_GROUP), pairs, signals, WORDS in names)


class _Gatherer:
    """Reads row by row, so that an answer is brought into canonical form once for all its pairs."""

    def __init__(
        self, recording: Recording, own: Mapping[str, Reading], pairs: Mapping[str, Reading]
    ) -> None:
        n, k = recording.answered.shape
        self.usable = recording.usable & recording.answered
        self.own: dict[str, tuple[tuple[str, ...], Floats]] = {}
        self.pairs: dict[str, tuple[tuple[str, ...], dict[tuple[int, int], Floats]]] = {}
        self._recording, self._drafts = recording, Drafts(recording)
        self._own, self._of_pairs = own, pairs
        self._places = list(combinations(range(k), 2))
        self._n, self._k = n, k

    def read(self, row: int) -> None:
        """Read all evidence of one request."""
        request = self._request(row)
        drafts = [self._draft(row, tier, request) for tier in range(self._k)]
        for tier, draft in enumerate(drafts):
            if draft is None:
                continue
            for name, reading in self._own.items():
                found = self._try(reading, row, tier, draft)
                if found is not None:
                    self._own_array(name)[row, tier] = found
        for one, other in self._places:
            mine, theirs = drafts[one], drafts[other]
            if mine is None or theirs is None:
                continue
            for name, reading in self._of_pairs.items():
                found = self._try(reading, row, other, mine, theirs)
                if found is not None:
                    self._pair_array(name, one, other)[row] = found

    def text(self, row: int) -> str:
        """The words of a request."""
        request = self._request(row)
        return "" if request is None else request_text(request)

    def _request(self, row: int) -> Request | None:
        return None if self._recording.requests[row] is None else self._drafts.request(row)

    def _draft(self, row: int, tier: int, request: Request | None) -> Draft | None:
        recording = self._recording
        if not self.usable[row, tier]:
            return None
        if recording.texts[row, tier] is None and recording.replies[row, tier] is None:
            return None
        reply = self._drafts.reply(row, tier)
        if not is_whole(reply):
            self.usable[row, tier] = False
            return None
        recorded = recording.tiers[tier]
        return Draft(request or Request({}), reply, recorded.name, recorded.model)

    def _try(self, reading: Reading, row: int, tier: int, *drafts: Draft) -> Floats | None:
        try:
            found = reading.read(*drafts)
            if found is None:
                return None
            numbers = _clipped(np.array(found, float))
        except Exception as error:  # anybody's code: say whose, and on which answer
            if isinstance(error, CascadeError):
                raise
            raise RecordingError(
                f"evidence {reading.name!r} raised {type(error).__name__}: {error}, on request "
                f"{self._recording.ids[row]!r}, tier {self._recording.names[tier]!r}; mend it, or "
                "leave it out with evidence=[...]"
            ) from error
        return None if np.isnan(numbers).any() else numbers

    def _own_array(self, name: str) -> Floats:
        if name not in self.own:
            fields = self._own[name].fields
            self.own[name] = fields, np.full((self._n, self._k, len(fields)), np.nan)
        return self.own[name][1]

    def _pair_array(self, name: str, one: int, other: int) -> Floats:
        if name not in self.pairs:
            fields = self._of_pairs[name].fields
            blank = {pair: np.full((self._n, len(fields)), np.nan) for pair in self._places}
            self.pairs[name] = fields, blank
        return self.pairs[name][1][one, other]


def _clipped(values: Floats) -> Floats:
    return np.clip(values, -BOUND, BOUND)
