"""How many labels a promise needs, before they are paid for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cascade.calibration.needs import needed
from cascade.calibration.proof.margin import shown
from cascade.calibration.proof.noninferiority import GAMMA, noninferiority_p
from cascade.calibration.proof.power import power as power_of
from cascade.errors import ConfigError, NotCertifiable

special = needed("scipy.special")

__all__ = [
    "LabelPlan",
    "enough_labels",
    "labels_by_formula",
    "labels_without_harm",
    "plan_labels",
]

EXACT_UP_TO = 4_000
"""Requests up to which the power is enumerated; beyond, a formula is near and quick."""

STEP = 0.01
"""How finely numbers of requests are tried; the power moves in teeth of about that width."""


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """How many labels a promise needs.

    Attributes:
        epsilon: margin, a share.
        harm: supposed true share of requests that only the top tier gets right.
        gain: supposed true share of requests that only the cheaper policy gets right.
        delta: error allowed.
        power: chance of success that is wanted.
        requests: certify requests needed for it.
        power_reached: that chance with so many; `None` where only the formula was used.
        without_harm: requests that are enough where no harm turns up at all.
        acceptance: share of requests that the cheaper policy keeps; only those need a label.
        labels: labels needed: `requests` times `acceptance`, rounded up.
    """

    epsilon: float
    harm: float
    gain: float
    delta: float
    power: float
    requests: int
    power_reached: float | None
    without_harm: int
    acceptance: float
    labels: int


def plan_labels(
    epsilon: float,
    harm: float = 0.0,
    gain: float = 0.0,
    delta: float = 0.05,
    power: float = 0.8,
    *,
    acceptance: float | None = None,
) -> LabelPlan:
    """How many labels certify a policy with these true shares of harm and gain.

    Args:
        epsilon: margin, a share in (0, 1), e.g. 0.02 for 2 points.
        harm: share of requests that only the top tier gets right.
        gain: share of requests that only the cheaper policy gets right.
        delta: error allowed.
        power: wanted chance that the labels certify it.
        acceptance: share of requests that the policy does not send to the top tier; all unless
            given. The others need no label: the top tier cannot be worse than itself.

    Raises:
        ConfigError: a number that is no share, or harm and gain above 1 together.
        NotCertifiable: harm exceeds gain by epsilon or more, so that no number of labels would do.
    """
    _check(epsilon, harm, gain, delta, power, acceptance=acceptance)
    if harm - gain >= epsilon:
        raise NotCertifiable(
            f"harm less gain is {100 * (harm - gain):.2f} points, not below the margin of "
            f"{100 * epsilon:.2f}: no number of labels certifies that; allow more points or "
            "accept less"
        )
    least = labels_without_harm(epsilon, delta)
    requests, reached = enough_labels(epsilon, harm, gain, delta, power)
    share = 1.0 if acceptance is None else acceptance
    labels = math.ceil(requests * share - 1e-9)
    return LabelPlan(epsilon, harm, gain, delta, power, requests, reached, least, share, labels)


def labels_without_harm(epsilon: float, delta: float = 0.05) -> int:
    """The fewest labels that certify where not one of them shows harm, by the exact test."""
    gamma = min(GAMMA, delta / 25)
    low = max(int(math.log(delta) / math.log1p(-epsilon)) - 1, 0)
    high = 2 * low + 10
    while high - low > 1:
        middle = (low + high) // 2
        certifies = noninferiority_p(0, 0, middle, epsilon, gamma=gamma) <= delta
        low, high = (low, middle) if certifies else (middle, high)
    return high


def labels_by_formula(
    epsilon: float, harm: float, gain: float, delta: float = 0.05, power: float = 0.8
) -> int:
    """The same from the normal distribution: near, and quick at any size.

    Source:
        Tango's score at its limit: the error is set by the variance on the margin, the power by
        the true one. Never below the number that suffices where no harm is seen at all.
    """
    spread = epsilon * (1 - epsilon)
    b = (2 - harm + gain) * epsilon - harm - gain
    on_margin = (math.sqrt(b * b + 8 * gain * spread) - b) / 2 + spread
    true = harm + gain - (harm - gain) ** 2
    z_delta, z_power = float(special.ndtri(1 - delta)), float(special.ndtri(power))
    reach = z_delta * math.sqrt(on_margin) + z_power * math.sqrt(true)
    needed_at_least = math.log(delta) / math.log1p(-epsilon)
    return math.ceil(max((reach / (epsilon - harm + gain)) ** 2, needed_at_least))


def enough_labels(
    epsilon: float, harm: float, gain: float, delta: float, power: float
) -> tuple[int, float | None]:
    """The fewest requests with the wanted power, to within a step, and what they reach.

    What `plan_labels` counts beforehand and a refusal advises afterwards.

    Args:
        epsilon: as for `plan_labels`.
        harm: as for `plan_labels`; less than `epsilon` above gain.
        gain: as for `plan_labels`.
        delta: as for `plan_labels`.
        power: as for `plan_labels`.

    Returns:
        The number, and its power; `None` where only the formula was used.
    """
    least = labels_without_harm(epsilon, delta)
    near = labels_by_formula(epsilon, harm, gain, delta, power)
    if near > EXACT_UP_TO:
        return near, None
    gamma = min(GAMMA, delta / 25)

    def reached(n: int) -> float:
        return power_of(n, epsilon, harm, gain, delta, gamma=gamma)

    step = max(1, round(STEP * near))
    n = max(least, round(0.8 * near))
    while n > least and reached(n) >= power:
        n = max(least, n - 10 * step)
    while (found := reached(n)) < power:
        n += step
    while n > least and (before := reached(n - 1)) >= power:
        n, found = n - 1, before
    return n, found


def _check(
    epsilon: float,
    harm: float,
    gain: float,
    delta: float,
    power: float,
    *,
    acceptance: float | None,
) -> None:
    for name, value in (("epsilon", epsilon), ("delta", delta), ("power", power)):
        if not 0 < value < 1:
            raise ConfigError(f"{name} is {shown(value)}: expected a share in (0, 1), e.g. 0.02")
    for name, value in (("harm", harm), ("gain", gain)):
        if not 0 <= value < 1:
            raise ConfigError(f"{name} is {shown(value)}: expected a share in [0, 1)")
    if harm + gain > 1:
        raise ConfigError(
            f"harm {shown(harm)} and gain {shown(gain)} are more than all requests together"
        )
    if acceptance is not None and not 0 < acceptance <= 1:
        raise ConfigError(f"acceptance is {shown(acceptance)}: expected a share in (0, 1]")
