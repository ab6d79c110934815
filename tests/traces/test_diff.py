"""What differs between two traces: all of it, and nothing that does not."""

import json
from dataclasses import asdict, replace
from decimal import Decimal

import pytest
from rich.console import Console

from cascade import Chain, Price, ScoreRecord, Tier, diff_traces, replay
from cascade.traces.content import redact
from cascade.traces.diff_view import diff_panel

PRICE = Price.of("0.20", "1.25", cached_input="0.02")


def even(draft):
    return 0.41 if "not" in draft.text else 0.97


def chain_with(threshold):
    return Chain(
        (
            Tier("nano", scorer=even, threshold=threshold, price=PRICE),
            Tier("big", scorer=even, threshold=0.5, price=Price.of("5", "30")),
        ),
        name="support",
    )


def shown(diff, width=100):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(diff_panel(diff))
    return capture.get()


def values(changes):
    return {change.name: (change.before, change.after) for change in changes}


class TestWhatDiffers:
    def test_a_trace_and_itself(self, trace):
        """A trace does not differ from itself, nor from its copy in JSON or under another id."""
        for other in (trace, replace(trace, id="x", started_at="2020-01-01T00:00:00Z")):
            diff = diff_traces(trace, other)
            assert (diff.same, diff.changes, diff.request, diff.attempts) == (True, (), (), ())
            assert "the same" in shown(diff)

    def test_a_replay_under_another_chain(self, trace):
        """A lower threshold shows as a changed verdict, tier and cost, and a turn that went away."""
        strict = replay(trace, chain_with(0.92))
        diff = diff_traces(strict, replay(trace, chain_with(0.3)))
        found = values(diff.changes)
        assert found["tier"] == ("big", "nano")
        assert found["cost_usd"] == (Decimal("0.00220628"), Decimal("0.00000628"))
        assert "chain_digest" in found
        assert "known_cost_usd" not in found
        nano, big = diff.attempts
        assert (big.tier, big.only_in) == ("big", "before")
        turn = values(nano.changes)
        assert (turn["verdict"], turn["threshold"]) == (("escalated", "accepted"), (0.92, 0.3))
        assert not diff.same

    def test_drafts_as_unified_diff(self, make_trace):
        """Texts are compared line by line."""
        old, new = make_trace(cheap="one\ntwo\nthree"), make_trace(cheap="one\n2\nthree")
        (nano,) = diff_traces(old, new).attempts
        assert nano.text == ("@@ -1,3 +1,3 @@", " one", "-two", "+2", " three")
        text = replace(old.attempts[0], text="one\n2")
        alone = diff_traces(old, replace(old, attempts=(text, old.attempts[1])))
        assert [(turn.changes, turn.text[-1]) for turn in alone.attempts] == [((), "+2")]
        assert (alone.same, "- three" in shown(alone)) == (False, True)

    def test_requests_and_labels(self, make_trace):
        """What was asked, its tags, metadata and parent are compared."""
        old = make_trace("Where?", metadata={"a": 1})
        new = replace(make_trace("When?", metadata={"a": 2}), tags=("x",), parent_id="run")
        diff = diff_traces(old, new)
        assert [line.strip() for line in diff.request if line[0] in "+-"] == [
            '-      "content": "Where?",',
            '+      "content": "When?",',
        ]
        assert {"tags", "parent_id", "metadata"} <= values(diff.changes).keys()

    def test_scores_of_combinations(self, trace):
        """Scores and reasons are compared by the way that leads to them, equal names apart."""
        first, last = trace.attempts

        def judged(*parts):
            both = ScoreRecord("both", "score", 0.4, "why", parts)
            return replace(trace, attempts=(replace(first, score=both), last))

        a, b = ScoreRecord("a", "score", 0.4, "x"), ScoreRecord("a", "failed", None, "y")
        (nano,) = diff_traces(judged(a, a), judged(a, b)).attempts
        assert values(nano.changes) == {
            "score both > #2 a": (0.4, "failed"),
            "reason of both > #2 a": ("x", "y"),
        }
        (nano,) = diff_traces(judged(a), judged(a, b)).attempts
        assert values(nano.changes) == {"score both > #2 a": (None, "failed")}

    def test_times_are_told_and_do_not_count(self, trace):
        """Another run of the same takes another time and is the same."""
        slow = replace(trace.attempts[1].charges[0], latency_s=2.0)
        other = replace(
            trace,
            duration_s=9.0,
            attempts=(trace.attempts[0], replace(trace.attempts[1], charges=(slow,))),
        )
        diff = diff_traces(trace, other)
        assert diff.same
        assert values(diff.changes) == {"duration_s": (0.75, 9.0)}
        assert values(diff.attempts[0].changes) == {"latency_s": (0.25, 2.0)}
        assert "the same but for times" in shown(diff)

    def test_turns_that_moved_and_twins(self, trace):
        """A tier is compared with itself wherever it stands; a second turn with the second one."""
        first, last = trace.attempts
        diff = diff_traces(trace, replace(trace, attempts=(last, first, first)))
        assert [(turn.tier, turn.only_in) for turn in diff.attempts] == [
            ("nano", None),
            ("big", None),
            ("nano", "after"),
        ]
        assert values(diff.attempts[0].changes) == {"place": (1, 2)}

    def test_calls_and_tokens(self, trace):
        """Another number of tries, another outcome and other tokens are told."""
        first, last = trace.attempts
        fewer = replace(trace, attempts=(replace(first, charges=first.charges[1:]), last))
        turn = values(diff_traces(trace, fewer).attempts[0].changes)
        assert turn["calls"] == (["draft rate_limit", "draft ok"], ["draft ok"])
        cut = replace(first, text=None, charges=first.charges[:1])
        turn = values(diff_traces(trace, replace(trace, attempts=(cut, last))).attempts[0].changes)
        assert (turn["tokens out"], turn["text"]) == ((4, 0), ("some", "none"))

    def test_unknown_costs(self, trace):
        """An unknown cost differs from a known one and shows its lower bound."""
        first, last = trace.attempts
        lost = replace(first.charges[1], cost_usd=None, basis="unknown")
        other = replace(trace, attempts=(replace(first, charges=(first.charges[0], lost)), last))
        diff = diff_traces(trace, other)
        assert values(diff.changes)["cost_usd"] == (trace.cost_usd, None)
        assert values(diff.changes)["known_cost_usd"] == (trace.cost_usd, Decimal("0.0022"))
        assert "unknown" in shown(diff)

    def test_what_one_trace_lacks(self, trace, failed_trace):
        """A turn without a score, a request that was not kept, a text that is no more differ."""
        first, last = trace.attempts
        bare = replace(trace, request=None, attempts=(replace(first, score=None, text="I"), last))
        diff = diff_traces(trace, bare)
        assert diff.request[0].startswith("@@")
        (nano,) = diff.attempts
        assert values(nano.changes) == {"score unsure": (0.41, None)}
        assert nano.text[-2:] == ("-I do not know.", "+I")
        assert not diff_traces(
            trace, replace(trace, attempts=(replace(first, text="I"), last))
        ).same
        assert "none" in shown(diff)
        assert diff_traces(trace, failed_trace).attempts[0].tier == "nano"


