"""Where the words beside the marks of a picture go, so that they cover neither marks nor words.

Each label takes the best of a few places around its mark, the important ones first; one that finds
only bad places is left out, and what it names stands in the table alone. Plain arithmetic on
pixels: no font is measured, so widths are estimated a little too large.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["Box", "Label", "Placed", "place", "width_of"]

Align = Literal["left", "center", "right"]

NARROW = frozenset("iljtfrI.,:;'|!()[] -")
BROAD = frozenset("mwMW@%—→")

NEAR, FAR, FARTHEST = 9.0, 22.0, 40.0
"""Distances of a label from its mark; from FAR on a thin line joins them."""

SIDES: tuple[tuple[float, float, Align, float], ...] = (
    # direction, where the text begins, and how little that is liked
    *((1, 0, "left", 0), (-1, 0, "right", 1), (0, -1, "center", 2), (0, 1, "center", 2)),
    *((0.6, -1, "left", 2), (0.6, 1, "left", 2), (-0.6, -1, "right", 3), (-0.6, 1, "right", 3)),
)

TOO_BAD = 60.0
"""Badness from which an unimportant label is left out: about three letters covered."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels; y grows downward."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """In square pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, wide) * max(0.0, high)

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in it."""
        return self.left <= x <= self.right and self.top <= y <= self.bottom


@dataclass(frozen=True, slots=True)
class Label:
    """Words that belong to a mark at (x, y), in pixels.

    Attributes:
        text: one line.
        must: it is shown however bad its place is.
        colour: of the theme.
        bold: in heavy type.
        size: of its font, in pixels.
        radius: of its mark.
        also: further points that it may stand beside as well, such as those of a line.
    """

    text: str
    x: float
    y: float
    must: bool = False
    colour: str = "ink"
    bold: bool = False
    size: float = 12.5
    radius: float = 5.0
    also: tuple[tuple[float, float], ...] = ()

    @property
    def mark(self) -> Box:
        """What its mark covers."""
        r = self.radius
        return Box(self.x - r, self.y - r, self.x + r, self.y + r)


@dataclass(frozen=True, slots=True)
class Placed:
    """A label with its place: the anchor of its text and how it is aligned there."""

    label: Label
    x: float
    y: float
    align: Align
    box: Box
    far: bool


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """An estimate of how wide a text is, in pixels."""
    units = sum(0.34 if c in NARROW else 0.9 if c in BROAD else 0.58 for c in text)
    return units * size * (1.06 if bold else 1)


def place(
    labels: Sequence[Label], plot: Box, *, avoid: Iterable[Box] = (), soft: Iterable[Box] = ()
) -> list[Placed]:
    """Places for labels, in order of importance: earlier ones choose first.

    Args:
        labels: what to place.
        plot: where words may stand.
        avoid: what must not be covered, such as marks.
        soft: what had better not be covered, such as pieces of lines.
    """
    hard = [*avoid, *(label.mark for label in labels)]
    light = list(soft)
    placed: list[Placed] = []
    for label in labels:
        taken = [done.box for done in placed]
        judged: list[tuple[float, int, Placed]] = []
        for option, dislike in _options(label):
            bad = dislike + _covered(option.box, plot, taken, hard, light)
            bad += _crossed(option, [*taken, *hard]) if option.far else 0
            judged.append((bad, len(judged), option))
        bad, _, best = min(judged, key=lambda found: found[:2])
        if label.must or bad < TOO_BAD:
            placed.append(best)
    return placed


def _options(label: Label) -> Iterator[tuple[Placed, float]]:
    """Places around the mark, each with how little it is liked for its own sake."""
    for x, y in label.also:
        yield from _options(replace(label, x=x, y=y, also=()))
    for distance, dislike in ((NEAR, 0.0), (FAR, 10.0), (FARTHEST, 20.0)):
        for dx, dy, align, less in SIDES:
            reach = label.radius + distance
            x = label.x + dx * (reach if align == "center" else reach - 4)
            y = label.y + dy * reach
            box = _box(label, x, y, align)
            yield Placed(label, x, y, align, box, distance > NEAR), dislike + less


def _box(label: Label, x: float, y: float, align: Align) -> Box:
    wide, high = width_of(label.text, label.size, bold=label.bold), label.size * 1.15
    left = {"left": x, "center": x - wide / 2, "right": x - wide}[align]
    return Box(left, y - high / 2, left + wide, y + high / 2)


def _covered(
    box: Box, plot: Box, taken: Sequence[Box], hard: Sequence[Box], light: Sequence[Box]
) -> float:
    """What words there would cover, weighted by how bad that is."""
    bad = 3.0 * (box.area - box.overlap(plot))
    bad += 2.0 * sum(box.overlap(other) for other in taken)
    bad += 1.0 * sum(box.overlap(other) for other in hard)
    return bad + 0.15 * sum(box.overlap(other) for other in light)


def _crossed(option: Placed, others: Sequence[Box]) -> float:
    """How much the thin line from a mark to its far words runs through."""
    label, bad = option.label, 0.0
    for step in range(1, 10):
        x = label.x + (option.x - label.x) * step / 10
        y = label.y + (option.y - label.y) * step / 10
        if not label.mark.holds(x, y):
            bad += 8.0 * sum(other.holds(x, y) for other in others)
    return bad
