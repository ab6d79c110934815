"""The whole view of a report, put together from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cascade.calibration.comparing.comparison import Comparison
from cascade.calibration.comparing.question import LEARNED
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.cases import cases_of
from cascade.calibration.reporting.found import (
    NAME,
    found_line,
    found_plan,
    found_spot,
    reasons_beside,
)
from cascade.calibration.reporting.gather import (
    dropped_tiers,
    frontier_of,
    policies_of,
    tiers_of,
)
from cascade.calibration.reporting.limits import limits_of
from cascade.calibration.reporting.measured import measures_of
from cascade.calibration.reporting.method import gaps_of, method_of, prices_of
from cascade.calibration.reporting.searched import Searched
from cascade.calibration.reporting.sentences import (
    about_words,
    better_words,
    facts_of,
    gate_words,
    headline,
    simpler_words,
)
from cascade.calibration.reporting.view import Promise, View

__all__ = ["view_of"]


def view_of(
    recording: Recording,
    comparison: Comparison,
    promise: Promise,
    *,
    title: str,
    floor: float | None = None,
    fresh: bool = False,
    untold: bool = False,
    whole: Recording | None = None,
    reasons: Mapping[str, str] | None = None,
    searched: Searched | None = None,
    cases: int = 5,
) -> View:
    """Everything that a report shows.

    Args:
        recording: what was recorded.
        comparison: of the same recording.
        promise: the certificate, or what is missing for one.
        title: what the report is about.
        floor: the least quality that the promise allows.
        fresh: the requests are those that the certificate was tested on.
        untold: there is a plan, and nothing can be said of it; the notes say why.
        whole: all that was recorded, where the comparison rests on fewer requests or tiers of it.
        reasons: why tiers are not in the plan, by name.
        searched: what a search finds where nothing is certified.
        cases: harms and gains shown, of each at most.
    """
    found, whole = comparison.chosen, whole or recording
    known = found is not None and found.quality is not None
    frontier, policies = frontier_of(comparison, floor), policies_of(comparison)
    if searched is not None:
        reasons = reasons_beside(recording, comparison, searched)
        spot = found_spot(searched, comparison)
        frontier = replace(frontier, spots=(*frontier.spots, *(() if spot is None else (spot,))))
        at = 0 if found is None else 1
        policies = (*policies[:at], found_line(searched), *policies[at:])
    return View(
        title=title,
        headline=headline(recording, comparison, untold=untold, of=len(whole)),
        about=about_words(recording),
        promise=promise,
        facts=facts_of(comparison),
        simpler=simpler_words(comparison),
        plan="" if found is None else str(found.plan),
        gate="" if found is None else gate_words(found.plan),
        top=comparison.top,
        frontier=frontier,
        policies=policies,
        beside=_beside(comparison, searched) if comparison.baselines else "",
        tiers=tiers_of(recording, comparison),
        scorers=comparison.scorers,
        dropped=dropped_tiers(whole, found, reasons or {}),
        searched=None if searched is None else found_plan(recording, comparison, searched),
        reliability=comparison.reliability,
        cases=cases_of(recording, comparison, cases),
        harms=len(comparison.harm_rows) if known else None,
        gains=len(comparison.gain_rows) if known else None,
        measures=measures_of(comparison.metrics),
        method=method_of(recording, comparison),
        gaps=gaps_of(recording),
        prices=prices_of(recording),
        price_table=recording.about.price_table,
        notes=_notes(comparison, fresh=fresh),
        limits=limits_of(recording, comparison, certified=promise.holds, fresh=fresh),
        confidence=0.95 if found is None else found.confidence,
    )


def _beside(comparison: Comparison, searched: Searched | None) -> str:
    """Whose cost and quality the baselines at equal cost and quality have."""
    if comparison.chosen is not None:
        return "the chosen plan"
    return f"always {comparison.top}" if searched is None else NAME


def _notes(comparison: Comparison, *, fresh: bool) -> tuple[str, ...]:
    """Each note once; on requests kept aside for the test no model was learned."""
    found = comparison.chosen
    better = "" if found is not None else better_words(comparison)
    first = (better,) if better else ()
    own = () if found is None else found.notes
    notes = dict.fromkeys([*first, *comparison.notes, *comparison.no_pairs, *own])
    return tuple(note for note in notes if not (fresh and note == LEARNED))
