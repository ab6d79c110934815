"""What counts as one independent observation, and what the promised mean is a mean over.

Requests of one group depend on each other, so each group is one observation: its mean loss. Every
group counts the same, however many requests it holds, as no sample shows how large the groups are
that it has missed. Weights count up to a bound that was set before the labels were seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.proof.copies import what_is_asked
from cascade.calibration.recording import Recording
from cascade.errors import ConfigError

__all__ = ["Units", "units_of"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

ALIKE = 9
"""Decimals of a loss that count for the hash: sums in another order differ beyond them."""


@dataclass(frozen=True, eq=False)
class Units:
    """Independent observations: requests, or groups of them.

    Attributes:
        loss: of each, shape (plans, units); of a group, the mean over its requests.
        weights: of each; `None` where all count the same.
        share: how much each request counts in the mean over units, shape (n,); adds up to 1.
        grouped: some unit holds requests that ask different things.
        seal: hash of names, losses and weights: of all that a test reads.
    """

    loss: Floats
    weights: Floats | None
    share: Floats
    grouped: bool
    seal: str

    def __len__(self) -> int:
        return int(self.loss.shape[1])

    def counts(self, plan: int) -> tuple[int, int]:
        """Harm and gain of a plan for the exact test, against the plan where a loss is no whole.

        A unit that is partly harmed is harmed; one that is partly gained is as before.
        """
        return int((self.loss[plan] > 0).sum()), int((self.loss[plan] <= 1e-9 - 1).sum())

    def net_harm(self, plan: int) -> float:
        """The mean loss of a plan, which is what is promised."""
        return float(np.average(self.loss[plan], weights=self.weights))


def units_of(loss: Floats, recording: Recording, *, heaviest: float | None = None) -> Units:
    """The independent observations among requests, in an order that nobody chose.

    That order is decided by a hash of all there is to test, so it is the same whenever the same is
    tested, in whatever order a file holds it, and depends on no key.

    Args:
        loss: of each plan and request, shape (plans, n).
        recording: those n requests. A group's loss is the mean over its requests by their weights,
            and its weight the mean of theirs.
        heaviest: the weight above which none counts more; set before the labels were seen.

    Raises:
        ConfigError: weights differ, and no `heaviest` was given.
    """
    names = sorted(set(recording.groups.tolist()))
    place = {name: index for index, name in enumerate(names)}
    of = np.array([place[name] for name in recording.groups], np.int64)
    weights = _capped(recording.weights, heaviest)
    total, members = np.bincount(of, weights), np.bincount(of)
    means = np.array([np.bincount(of, weights * one, len(names)) / total for one in loss])
    mean_weight = total / members
    seal = _seal(names, means, mean_weight)
    order = np.array(_shuffled(names, seal), np.int64)
    equal = bool(np.allclose(mean_weight, mean_weight[0], rtol=1e-12))
    share = weights / members[of]
    return Units(
        means[:, order],
        None if equal else mean_weight[order],
        share / share.sum(),
        any(_differ(recording, of, members)),
        seal,
    )


def _capped(weights: Floats, heaviest: float | None) -> Floats:
    if (weights == weights[0]).all():
        return np.ones(len(weights))
    if heaviest is None:
        raise ConfigError(
            "requests weigh differently: say heaviest=, the weight above which none counts more, "
            "chosen before these labels were seen; the heaviest of them is no bound on later ones"
        )
    if not heaviest > 0:
        raise ConfigError(f"heaviest is {heaviest!r}: expected a weight above 0")
    return np.minimum(weights, heaviest)


def _differ(recording: Recording, of: Codes, members: Codes) -> Iterator[bool]:
    """Of each group of several requests, whether they ask different things."""
    asked: dict[int, str | None] = {}
    for row in np.flatnonzero(members[of] > 1):
        one = what_is_asked(recording.requests[row])
        yield one is None or asked.setdefault(int(of[row]), one) != one


def _seal(names: list[str], means: Floats, weights: Floats) -> str:
    made = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass"))
    for numbers in (means, weights):
        made.update((np.round(numbers, ALIKE) + 0.0).tobytes())  # + 0.0: no -0.0
    return made.hexdigest()


def _shuffled(names: list[str], seal: str) -> list[int]:
    def drawn(index: int) -> bytes:
        text = f"{seal}/{names[index]}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    return sorted(range(len(names)), key=drawn)
