"""Whole reports: of full recordings, of poor ones, with a certificate and without."""

import io
import json
import time
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from cascade import Chain, Tier
from cascade.calibration import (
    About,
    Gate,
    Plan,
    RecordedTier,
    Step,
    certify,
    keyed_splits,
    report,
    search_plans,
)
from cascade.calibration.comparing.question import LEARNED
from cascade.calibration.money import UNKNOWN
from cascade.calibration.proof.certified_chain import policy_of, tiers_of_chain
from cascade.calibration.reporting import tested
from cascade.calibration.reporting.made import Report
from cascade.calibration.reporting.summary import summary_of
from cascade.calibration.reporting.view import Frontier
from cascade.errors import RecordingError
from tests.calibration.builders import Scores, recording
from tests.calibration.reporting.compared import TOP, recorded, scores
from tests.calibration.reporting.pages import EVIL, Page, objects
from tests.calibration.reporting.views import view


def real(n=400, seed=0, **given):
    """Three tiers with scores that know something, and texts."""
    draw = np.random.default_rng(seed)
    hard = draw.random(n)
    quality = (hard[:, None] < [0.6, 0.8, 0.95]).astype(float)
    score = np.clip(1 - hard[:, None] + draw.normal(0, 0.08, (n, 3)), 0, 1)
    score[:, 2] = np.nan
    cost = (draw.integers(1, 4, (n, 3)) * [10**8, 10**9, 10**10]).astype(np.int64)
    texts = np.array([[f"answer {j} to {i}" for j in range(3)] for i in range(n)], object)
    names = ["nano", "mini", "big"]
    tiers = [
        RecordedTier(name, f"gpt-{name}", scorer="own" if name != "big" else "", threshold=0.5)
        for name in names
    ]
    made = recording(
        quality,
        cost,
        names=names,
        score=score,
        texts=texts,
        requests=objects(*(f"question {i}" for i in range(n))),
        about=About("support", "2026-11-20T10:00:00Z", quality="exact"),
        **given,
    )
    return replace(made, tiers=tuple(tiers))


class TestWithoutCertificate:
    def test_the_recorded_chain(self):
        """Without anything else the report is about the recorded chain and its thresholds."""
        view = report(real()).view
        assert view.plan == "nano >= 0.5 → mini >= 0.5 → big"
        assert view.title == "support"
        assert "% less than always asking big" in view.headline
        assert not view.promise.holds
        assert "151 labelled ones at least" in view.promise.next_step
        assert [line.name for line in view.measures][:2] == [
            "cost at 95 % of the quality",
            "cost at 98 % of the quality",
        ]
        assert all(line.means for line in view.measures)
        assert len(view.reliability) == len(view.scorers) == 2
        assert {line.name for line in view.policies} >= {
            *("chosen plan", "always top", "best pair at equal quality", "oracle cascade"),
            *("random mixing at equal quality", "always mini"),
        }
        assert len(view.cases) == min(5, view.harms) + min(5, view.gains)

    def test_a_path_and_a_plan(self):
        """Plans that a search found are drawn, and tiers that are left out have their reason."""
        made = real()
        source = Scores({0: made.score[:, 0], 1: made.score[:, 1]})
        path = search_plans(made, source)
        found = report(made, path=path, source=source, chosen=path.at(0.98).plan).view
        assert len(found.frontier.found) > 3
        missing = {name for name in made.names if name not in path.at(0.98).plan.tiers}
        assert {tier.name for tier in found.dropped} == missing
        assert all(tier.reason != "the plan does not ask it" for tier in found.dropped)
        elsewhere = report(made, path=path, source=source, chosen=Plan((Step("mini"), Step("big"))))
        assert {tier.reason for tier in elsewhere.view.dropped} == {"the plan does not ask it"}

    def test_something_simpler(self):
        """Where a pair does as well for less, the report says so at its top."""
        made = real()
        bad = Plan((Step("nano", threshold=1.0), Step("mini", threshold=1.0), Step("big")))
        assert report(made, chosen=bad).view.simpler.startswith("Simpler and cheaper")
        assert report(recorded(), chosen=TOP, source=scores()).view.simpler == ""

    def test_what_was_asked_for_must_be_told(self):
        """A chain that the recording cannot answer is an error, not an empty report."""
        with pytest.raises(RecordingError, match="huge"):
            report(real(), chosen=Plan((Step("huge"),)))
        chain = Chain([Tier("other", name="nano"), Tier("big")], allow_unknown_prices=True)
        with pytest.raises(RecordingError):
            report(real(), chosen=chain)


