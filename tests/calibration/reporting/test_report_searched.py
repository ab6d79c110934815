"""What a report says of a search: a plan beside the chosen one, and why tiers do not pay."""

import io
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from cascade.calibration import (
    Baseline,
    Plan,
    RecordedScores,
    Step,
    certify,
    keyed_splits,
    report,
    search_plans,
    what_if,
)
from cascade.calibration.comparing.findings import Estimate
from cascade.calibration.reporting import searched as searching
from cascade.calibration.reporting.found import _sentence
from cascade.calibration.reporting.searched import Searched
from tests.calibration.builders import Scores
from tests.calibration.reporting.compared import NANO_TOP, compared, recorded, scores
from tests.calibration.reporting.pages import Page
from tests.calibration.reporting.test_report_made import real

WASTEFUL = Plan((Step("nano", threshold=0.9), Step("mini", threshold=0.9), Step("big")))


def shown(made):
    """What the terminal shows, on one line."""
    console = Console(file=io.StringIO(), width=200)
    console.print(made.summary())
    return " ".join(console.file.getvalue().split())


def without_plan(made):
    """The same, had the chain had no thresholds."""
    return replace(made, tiers=tuple(replace(tier, threshold=None) for tier in made.tiers))


def without_scores(made):
    """The same, had the chain had no scorers."""
    tiers = tuple(replace(tier, scorer="", threshold=None) for tier in made.tiers)
    blank = np.full_like(made.score, np.nan)
    return replace(made, tiers=tiers, score=blank, score_kind=np.zeros(blank.shape, np.int8))


def test_a_cheaper_plan_stands_beside_the_chosen_one():
    """As good as may be expected, for less: in the sentence, the picture, the table and the data."""
    made = report(real(), chosen=WASTEFUL, search=True)
    view, found = made.view, made.view.searched
    chosen = view.policies[0]
    assert found.scores == "own"
    assert found.cost < 0.99 * chosen.cost
    assert found.expected_quality >= chosen.quality - 1e-9
    assert "less than the chosen plan" in found.sentence
    assert "is not certified" in found.sentence
    row = view.policies[1]
    assert (row.name, row.cost, row.quality) == ("what a search finds", found.cost, found.quality)
    assert row.what.startswith("not certified")
    mark = next(spot for spot in view.frontier.spots if spot.kind == "search")
    assert (mark.cost, mark.quality) == (found.cost, found.quality)
    assert len(view.frontier.found) > 3
    assert json.loads(json.dumps(made.to_dict()))["searched"]["plan"] == found.plan
    assert "a search finds" in made.picture("frontier").decode()
    assert found.sentence in shown(made)
    assert "What a search finds; not certified" in Page(made.to_html()).text
    assert not view.promise.holds


def test_a_pair_that_hindsight_picked_is_explained():
    """Where a pair in the table costs less than what the search finds, the sentence says why."""
    made = report(real(), chosen=WASTEFUL, search=True)
    pairs = [row for row in made.view.policies if row.name.startswith("best pair")]
    cheaper = [row for row in pairs if row.cost is not None and row.cost < made.view.searched.cost]
    excused = "picked with these answers in view" in made.view.searched.sentence
    assert excused == bool(cheaper)
    assert cheaper


def test_what_the_plan_found_does_without_has_its_reason():
    """The reasons are those of the search, with the measured price of asking."""
    made = real()
    scores = made.score.copy()
    scores[:, 0] = np.random.default_rng(1).random(len(made))  # nano's scores tell nothing
    found = report(replace(made, score=scores), chosen=WASTEFUL, search=True)
    told = {tier.name: tier.reason for tier in found.view.searched.dropped}
    assert "nano" in told
    assert "costs" in told["nano"]
    assert "%" in told["nano"]
    assert f"does without nano: {told['nano']}" in shown(found)
    assert told["nano"] in Page(found.to_html()).text


def test_tiers_that_the_chosen_plan_does_not_ask():
    """They have the reason of the plan found, or the word that it asks them."""
    made = real()
    short = Plan((Step("nano", threshold=0.6), Step("big")))
    view = report(made, chosen=short, search=True).view
    (mini,) = view.dropped
    expected = {tier.name: tier.reason for tier in view.searched.dropped}
    asked = "the plan does not ask it; the plan that a search finds does"
    assert mini.reason == expected.get("mini", asked)
    assert report(made, chosen=short).view.dropped[0].reason == "the plan does not ask it"


