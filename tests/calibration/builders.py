"""Small recordings and scores for tests."""

import numpy as np

from cascade.calibration import RecordedTier, Recording
from cascade.errors import RecordingError


def recording(quality, cost, *, names=None, witnesses=0, **given):
    """A recording of n requests and k tiers from nested lists; costs are picodollars."""
    quality = np.asarray(quality, float)
    n, k = quality.shape
    names = names or [f"t{place}" for place in range(k)]
    tiers = [
        RecordedTier(name, f"model-{name}", "witness" if place >= k - witnesses else "tier")
        for place, name in enumerate(names)
    ]
    cost = np.broadcast_to(np.asarray(cost, np.int64), (n, k)).copy()
    ids = given.pop("ids", [f"q{row}" for row in range(n)])
    return Recording.build(tiers, ids, quality=quality, cost_pusd=cost, **given)


class Scores:
    """Scores from arrays: by (asked, returns), else by the judged tier alone."""

    def __init__(self, by_tier, *, by_state=None, costs=None, gates=None):
        self._by_tier = {tier: np.asarray(values, float) for tier, values in by_tier.items()}
        self._by_state = by_state or {}
        self._costs = costs or {}
        self._gates = gates or {}

    @property
    def _n(self):
        return len(next(iter(self._by_tier.values())))

    def scores(self, asked, returns):
        if (asked, returns) in self._by_state:
            return np.asarray(self._by_state[asked, returns], float)
        if returns not in self._by_tier:
            raise RecordingError(f"no scores for tier {returns}")
        return self._by_tier[returns]

    def cost_pusd(self, asked, returns):
        return np.full(self._n, self._costs.get((asked, returns), 0), np.int64)

    def gate(self, tier):
        if tier not in self._gates:
            raise RecordingError("these scores know no gate")
        return np.asarray(self._gates[tier], float)
