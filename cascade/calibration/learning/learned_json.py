"""A learned model as JSON, and back. What is read may come from anywhere: nothing is believed.

Every number stands beside its name. A file that is damaged, edited so that its parts do not fit, or
of a later version is refused with the place that is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast, get_args

from cascade.calibration.learning.calibration_maps import MapKind, ScoreMap
from cascade.calibration.learning.learned import LearnedModel
from cascade.calibration.learning.query_words import WordWeights
from cascade.calibration.learning.state_model import FittedBlock, MapStage, StateModel
from cascade.calibration.learning.states import VOTES, Block, BlockKind, RequestShape, State
from cascade.calibration.learning.trees import Trees
from cascade.errors import ConfigError

__all__ = ["FORMAT", "VERSION", "model_from_dict", "model_to_dict"]

FORMAT = "cascade learned model"

VERSION = 1
"""Raised when the meaning of the data changes; later versions are refused."""

MAP_NUMBERS: Mapping[str, int] = {"shift": 1, "platt": 2, "beta": 3}

MAX_STATES, MAX_NODES, MAX_KNOTS = 2_000, 20_000, 100_000
"""Bounds on what is read: far above what `learn` writes."""


# Writing -----------------------------------------------------------------------------------------


def model_to_dict(model: LearnedModel) -> dict[str, Any]:
    """A model as JSON-ready data."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "about": model.about,
        "tiers": list(model.tiers),
        "slice_key": model.slice_key,
        "evidence": {name: list(fields) for name, fields in model.own.items()},
        "pair_evidence": {name: list(fields) for name, fields in model.pairs.items()},
        "states": [_state_to_dict(state) for state in model.states],
        "words": {
            tier: {
                "bias": words.bias,
                "rarity_and_weight": {k: list(v) for k, v in words.words.items()},
            }
            for tier, words in model.words.items()
        },
    }


def _state_to_dict(model: StateModel) -> dict[str, Any]:
    trees = model.trees
    return {
        "judged": model.state.judged,
        "beside": list(model.state.beside),
        "from_request": model.state.from_request,
        "labels": model.labels,
        "right": None if math.isnan(model.right) else model.right,
        "note": model.note,
        "intercept": model.intercept,
        "blocks": [_block_to_dict(part) for part in model.blocks],
        "trees": None
        if trees is None
        else {
            "share": model.tree_share,
            "base": trees.base,
            "nodes": [_lists(t) for t in trees.nodes],
        },
        "maps": [
            {"everyone": stage.everyone.to_dict(), "slices": dict(stage.slices)}
            for stage in model.maps
        ],
    }


def _block_to_dict(part: FittedBlock) -> dict[str, Any]:
    block = part.block
    numbers = zip(block.fields, part.mean, part.scale, part.weights, strict=True)
    data: dict[str, Any] = {"kind": block.kind, "of": block.of, "tier": block.tier}
    data["features"] = {
        name: {"mean": mean, "scale": scale, "weight": weight}
        for name, mean, scale, weight in numbers
    }
    data["missing"] = {"rows": part.missing_rows, "weight": part.missing_weight}
    if part.knots:
        data["knots"] = list(part.knots)
    return data


def _lists(tree: Sequence[Sequence[float]]) -> list[list[float]]:
    return [list(node) for node in tree]


# Reading -----------------------------------------------------------------------------------------


def model_from_dict(data: Any, where: str) -> LearnedModel:
    """Read what `model_to_dict` wrote.

    Raises:
        ConfigError: see the module.
    """
    whole = _Part(data, where)
    if whole.get("format") != FORMAT:
        raise ConfigError(f"{where} is no learned model: expected 'format': {FORMAT!r}")
    version = whole.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version > VERSION:
        raise ConfigError(
            f"{where} has version {version!r}; this release reads up to {VERSION}: install a newer "
            "one, or learn the model again"
        )
    tiers = whole.texts("tiers")
    own, pairs = _fields(whole.part("evidence")), _fields(whole.part("pair_evidence"))
    states = tuple(_state(part, tiers, own, pairs) for part in whole.parts("states", MAX_STATES))
    if len({state.state for state in states}) != len(states):
        raise whole.wrong("states", "one state twice")
    words = {tier: _words(part) for tier, part in whole.part("words").items()}
    return LearnedModel(
        tiers, own, pairs, words, states, whole.text("slice_key"), whole.text("about")
    )


