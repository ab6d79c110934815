"""Recordings made up for searches, and scores for them."""

from __future__ import annotations

import numpy as np

from cascade.calibration import RecordedTier, Recording
from cascade.errors import RecordingError


class Arrays:
    """Scores out of arrays: those of a state where given, else those of the judged tier alone."""

    def __init__(self, alone, states=None, gates=None, costs=None):
        self.alone, self.states = np.asarray(alone, float), states or {}
        self.gates, self.costs = gates or {}, costs or {}
        self.asked_for = []

    def scores(self, asked, returns):
        self.asked_for.append((asked, returns))
        if (asked, returns) in self.states:
            return self.states[asked, returns]
        return self.alone[:, returns]

    def cost_pusd(self, asked, returns):
        return self.costs.get((asked, returns), np.zeros(len(self.alone), np.int64))

    def gate(self, tier):
        if tier not in self.gates:
            raise RecordingError("no gate was learned")
        return self.gates[tier]


def made_up(n=800, *, seed=0, prices=(1, 4, 25), skill=(0.5, 2.0, 3.0), witnesses=0, **given):
    """A recording whose tiers answer hard requests ever better, and honest scores for it.

    Witnesses are priced as the first tier. Once they have spoken, their agreement sharpens the
    score of what they judge.
    """
    rng = np.random.default_rng(seed)
    hard = rng.normal(size=n)
    odds = np.asarray(skill) - 2 * hard[:, None]
    chance = 1 / (1 + np.exp(-odds))
    quality = (rng.random(chance.shape) < chance).astype(float)
    alone = 1 / (1 + np.exp(-(odds + 0.7 * rng.normal(size=odds.shape))))
    k = len(prices)
    states = {}
    for one in range(k, k + witnesses):
        for judged in range(k):
            said = np.where(quality[:, judged] > 0, 0.9, 0.25)
            flips = rng.random(n) < 0.15
            states[one, judged] = np.where(flips, 1.15 - said, said)
    prices = (*prices, *[prices[0]] * witnesses)
    wide = np.column_stack([quality, np.full((n, witnesses), np.nan)])
    tiers = [RecordedTier(f"t{at}", f"t{at}") for at in range(k)]
    tiers += [RecordedTier(f"w{at}", f"w{at}", role="witness") for at in range(witnesses)]
    cost = np.asarray(prices) * rng.integers(50, 150, (n, 1)) * 10**6
    recording = Recording.build(
        tiers, [str(at) for at in range(n)], **{"quality": wide, "cost_pusd": cost, **given}
    )
    alone = np.column_stack([alone, np.full((n, witnesses), np.nan)])

    class Sharpened(Arrays):
        def scores(self, asked, returns):
            seen = [states[one, returns] for one in asked if one >= k and one != returns]
            own = super().scores(asked, returns)
            return np.mean([own, *seen], axis=0) if seen else own

    gates = {at: 1 / (1 + np.exp(-(odds[:, at] + rng.normal(size=n)))) for at in range(k)}
    return recording, Sharpened(alone, gates=gates)
