"""What many requests came to: exact sums, honest about what is unknown, in constant memory."""

import math
import tracemalloc
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cascade import Cascade, ScoreRecord, Tier, Usage, trace_stats
from cascade.errors import RunError
from cascade.testing import ScriptedModels
from cascade.traces.quantiles import Quantiles
from cascade.traces.stats import Amount, Counting, ScorerStats, Times
from cascade.traces.stats_view import stats_tables

NANO, BIG = Decimal("0.00000628"), Decimal("0.0022")


def by_tier(stats):
    return {tier.tier: tier for tier in stats.tiers}


def shown(stats, width=140):
    return printed(stats_tables(stats), width)


def shown_trace(trace):
    return printed(trace, 140)


def printed(renderable, width):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


@pytest.fixture
def early(trace):
    """The same request, answered by its first tier."""
    first = replace(trace.attempts[0], verdict="accepted", threshold=0.4)
    return replace(
        trace, id="early", attempts=(first,), tier="nano", started_at="2026-11-01T00:00:00+00:00"
    )


class TestTiers:
    def test_shares_and_verdicts(self, trace, early):
        """Who was reached, answered, accepted and escalated, as counts and shares."""
        stats = trace_stats([trace, early, early, early])
        nano, big = stats.tiers
        assert (nano.tier, nano.reached, nano.answered, nano.share) == ("nano", 4, 3, 0.75)
        assert (nano.accepted, nano.escalated, nano.failed, nano.acceptance) == (3, 1, 0, 0.75)
        assert (big.tier, big.reached, big.answered, big.share) == ("big", 1, 1, 0.25)
        assert (stats.requests, stats.statuses) == (4, {"accepted": 4})
        assert (stats.first, stats.last) == (early.started_at, trace.started_at)

    def test_costs_are_exact_and_add_up(self, trace, early):
        """Sums by tier add up to the sum of all traces, to the digit."""
        traces = [trace, early, trace]
        stats = trace_stats(traces)
        assert stats.cost == Amount(sum(item.cost_usd for item in traces), stats.cost.known_usd, 0)
        assert by_tier(stats)["nano"].cost.usd == 3 * NANO
        assert by_tier(stats)["big"].cost.usd == 2 * BIG
        assert by_tier(stats)["big"].cost.per(2) == BIG
        assert sum(tier.cost.usd for tier in stats.tiers) == stats.cost.usd

    def test_a_tier_that_was_not_asked_was_not_reached(self, trace):
        """Skipped turns are counted apart, with neither cost nor time."""
        skipped = replace(trace.attempts[0], verdict="skipped", score=None, charges=())
        stats = trace_stats([replace(trace, attempts=(skipped, trace.attempts[1]))])
        nano = stats.tiers[0]
        assert (nano.skipped, nano.reached, nano.acceptance) == (1, 0, None)
        assert (nano.cost.usd, nano.time) == (0, Times(None, None))

    def test_failures_are_neither(self, failed_trace):
        """A tier that failed was reached and accepted nothing."""
        stats = trace_stats([failed_trace])
        assert (stats.tiers[0].failed, stats.tiers[0].acceptance) == (1, 0.0)
        assert stats.statuses == {failed_trace.status: 1}

    @pytest.mark.parametrize("limit", [{"budget": "0.00001"}, {"deadline_s": 1e-9}])
    def test_a_call_that_was_refused_reached_nobody(self, limit):
        """A tier without room in the budget or time was not asked: it neither failed nor cost."""
        llm = Cascade([Tier("gpt-5.5")], models=ScriptedModels({"gpt-5.5": "Paris"}))
        done = llm.complete("capital of France?", max_completion_tokens=100).trace
        with pytest.raises(RunError) as caught:
            llm.complete("capital of France?", max_completion_tokens=100, **limit)
        refused = caught.value.trace
        assert (refused.attempts[0].asked, refused.escalations) == (False, 0)
        stats = trace_stats([done, refused])
        (tier,) = stats.tiers
        assert (tier.reached, tier.failed, tier.not_asked, tier.acceptance) == (1, 0, 1, 1.0)
        assert tier.cost.per(tier.reached) == done.cost_usd
        assert "not asked" in shown(stats)
        assert "0 tiers asked · 1 not asked" in shown_trace(refused)

    def test_a_turn_that_the_caller_left_did_not_fail(self, trace):
        """Cut off by the caller, a turn was reached and left: it says nothing about the tier."""
        lost = replace(
            trace.attempts[1].charges[0],
            outcome="cancelled",
            cost_usd=None,
            basis="unknown",
            usage=None,
        )
        cut = replace(trace.attempts[1], verdict="failed", score=None, charges=(lost,))
        gone = replace(trace, status="cancelled", tier=None, attempts=(trace.attempts[0], cut))
        big = by_tier(trace_stats([trace, gone]))["big"]
        assert (big.reached, big.left, big.failed, big.acceptance) == (2, 1, 0, 1.0)
        assert by_tier(trace_stats([gone]))["big"].acceptance is None
        none = replace(lost, usage=Usage(0, 0), cost_usd=Decimal(0), basis="exact")
        before = replace(gone, attempts=(trace.attempts[0], replace(cut, charges=(none,))))
        big = by_tier(trace_stats([before]))["big"]
        assert (big.reached, big.not_asked, big.time.p50_s) == (0, 1, None)

    def test_times(self, trace):
        """Times are those of whole turns, right within one per cent."""
        nano, big = trace_stats([trace]).tiers
        assert nano.time.p50_s == pytest.approx(0.5, rel=0.01)
        assert big.time.p95_s == pytest.approx(0.25, rel=0.01)