class TestPoorRecordings:
    def shown(self, made, **given):
        found = report(made, **given)
        page = Page(found.to_html())
        assert page.open == []
        json.dumps(found.to_dict(), allow_nan=False)
        Console(file=io.StringIO()).print(found.summary())
        return found.view, page

    def test_one_tier(self):
        """One tier gives a report of what it costs and how good it is."""
        view, page = self.shown(real().with_tiers(["big"]))
        assert view.headline.startswith("Only big is recorded")
        assert "Everything compared" in page.text
        assert "needs no promise" in view.promise.sentence

    def test_no_labels(self):
        """Without any label costs are reported, and quality is unknown everywhere."""
        made = real()
        view, _ = self.shown(replace(made, quality=np.full((400, 3), np.nan)))
        assert "its quality is unknown" in view.headline
        assert view.promise.sentence.startswith("Quality is unknown")
        assert view.harms is None
        assert any("nothing simpler is compared" in note for note in view.notes)
        assert [line.quality for line in view.policies] == [None] * 4
        assert view.frontier.is_empty

    def test_some_labels(self):
        """Where some answers lack a label the report rests on the others and says so."""
        made = real()
        quality = made.quality.copy()
        quality[:150, 1] = np.nan
        view, _ = self.shown(replace(made, quality=quality))
        assert view.about.startswith("250 requests")
        assert any("250 of 400 requests" in note for note in view.notes)
        words = "(150 lack a label); where labels are not missing at random"
        assert any(words in note for note in view.notes)
        assert view.headline.endswith("on the 250 of 400 requests with labels and prices")
        gates = {0: np.linspace(0, 1, 400)}
        source = Scores({0: made.score[:, 0], 1: made.score[:, 1]}, gates=gates)
        given, _ = self.shown(replace(made, quality=quality), source=source)
        assert given.frontier.chosen == view.frontier.chosen
        gated = Plan((Step("nano", threshold=0.5), Step("big")), Gate("big", 0.5))
        found, _ = self.shown(replace(made, quality=quality), source=source, chosen=gated)
        assert 0.4 < {tier.name: tier.asked for tier in found.tiers}["nano"] < 0.95

    def test_some_prices(self):
        """What is missing is named: a price alone says nothing of labels."""
        made = real()
        cost, quality = made.cost_pusd.copy(), made.quality.copy()
        cost[:10, 1], quality[5:7, 1] = UNKNOWN, np.nan
        view, _ = self.shown(replace(made, cost_pusd=cost))
        words = (
            "(10 lack a price); where prices are not missing at random, it speaks of those alone"
        )
        assert any(words in note for note in view.notes)
        both, _ = self.shown(replace(made, cost_pusd=cost, quality=quality))
        words = "(2 lack a label, 10 lack a price); where labels and prices are not missing"
        assert any(words in note for note in both.notes)

    def test_a_gate(self):
        """A plan's gate, which is written as a formula, is also put into a sentence."""
        made = real()
        source = Scores({0: made.score[:, 0]}, gates={0: np.linspace(0, 1, 400)})
        gated = Plan((Step("nano", threshold=0.5), Step("big")), Gate("big", 0.51))
        _, page = self.shown(made, source=source, chosen=gated)
        assert "right answer from nano is below 0.51 begin at big" in page.text
        assert report(made).view.gate == ""

    def test_the_terminal_says_why(self):
        """Tiers not asked, missing costs and labels reach the terminal, with their numbers."""
        made = real(600)
        quality, cost = made.quality.copy(), made.cost_pusd.copy()
        quality[5:], cost[:, 0] = np.nan, -1
        few = replace(made, quality=quality)
        for poor, words in (
            (few, "(595 lack a label)"),
            (few, "on the 5 of 600 requests with labels and prices"),
            (replace(made, cost_pusd=cost), "note: nothing is said of the plan"),
        ):
            console = Console(width=400, record=True, file=io.StringIO())
            console.print(report(poor))
            assert words in console.export_text()

    def test_no_prices(self):
        """Where no cost is known nothing is said of saving, and nothing counts as free."""
        made = real()
        view, page = self.shown(replace(made, cost_pusd=np.full((400, 3), -1)))
        assert view.headline == "3 tiers compared; the plan cannot be told from this alone"
        assert "cannot be told from this recording" in view.promise.sentence
        assert any("nobody knows what" in note for note in view.notes)
        assert "$0 " not in page.text

    def test_tiers_that_were_not_asked(self):
        """Where a tier was asked some requests only, those are not taken for all."""
        made = real()
        answered, quality = made.answered.copy(), made.quality.copy()
        answered[:100, 2], quality[:100, 2] = False, np.nan
        view, _ = self.shown(replace(made, answered=answered, usable=answered, quality=quality))
        assert view.about.startswith("400 requests")
        assert any("was not asked" in note for note in view.notes)

    def test_a_tier_with_many_gaps_that_is_not_asked(self):
        """It is left out and named, and all else is compared, by the scores that were given."""
        made = real()
        answered, quality = made.answered.copy(), made.quality.copy()
        answered[:100, 1], quality[:100, 1] = False, np.nan
        holes = replace(made, answered=answered, usable=answered, quality=quality)
        source = Scores({0: made.score[:, 0]}, by_state={((0, 1), 1): made.score[:, 1]})
        plan = Plan((Step("nano", threshold=0.5), Step("big")))
        found = report(holes, chosen=plan, source=source).view
        note = "compared without tier 'mini': the chain does not ask it, and 100 of 400 requests"
        assert any(one.startswith(note) for one in found.notes)
        two = report(made.with_tiers(["nano", "big"]), chosen=plan, source=source).view
        assert found.policies == two.policies
        assert (found.headline, found.scorers) == (two.headline, two.scorers)
        assert [(one.name, one.reason) for one in found.dropped] == [
            ("mini", "the plan does not ask it")
        ]

    def test_a_few_requests_that_a_tier_was_not_asked(self):
        """They are left out and counted, as those without a label are, and the search goes on."""
        made = real()
        answered, quality = made.answered.copy(), made.quality.copy()
        answered[7, 2], quality[7, 2], quality[11, 0] = False, np.nan, np.nan
        poor = replace(made, answered=answered, usable=answered, quality=quality)
        view = report(poor, search=True).view
        assert "left out: 1 of 400 requests, because not every tier was asked them" in view.notes
        assert any("rests on the 398 of 399 requests" in note for note in view.notes)
        assert view.searched is not None
        assert {line.name for line in view.policies} >= {"chosen plan", "best pair at equal cost"}
        source = Scores({0: made.score[:, 0], 1: made.score[:, 1]})
        given = report(poor, source=source).view
        assert given.frontier.chosen == view.frontier.chosen
        answered[:50, 2], quality[:50, 2] = False, np.nan
        many = report(
            replace(made, answered=answered, usable=answered, quality=quality), search=True
        )
        assert any("is known for 350 of 400 requests" in note for note in many.view.notes)

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_all_right_or_all_wrong(self, value):
        """Tiers that are always right, or never, make a report without a division by zero."""
        made = real(60)
        self.shown(replace(made, quality=np.full((60, 3), value)))

    def test_a_cheap_tier_beats_the_top(self):
        """Where a cheap tier is better than the top one, the plan beats it, and it is said."""
        made = real(100)
        view, _ = self.shown(
            replace(made, quality=made.quality[:, ::-1].copy()), chosen=Plan((Step("nano"),))
        )
        assert view.headline.startswith("Always asking nano is enough")

    def test_five_requests(self):
        """Five requests, free ones among them, are enough for a report."""
        made = real(5)
        self.shown(replace(made, cost_pusd=np.zeros((5, 3), np.int64)))

    def test_no_scores(self):
        """Where nothing was scored the baselines stand alone."""
        made = real()
        bare = replace(
            made,
            score=np.full((400, 3), np.nan),
            score_kind=np.zeros((400, 3), np.int8),
            tiers=tuple(RecordedTier(name, name) for name in made.names),
        )
        view, _ = self.shown(bare)
        assert view.headline == "3 tiers compared; no plan was chosen"
        assert view.frontier.chosen is None
        assert [spot.kind for spot in view.frontier.spots][:3] == ["cheapest", "single", "top"]


