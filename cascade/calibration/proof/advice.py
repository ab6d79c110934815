"""What can be promised instead, where the labels do not carry a promise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.proof.betting import betting_bound, betting_p
from cascade.calibration.proof.intervals import net_harm_bound
from cascade.calibration.proof.labels import enough_labels
from cascade.calibration.proof.noninferiority import GAMMA
from cascade.calibration.proof.units import Units
from cascade.percent import percent

__all__ = ["Advice", "Seen", "advice_for", "points"]

Floats = NDArray[np.float64]

POWER = 0.8
MOST_REPEATS = 200
"""More labels than so many times those there are: nobody will make them for one promise."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was certified on, as far as advice speaks of it.

    Attributes:
        have: independent observations.
        unit: "request" or "group".
        harm: requests that were answered worse.
        blind: those among them that were not graded.
        part: share of what was recorded that certifies; `None` where not known.
        slice: that the advice is for, "" for all requests.
    """

    have: int
    unit: str = "request"
    harm: int = 0
    blind: int = 0
    part: float | None = None
    slice: str = ""

    @property
    def these(self) -> str:
        """The observations, in words."""
        return f"this {self.unit}" if self.have == 1 else f"these {self.many}"

    @property
    def many(self) -> str:
        """How many observations, in words."""
        return f"{self.have:,} {self.unit}{'' if self.have == 1 else 's'}"

    @property
    def mostly_blind(self) -> bool:
        """Whether at least half of the harm is only that nobody graded it."""
        return self.blind > 0 and 2 * self.blind >= self.harm

    def more_words(self, needed: int) -> str:
        """How many more are needed to certify on, and how many of a recording that makes.

        Args:
            needed: to certify on, in all.
        """
        units = "" if self.unit == "request" else f" {self.unit}s"
        words = f"about {max(needed - self.have, 1):,} more{units} to certify on ({needed:,} in all"
        if self.part is None:
            return f"{words}) would do if they are alike"
        of = f" of slice {self.slice!r}" if self.slice else ""
        return (
            f"{words}) would do if they are alike, i.e. some "
            f"{_round_up(needed / self.part):,}{units} recorded{of}, of which "
            f"{percent(self.part, 0)} certify"
        )


def _round_up(number: float) -> int:
    """Up to two or three figures that count, as no more are known."""
    step = int(10 ** max(math.floor(math.log10(max(number, 1))) - 2, 0))
    return math.ceil(number / step - 1e-9) * step


@dataclass(frozen=True, slots=True)
class Advice:
    """What these labels carry, and how many the promise needs.

    Attributes:
        certifiable: the least epsilon that the most careful plan carries now; `None` for none.
        labels_needed: requests to certify on, in all, for that plan to carry the promise, if later
            labels are like these; `None` where no number is likely to do.
    """

    certifiable: float | None
    labels_needed: int | None

    def words(self, seen: Seen, *, counted: bool = False) -> str:
        """The advice in a sentence or two.

        Args:
            seen: what was certified on.
            counted: a ledger counts attempts, and the advice is for the next one.
        """
        these = f"{'a next attempt on ' if counted else ''}{seen.these}"
        carry = "carries" if counted or seen.have == 1 else "carry"
        if self.certifiable is None:
            now = f"{these} {carry} no promise at all"
        else:
            now = f"{these} {carry} {points(self.certifiable)} with the same confidence"
        if seen.mostly_blind:
            return (
                f"{now}; grade the {seen.blind:,} that were not graded first: each counts as wrong "
                "until it is (missing 'drop' leaves them out instead, where which ones lack a "
                "grade has nothing to do with the answers)"
            )
        if self.labels_needed is None:
            return (
                f"{now}; more labels are not likely to help: allow more points, or improve what "
                "the answers are judged by"
            )
        return f"{now}; {seen.more_words(self.labels_needed)}"


def points(share: float) -> str:
    """A share of quality in points, e.g. "2.0 points"."""
    text = f"{100 * share:.2f}"
    text = text.removesuffix("0")
    return f"{text} point" if text == "1.0" else f"{text} points"


def advice_for(
    units: Units,
    plan: int,
    *,
    epsilon: float,
    delta: float,
    heaviest: float | None,
    exact: bool,
) -> Advice:
    """What to say where one plan failed its test.

    Args:
        units: that it failed on.
        plan: the most careful one that costs less than the top tier.
        epsilon: margin wanted.
        delta: error that the next attempt may make.
        heaviest: as for `betting_p`.
        exact: whether the exact test is used, else the betting one.
    """
    if exact:
        return _exact(*units.counts(plan), len(units), epsilon=epsilon, delta=delta)
    bet = _Bet(units.loss[plan], units.weights, heaviest)
    bound = betting_bound(bet.loss, delta, weights=bet.weights, heaviest=heaviest)
    repeats = bet.repeats(epsilon, delta)
    return Advice(_upwards(bound), None if repeats is None else round(repeats * len(units)))


def _upwards(bound: float) -> float | None:
    """A bound as it is printed, in hundredths of a point, and not below it."""
    return math.ceil(bound * 1e4 - 1e-9) / 1e4 if bound < 1 else None


def _exact(harm: int, gain: int, n: int, *, epsilon: float, delta: float) -> Advice:
    bound = net_harm_bound(harm, gain, n, delta, gamma=min(GAMMA, delta / 25))
    certifiable = _upwards(bound)
    if epsilon <= 0 or harm / n - gain / n >= epsilon:
        return Advice(certifiable, None)
    labels, _ = enough_labels(epsilon, harm / n, gain / n, delta, POWER)
    return Advice(certifiable, max(labels, n + 1))


@dataclass(frozen=True, slots=True, eq=False)
class _Bet:
    """The losses that a bet did not pay off on."""

    loss: Floats
    weights: Floats | None
    heaviest: float | None

    def repeats(self, epsilon: float, delta: float) -> int | None:
        """How often the same losses would have to be seen for the bet to pay off."""
        low, high = 1, 2
        while not self._pays(epsilon, delta, high):
            if high > MOST_REPEATS:
                return None
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._pays(epsilon, delta, middle) else (middle, high)
        return high

    def _pays(self, epsilon: float, delta: float, times: int) -> bool:
        weights = None if self.weights is None else np.tile(self.weights, times)
        loss = np.tile(self.loss, times)
        return betting_p(loss, epsilon, weights=weights, heaviest=self.heaviest) <= delta