class TestMoney:
    def test_unknown_costs_are_counted_and_never_nothing(self, trace):
        """A sum with an unknown part is unknown, beside what is known and how many are not."""
        first = trace.attempts[0]
        lost = replace(first.charges[1], cost_usd=None, basis="unknown", usage=None)
        broken = replace(trace, attempts=(replace(first, charges=(lost,)), trace.attempts[1]))
        stats = trace_stats([trace, broken])
        assert stats.cost == Amount(None, NANO + 2 * BIG, 1)
        assert by_tier(stats)["nano"].cost == Amount(None, NANO, 1)
        assert stats.cost.known_usd == sum(item.known_cost_usd for item in (trace, broken))
        assert stats.cost.known_usd == sum(tier.cost.known_usd for tier in stats.tiers)
        assert by_tier(stats)["nano"].cost.per(2) is None
        assert by_tier(stats)["big"].cost.usd == 2 * BIG
        assert stats.saved == Amount(None, trace.saved_usd, 1)
        text = shown(stats)
        assert ">= $0.00440628 (1 unknown)" in text
        assert "of 1 requests, unknown for 1" in text

    def test_retries_and_scorers(self, trace):
        """What tries cost that had to be made again, and what scorers' calls cost, stand apart."""
        first, last = trace.attempts
        tries = tuple(
            replace(first.charges[1], call=0, cost_usd=cost) for cost in (NANO, 2 * NANO, 4 * NANO)
        )
        asks = replace(first.charges[1], call=1, purpose="scorer", scorer="unsure", cost_usd=BIG)
        stats = trace_stats(
            [replace(trace, attempts=(replace(first, charges=(*tries, asks)), last))]
        )
        assert (stats.retries, stats.retried.usd, stats.scoring.usd) == (2, 3 * NANO, BIG)
        unsure = stats.scorers[0]
        assert (unsure.calls, unsure.cost.usd, unsure.runs) == (1, BIG, 1)
        assert "2 tries that had to be made again" in shown(stats)

    def test_large_sums_are_shown_in_short(self, trace):
        """Dollars are shown in four places, and the sum itself keeps every digit."""
        first, last = trace.attempts
        dear = replace(last.charges[0], cost_usd=Decimal("1234.56789"))
        stats = trace_stats([replace(trace, attempts=(first, replace(last, charges=(dear,))))])
        assert stats.cost.usd == Decimal("1234.56789") + NANO
        assert "$1234.5679" in shown(stats)

    def test_saved_may_be_lost(self, trace, failed_trace):
        """A cascade that cost more than the top tier alone says so; no answer saves nothing known."""
        assert "lost" in shown(trace_stats([trace]))
        text = shown(trace_stats([failed_trace]))
        assert "unknown · no request with an answer whose cost is known" in text

    def test_replays_are_passed_over(self, trace):
        """Nothing of a replay happened."""
        assert trace_stats([replace(trace, replayed=True)]).requests == 0


