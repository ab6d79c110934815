"""How long one learned decision takes, for an answer of 650 characters.

    python -m benchmarks.learned                # 20,000 rounds
    python -m benchmarks.learned --rounds 2000

Weights are made up: how long they take does not hang on what they are. The first line is the
scorer with the 27 surface numbers, logistic regression and its map, as a chain calls it; the
others add what further states may read. Prints the median and the 99th percentile in
microseconds. A machine with other work shows in the 99th percentile first.
"""

from __future__ import annotations

import argparse
import platform
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks.features import ASKED, CHARS, draft, times_us
from cascade.calibration.learning.learned_json import FORMAT, VERSION
from cascade.calibration.learning.query_words import words_of
from cascade.calibration.learning.states import VOTES
from scorers import Learned, surface_features
from scorers.likeness import Likeness
from scorers.sums import SumFeatures
from scorers.surface import SurfaceFeatures

FIELDS = {
    "surface": SurfaceFeatures._fields,
    "sums": SumFeatures._fields,
    "agreement": Likeness._fields,
}
TREES, LEAVES = 120, 8


def block(kind: str, of: str, tier: str, fields: tuple[str, ...]) -> dict[str, Any]:
    """A block with made-up numbers."""
    rng = random.Random(of)  # noqa: S311  no secret
    features = {
        name: {"mean": rng.random(), "scale": 1.0 + rng.random(), "weight": rng.gauss(0, 0.3)}
        for name in fields
    }
    found = {"kind": kind, "of": of, "tier": tier, "features": features}
    return {**found, "missing": {"rows": 0, "weight": 0.0}}


def trees(features: int) -> dict[str, Any]:
    """Balanced trees with made-up cuts."""
    rng = random.Random(0)  # noqa: S311  no secret
    nodes = []
    for _ in range(TREES):
        inner = [
            [rng.randrange(features), rng.gauss(0.5, 0.5), 2 * at + 1, 2 * at + 2, 0]
            for at in range(LEAVES - 1)
        ]
        nodes.append([*inner, *([rng.gauss(0, 0.02)] for _ in range(LEAVES))])
    return {"share": 0.5, "base": 0.0, "nodes": nodes}


def scorer(blocks: list[dict[str, Any]], *, words: bool = False, boosted: bool = False) -> Learned:
    """A scorer for one state."""
    beside = sorted({one["tier"] for one in blocks if one["tier"]})
    state: dict[str, Any] = {
        "judged": "mini",
        "beside": beside,
        "from_request": False,
        "labels": 1000,
        "right": 0.8,
        "note": "",
        "intercept": 0.5,
        "blocks": [*blocks, block("words", "", "", ("log_odds",))] if words else blocks,
        "trees": None,
        "maps": [{"everyone": {"kind": "platt", "numbers": [0.9, 0.1]}, "slices": {}}],
    }
    if boosted:
        state["trees"] = trees(sum(len(one["features"]) for one in state["blocks"]))
    used = {one["of"]: one["kind"] for one in blocks}
    vocabulary = {word: [1.0, 0.1] for word in [*words_of(ASKED), *map(str, range(4_000))]}
    data: Mapping[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "about": "made up",
        "tiers": ["mini", "nano", "peer"],
        "slice_key": "slice",
        "evidence": {name: FIELDS[name] for name, kind in used.items() if kind == "own"},
        "pair_evidence": {"agreement": FIELDS["agreement"]} if "agreement" in used else {},
        "states": [state],
        "words": {"mini": {"bias": 0.0, "rarity_and_weight": vocabulary}} if words else {},
    }
    return Learned(_lists(data))


def _lists(data: Any) -> Any:
    """Tuples as JSON would give them."""
    if isinstance(data, dict):
        return {key: _lists(value) for key, value in data.items()}
    return [_lists(item) for item in data] if isinstance(data, list | tuple) else data


def main() -> None:
    """Measure, and print one line for each."""
    parser = argparse.ArgumentParser(description="Time learned decisions.")
    parser.add_argument("--rounds", type=int, default=20_000)
    rounds = max(10, parser.parse_args().rounds)
    one = replace(draft(), tier="mini")
    others = tuple(replace(draft(), tier=name) for name in ("nano", "peer"))
    beside = replace(one, earlier=others)
    surface = [block("own", "surface", "", FIELDS["surface"])]
    free = [*surface, block("own", "sums", "", FIELDS["sums"])]
    pairs = [block("pair", "agreement", name, FIELDS["agreement"]) for name in ("nano", "peer")]
    all_of = [*free, *pairs, block("votes", "agreement", "", VOTES)]
    plain, worded = scorer(surface), scorer(free, words=True)
    upper, boosted = scorer(all_of, words=True), scorer(all_of, words=True, boosted=True)
    print(
        f"Python {platform.python_version()}, {CHARS} characters, {rounds:,} rounds, microseconds"
    )
    for name, function in (
        ("27 surface numbers alone", lambda: surface_features(one)),
        ("surface, logistic regression", lambda: plain(one)),
        ("+ words of the request, sums", lambda: worded(one)),
        ("+ agreement with two answers", lambda: upper(beside)),
        (f"+ {TREES} trees", lambda: boosted(beside)),
    ):
        found = times_us(function, rounds)
        median, high = found[len(found) // 2], found[int(len(found) * 0.99)]
        print(f"{name:34} p50 {median:7.1f}   p99 {high:7.1f}")


if __name__ == "__main__":
    main()
