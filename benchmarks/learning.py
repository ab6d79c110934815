"""What learned scores are worth on recorded sets: ranking, levels, few labels, another task.

    python -m benchmarks.learning --data DIR                 # DIR holds the sets; 10 minutes
    python -m benchmarks.learning --data DIR --only states   # states, pairs, labels, transfer

`states`: out-of-fold scores per state of evidence: AUROC over all and within tasks, log-loss beside
that of logistic regression alone, expected calibration error beside what perfect scores would show.
`pairs`: how often two models agree, and how often an answer is right where they do and do not.
`labels`: AUROC on fresh requests against the number of labels, beside agreement counted without
any. `transfer`: learned on some tasks, recalibrated with 200 labels of one it has not seen; the
error of calibration in the region that a threshold accepts which keeps 98 % of the top tier's
quality on those labels, mean of 5 draws; beside it what perfect scores would show on as many
answers, and perfect scores that are recalibrated with as many labels: the least that noise leaves.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.recorded_sets import PRESETS, read_set
from cascade.calibration import Recording, import_long_form, learn, recalibrated
from cascade.calibration.comparing.scorer_measures import auroc, auroc_within, ece, log_loss
from cascade.calibration.learning.calibration_maps import best_map
from cascade.calibration.learning.evidence_table import EvidenceTable, gather
from cascade.calibration.learning.learned_source import LearnedSource
from cascade.calibration.learning.logistic import logit, sigmoid

Floats = NDArray[np.float64]
Asked = tuple[int, ...]

VERIFIERS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
LLAMAS = ("llama3.1-8b", "llama3.1-70b", "llama3.1-405b")
LABELS = (0, 5, 20, 50, 100, 200, 400)
DRAWS = 5
NEW_LABELS = 200
BINS = 10


def sets(data: Path) -> Iterator[tuple[str, Recording]]:
    """The sets that are there."""
    for name in ("bfcl", "zeroeval", "routellm"):
        if (data / PRESETS[name].folder).exists():
            yield name, read_set(data, PRESETS[name])
    for name, tiers in (("gsm8k-verifier", VERIFIERS), ("rational-cascades", LLAMAS)):
        if (data / name).exists():
            yield name, import_long_form(data / name, tiers=list(tiers))


def states_of(recording: Recording) -> list[Asked]:
    """Each tier alone, beside those below, and beside all witnesses as well."""
    ladder, witnesses = recording.ladder, recording.witnesses
    climbed = [ladder[: at + 1] for at in range(len(ladder))]
    asked = [(tier,) for tier in ladder] + climbed[1:]
    return asked + [(*witnesses, *below) for below in climbed if witnesses]


# States -----------------------------------------------------------------------------------------


def states(name: str, recording: Recording, table: EvidenceTable) -> None:
    """One line per state."""
    learning = learn(recording, table=table)
    tasks = len(set(recording.slices))
    print(f"{name}: {len(recording):,} requests, {tasks} tasks; perfect scores have the ECE in ()")
    for asked in states_of(recording):
        judged = asked[-1]
        scores, quality = learning.source.scores(asked, judged), recording.quality[:, judged]
        known = ~np.isnan(scores)
        s, q, slices = scores[known], quality[known], recording.slices[known]
        fit = learning.fit(learning.state_of(asked, judged))
        linear = fit.held_out_linear
        loss, alone = log_loss(s, q), log_loss(1 / (1 + np.exp(-linear)), fit.quality)
        print(
            f"  {str(fit.state)[:58]:58} right {q.mean():.3f}  AUROC {_shown(auroc(s, q))} "
            f"{_shown(auroc_within(s, q, slices))}  log-loss {_shown(loss)} {_shown(alone)}  "
            f"ECE {_shown(ece(s, q))} ({perfect(s):.3f})  trees {fit.tree_share:.2f}"
        )
    for tier in recording.ladder[:-1]:
        gate, quality = learning.source.gate(tier), recording.quality[:, tier]
        within = auroc_within(gate, quality, recording.slices)
        print(
            f"  gate for {recording.names[tier]:49} AUROC "
            f"{_shown(auroc(gate, quality))} {_shown(within)}"
        )


def perfect(scores: Floats, bins: int = 15) -> float:
    """The ECE of scores that are exactly right, on so many answers."""
    rng = np.random.default_rng(0)
    drawn = (ece(scores, (rng.random(len(scores)) < scores).astype(float), bins) for _ in range(20))
    return float(np.mean([value for value in drawn if value is not None]))


def _shown(value: float | None) -> str:
    return "  -  " if value is None else f"{value:.3f}"


# Pairs ------------------------------------------------------------------------------------------


def pairs(name: str, recording: Recording, table: EvidenceTable) -> None:
    """One line per pair of tiers or witnesses, and per answer of the pair."""
    for one, other in combinations(range(len(recording.tiers)), 2):
        same = table.pair("agreement", one, other)[:, 0]
        both = (recording.quality[:, one] == 1) & (recording.quality[:, other] == 1)
        said = f"{recording.names[one][:24]} and {recording.names[other][:24]}"
        right = "  ".join(
            " ".join(_mean(recording.quality[same == agree, tier]) for agree in (1, 0))
            for tier in (one, other)
        )
        print(
            f"{name:18} {said:52} agree {np.nanmean(same):.3f}, {_mean(same[both])} where both are "
            f"right; right where they agree and not: {right}"
        )


def _mean(values: Floats) -> str:
    return f"{values.mean():.3f}" if len(values) else "  -  "


# Few labels -------------------------------------------------------------------------------------


def labels(name: str, recording: Recording, table: EvidenceTable) -> None:
    """One line per state."""
    for asked in states_of(recording)[len(recording.ladder) :]:
        judged, found = asked[-1], []
        others = [other for other in asked if other != judged]
        if not others:
            continue
        counted = np.nanmean([table.pair("agreement", judged, o)[:, 0] for o in others], axis=0)
        alone = auroc(counted, recording.quality[:, judged])
        for count in LABELS:
            areas = [_fresh(recording, table, asked, count, draw) for draw in range(DRAWS)]
            found.append(f"{count}: {np.mean(areas):.3f}")
        state = f"{recording.names[judged]} beside {len(others)}"
        print(f"{name:18} {state:34} agreement {_shown(alone)}   {'  '.join(found)}", flush=True)


def _fresh(
    recording: Recording, table: EvidenceTable, asked: Asked, count: int, draw: int
) -> float:
    """AUROC on requests that were not learned from."""
    rng = np.random.default_rng(draw)
    mine = rng.permutation(len(recording))[: max(count, 60)]
    rest = np.setdiff1d(np.arange(len(recording)), mine)
    part = recording.rows(mine)
    quality = part.quality.copy()
    quality[count:] = np.nan
    learning = learn(replace(part, quality=quality), table=table.rows(mine))
    learning.fit(learning.state_of(asked, asked[-1]))
    source = LearnedSource(learning.model, recording.rows(rest), table.rows(rest))
    scores, right = source.scores(asked, asked[-1]), recording.quality[rest, asked[-1]]
    known = ~np.isnan(scores)
    return auroc(scores[known], right[known]) or 0.5


# Another task -----------------------------------------------------------------------------------


def transfer(name: str, recording: Recording, table: EvidenceTable) -> None:
    """One line per task that was left out and state; then the mean of the set."""
    found = []
    for task in sorted(set(recording.slices)):
        inside = np.flatnonzero(recording.slices == task)
        outside = np.flatnonzero(recording.slices != task)
        if len(inside) < 2 * NEW_LABELS or len(outside) < NEW_LABELS:
            continue
        for asked in ((0,), (0, 1)):
            moved = _moved(recording, table, (outside, inside), asked)
            before, after, null, least, share = moved
            found.append(after)
            state = f"{recording.names[asked[-1]]} of {len(asked)}"
            print(
                f"{name:18} {task:12} {state:22} ECE where accepted {before:.3f} before, "
                f"{after:.3f} after {NEW_LABELS} labels ({null:.3f} if perfect, {least:.3f} if "
                f"perfect and recalibrated); accepted {share:.2f}"
            )
    if found:
        print(f"{name:18} mean after {NEW_LABELS} labels: {np.mean(found):.3f}")


def _moved(
    recording: Recording,
    table: EvidenceTable,
    parts: tuple[NDArray[np.int64], NDArray[np.int64]],
    asked: Asked,
) -> Floats:
    """ECE before and after, of perfect scores as they are and recalibrated; share accepted."""
    outside, inside = parts
    learning = learn(recording.rows(outside), table=table.rows(outside))
    learning.fit(learning.state_of(asked, asked[-1]))
    model = learning.model
    blank = recording.rows(inside[:1])
    blank = replace(blank, quality=np.full_like(blank.quality, np.nan))
    unmoved = recalibrated(model, blank)  # open to the new task's name, and nothing else
    rows = []
    for draw in range(DRAWS):
        drawn = np.random.default_rng(draw).permutation(inside)
        mine, fresh = drawn[:NEW_LABELS], drawn[NEW_LABELS:]
        moved = recalibrated(model, recording.rows(mine))
        here = LearnedSource(moved, recording.rows(mine), table.rows(mine))
        labelled = here.scores(asked, asked[-1])
        threshold = _threshold(labelled, recording.rows(mine), asked[-1])
        there = recording.rows(fresh), table.rows(fresh)
        after = LearnedSource(moved, *there).scores(asked, asked[-1])
        before = LearnedSource(unmoved, *there).scores(asked, asked[-1])
        accepted, right = after >= threshold, there[0].quality[:, asked[-1]]
        if accepted.sum() < BINS:
            continue
        a, q = after[accepted], right[accepted]
        errors = ece(before[accepted], q, BINS), ece(a, q, BINS)
        least = perfect(a, BINS), _perfect_moved(labelled, a)
        rows.append([*(0.0 if e is None else e for e in errors), *least, accepted.mean()])
    return np.mean(rows, axis=0) if rows else np.full(5, np.nan)


def _perfect_moved(labelled: Floats, accepted: Floats) -> float:
    """The ECE of accepted scores that were exactly right before labels of others moved them."""
    labelled = labelled[~np.isnan(labelled)]
    found, rng = [], np.random.default_rng(0)
    for _ in range(20):
        right = (rng.random(len(labelled)) < labelled).astype(float)
        ones, alone = np.ones(len(right)), np.arange(len(right))
        moved = best_map(logit(labelled), right, ones, alone, seed=0)(logit(accepted))
        drawn = (rng.random(len(accepted)) < accepted).astype(float)
        found.append(ece(sigmoid(moved), drawn, BINS) or 0.0)
    return float(np.mean(found))


def _threshold(scores: Floats, recording: Recording, judged: int) -> float:
    """The lowest at which accepted answers keep 98 % of the top tier's quality."""
    order = np.argsort(-scores)
    kept = np.cumsum(recording.quality[order, judged]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(kept >= 0.98 * recording.quality[:, recording.top].mean())
    return float(scores[order[enough[-1]]]) if len(enough) else np.inf


PARTS: dict[str, Callable[[str, Recording, EvidenceTable], None]] = {
    "states": states,
    "pairs": pairs,
    "labels": labels,
    "transfer": transfer,
}


def main(given: Sequence[str] | None = None) -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description="Measure learned scores on recorded sets.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", choices=sorted(PARTS), action="append")
    arguments = parser.parse_args(given)
    tables = [(name, recording, gather(recording)) for name, recording in sets(arguments.data)]
    for part in arguments.only or PARTS:
        print(f"\n{part}")
        for name, recording, table in tables:
            PARTS[part](name, recording, table)


if __name__ == "__main__":
    main()
