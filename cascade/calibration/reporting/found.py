"""What a search found, as the report shows it: a mark, a row, a sentence, and reasons."""

from __future__ import annotations

from collections.abc import Mapping

from cascade.calibration.comparing.comparison import Comparison
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.gather import PER, policy_line, range_of
from cascade.calibration.reporting.searched import Searched
from cascade.calibration.reporting.sentences import SAME
from cascade.calibration.reporting.view import Dropped, FoundPlan, PolicyLine, Spot
from cascade.calibration.reporting.words import money, percent, share

__all__ = ["NAME", "found_line", "found_plan", "found_spot", "reasons_beside"]

NAME = "what a search finds"

BEST_SINGLE = "best single at equal quality"

PAYS = "the plan does not ask it; the plan that a search finds does"


def found_spot(searched: Searched, comparison: Comparison) -> Spot | None:
    """Its mark in the picture; `None` where it is the chosen plan itself."""
    found, chosen = searched.found, comparison.chosen
    if found.quality is None or (chosen is not None and chosen.plan == found.plan):
        return None
    return Spot(
        NAME,
        "search",
        PER * found.cost.value,
        found.quality.value,
        range_of(found.cost, PER),
        range_of(found.quality),
    )


def found_line(searched: Searched) -> PolicyLine:
    """Its row in the table of everything compared."""
    whose = "by learned scores" if searched.scores == "learned" else "by the chain's own scorers"
    what = f"not certified; searched on these requests, {whose}: {searched.found.plan}"
    return policy_line(searched.found, NAME, what)


def found_plan(recording: Recording, comparison: Comparison, searched: Searched) -> FoundPlan:
    """Its part of the report."""
    dropped = searched.dropped(recording)
    return FoundPlan(
        plan=str(searched.found.plan),
        scores=searched.scores,
        sentence=_sentence(comparison, searched),
        cost=PER * searched.found.cost.value,
        quality=None if searched.found.quality is None else searched.found.quality.value,
        expected_quality=searched.point.expected_quality,
        keep=searched.keep,
        dropped=tuple(Dropped(name, reason) for name, reason in dropped.items()),
    )


def reasons_beside(
    recording: Recording, comparison: Comparison, searched: Searched
) -> Mapping[str, str]:
    """Why tiers are not in the plan reported on, as far as the search can tell."""
    if comparison.chosen is None:
        return {}
    asked = searched.found.plan.tiers
    return dict.fromkeys(asked, PAYS) | searched.dropped(recording)


def _sentence(comparison: Comparison, searched: Searched) -> str:
    """What it saves beside the plan reported on, and how far to believe it."""
    found, chosen = searched.found, comparison.chosen
    cost = found.cost.value
    other = chosen.cost.value if chosen is not None else _cost_of_top(comparison)
    beside = "the chosen plan" if chosen is not None else f"always {comparison.top}"
    target = _target(comparison, searched)
    if cost >= other * (1 - SAME):
        return (
            f"A search finds nothing cheaper than {beside} that may be expected to {target}. It "
            "was made on these very requests, and nothing of it is certified."
        )
    single = "" if found.plan.is_constant else _beside_single(comparison, cost)
    less = f"{share(1 - cost / other)} less than {beside}{single}"
    quality = percent(None if found.quality is None else found.quality.value)
    more = "" if searched.scores == "learned" else " Learned scores may find more."
    more += _lucky_pair(comparison, cost)
    return (
        f"A search finds {found.plan}: {money(PER * cost)} per 1,000, {less}, at {quality} "
        f"quality. It is the cheapest found that may be expected to {target}. It was made on "
        f"these very requests and is not certified; of others "
        f"{percent(searched.point.expected_quality)} may be expected.{more} `cascade certify` "
        "searches again and tests what it finds on requests kept aside."
    )


def _target(comparison: Comparison, searched: Searched) -> str:
    """The quality that the search was to keep, after "expected to"."""
    if comparison.chosen is not None:
        return "be as good" if searched.keep < 1 else f"be as good as {searched.path.top.plan}"
    return f"keep {percent(searched.keep, None)} of the quality of {comparison.top}"


def _beside_single(comparison: Comparison, cost: float) -> str:
    """What is saved beside the single model that is as good, where no plan was chosen."""
    single = next((one for one in comparison.baselines if one.name == BEST_SINGLE), None)
    if comparison.chosen is not None or single is None or single.cost is None:
        return ""
    if single.plan is None or single.plan.tiers[0] == comparison.top:
        return ""
    ratio = cost / single.cost.value if single.cost.value else 1.0
    if ratio > 1 - SAME:
        return f", and no less than {single.what}, which is as good"
    costs = money(PER * single.cost.value)
    return f", {share(1 - ratio)} less than {single.what} ({costs}), which is as good"


def _lucky_pair(comparison: Comparison, cost: float) -> str:
    """Why a pair in the table is cheaper than what the search finds, where one is."""
    pairs = (one.cost for one in comparison.baselines if one.kind == "pair")
    if all(pair is None or pair.value >= cost for pair in pairs):
        return ""
    return (
        " A pair in the table may cost less: its threshold was picked with these answers in view; "
        "a search takes only what may be expected of others, too."
    )


def _cost_of_top(comparison: Comparison) -> float:
    return next(one.cost_usd for one in comparison.singles if one.name == comparison.top)