def test_a_plan_that_beats_the_top_tier():
    """No plan may be expected to beat it as well: what is found is as good as the top tier."""
    made = real()
    sure = np.flatnonzero(made.score[:, 0] >= 0.6)
    quality = made.quality.copy()
    quality[sure, 0] = 1.0
    quality[sure[::3], 2] = 0.0  # big is wrong where nano is sure
    plan = Plan((Step("nano", threshold=0.6), Step("big")))
    view = report(replace(made, quality=quality), chosen=plan, search=True).view
    top = next(row for row in view.policies if row.name == "always top")
    assert view.policies[0].quality > top.quality
    assert view.searched.keep == 1.0
    assert view.searched.cost < view.policies[0].cost < top.cost
    assert view.searched.expected_quality >= top.quality - 1e-9
    assert "may be expected to be as good as big." in view.searched.sentence


def test_nothing_cheaper_is_said():
    """Where the search finds nothing cheaper, that is the sentence."""
    found = report(real(), chosen=Plan((Step("nano"),)), search=True).view.searched
    assert found.sentence.startswith("A search finds nothing cheaper")
    assert "nothing of it is certified" in found.sentence


def test_without_a_plan_everything_simpler_stands_beside_the_one_found():
    """At its cost and its quality; the sentence names the target and the best single model."""
    view = report(without_plan(real()), search=True).view
    found, rows = view.searched, {row.name: row for row in view.policies}
    assert (view.plan, view.beside, found.keep) == ("", "what a search finds", 0.98)
    assert "expected to keep 98 % of the quality of big" in found.sentence
    for name in ("random mixing", "best pair", "best single"):
        at_cost = rows[f"{name} at equal cost"]
        assert at_cost.cost <= found.cost * (1 + 1e-9) < rows["always top"].cost
    assert rows["random mixing at equal quality"].quality == pytest.approx(found.quality)
    assert (
        "Equal cost and equal quality are those of what a search finds"
        in Page(report(without_plan(real()), search=True).to_html()).text
    )
    alone = report(without_plan(real())).view
    assert alone.beside == "always big"


def test_the_best_single_model_is_said_beside_the_plan_found():
    """Always-top is easy to beat where another model is as good and cheaper; that is a note."""
    made = real()
    cost = made.cost_pusd.copy()
    cost[:, 2] *= 500  # the last tier is the dearest, and no better than the second
    quality = made.quality.copy()
    quality[:, 1] = np.where(np.arange(len(made)) % 50 == 0, quality[:, 1], 1)
    view = report(without_plan(replace(made, cost_pusd=cost, quality=quality)), search=True).view
    assert "less than always big" in view.searched.sentence
    assert "100 % less" not in view.searched.sentence
    assert "mini alone" in view.searched.sentence
    (note,) = (note for note in view.notes if note.startswith("the top tier"))
    assert "'big' is not the best model: 'mini' is better" in note
    assert "and costs 99.9" in note
    assert "% less" in note
    chosen = report(replace(made, quality=quality), search=True).view
    assert not [note for note in chosen.notes if note.startswith("the top tier")]


def test_a_plan_that_is_no_cheaper_than_a_single_model_says_so():
    """What is saved beside the top tier alone is not all: one model may cost as little."""
    made = recorded()
    plan = what_if(NANO_TOP, made, source=scores(), resamples=5)
    for cost, words in (
        (plan.cost.value, "and no less than nano alone, which is as good, at"),
        (2 * plan.cost.value, "50 % less than nano alone ($10.00), which is as good, at"),
        (0.0, "and no less than nano alone, which is as good, at"),
    ):
        at = Estimate(cost, cost, cost)
        what = ("best single at equal quality", "single", "nano alone")
        single = Baseline(*what, at, at, Plan((Step("nano"),)))
        beside = compared(made, None, baselines=(single,))
        spot = SimpleNamespace(expected_quality=0.9)
        found = Searched(None, spot, plan, "own", scores(), 0.98)
        assert words in _sentence(beside, found)


def test_where_no_plan_is_cheaper_than_the_top_tier_that_is_said():
    """Nothing is "0.0 % less": the sentence says that nothing cheaper was found."""
    view = report(without_scores(real()), search=True).view
    assert view.searched.plan == "big"
    assert view.searched.sentence.startswith(
        "A search finds nothing cheaper than always big that may be expected to keep 98 % of the "
        "quality of big."
    )


