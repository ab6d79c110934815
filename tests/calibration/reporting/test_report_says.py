"""What a report says: sentences, cases, method, gaps and limits fit what was recorded."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from cascade.calibration import About, Plan, Point, Step
from cascade.calibration.reporting.cases import cases_of
from cascade.calibration.reporting.gather import (
    dropped_tiers,
    frontier_of,
    policies_of,
    tiers_of,
    together,
)
from cascade.calibration.reporting.limits import limits_of
from cascade.calibration.reporting.method import gaps_of, method_of, prices_of
from cascade.calibration.reporting.page import report_html
from cascade.calibration.reporting.sentences import about_words, facts_of, headline
from cascade.calibration.reporting.summary import summary_of
from cascade.calibration.reporting.view import Dropped
from tests.calibration.builders import Scores, recording
from tests.calibration.reporting.compared import TOP, compared, recorded
from tests.calibration.reporting.pages import Page, objects
from tests.calibration.reporting.views import view


class TestHeadline:
    def test_saving_and_quality(self):
        """The first sentence holds the saving against the top tier and the quality kept."""
        made = recorded()
        assert headline(made, compared(made)) == (
            "Costs 75 % less than always asking top, at 84.2 % of its quality"
        )

    def test_a_plan_that_costs_more(self):
        """A plan that is dearer than the top tier is said to be that."""
        made = recorded()
        never = compared(made, source=Scores({0: np.zeros(20)}))
        assert headline(made, never).startswith(
            "Costs 5.0 % more than always asking top, at 100.0 %"
        )
        assert {fact.name: fact.value for fact in facts_of(never)}["Costs more"] == "5.0 %"

    def test_a_plan_that_saves_nothing(self):
        """A difference that would be printed as 0 % is called none."""
        made = recording([[0, 1]] * 20, [10**7, 10**10], names=["nano", "top"])
        same = compared(made, source=Scores({0: np.zeros(20)}))
        assert headline(made, same).startswith("Costs as much as always asking top")

    def test_time(self):
        """Times are shown where they were recorded."""
        made = recorded(latency_s=np.full((20, 2), 0.5))
        assert facts_of(compared(made))[-1].value == "600 ms"
        assert facts_of(compared(recorded()))[-1].value == "unknown"

    def test_graded_harm(self):
        """Harm and gain are shares of requests, and means where answers are graded."""
        made = recorded()
        half = replace(made, quality=made.quality / 2 + 0.25)
        for one, means in ((made, "worse than"), (half, "mean loss beside")):
            facts = {fact.name: fact.beside for fact in facts_of(compared(one))}
            assert facts["Harm"].endswith(f"; {means} the top tier")

    def test_constant_plans(self):
        """A plan that asks one model is named as such, the top tier or a cheaper one."""
        made = recorded()
        assert headline(made, compared(made, TOP)).startswith("Always asking top is what")
        nano = compared(made, Plan((Step("nano"),)))
        assert headline(made, nano).startswith("Always asking nano is enough: it costs 95 % less")

    def test_no_quality(self):
        """Without labels the saving stands alone, and quality is said to be unknown."""
        made = replace(recorded(), quality=np.full((20, 2), np.nan))
        found = compared(made)
        assert headline(made, found).endswith("than always asking top; its quality is unknown")
        assert [fact.value for fact in facts_of(found)][2:5] == ["unknown"] * 3

    def test_nothing_chosen_and_one_tier(self):
        """Without a plan or a second tier there is no saving to speak of."""
        made = recorded()
        assert headline(made, compared(made, None)) == "2 tiers compared; no plan was chosen"
        assert facts_of(compared(made, None)) == ()
        one = made.with_tiers(["top"])
        assert headline(one, compared(one, TOP)).startswith("Only top is recorded")

    def test_about(self):
        """Requests, tiers, witnesses and the day of the recording are counted."""
        made = recorded(about=About(created_at="2026-11-20T08:00:00Z"), witnesses=0)
        assert about_words(made) == "20 requests, 2 tiers, recorded 2026-11-20"
        assert about_words(made.with_tiers(["top"], ["nano"])) == (
            "20 requests, 1 tier, 1 witness, recorded 2026-11-20"
        )


class TestGathered:
    def test_the_picture(self):
        """Each single model has its mark, equal pairs one, costs are per 1,000 requests."""
        found = frontier_of(compared(recorded()), 0.93)
        kinds = [(spot.kind, spot.name) for spot in found.spots]
        assert kinds == [
            ("cheapest", "nano"),
            ("top", "top"),
            ("pair", "best pair at equal quality"),
            ("oracle", "oracle cascade"),
        ]
        assert found.spots[1].cost == pytest.approx(20)
        assert found.chosen.cost == pytest.approx(5)
        assert found.chosen.quality_range[0] < found.chosen.quality
        assert found.floor == 0.93

    def test_long_lines_are_thinned(self):
        """A line of thousands of points keeps its ends and as many as can be told apart."""
        line = tuple(Point(n / 1e4, n / 1e4, str(n)) for n in range(3000))
        found = frontier_of(compared(recorded(), oracle_cascade=line), None).oracle
        assert (found[0].name, found[-1].name, len(found)) == ("0", "2999", 200)

    def test_plans_found_go_from_cheap_to_dear(self):
        """Plans are joined by what they cost here, not by what they cost where they were found."""
        path = (Point(0.02, 0.9, "a"), Point(0.001, 0.7, "b"))
        found = frontier_of(compared(recorded(), path=path), None).found
        assert [spot.name for spot in found] == ["b", "a"]

    def test_unknown_points_are_not_drawn(self):
        """A model whose quality or cost is unknown has no place in the picture."""
        singles = (
            Point(float("nan"), 0.5, "a"),
            Point(0.1, float("nan"), "b"),
            Point(0.1, 0.5, "top"),
        )
        found = frontier_of(compared(recorded(), singles=singles, mixing=singles[:2]), None)
        assert [spot.name for spot in found.spots][:1] == ["top"]
        assert found.mixing == ()

    def test_the_table(self):
        """The chosen plan comes first; what does not exist says why; each single model is there."""
        lines = policies_of(compared(recorded()))
        assert lines[0].is_chosen
        assert lines[0].share == pytest.approx(0.25)
        assert [line.reason for line in lines if line.reason] == ["none so cheap"]
        assert [line.name for line in lines][-2:] == ["always nano", "always top"]
        assert lines[-1].share == pytest.approx(1)

    def test_tiers(self):
        """Shares, costs, harms and gains of the tiers add up to the whole."""
        made = recorded()
        found = compared(made)
        nano, top = tiers_of(made, found)
        assert (nano.answered, top.answered) == (0.8, 0.2)
        assert nano.spent + top.spent == pytest.approx(1)
        assert nano.cost + top.cost == pytest.approx(1000 * found.chosen.cost.value)
        assert nano.harms + top.harms == len(found.harm_rows) == 4
        assert nano.gains + top.gains == len(found.gain_rows) == 1
        assert tiers_of(made, compared(made, None)) == ()

    def test_dropped(self):
        """Tiers that the plan leaves out are listed with the reason that is known."""
        made = recorded()
        found = compared(made, TOP).chosen
        (nano,) = dropped_tiers(made, found, {"nano": "keeps too little"})
        assert (nano.name, nano.reason) == ("nano", "keeps too little")
        (nano,) = dropped_tiers(made, found, {})
        assert nano.reason == "the plan does not ask it"
        assert dropped_tiers(made, None, {}) == ()

    def test_dropped_for_the_same_reason(self):
        """Many tiers are one line that counts them and names the first."""
        many = [Dropped(name, "the plan does not ask it") for name in "abcdef"]
        told = together([*many, Dropped("g", "too dear")])
        assert told == (
            ("a, b, c and 3 more", "the plan does not ask them"),
            ("g", "too dear"),
        )
        assert together(many[:1]) == (("a", "the plan does not ask it"),)
        page = Page(report_html(view(dropped=tuple(many)))).text
        assert "a, b, c and 3 more : the plan does not ask them" in page
        console = Console(width=200, record=True, file=io.StringIO())
        console.print(summary_of(view(dropped=tuple(many))))
        told = "not in the plan: a, b, c and 3 more: the plan does not ask them"
        assert told in console.export_text()


class TestCases:
    def test_texts_of_both_answers(self):
        """A case shows request, both answers, the right answer, both qualities and the score."""
        texts = np.array([[f"n{row}", f"t{row}"] for row in range(20)], object)
        requests = objects(
            *({"messages": [{"role": "user", "content": f"q{r}"}]} for r in range(20))
        )
        made = recorded(texts=texts, requests=requests, references=objects(*["r"] * 20))
        harm, gain = cases_of(made, compared(made), 1)
        assert (harm.kind, gain.kind) == ("harm", "gain")
        row = harm.id[1:]
        assert (harm.request.text, harm.answer.text) == (f"q{row}", f"n{row}")
        assert (harm.top_answer.text, harm.reference.text) == (f"t{row}", "r")
        assert (harm.quality, harm.top_quality, harm.score) == (0, 1, 0.9)
        assert (gain.quality, gain.top_quality) == (1, 0)

    @pytest.mark.parametrize(
        ("request_", "words"),
        [
            ("a prompt", "a prompt"),
            ('{"messages": [{"role": "user", "content": "in JSON"}]}', "in JSON"),
            ('{"an": "object"}', '{"an": "object"}'),
            ("{broken", "{broken"),
            (
                {
                    "messages": [
                        {"role": "system", "content": "s"},
                        {"role": "user", "content": "u"},
                    ]
                },
                "system: s\n\nuser: u",
            ),
        ],
    )
    def test_requests_in_any_form(self, request_, words):
        """A prompt, a payload, a payload as JSON, and several messages are all shown as text."""
        made = recorded(requests=objects(*[request_] * 20))
        assert cases_of(made, compared(made), 1)[0].request.text == words

    @pytest.mark.parametrize("policy", ["none", "hashed"])
    def test_what_was_not_kept(self, policy):
        """Where the content policy kept no text, the page says so in its place."""
        made = recorded(about=About(content=policy))
        case = cases_of(made, compared(made), 1)[0]
        assert f"“{policy}”" in case.request.missing
        assert f"“{policy}”" in case.answer.missing
        digest = recorded(requests=objects(*[{"sha256": "ab"}] * 20), about=About(content=policy))
        assert "sha256:ab" in cases_of(digest, compared(digest), 1)[0].request.missing

    def test_no_answer(self):
        """Where a tier did not answer, there is no answer, not an empty one."""
        answered = np.ones((20, 2), bool)
        answered[-1, 1] = False
        made = recorded(answered=answered)
        gain = cases_of(made, compared(made), 3)[-1]
        assert gain.top_answer.missing == "no answer"

    def test_none(self):
        """Without a plan there are no cases."""
        made = recorded()
        assert cases_of(made, compared(made, None), 3) == ()


class TestMethod:
    def terms(self, made, **given):
        return {fact.term: fact.words for fact in method_of(made, compared(made, **given))}

    def test_quality_and_d0(self):
        """How quality came about and what the top tier's self-disagreement is stand in words."""
        about = About(quality="top tier", self_disagreement=0.03, self_disagreement_calls=100)
        terms = self.terms(recorded(about=about))
        assert terms["quality"] == (
            "agreement with top: an answer counts as right where it equals that of top"
        )
        assert terms["self-disagreement d0"].startswith("3.0 % of 100 double calls of top")
        graded = recording([[0.5, 1.0]] * 20, [10**9, 10**10], names=["nano", "top"])
        assert self.terms(graded)["quality"] == "as the source gives it, graded in [0, 1]"
        assert "not measured" in self.terms(recorded())["self-disagreement d0"]
        unknown = replace(recorded(), quality=np.full((20, 2), np.nan))
        assert self.terms(unknown)["quality"] == "unknown: no answer is labelled"

    def test_requests(self):
        """Groups, slices, splits and weights are named where there are any."""
        made = recorded(
            groups=objects(*(f"g{row % 5}" for row in range(20))),
            slices=objects(*["de"] * 15, *["en"] * 5),
            splits=objects(*["train"] * 20),
            weights=np.arange(1.0, 21.0),
        )
        assert self.terms(made)["requests"] == (
            "20 requests, in 5 groups, slices: de 15; en 5, splits: train 20, weighted"
        )
        assert self.terms(recorded())["requests"] == "20 requests"

    def test_intervals(self):
        """Resamples, seed, prices and the digest of the replay are stated."""
        terms = self.terms(recorded())
        assert "50 resamples, seed 0" in terms["intervals"]
        assert terms["intervals"].endswith("of harm and gain exact")
        pairs = recorded(groups=objects(*(f"g{row // 2}" for row in range(20))))
        assert "exact" not in self.terms(pairs)["intervals"]
        assert len(terms["replay"].split()[-1]) == 64
        assert "intervals" not in self.terms(recorded(), plan=None)

    def test_gaps(self):
        """What is missing is counted for each tier; a recording without gaps lists none."""
        made = recorded()
        answered, cost = np.ones((20, 2), bool), made.cost_pusd.copy()
        answered[:2, 0], cost[:3, 1] = False, -1
        quality, kind = made.quality.copy(), np.zeros((20, 2), np.int8)
        quality[:4, 1], kind[5:10, 0] = np.nan, 3
        holes = replace(made, answered=answered, cost_pusd=cost, quality=quality, score_kind=kind)
        assert gaps_of(holes) == (
            "nano: no answer to 2 of 20 requests",
            "nano: a scorer that abstained or failed on 5 of 20 requests",
            "top: unknown quality of 4 of 20 requests",
            "top: unknown cost of 3 of 20 requests",
        )
        assert gaps_of(made) == ()

    def test_prices(self):
        """The price list is shown as it was charged, and unknown prices are no price."""
        made = recorded()
        price = {"id": "nano@2026-11-22", "standard": {"input": "0.20", "output": "1.25"}}
        tiers = (replace(made.tiers[0], price=price), made.tiers[1])
        nano, top = prices_of(replace(made, tiers=tiers))
        assert (nano.id, nano.input, nano.cached, nano.output) == (
            "nano@2026-11-22",
            "0.20",
            "",
            "1.25",
        )
        assert (top.id, top.input) == ("", "")
        odd = replace(made, tiers=(replace(made.tiers[0], price={"standard": "?"}), made.tiers[1]))
        assert prices_of(odd)[0].input == ""


class TestLimits:
    def test_honest(self):
        """Without a certificate nothing is promised; with one, its own limits stand there."""
        made = recorded()
        without = " ".join(limits_of(made, compared(made), certified=False))
        assert "Nothing here is a promise" in without
        assert "flatters" in without
        assert "The oracles" in without
        fresh = limits_of(made, compared(made), certified=True, fresh=True)
        assert "choosing on the test" in " ".join(fresh)
        assert "average over requests" in " ".join(limits_of(made, compared(made), certified=True))

    def test_quality_by_agreement(self):
        """Agreement with the top tier is no correctness, and d0 bounds what can be meant."""
        made = recorded(about=About(quality="top tier", self_disagreement=0.03))
        words = " ".join(limits_of(made, compared(made), certified=False))
        assert "Quality is agreement with top" in words
        assert "3.0 % of double calls" in words

    def test_no_quality(self):
        """Without labels the report says that it knows costs only."""
        made = replace(recorded(), quality=np.full((20, 2), np.nan))
        assert "Quality is unknown" in " ".join(limits_of(made, compared(made), certified=False))