def test_of_two_models_that_cost_the_same_the_better_one_is_the_cheapest():
    """The picture marks the one that the table calls the cheapest."""
    made = real()
    cost = made.cost_pusd.copy()
    cost[:, 1] = cost[:, 0]
    view = report(replace(made, cost_pusd=cost)).view
    (mark,) = (spot for spot in view.frontier.spots if spot.kind == "cheapest")
    (row,) = (row for row in view.policies if row.name == "always cheapest")
    assert (mark.name, row.what) == ("mini", "mini alone")


class TestWithCertificate:
    def certified(self, made):
        splits = keyed_splits(made.groups, "k")
        part = splits.part(made, "certify")
        source = Scores({0: part.score[:, 0], 1: part.score[:, 1]})
        plans = [Plan((Step("big"),)), Plan((Step("nano", threshold=0.75), Step("big")))]
        return certify(plans, part, source, epsilon=0.1, splits=splits, created_at="2026-11-21")

    def test_the_promise(self):
        """The certificate's sentence, its figures, what voids it and the floor are shown."""
        made = real(2000)
        promised = self.certified(made)
        view = report(made, certificate=promised).view
        assert view.plan == "nano >= 0.75 → big"
        assert view.promise.holds
        assert view.promise.sentence == promised.sentence()
        terms = {line.name: line for line in view.promise.lines}
        assert "p = " in terms["test"].value
        assert "must stay below" in terms["test"].means
        assert any("model, prompt" in rule for rule in view.promise.expires)
        top = made.quality[:, 2].mean()
        assert view.frontier.floor == pytest.approx(top - 0.1)
        assert "least quality promised" in report(made, certificate=promised).to_html()

    def test_why_figures_over_groups_differ(self):
        """Where a certificate counts groups, the page says why its figures are other ones."""
        made = real(2000)
        groups = objects(*(f"g{row if row % 4 else row // 40}" for row in range(2000)))
        for one, told in ((made, False), (replace(made, groups=groups), True)):
            page = Page(report(one, certificate=self.certified(one)).to_html())
            assert ("figures of one name, and their intervals, differ" in page.text) == told

    def test_a_dearer_model_was_recorded_too(self):
        """All numbers are against the tier that the certificate speaks of, whatever is dearer."""
        made = real(2000)
        promised = self.certified(made)
        dear = replace(made.tiers[2], name="dear", model="gpt-dear")
        wide = [np.column_stack([part, part[:, 2]]) for part in (made.quality, made.score)]
        wide[0][::3, 3] = 0
        cost = np.column_stack([made.cost_pusd, 10 * made.cost_pusd[:, 2]])
        more = recording(wide[0], cost, names=[*made.names, "dear"], score=wide[1])
        more = replace(more, tiers=(*made.tiers, dear))
        small, whole = (report(one, certificate=promised).view for one in (made, more))
        assert whole.headline == small.headline
        assert whole.facts[:5] == small.facts[:5]
        assert (whole.top, whole.harms, whole.gains) == ("big", small.harms, small.gains)
        assert whole.frontier.floor == small.frontier.floor
        assert [case.top for case in whole.cases] == ["big"] * len(whole.cases)
        shares = {line.name: line.share for line in whole.policies}
        assert shares["always top"] == pytest.approx(1)
        assert shares["always dearest"] == pytest.approx(10)

    def test_a_tier_with_many_gaps_beside_what_was_certified(self):
        """It is left out where neither the certified plan asks it nor the promise speaks of it."""
        made = real(2000)
        promised = self.certified(made)
        answered, quality = made.answered.copy(), made.quality.copy()
        answered[:500, 1], quality[:500, 1] = False, np.nan
        holes = replace(made, answered=answered, usable=answered, quality=quality)
        view = report(holes, certificate=promised).view
        assert view.promise.holds
        assert view.facts[:5] == report(made, certificate=promised).view.facts[:5]
        assert "always top" in [line.name for line in view.policies]
        assert [one.name for one in view.dropped] == ["mini"]
        spoken_of = report(holes, certificate=replace(promised, top="mini"))
        assert any("tier 'mini' was not asked" in note for note in spoken_of.view.notes)

    def test_a_certified_single_model(self):
        """A plan that does without the top tier is compared with the one the promise speaks of."""
        made = real(600)
        plans = [Plan((Step("mini"),)), Plan((Step("nano"),))]
        promised = certify(plans, made.with_tiers(["nano", "mini"]), Scores({}), epsilon=0.3)
        alone = Chain([Tier("gpt-nano", name="nano")], allow_unknown_prices=True)
        served = replace(promised, tiers=tiers_of_chain(alone), policy=policy_of(alone))
        view = report(made, certificate=served, chosen=alone).view
        assert view.promise.holds
        assert view.headline.startswith("Always asking nano is enough: it costs 90 % less than")
        assert view.top == "mini"
        assert view.frontier.floor == pytest.approx(made.quality[:, 1].mean() - 0.3)
        other = replace(served, top="none")
        assert report(made, certificate=other, chosen=alone).view.top == "big"
        void = replace(served, policy="another")
        assert report(made, certificate=void, chosen=alone).view.top == "big"

    def test_the_tested_part(self):
        """The requests that nothing was chosen on are found again by their fingerprint."""
        made = real(2000)
        promised = self.certified(made)
        part = tested.tested_part(made, promised, "k")
        assert list(part.ids) == list(keyed_splits(made.groups, "k").part(made, "certify").ids)
        limits = " ".join(report(part, certificate=promised).view.limits)
        assert "flatters" not in limits
        assert tested.tested_part(part, promised, "other") is part
        assert tested.tested_part(made, promised, "other") is None
        assert tested.tested_part(real(300), promised, "k") is None
        assert tested.tested_part(made, replace(promised, split=""), "k") is None
        own = replace(made, splits=objects(*["train"] * 2000))
        assert tested.tested_part(own, replace(promised, key=""), "k") is None

    def test_what_its_plan_needs(self):
        """A certified plan whose scores the recording lacks is promised, and not reported on."""
        made = real(2000)
        promised = self.certified(made)
        bare = replace(made, score=np.full((2000, 3), np.nan), score_kind=np.zeros((2000, 3), int))
        view = report(bare, certificate=promised).view
        assert view.promise.holds
        assert view.plan == ""
        assert any("nothing is said of the plan" in note for note in view.notes)
        assert view.frontier.floor is None

    def test_a_certified_plan_that_meets_gaps(self):
        """Named or not, it is promised where the recording cannot replay it; others are refused."""
        made = real(2000)
        promised = self.certified(made)
        answered, quality = made.answered.copy(), made.quality.copy()
        answered[::9, 2], quality[::9, 2] = False, np.nan
        holes = replace(made, answered=answered, usable=answered, quality=quality)
        for named in (None, promised.plan):
            view = report(holes, certificate=promised, chosen=named).view
            assert (view.promise.holds, view.plan) == (True, "")
            assert any(
                note.startswith("nothing is said of the plan: tier 'big' was never asked")
                for note in view.notes
            )
        with pytest.raises(RecordingError, match="never asked"):
            report(holes, certificate=promised, chosen=Plan((Step("big"),)))

    def test_other_tiers(self):
        """A certificate of tiers that were not recorded promises nothing of this recording."""
        made = real(2000)
        promised = self.certified(made)
        lost = report(made.with_tiers(["mini", "big"]), certificate=promised)
        assert not lost.view.promise.holds
        assert "speaks of other tiers: 'nano'" in lost.view.promise.sentence
        assert "Not certified here." in lost.to_html()
        settings = tuple(replace(tier, settings="new") for tier in made.tiers)
        old = tuple(replace(tier, settings="old") for tier in promised.tiers)
        changed = report(
            replace(made, tiers=settings), certificate=replace(promised, tiers=old)
        ).view.promise
        assert "'nano' and 'big', recorded with another model" in changed.sentence
        assert changed.elsewhere
        with pytest.raises(RecordingError, match="none of them is in this recording"):
            report(made.with_tiers(["mini"]), certificate=promised)

    def test_other_requests(self):
        """Where the requests tested were not found, the box and the terminal say why."""
        made = real(2000)
        found = report(made, certificate=self.certified(made), missing="Of other requests.")
        assert found.view.promise.sentence == "Of other requests."
        assert found.view.promise.lines
        console = Console(width=200, record=True, file=io.StringIO())
        console.print(found)
        assert "not certified here: Of other requests." in console.export_text()

    def test_a_learned_plan(self):
        """A plan served by a model is not told from a certificate alone: the chain is asked for."""
        made = real(2000)
        promised = self.certified(made)
        served = tuple(replace(tier, scorer="Learned") for tier in promised.tiers)
        gated = replace(promised.plan, gate=Gate("big", 0.5))
        for other in (replace(promised, tiers=served), replace(promised, plan=gated)):
            found = report(made, certificate=other)
            assert found.view.plan == ""
            assert "no plan was chosen" not in found.view.headline
            console = Console(width=200, record=True, file=io.StringIO())
            console.print(found)
            for words in (console.export_text(), Page(found.to_html()).text):
                assert "served by a learned model" in words
                assert "--chain certified.toml" in words

    def test_what_was_learned_from(self):
        """That a model may know these requests is not said of those kept aside for the test."""
        made = real(2000)
        promised = self.certified(made)
        part = tested.tested_part(made, promised, "k")
        aside = report(part, certificate=promised, notes=[LEARNED]).view
        assert LEARNED not in aside.notes
        assert LEARNED in report(made, certificate=promised, notes=[LEARNED]).view.notes

    def test_void(self):
        """A certificate of another chain promises nothing, and the page says what has changed."""
        made = real(2000)
        chain = Chain(
            [
                Tier("gpt-nano", name="nano", scorer=lambda draft: 1.0, threshold=0.2),
                Tier("gpt-big", name="big"),
            ],
            allow_unknown_prices=True,
        )
        promised = self.certified(made)
        source = Scores({0: made.score[:, 0], 1: made.score[:, 1]})
        view = report(made, certificate=promised, chosen=chain, source=source).view
        assert not view.promise.holds
        assert "does not speak of chain" in view.promise.sentence
        assert view.frontier.floor is None
        other = report(made, certificate=promised, chosen=Plan((Step("mini"),)), source=source)
        assert "speaks of another plan" in other.view.promise.sentence

    def test_how_many_labels(self):
        """How many labels a promise takes is said, or that no number would do, or who can say."""
        made = real()
        good = report(made, chosen=Plan((Step("nano", threshold=0.6), Step("big")))).view
        assert "151 labelled ones at least" in good.promise.next_step
        bad = report(made, chosen=Plan((Step("nano"),))).view
        assert "no number of them would do" in bad.promise.next_step
        graded = replace(made, quality=made.quality * 0.5)
        assert "graded ones" in report(graded).view.promise.next_step
        assert report(made, chosen=Plan((Step("big"),))).view.promise.next_step == ""

    def test_why_there_is_none(self):
        """The reason why nothing was certified is shown as it is given."""
        view = report(real(), missing="These 100 requests carry 4 points.", notes=["so"]).view
        assert view.promise.sentence == "These 100 requests carry 4 points."
        assert view.notes[0] == "so"


