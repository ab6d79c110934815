"""Turning a scorer's number into a probability that was learned elsewhere."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from cascade import ConfigError, Draft, Score, Scorer, evaluate, scorer_name

__all__ = ["Calibrated", "calibrated"]

Knot = tuple[float, float]

GRID = 1_000
"""Steps at which a function is tried before it is believed to be monotone."""


def calibrated(scorer: Scorer, to: Sequence[Knot] | Callable[[float], float]) -> Calibrated:
    """A scorer whose scores pass through a monotone map, for example one learned from labels.

    Ranking stays as it is; levels change. A score of 0.94 that is right half of the time becomes
    0.5, and thresholds mean what they say. Abstentions and failures pass through, and so does an
    answer to return instead of the draft.

    Args:
        scorer: of any form.
        to: knots (score, probability), both in [0, 1], scores rising and probabilities not falling,
            joined by straight lines and constant beyond the ends: an isotonic fit has this form.
            Two knots at one score are a step; the upper one counts there. Or a function (a Platt
            map), tried at 1,001 scores.

    Raises:
        ConfigError: no scorer, or a map that falls somewhere or leaves [0, 1].
    """
    return Calibrated((scorer,), to)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """See `calibrated`; `scorers` holds the one scorer."""

    scorers: tuple[Scorer, ...]
    to: Sequence[Knot] | Callable[[float], float]

    name: ClassVar[str] = "calibrated"
    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        [scorer] = self.scorers
        if isinstance(scorer, type) or not callable(scorer):
            raise ConfigError(
                f"calibrated: {scorer!r} is no scorer; pass a function of a draft or an object "
                "like LogprobConfidence()"
            )
        if callable(self.to):
            values = _tried(self.to)
            _check_rising([(place / GRID, value) for place, value in enumerate(values)])
        else:
            object.__setattr__(self, "to", _knots(self.to))

    @property
    def replaces(self) -> bool:
        """Whether the scorer may find another answer to return."""
        return bool(getattr(self.scorers[0], "replaces", False))

    def __call__(self, draft: Draft) -> Generator[Any, Any, Any]:
        """Judge a draft and map the score."""
        [scorer] = self.scorers
        outcome = yield from evaluate(scorer, draft)
        if not isinstance(outcome, Score):
            return outcome
        value = _value_at(self.to, outcome.value)
        reason = f"{outcome.value:.4g} calibrated to {value:.4g}"
        reason = f"{reason}; {outcome.reason}" if outcome.reason else reason
        return Score(value, reason, ((scorer_name(scorer), outcome),), outcome.reply)


def _tried(to: Callable[[float], float]) -> list[float]:
    """What a function gives over the grid.

    Raises:
        ConfigError: it raises.
    """
    try:
        return [to(place / GRID) for place in range(GRID + 1)]
    except Exception as error:  # the user's function may raise anything; better here than later
        raise ConfigError(
            f"calibrated: the map raised {type(error).__name__}: {error}; it has to take every "
            "score from 0 to 1"
        ) from error


def _value_at(to: Sequence[Knot] | Callable[[float], float], score: float) -> float:
    if callable(to):
        return to(score)
    place = bisect_right(to, score, key=lambda knot: knot[0])
    if place in (0, len(to)):
        return to[max(0, place - 1)][1]
    (x0, y0), (x1, y1) = to[place - 1], to[place]
    return y0 + (y1 - y0) * (score - x0) / (x1 - x0)


def _knots(given: object) -> tuple[Knot, ...]:
    listed = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
    pairs = [tuple(knot) for knot in listed if isinstance(knot, Sequence)]
    if len(pairs) < 2 or len(pairs) != len(listed) or {len(pair) for pair in pairs} != {2}:  # noqa: PLR2004
        raise ConfigError(
            f"calibrated: {given!r} are no knots; write [(0.0, 0.1), (0.9, 0.5), (1.0, 0.95)], "
            "two or more of (score, probability)"
        )
    _check_rising(pairs)
    return tuple((float(x), float(y)) for x, y in pairs)


def _check_rising(pairs: Sequence[Any]) -> None:
    for x, y in pairs:
        for number in (x, y):
            numeric = isinstance(number, int | float) and not isinstance(number, bool)
            if not numeric or not 0 <= number <= 1:
                raise ConfigError(f"calibrated: ({x!r}, {y!r}) is not in [0, 1]; scores are")
    for (x0, y0), (x1, y1) in pairwise(pairs):
        if x1 < x0 or y1 < y0:
            raise ConfigError(
                f"calibrated: the map falls from ({x0:g}, {y0:g}) to ({x1:g}, {y1:g}); a map that "
                "changes the order of scores needs another scorer"
            )