def test_a_plan_that_the_search_finds_itself_has_one_mark():
    """The chosen plan is drawn as that, and not once more."""
    first = report(real(), chosen=WASTEFUL, search=True).view.searched
    path = search_plans(real(), RecordedScores(real()))
    (plan,) = {point.plan for point in path.points if str(point.plan) == first.plan}
    view = report(real(), chosen=plan, search=True).view
    drawn = [spot for spot in view.frontier.spots if spot.kind == "search"]
    assert len(drawn) == (view.searched.plan != first.plan)


def test_scores_are_learned_where_there_are_none(monkeypatch):
    """Without scorers of its own, and up to so many requests; without a plan, at 98 %."""
    made = without_scores(real())
    words = []
    view = report(made, search=True, progress=words.append).view
    assert view.searched.scores == "learned"
    assert words[0] == "searching plans with the chain's own scorers: 1 of 7 shapes"
    assert "learning what answers' evidence is worth" in words
    assert words[-1].startswith("searching plans with learned scores")
    assert view.plan == ""
    assert view.dropped == ()
    monkeypatch.setattr(searching, "MOST_LEARNED", 300)
    view = report(made, search=True).view
    assert view.searched is None
    assert any("learned from 300 requests at most, and there are 400" in n for n in view.notes)


def test_pairs_are_judged_by_the_scores_that_the_search_learned():
    """Where the recording has no scores, a plan and the best pair are found by the same ones."""
    for chosen in (None, Plan((Step("big"),))):
        view = report(without_scores(real()), chosen=chosen, search=True).view
        rows = {row.name: row for row in view.policies}
        assert view.searched.scores == "learned"
        assert rows["best pair at equal cost"].cost is not None
        assert not [note for note in view.notes if "no scorer was recorded" in note]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda made: made.rows(np.arange(60)), "takes 100 requests with a label and a price"),
        (
            lambda made: replace(made, quality=np.full_like(made.quality, np.nan)),
            "no answer has a known quality",
        ),
        (lambda made: made.with_tiers(["big"]), "there is one tier only"),
        (
            lambda made: replace(made, quality=np.zeros_like(made.quality)),
            "the quality to be kept is 0",
        ),
        (
            lambda made: replace(made, quality=np.where(np.arange(3) == 1, np.nan, made.quality)),
            "how good that is, is known for 0 of 400 requests",
        ),
    ],
)
def test_what_cannot_be_searched(change, words):
    """One line says why not, and the report is made all the same."""
    made = report(change(real()), search=True)
    (note,) = (note for note in made.view.notes if note.startswith("no plans were searched"))
    assert words in note
    assert "\n" not in note
    assert made.view.searched is None
    assert f"note: {note}" in shown(made)
    assert Page(made.to_html()).open == []


def test_a_search_repeats():
    """The same recording and plan make the same bytes."""
    first, again = (report(real(), search=True).to_html() for _ in range(2))
    assert first == again


def test_witnesses_need_learned_scores():
    """A chain's own scorers cannot tell what a witness is worth, and the reason says so."""
    made = real()
    mini = replace(made.tiers[1], role="witness", scorer="", threshold=None)
    kinds = made.score_kind.copy()
    kinds[:, 1] = 0
    made = replace(made, tiers=(made.tiers[0], mini, made.tiers[2]), score_kind=kinds)
    view = report(made, search=True).view
    told = {tier.name: tier.reason for tier in view.searched.dropped}
    assert "witness needs learned scores" in told["mini"]


def test_a_certificate_needs_no_search():
    """With one nothing is searched; reasons are those of its notes, of its own plan alone."""
    made = real(600)
    splits = keyed_splits(made.groups, "key")
    part = splits.part(made, "certify")
    source = Scores({0: part.score[:, 0]})
    plans = [Plan((Step("big"),)), Plan((Step("nano", threshold=0.6), Step("big")))]
    promised = certify(plans, part, source, epsilon=0.2, splits=splits)
    promised = replace(promised, notes=("does without mini: too dear: twice", "prices changed"))
    view = report(part, certificate=promised, source=source, search=True).view
    assert view.searched is None
    assert [(tier.name, tier.reason) for tier in view.dropped] == [("mini", "too dear: twice")]
    other = report(part, certificate=promised, chosen=WASTEFUL, search=True).view
    assert other.searched is None
    assert other.dropped == ()