class TestOutput:
    def test_data(self):
        """As data the report is JSON without NaN, amounts are decimal strings."""
        data = report(real()).to_dict()
        again = json.loads(json.dumps(data, allow_nan=False))
        assert again == data
        assert data["version"] == 1
        assert isinstance(data["scorers"][0]["cost_usd"], str)

    def test_the_same_bytes(self):
        """Two reports of the same recording are the same page and the same data."""
        first, second = report(real(), seed=3), report(real(), seed=3)
        assert first.to_html() == second.to_html()
        assert first.to_dict() == second.to_dict()

    def test_pictures_and_words(self):
        """Charts by name are files; the report prints its sentence, on a terminal a screenful."""
        made = report(real())
        assert set(made.charts) == {"frontier", "parts", "reliability_1", "reliability_2"}
        assert made.picture("frontier").startswith(b"<svg")
        with pytest.raises(KeyError):
            made.picture("nothing")
        assert str(made).startswith(made.view.headline)
        console = Console(width=100, record=True, file=io.StringIO())
        console.print(made)
        text = console.export_text()
        assert "not certified" in text
        assert "chosen plan" in text

    def test_a_terminal_is_safe(self):
        """What acts on a terminal or breaks lines does not reach it from a recording."""
        made = real(50)
        tiers = tuple(replace(t, name=t.name + "\x1b[31m\n\u202e") for t in made.tiers)
        console = Console(width=200, record=True, file=io.StringIO())
        console.print(report(replace(made, tiers=tiers), title="a\x1b]0;t\x07b"))
        text = console.export_text()
        assert "\x1b" not in text
        assert "\u202e" not in text

    def test_hostile_recording(self, browse):
        """Hostile text in every column of a recording does not run in a real browser."""
        made = real(300)
        tiers = tuple(
            replace(t, name=f"{t.name}{EVIL}", model=EVIL, scorer=t.scorer and EVIL)
            for t in made.tiers
        )
        made = replace(
            made,
            tiers=tiers,
            ids=objects(*(f"{i}{EVIL}" for i in range(300))),
            slices=objects(*[EVIL] * 300),
            texts=np.full((300, 3), EVIL, object),
            requests=objects(*[{"messages": [{"role": EVIL, "content": EVIL}]}] * 300),
            references=objects(*[EVIL] * 300),
            about=About(*[EVIL] * 6),
        )
        html = report(made, title=EVIL).to_html()
        page = Page(html)
        assert page.open == []
        assert not {"script", "img", "iframe", "object", "form"} & {tag for tag, _ in page.tags}
        assert not [a for _, a in page.tags if any(n.startswith("on") for n in a)]
        dump = browse(html)
        assert "<title>ran</title>" not in dump
        assert "Harm and gain" in dump

    def test_ten_thousand_requests(self):
        """A report over 10,000 requests takes seconds, and its page stays small."""
        made = real(10_000)
        begun = time.process_time()
        html = report(made).to_html()
        assert time.process_time() - begun < 20
        assert len(html) < 400_000


def test_a_certified_summary():
    """A certified plan is printed as such, with the promise in its words."""
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(summary_of(view("nano", simpler="")))
    text = console.export_text()
    assert "certified: nano" in text
    assert "not certified" not in text


def test_no_number_is_no_json():
    """What is not finite is unknown in the data."""
    made = view("nano")
    spot = replace(made.frontier.spots[0], cost=float("nan"))
    data = Report(replace(made, frontier=Frontier(spots=(spot,)))).to_dict()
    assert data["frontier"]["spots"][0]["cost"] is None