class _Part:
    """A JSON object with its place, for messages."""

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, Mapping):
            raise ConfigError(f"{where}: expected a JSON object, not {str(data)[:60]!r}")
        self.data, self.where = data, where

    def wrong(self, name: str, expected: str) -> ConfigError:
        """The error for a field."""
        found = str(self.data.get(name))[:60]
        return ConfigError(
            f"{self.where}: {name} is {found!r}: {expected}; the file was damaged or edited, "
            "learn the model again"
        )

    def get(self, name: str) -> Any:
        """A field, `None` where it is not there."""
        return self.data.get(name)

    def text(self, name: str) -> str:
        """A text."""
        value = self.get(name)
        if not isinstance(value, str):
            raise self.wrong(name, "expected a text")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Different texts."""
        value = self.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(name, "expected a list of texts")
        if len(set(value)) != len(value):
            raise self.wrong(name, "one stands twice")
        return tuple(value)

    def number(self, name: str, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number in a range."""
        value = self.get(name)
        if not _is_number(value) or not low <= value <= high:
            raise self.wrong(name, f"expected a number in [{low:g}, {high:g}]")
        return float(value)

    def numbers(self, name: str, most: int) -> tuple[float, ...]:
        """Finite numbers."""
        value = self.get(name)
        if not isinstance(value, list) or len(value) > most or not all(map(_is_number, value)):
            raise self.wrong(name, f"expected a list of at most {most:,} numbers")
        return tuple(map(float, value))

    def part(self, name: str) -> _Part:
        """An object inside."""
        return _Part(self.get(name), f"{self.where}: {name}")

    def parts(self, name: str, most: int) -> list[_Part]:
        """Objects in a list."""
        value = self.get(name)
        if not isinstance(value, list) or len(value) > most:
            raise self.wrong(name, f"expected a list of at most {most:,}")
        return [_Part(item, f"{self.where}: {name}[{at}]") for at, item in enumerate(value)]

    def items(self) -> Iterator[tuple[str, _Part]]:
        """The objects inside by name."""
        for name, value in self.data.items():
            yield str(name), _Part(value, f"{self.where}: {name}")


def _is_number(value: Any) -> bool:
    is_numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return is_numeric and abs(value) < 1e308  # noqa: PLR2004  finite, and no huge whole number


def _fields(part: _Part) -> dict[str, tuple[str, ...]]:
    return {str(name): part.texts(name) for name in part.data}


def _words(part: _Part) -> WordWeights:
    given = part.part("rarity_and_weight")
    words: dict[str, tuple[float, float]] = {}
    for word in given.data:
        numbers = given.numbers(word, 2)
        if len(numbers) != 2 or numbers[0] <= 0:  # noqa: PLR2004
            raise given.wrong(word, "expected a rarity above 0 and a weight")
        words[str(word)] = numbers[0], numbers[1]
    return WordWeights(part.number("bias"), words)


def _state(
    part: _Part,
    tiers: Sequence[str],
    own: Mapping[str, tuple[str, ...]],
    pairs: Mapping[str, tuple[str, ...]],
) -> StateModel:
    judged, beside = part.text("judged"), part.texts("beside")
    unknown = [name for name in (judged, *beside) if name not in tiers]
    if unknown or judged in beside:
        raise part.wrong("beside", f"expected other tiers of {', '.join(map(repr, tiers))}")
    from_request = part.get("from_request") is True
    blocks = tuple(_block(item, own, pairs, beside) for item in part.parts("blocks", 1_000))
    share, trees = _trees(part, sum(len(block.mean) for block in blocks))
    right = part.get("right")
    return StateModel(
        State(judged, beside, from_request),
        int(part.number("labels", 0)),
        math.nan if right is None else part.number("right", 0, 1),
        part.text("note"),
        blocks,
        part.number("intercept"),
        trees,
        share,
        tuple(_stage(item) for item in part.parts("maps", 10)),
    )


