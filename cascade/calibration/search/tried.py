"""All shapes that a search has tried, and the best of them.

Spots are taken at their word until one of them is about to be chosen; then its whole shape is
measured soberly, which only lowers it, and the choice is made again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cascade.calibration.search.fitted import TRUST, Fitted, Spot, fit, front
from cascade.calibration.search.layout import Seen
from cascade.calibration.search.optimism import Optimism
from cascade.calibration.search.shapes import Shape
from cascade.errors import RecordingError

__all__ = ["Tried"]


@dataclass(slots=True, eq=False)
class Tried:
    """Shapes with their spots.

    Attributes:
        seen: the requests.
        optimism: of their thresholds.
        bins: candidates per threshold at most.
        trust: as for `endings_of`.
        refusals: why shapes could not be tried, and how many.
    """

    seen: Seen
    optimism: Optimism
    bins: int
    trust: float = TRUST
    refusals: dict[str, int] = field(default_factory=dict)
    _fits: dict[Shape, Fitted] = field(default_factory=dict)
    _spots: dict[Shape, list[Spot]] = field(default_factory=dict)
    _sober: set[Shape] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._spots)

    def add(self, shape: Shape) -> None:
        """Try a shape; where its scores cannot be told, remember why."""
        try:
            made = fit(shape, self.seen, self.bins, self.trust)
        except RecordingError as error:
            self.refusals[str(error)] = self.refusals.get(str(error), 0) + 1
            return
        self._fits[shape] = made
        self._spots[shape] = made.spots()

    def constants(self) -> dict[int, Spot]:
        """Each tier alone."""
        return {shape.asked[0]: spots[0] for shape, spots in self._spots.items() if shape.axes == 0}

    def raw_front(self) -> list[Spot]:
        """The front with every spot at its word; quick, to see what is worth going on with."""
        return front(self._all())

    def front(self, *, plain: bool = False) -> list[Spot]:
        """The front of what may be expected, cheapest first; of plain plans only, if wanted."""
        while True:
            found = front(spot for spot in self._all() if spot.shape.plain or not plain)
            if not self._measure(spot.shape for spot in found):
                return found

    def cheapest_with(self, tier: int, floor: float) -> tuple[Spot | None, float]:
        """The cheapest spot that asks a tier and is worth a floor, and the most any is worth."""
        while True:
            asking = [spot for spot in self._all() if tier in spot.shape.asked]
            most = max(asking, key=lambda spot: spot.value, default=None)
            if most is None:
                return None, 0.0
            enough = [spot for spot in asking if spot.value >= floor]
            found = min(enough, key=lambda spot: spot.cost, default=None)
            if not self._measure([most.shape] if found is None else [found.shape]):
                return found, most.value

    def _all(self) -> Iterable[Spot]:
        return (spot for spots in self._spots.values() for spot in spots)

    def _measure(self, shapes: Iterable[Shape]) -> bool:
        """Measure shapes soberly that were not yet; whether there were any."""
        new = [shape for shape in dict.fromkeys(shapes) if shape not in self._sober]
        for shape in new:
            self._spots[shape] = self.optimism.sober(self._fits[shape], self._spots[shape])
            self._sober.add(shape)
        return bool(new)