class TestPolicies:
    def test_words_of_other_policies_are_not_compared(self, trace):
        """A digest says nothing about a text: only names and numbers are compared."""
        diff = diff_traces(trace, redact(trace, "hashed"))
        assert (diff.same, diff.words_compared) == (True, False)
        assert "only names and numbers are compared" in shown(diff)

    def test_digests_are_compared_with_digests(self, make_trace):
        """Two hashed traces differ where their texts did."""
        old, new = (redact(make_trace(cheap=text), "hashed") for text in ("a", "b"))
        assert diff_traces(old, redact(make_trace(cheap="a"), "hashed")).same
        assert [turn.tier for turn in diff_traces(old, new).attempts] == ["nano"]

    def test_long_texts_are_cut(self, make_trace):
        """Of a very long draft the first lines are compared, and that is said."""
        old = make_trace(cheap="\n".join(["x"] * 3000))
        new = make_trace(cheap="\n".join(["x"] * 2999 + ["y"]))
        (nano,) = diff_traces(old, new).attempts
        assert nano.text == ("@@ compared up to line 2000 @@",)
        ends = diff_traces(make_trace(cheap="a\nb"), make_trace(cheap="a\r\nb")).attempts[0]
        assert ends.text == ("@@ only line ends differ @@",)


class TestView:
    @pytest.mark.parametrize("width", [60, 100])
    def test_both_sides_and_the_step(self, trace, width):
        """Values stand side by side with what lies between them, at any width."""
        diff = diff_traces(replay(trace, chain_with(0.92)), replay(trace, chain_with(0.3)))
        text = shown(diff, width)
        for expected in ("escalated", "accepted", "$0.00220628", "-$0.0022", "was tried before"):
            assert expected in text
        assert all(len(line) <= width for line in text.splitlines())

    def test_foreign_text_cannot_act(self, make_trace):
        """Markup and control characters of drafts, names and labels have no effect."""
        nasty = "[red]x[/] \x1b[31m\x07"
        new = make_trace(nasty, nasty, metadata={nasty: nasty})
        new = replace(new, id=nasty, chain=nasty, tags=(nasty,))
        text = shown(diff_traces(make_trace(), new))
        assert "[red]x[/]" in text
        assert all(char.isprintable() or char == "\n" for char in text)

    def test_as_data(self, trace):
        """A difference is plain data."""
        diff = diff_traces(trace, replace(trace, status="cancelled"))
        assert json.loads(json.dumps(asdict(diff)))["changes"] == [
            {"name": "status", "before": "accepted", "after": "cancelled"}
        ]
