"""What a search finds where nothing is certified: a cheaper plan, and why tiers do not pay.

Plans are searched on the very requests that they are shown on, which flatters them; nothing of it
is a promise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from cascade.calibration.comparing.comparison import Comparison, compare_again
from cascade.calibration.comparing.complete import known_rows
from cascade.calibration.comparing.findings import WhatIf
from cascade.calibration.comparing.points import Curve, Point
from cascade.calibration.comparing.question import question_of
from cascade.calibration.comparing.whatif import what_if
from cascade.calibration.plan import Plan, ScoreSource, Step
from cascade.calibration.proof.copies import copies_together
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.basis import Basis
from cascade.calibration.search.plan_path import PlanPath, PlanPoint
from cascade.calibration.search.searching import search_plans
from cascade.errors import RecordingError

__all__ = ["Searched", "search_beside"]

FEWEST = 100
"""Requests below which a search finds noise."""

MOST_LEARNED = 5_000
"""Requests up to which scores are learned for a search: beyond, it takes minutes."""

USUAL = 0.98
"""Share of the top tier's quality to keep, where no plan says how much."""

NO_LABELS = "no answer has a known quality: grade them against references, or by the top tier"

NEEDS_LEARNED = "a witness needs learned scores, which `cascade certify` tries"

Scores = Literal["own", "learned"]


@dataclass(frozen=True, eq=False)
class Searched:
    """What a search found.

    Attributes:
        path: all of it.
        point: the cheapest plan that may be expected to be as good as the one reported on, or as
            the top tier where that is better than it; without one, to keep 98 % of its quality.
        found: what that plan does on these requests.
        scores: whose scores it decides by: the chain's own scorers', or learned ones.
        source: those scores.
        keep: the share of the top tier's quality that it was to keep.
    """

    path: PlanPath
    point: PlanPoint
    found: WhatIf
    scores: Scores
    source: ScoreSource
    keep: float

    @property
    def curve(self) -> Curve:
        """The plans found, as a comparison has them."""
        return tuple(
            Point(point.cost_usd, point.quality, str(point.plan), point.plan)
            for point in self.path.points
        )

    def beside(self, comparison: Comparison, recording: Recording, **settings: Any) -> Comparison:
        """The comparison with these plans in it, and pairs that are judged by the same scores.

        Where no plan was chosen, everything simpler stands beside the one found.
        """
        with_path = replace(comparison, path=self.curve)
        if comparison.chosen is not None and self.scores == "own":
            return with_path
        found = comparison.chosen or self.found
        return compare_again(with_path, recording, self.source, found, **settings)

    def dropped(self, recording: Recording) -> dict[str, str]:
        """Why the plan found does without tiers and witnesses, by name."""
        reasons = {one.name: one.reason for one in self.path.dropped(self.point.plan)}
        if self.scores == "own":
            unheard = (recording.names[place] for place in recording.witnesses)
            reasons |= {name: NEEDS_LEARNED for name in unheard if name in reasons}
        return reasons


def search_beside(
    recording: Recording,
    comparison: Comparison,
    basis: Basis,
    source: ScoreSource | None,
    *,
    progress: Callable[[str], object] | None = None,
    **settings: Any,
) -> Searched | str:
    """Search plans by the chain's own scorers; by learned scores where there are none.

    Args:
        recording: the requests that the comparison rests on.
        comparison: of the plan that is reported on with everything simpler.
        basis: what is reported on.
        source: scores of its steps, of these requests; its own scorers' unless given.
        progress: told what is being done, in words.
        **settings: confidence, resamples and seed, as for `what_if`.

    Returns:
        What was found; or why nothing was searched, in words.
    """
    why_not = _why_not(recording, comparison)
    if why_not:
        return why_not
    keep = _retention(recording, comparison)
    if not keep:
        return "the quality to be kept is 0"
    say = progress or (lambda _words: None)
    seed, reasons = settings["seed"], []
    for scores, make in SOURCES:
        try:
            mine = make(recording, basis, source, seed, say)
            path = search_plans(recording, mine, seed=seed, progress=_tell(say, scores))
            point = path.at(keep)
            found = what_if(point.plan, recording, source=mine, against=comparison.top, **settings)
        except RecordingError as error:
            reasons.append(str(error))
            continue
        if path.searched > len(path.constants):  # else its scores decide nothing
            return Searched(path, point, found, scores, mine, keep)
        reasons += path.notes
    return reasons[-1] if reasons else "no scores tell good answers from bad ones"


def _why_not(recording: Recording, comparison: Comparison) -> str:
    """Why a search would find nothing that could be believed; "" where it may."""
    if len(recording.ladder) == 1:
        return "there is one tier only"
    if np.isnan(recording.quality).all():
        return NO_LABELS
    if not comparison.baselines:
        known = len(known_rows(recording))
        return (
            "what every tier answers and costs, and how good that is, is known for "
            f"{known:,} of {len(recording):,} requests: record the others, or leave out "
            "them or the tiers that lack it"
        )
    if len(recording) < FEWEST:
        return (
            f"that takes {FEWEST} requests with a label and a price for every tier, and there are "
            f"{len(recording)}"
        )
    return ""


def _retention(recording: Recording, comparison: Comparison) -> float:
    """The share to keep of what the recording's last tier reaches, which a search begins with.

    0 where that is nothing.
    """
    chosen, last = comparison.chosen, recording.names[recording.top]
    top = next(one.quality for one in comparison.singles if one.name == last)
    if chosen is None or chosen.quality is None:
        return USUAL if top else 0.0
    # More than the top tier no plan can be relied on to reach: what is found then is that tier.
    return min(chosen.quality.value / top, 1.0) if top else 0.0


def _own(
    recording: Recording, basis: Basis, source: ScoreSource | None, _seed: int, _say: Any
) -> ScoreSource:
    """Scores of the chain's own scorers, or those given; for a report on nothing, the recorded."""
    alone = Plan((Step(recording.names[recording.top]),))
    return source or question_of(basis.chosen or alone, recording).source


def _learned(
    recording: Recording, _basis: Basis, _source: ScoreSource | None, seed: int, say: Any
) -> ScoreSource:
    """Scores that no request saw its own label for.

    Raises:
        RecordingError: there is too much or nothing to learn from.
    """
    if len(recording) > MOST_LEARNED:
        raise RecordingError(
            f"without scorers of its own, scores are learned from {MOST_LEARNED:,} requests at "
            f"most, and there are {len(recording):,}: `cascade certify` learns from more"
        )
    from cascade.calibration.learning.learn import learn  # noqa: PLC0415  loads scikit-learn

    say("learning what answers' evidence is worth")
    return learn(copies_together(recording), seed=seed, slices="never").source


SOURCES: tuple[tuple[Scores, Callable[..., ScoreSource]], ...] = (
    ("own", _own),
    ("learned", _learned),
)
"""Whose scores a search goes by: the first that decide anything."""


def _tell(say: Callable[[str], object], scores: Scores) -> Callable[[int, int], None]:
    """Progress of a search in words."""
    whose = "the chain's own scorers" if scores == "own" else "learned scores"

    def tell(done: int, known: int) -> None:
        say(f"searching plans with {whose}: {done} of {known} shapes")

    return tell
