"""What scorers cost and stop, as traces tell it."""

from decimal import Decimal
from itertools import cycle

import pytest

from cascade import Cascade, Price, Score, Tier, ask
from cascade.testing import ScriptedModels, reply
from cascade.traces.worth import BINS, Worth
from scorers import first_reject

CHEAP, DEAR = Price.of("1", "1"), Price.of("10", "10")


def checked(draft):
    """Ask, so that it costs something."""
    found = yield from ask("cheap", f"sure? {draft.text}")
    return Score(float(found.text))


def plain(draft):
    return Score(0.2 if "short" in draft.text else 0.9)


def run(scorer, answers, verdicts=("0.9",), *, cheap=(90,), dear=(90,)):
    """Requests whose first tier gives these answers; input tokens that calls report, by turns."""
    models = ScriptedModels(
        {
            "cheap": lines(answers, cheap),
            "dear": lines(["right"] * len(answers), dear),
        },
        scorers={"cheap": [reply(text, input_tokens=19, output_tokens=1) for text in verdicts]},
    )
    tiers = [Tier("cheap", scorer=scorer, threshold=0.5, price=CHEAP), Tier("dear", price=DEAR)]
    return worth(tiers, models, len(answers))


def lines(texts, tokens):
    """Replies that report so many input tokens, or none, and are then of unknown cost."""
    return [
        reply(text, input_tokens=some, output_tokens=some and 10)
        for text, some in zip(texts, cycle(tokens), strict=False)
    ]


def worth(tiers, models, count):
    """What the scorers of these tiers are worth after so many requests."""
    found, seen = Worth(), []
    llm = Cascade(tiers, models=models, observers=[seen.append])
    for _ in range(count):
        llm.complete("?")
    for trace in seen:
        found.add(trace)
    return found.tiers()


class TestWorth:
    def test_every_amount_by_hand(self):
        """Four drafts at $0.0001, of which one is rejected and costs $0.001 more."""
        (found,) = run(plain, ["long", "short", "long", "long"])
        assert (found.tier, found.scorer, found.threshold, found.thresholds) == (
            "cheap",
            "plain",
            0.5,
            1,
        )
        assert (found.judged, found.rejected, found.accepted) == (4, 1, 3)
        assert found.draft.usd == Decimal("0.0004")
        assert found.scoring.usd == 0
        assert found.onward.usd == Decimal("0.001")
        assert found.saved_if_all_accepted.usd == Decimal("0.001")
        assert found.dearer_without_tier_usd == 3 * Decimal("0.001") - Decimal("0.0004")

    def test_scores_fall_into_bins(self):
        """A score of 0.2 is in the bin that begins there; each score is in one."""
        (found,) = run(plain, ["long", "short"])
        assert found.scores[int(0.9 * BINS)] == 1
        assert found.scores[int(0.2 * BINS)] == 1
        assert sum(found.scores) == 2

    def test_a_tier_that_does_not_pay(self):
        """Where nearly everything is rejected, the tier and its questions are money lost."""
        (found,) = run(checked, ["a", "b", "c", "d"], ["0.1", "0.1", "0.1", "0.9"])
        assert found.scoring.usd == 4 * Decimal("0.00002")
        expected = Decimal("0.001") - Decimal("0.0004") - Decimal("0.00008")
        assert found.dearer_without_tier_usd == expected
        (worse,) = run(checked, ["a", "b"], ["0.1", "0.1"])
        assert worse.dearer_without_tier_usd < 0

    def test_nothing_rejected_tells_nothing(self):
        """Nobody knows what the next tier would have cost where it was never asked."""
        (found,) = run(plain, ["long"])
        assert found.dearer_without_tier_usd is None

    def test_parts_that_stand_alone(self):
        """Of two parts, the one that rejects alone is told from one that others back."""
        (found,) = run(first_reject(plain, checked), ["long", "short"], ["0.1"])
        by_name = {part.scorer: part for part in found.parts}
        assert (by_name["plain"].runs, by_name["plain"].alone) == (2, 1)
        assert (by_name["checked"].runs, by_name["checked"].below, by_name["checked"].alone) == (
            1,
            1,
            1,
        )

    @pytest.mark.parametrize(("unknown", "is_told"), [(0, True), (1, True), (2, False), (9, False)])
    def test_unknown_later_costs_do_not_count_as_nothing(self, unknown, is_told):
        """The rejected drafts of known later cost stand for few others; for many they cannot."""
        answers = ["long"] * 10 + ["short"] * 10
        (found,) = run(plain, answers, dear=[None] * unknown + [90] * (10 - unknown))
        assert (found.onward_mean.of, found.onward_mean.unknown) == (10, unknown)
        expected = 10 * Decimal("0.001") - 20 * Decimal("0.0001")
        assert found.dearer_without_tier_usd == (expected if is_told else None)

    @pytest.mark.parametrize(("unknown", "is_told"), [(0, True), (2, True), (3, False)])
    def test_unknown_costs_of_its_own_do_not_count_as_nothing(self, unknown, is_told):
        """Drafts of unknown cost are taken to cost what the others did, while they are few."""
        answers = ["long"] * 10 + ["short"] * 10
        (found,) = run(plain, answers, cheap=[None] * unknown + [90] * (20 - unknown))
        assert (found.own_mean.of, found.own_mean.unknown) == (20, unknown)
        expected = 10 * Decimal("0.001") - 20 * Decimal("0.0001")
        assert found.dearer_without_tier_usd == (expected if is_told else None)

    def test_what_the_last_tier_would_have_rejected(self):
        """The last tier's answer stands; that its score was too low is counted all the same."""
        models = ScriptedModels({"dear": lines(["short", "long", "short"], [90])})
        tiers = [Tier("dear", scorer=plain, threshold=0.5, price=DEAR)]
        (found,) = worth(tiers, models, 3)
        assert (found.judged, found.rejected, found.below) == (3, 0, 2)

    def test_an_unknown_cost_is_counted_and_not_nothing(self):
        """A call of unknown cost leaves sums unknown, with what is known beside it."""
        (found,) = run(plain, ["short"], cheap=[None])
        assert found.draft.usd is None
        assert found.draft.unknown == 1