def _block(
    part: _Part,
    own: Mapping[str, tuple[str, ...]],
    pairs: Mapping[str, tuple[str, ...]],
    beside: Sequence[str],
) -> FittedBlock:
    kind, of, tier = part.text("kind"), part.text("of"), part.text("tier")
    if kind not in get_args(BlockKind):
        raise part.wrong("kind", f"expected one of {', '.join(get_args(BlockKind))}")
    if tier and tier not in beside:
        raise part.wrong("tier", "expected one of the tiers beside the judged one")
    features = part.part("features")
    fields = tuple(str(name) for name in features.data)
    expected: Mapping[str, tuple[str, ...] | None] = {
        "own": own.get(of, ()),
        "pair": pairs.get(of, ()),
        "votes": VOTES if of in pairs else (),
        "signal": ("value", "rank"),
        "words": ("log_odds",),
        "request": RequestShape._fields,
    }
    if fields != expected.get(kind, fields):
        raise part.wrong("features", f"the fields of {kind} {of!r} are not the listed ones")
    each = [item for _, item in features.items()]
    missing = part.part("missing")
    knots = part.numbers("knots", MAX_KNOTS) if kind == "signal" else ()
    if kind == "signal" and (len(knots) < 2 or list(knots) != sorted(knots)):  # noqa: PLR2004
        raise part.wrong("knots", "expected two or more rising numbers")
    return FittedBlock(
        Block(cast("BlockKind", kind), of, tier, fields),
        tuple(item.number("mean") for item in each),
        tuple(item.number("scale", 0) for item in each),
        tuple(item.number("weight") for item in each),
        int(missing.number("rows", 0)),
        missing.number("weight"),
        knots,
    )


def _trees(part: _Part, features: int) -> tuple[float, Trees | None]:
    if part.get("trees") is None:
        return 0.0, None
    given = part.part("trees")
    nodes = given.get("nodes")
    listed = isinstance(nodes, list) and all(isinstance(tree, list) for tree in nodes)
    if not listed or sum(map(len, nodes)) > MAX_NODES:
        raise given.wrong("nodes", f"expected lists of at most {MAX_NODES:,} nodes")
    if not all(isinstance(node, list) for tree in nodes for node in tree):
        raise given.wrong("nodes", "expected nodes that are lists of numbers")
    trees = Trees(given.number("base"), tuple(tuple(map(tuple, tree)) for tree in nodes))
    try:
        trees.check(features)
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{given.where}: {error}; the file was damaged or edited, learn the model again"
        ) from None
    return given.number("share", 0, 1), trees


def _stage(part: _Part) -> MapStage:
    given = part.part("everyone")
    kind = given.text("kind")
    if kind not in get_args(MapKind):
        raise given.wrong("kind", f"expected one of {', '.join(get_args(MapKind))}")
    numbers = given.numbers("numbers", MAX_KNOTS)
    if not _is_map(kind, numbers):
        raise given.wrong("numbers", f"they make no rising {kind} map")
    slices = part.part("slices")
    shifts = {str(name): slices.number(name) for name in slices.data}
    return MapStage(ScoreMap(cast("MapKind", kind), numbers), shifts)


def _is_map(kind: str, numbers: Sequence[float]) -> bool:
    if kind == "mean":
        return all(_is_map(one.kind, one.numbers) for one in ScoreMap("mean", (*numbers,)).parts)
    if kind != "isotonic":
        return len(numbers) == MAP_NUMBERS[kind] and all(slope >= 0 for slope in numbers[:-1])
    half = len(numbers) // 2
    knots, levels = list(numbers[:half]), list(numbers[half:])
    return half > 0 and len(numbers) == 2 * half and _rises(knots) and _rises(levels)


def _rises(numbers: list[float]) -> bool:
    return numbers == sorted(numbers)