class TestScorers:
    def test_each_scorer_of_each_tier(self, trace):
        """Runs, mean score, the share below the threshold, abstentions and failures."""
        first, last = trace.attempts
        odd = [
            replace(first, score=ScoreRecord("unsure", kind))
            for kind in ("abstained", "failed", "failed")
        ]
        high = replace(first, score=ScoreRecord("unsure", "score", 0.95))
        traces = [replace(trace, attempts=(item, last)) for item in (first, high, *odd)]
        unsure, sure = trace_stats(traces).scorers
        assert (unsure.tier, unsure.scorer, unsure.runs) == ("nano", "unsure", 5)
        assert unsure.mean == pytest.approx((0.41 + 0.95) / 2)
        assert (unsure.below, unsure.abstained, unsure.failed) == (0.5, 1, 2)
        assert (sure.tier, sure.runs, sure.below) == ("big", 5, 0.0)

    def test_parts_of_a_combination(self, trace):
        """Each part stands below its combination; only the whole is compared with the threshold."""
        parts = (ScoreRecord("a", "score", 0.2), ScoreRecord("b", "abstained"))
        inner = ScoreRecord("inner", "score", 0.2, None, parts)
        both = ScoreRecord("both", "score", 0.2, None, (inner, ScoreRecord("a", "score", 1.0)))
        attempts = (replace(trace.attempts[0], score=both), trace.attempts[1])
        alone = replace(trace, attempts=(trace.attempts[0], trace.attempts[1]))
        stopped = replace(inner, parts=parts[:1])  # before its second part, in the first request
        early = replace(attempts[0], score=replace(both, parts=(stopped, both.parts[1])))
        first = replace(trace, attempts=(early, attempts[1]))
        stats = trace_stats([first, alone, replace(trace, attempts=attempts)])
        found = [((*item.within, item.scorer), item.runs, item.mean) for item in stats.scorers[:6]]
        assert found == [
            (("both",), 2, 0.2),
            (("both", "inner"), 2, 0.2),
            (("both", "inner", "a"), 2, 0.2),
            (("both", "inner", "b"), 1, None),
            (("both", "a"), 2, 1.0),
            (("unsure",), 1, 0.41),
        ]
        assert [item.below for item in stats.scorers[:2]] == [1.0, None]

    def test_calls_of_a_scorer_that_gave_no_score(self, trace):
        """Calls are booked on their scorer even where the request ended before it had spoken."""
        first = trace.attempts[0]
        asks = replace(first.charges[1], purpose="scorer", scorer="check")
        stats = trace_stats(
            [replace(trace, attempts=(replace(first, score=None, charges=(asks,)),))]
        )
        (check,) = stats.scorers
        assert isinstance(check, ScorerStats)
        assert (check.scorer, check.runs, check.calls, check.mean) == ("check", 0, 1, None)


class TestTables:
    @pytest.mark.parametrize("width", [80, 100, 140])
    def test_everything_fits(self, trace, early, width):
        """No number is cut at any width from 80 columns on, and no line is longer."""
        text = shown(trace_stats([trace, early, early]), width)
        assert "…" not in text
        assert all(len(line) <= width for line in text.splitlines())
        for expected in ("3 requests", "66.7 %", "$0.00001884", "0.25s", "unsure", "0.410"):
            assert expected in text
        assert ("█" in text) == (width >= 120)

    def test_columns_without_a_story_are_left_out(self, trace, failed_trace):
        """Failures, skips and abstentions have columns only where there are any."""
        assert "failed" not in shown(trace_stats([trace]))
        assert "failed" in shown(trace_stats([failed_trace]))
        skipped = replace(trace.attempts[0], verdict="skipped", score=None, charges=())
        assert "skipped" in shown(trace_stats([replace(trace, attempts=(skipped,))]))

    def test_no_requests(self):
        """Nothing to add up is said in a line."""
        assert shown(trace_stats([])).strip() == "0 requests"

    def test_names_and_times_of_others(self, trace):
        """Foreign names cannot act on the terminal, and a time that is none stands as it is."""
        odd = replace(
            trace.attempts[0], tier="\x1b[31m[red]x", score=ScoreRecord("[b]y\x07", "score", 0.5)
        )
        text = shown(trace_stats([replace(trace, attempts=(odd,), started_at="long ago")]))
        assert ("[red]x" in text, "[b]y" in text, "long ago" in text) == (True, True, True)
        assert "\x1b" not in text


@given(st.lists(st.floats(1e-5, 1e5), min_size=1, max_size=300), st.floats(0, 1))
def test_quantiles_are_right_within_one_per_cent(values, share):
    """Whatever the times, the estimate is within one per cent of the one with that rank."""
    sketch = Quantiles()
    for value in values:
        sketch.add(value)
    exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    assert sketch.at(share) == pytest.approx(exact, rel=0.0105)
    assert min(values) <= sketch.at(share) <= max(values)


def test_no_quantile_is_beyond_the_longest_time():
    """Where no request took longer than 90 s, 95 % do not take 90.47 s."""
    sketch = Quantiles()
    for _ in range(20):
        sketch.add(90.0)
    assert (sketch.at(0), sketch.at(0.95), sketch.at(1)) == (90.0, 90.0, 90.0)


def test_quantiles_of_odd_times():
    """No time, times of nothing, and times without end are survived."""
    sketch = Quantiles()
    assert sketch.at(0.5) is None
    for value in (float("nan"), 0.0, -1.0, float("inf")):
        sketch.add(value)
    assert sketch.count == 3
    assert sketch.at(0.5) == pytest.approx(0, abs=1e-5)
    assert sketch.at(1) == pytest.approx(1e9, rel=0.02)


def test_memory_does_not_grow(trace):
    """Ten thousand more traces take no more memory than the first hundred."""
    counting = Counting()

    def count(number):
        for place in range(number):
            counting.add(replace(trace, id=str(place), duration_s=0.001 * (place % 997)))

    tracemalloc.start()
    try:
        count(1000)
        before = tracemalloc.get_traced_memory()[0]
        count(10_000)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 20_000
    assert counting.requests == 11_000
