"""What a single request may say for itself: where it starts and stops, its conversation, its marks."""

from __future__ import annotations

import asyncio
import json
import threading
from decimal import Decimal
from types import SimpleNamespace

import pytest

from cascade import (
    AsyncCascade,
    Budget,
    Cascade,
    ConfigError,
    Price,
    Request,
    RequestError,
    Sticky,
    Tier,
    Trace,
    replay,
)
from cascade.testing import ManualClock, ScriptedModels, failure

PRICE = Price.of("1", "2")
KINDS = ["sync", "async", "stream", "async stream", "many", "rounds"]


def good(draft):
    return "good" in draft.text


def tiers(*names):
    *scored, last = names or ("low", "mid", "top")
    return [*(Tier(name, scorer=good, price=PRICE) for name in scored), Tier(last, price=PRICE)]


def models(**script):
    return ScriptedModels({"low": "bad", "mid": "good", "top": "the best", **script})


class Asking:
    """A cascade of one kind, asked in one way."""

    def __init__(self, kind, chain=None, answers=None, **settings):
        self.kind = kind
        self.models = answers or models()
        make = AsyncCascade if "async" in kind else Cascade
        self.llm = make(chain or tiers(), models=self.models, **settings)

    @property
    def asked(self):
        return [call.tier.name for call in self.models.calls]

    def __call__(self, asked="?", **options):
        if self.kind == "sync":
            return self.llm.complete(asked, **options)
        if self.kind == "many":
            (result,) = self.llm.complete_many([asked], **options)
            return result.unwrap()
        if self.kind == "rounds":
            (result,) = self.llm.complete_rounds([asked], **options)
            return result
        if self.kind == "stream":
            stream = self.llm.stream(asked, **options)
            list(stream)
            return stream.completion
        return asyncio.run(self._awaited(asked, options))

    async def _awaited(self, asked, options):
        if self.kind == "async":
            return await self.llm.complete(asked, **options)
        stream = self.llm.stream(asked, **options)
        async for _ in stream:
            pass
        return stream.completion


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def verdicts(done):
    return [(attempt.tier, attempt.verdict) for attempt in done.trace.attempts]


# Start and stop ---------------------------------------------------------------------------------

LOW_SKIPPED, BOTH_SKIPPED = [("low", "skipped")], [("low", "skipped"), ("mid", "skipped")]

PARTS = {
    "the whole": ({}, [("low", "escalated"), ("mid", "accepted")], "good"),
    "from the second": ({"start_at": "mid"}, [*LOW_SKIPPED, ("mid", "accepted")], "good"),
    "from the last": ({"start_at": "top"}, [*BOTH_SKIPPED, ("top", "accepted")], "the best"),
    "only the first": ({"stop_at": "low"}, [("low", "accepted")], "bad"),
    "up to the second": (
        {"stop_at": "mid"},
        [("low", "escalated"), ("mid", "accepted")],
        "good",
    ),
    "only the second": (
        {"start_at": "mid", "stop_at": "mid"},
        [*LOW_SKIPPED, ("mid", "accepted")],
        "good",
    ),
}


@pytest.mark.parametrize(("options", "expected", "text"), PARTS.values(), ids=PARTS)
def test_a_part_of_the_chain(kind, options, expected, text):
    """Skipped tiers are in the trace, not asked and not paid; the last one's answer stands."""
    ask = Asking(kind)
    done = ask(**options)
    assert (verdicts(done), done.text, done.accepted) == (expected, text, True)
    trace = done.trace
    assert ask.asked == [tier for tier, verdict in expected if verdict != "skipped"]
    assert (trace.start_at, trace.stop_at) == (options.get("start_at"), options.get("stop_at"))
    for attempt in trace.attempts:
        if attempt.verdict == "skipped":
            assert attempt.reason == f"start_at={options['start_at']!r}"
            assert (attempt.charges, attempt.cost_usd, attempt.latency_s) == ((), 0, 0)
    assert trace.escalations == len(ask.asked) - 1
    assert Trace.from_json(trace.to_json()) == trace
    assert replay(trace, tiers()) == trace
    assert len(ask.asked) == len(trace.charges)


def test_the_top_tier_is_the_chains_whatever_is_asked(kind):
    """What was saved is counted against the chain's last tier, also where it was out of reach."""
    chain = [Tier("low", scorer=good, price=PRICE), Tier("top", price=Price.of("10", "20"))]
    done = Asking(kind, chain)(stop_at="low")
    assert done.trace.top_tier == "top"
    assert done.saved_usd == 9 * done.cost_usd


def test_a_route_that_fails_ends_there(kind):
    """A tier beyond `stop_at` is not asked, although the last allowed one fails."""
    seen = []
    ask = Asking(kind, answers=models(mid=failure("server")), observers=[seen.append])
    done = ask(stop_at="mid")
    assert (done.text, done.accepted) == ("bad", False)
    assert "top" not in ask.asked
    assert seen[0].status == "unaccepted"


BAD_ROUTES = [
    ({"start_at": "middle"}, r"start_at='middle': no tier 'middle' in chain 'chain'; it has 'low'"),
    ({"stop_at": "middle"}, r"stop_at='middle': no tier 'middle'"),
    ({"start_at": 2}, r"start_at=2: no tier '2'"),
    ({"start_at": ""}, r"start_at='': no tier ''"),
    ({"start_at": "top", "stop_at": "mid"}, r"start_at='top' comes after stop_at='mid'"),
    ({"start_at": "mid", "stop_at": "nowhere"}, r"stop_at='nowhere'"),
]


@pytest.mark.parametrize(("options", "words"), BAD_ROUTES)
def test_a_route_that_cannot_be(kind, options, words):
    """Names that the chain lacks and orders that leave no tier are refused; nobody is asked."""
    seen = []
    ask = Asking(kind, observers=[seen.append])
    with pytest.raises(RequestError, match=words):
        ask(**options)
    assert (ask.asked, seen) == ([], [])


def test_limits_are_each_requests_own(kind):
    """A request's budget and deadline go over the cascade's own."""
    clock = ManualClock()
    capped = [Tier("top", price=PRICE, params={"max_completion_tokens": 5})]
    ask = Asking(
        kind,
        capped,
        ScriptedModels({"top": "yes"}, clock=clock, latency_s=1),
        budget="0.0000001",
        deadline_s=0.5,
        clock=clock,
    )
    done = ask(budget=Budget("1"), deadline_s=9)
    assert (done.text, done.trace.budget_usd) == ("yes", Decimal(1))


# Conversations ----------------------------------------------------------------------------------


def test_a_conversation_stays_with_the_tier_that_answered(kind):
    """Its next requests skip the tiers below; other conversations and requests do not."""
    ask = Asking(kind, sticky=Sticky())
    first, second = ask(conversation="a"), ask(conversation="a")
    assert verdicts(first) == [("low", "escalated"), ("mid", "accepted")]
    assert verdicts(second) == [("low", "skipped"), ("mid", "accepted")]
    assert second.trace.attempts[0].reason == "conversation 'a' is with 'mid'"
    assert second.trace.start_at == "mid"
    assert verdicts(ask(conversation="b")) == verdicts(ask()) == verdicts(first)
    assert Trace.from_json(second.trace.to_json()) == second.trace
    assert replay(second.trace, tiers()) == second.trace


def test_a_conversation_starts_from_the_bottom_after_a_time(kind):
    """The time runs from when it came to its tier, however often it asks meanwhile."""
    clock = ManualClock()
    ask = Asking(kind, sticky=Sticky(60, clock=clock))
    found = []
    for now_s in (0, 59, 60, 119, 120):
        clock.now_s = now_s
        found.append(verdicts(ask(conversation="a"))[0][1])
    assert found == ["escalated", "skipped", "escalated", "skipped", "escalated"]


def test_a_conversation_moves_up_and_its_time_begins_anew(kind):
    """Where a further tier has to answer, the conversation goes with it from then on."""
    clock = ManualClock()
    answers = models(mid=["good", "bad"])
    ask = Asking(kind, answers=answers, sticky=Sticky(60, clock=clock))
    ask(conversation="a")
    clock.now_s = 50
    assert ask(conversation="a").tier == "top"
    clock.now_s = 109
    assert verdicts(ask(conversation="a"))[:2] == BOTH_SKIPPED
    clock.now_s = 110
    answers._used.clear()
    assert verdicts(ask(conversation="a"))[0] == ("low", "escalated")


def test_what_is_asked_goes_over_what_is_remembered(kind):
    """`start_at` wins; `stop_at` below the remembered tier starts from the bottom, this once."""
    sticky = Sticky()
    ask = Asking(kind, sticky=sticky)
    sticky.remember("a", "mid")
    assert verdicts(ask(conversation="a", start_at="low"))[0] == ("low", "escalated")
    assert verdicts(ask(conversation="a", start_at="top"))[2] == ("top", "accepted")
    assert sticky.tier("a") == "top"
    assert verdicts(ask(conversation="a", stop_at="low")) == [("low", "accepted")]
    assert sticky.tier("a") == "top"


def test_a_remembered_tier_that_the_chain_has_lost(kind):
    """A chain that was changed, or another one that shares the memory, starts from the bottom."""
    sticky = Sticky()
    sticky.remember("a", "retired")
    done = Asking(kind, sticky=sticky)(conversation="a")
    assert verdicts(done) == [("low", "escalated"), ("mid", "accepted")]
    assert done.trace.start_at is None
    assert sticky.tier("a") == "mid"


def test_an_answer_that_nobody_accepted_is_not_remembered(kind):
    """A best draft says nothing about where the conversation belongs."""
    sticky = Sticky()
    answers = models(mid="bad", top=failure("server"))
    done = Asking(kind, answers=answers, sticky=sticky)(conversation="a")
    assert not done.accepted
    assert (sticky.tier("a"), len(sticky)) == (None, 0)


def test_a_conversation_can_be_forgotten(kind):
    """`forget` lets it start from the bottom; one that is not known is no error."""
    sticky = Sticky()
    ask = Asking(kind, sticky=sticky)
    ask(conversation="a")
    sticky.forget("a")
    sticky.forget("never heard of")
    assert verdicts(ask(conversation="a"))[0] == ("low", "escalated")


@pytest.mark.parametrize("talk", ["", 5, ["a"], b"a"])
def test_a_conversation_needs_an_id(kind, talk):
    """Ids are texts; without a memory the message says how to make one."""
    ask = Asking(kind, sticky=Sticky())
    with pytest.raises(RequestError, match="expected an id, a text that is not empty"):
        ask(conversation=talk)
    ask = Asking(kind)
    with pytest.raises(RequestError, match=r"build it with sticky=Sticky\(ttl_s=900\)"):
        ask(conversation=talk)
    assert ask.asked == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Sticky(0), "ttl_s 0 is not a number of seconds above 0"),
        (lambda: Sticky(float("inf")), "ttl_s inf"),
        (lambda: Sticky("900"), "ttl_s '900'"),
        (lambda: Sticky(True), "ttl_s True"),
        (lambda: Sticky(max_conversations=0), "max_conversations 0 is no whole number"),
        (lambda: Sticky(max_conversations=1.5), r"max_conversations 1\.5"),
        (lambda: Cascade(tiers(), sticky=900), r"sticky is 900: expected e\.g\. Sticky"),
        (lambda: Cascade(tiers(), sticky=Sticky), "sticky is <class"),
    ],
)
def test_a_memory_that_cannot_be(make, words):
    """Settings outside their range are refused when the memory or the cascade is built."""
    with pytest.raises(ConfigError, match=words):
        make()


def test_the_oldest_conversations_are_forgotten_first():
    """The memory is bounded; one that moved to another tier counts as new."""
    sticky = Sticky(60, max_conversations=2)
    for name in ("a", "b"):
        sticky.remember(name, "low")
    sticky.remember("a", "mid")
    sticky.remember("c", "low")
    assert [sticky.tier(name) for name in "abc"] == ["mid", None, "low"]
    assert len(sticky) == 2
    assert repr(sticky) == "Sticky(60, max_conversations=2)"


def test_threads_share_a_memory():
    """Many threads with many conversations each stay with their own tier."""
    sticky = Sticky(max_conversations=50)
    ask = Asking("sync", sticky=sticky)
    wrong = []

    def talk(name):
        for _ in range(20):
            done = ask(conversation=name)
            if done.tier != "mid":
                wrong.append(done)

    threads = [threading.Thread(target=talk, args=(f"t{n}",)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (wrong, len(sticky)) == ([], 16)
    assert ask.asked.count("low") == 16


# Marks ------------------------------------------------------------------------------------------


def test_tags_and_parent_are_in_the_trace(kind):
    """Tags keep their order and count once; a request's own and the call's come together."""
    ask = Asking(kind)
    mine = Request.build("?").marked(["own", "both"], "the request's parent")
    done = ask(mine, tags=(tag for tag in ["both", "Zürich ✓"]), parent="run-7")
    trace = done.trace
    assert (trace.tags, trace.parent_id) == (("own", "both", "Zürich ✓"), "run-7")
    assert ask(mine).trace.parent_id == "the request's parent"
    assert (ask().trace.tags, ask().trace.parent_id) == ((), None)
    again = Trace.from_json(trace.to_json())
    assert (again, again.tags, again.parent_id) == (trace, trace.tags, "run-7")
    assert json.loads(trace.to_json())["tags"] == ["own", "both", "Zürich ✓"]
    assert replay(trace, tiers()) == trace
    assert all("tags" not in call.payload for call in ask.models.calls)


def test_a_parent_is_an_id_a_trace_or_an_answer(kind):
    """A request made for another one names it by whatever is at hand."""
    ask = Asking(kind)
    first = ask()
    for parent in (first, first.trace, first.trace.id):
        assert ask(parent=parent).trace.parent_id == first.trace.id


BAD_MARKS = [
    ({"tags": "billing"}, r"tags is 'billing': expected a list of short texts"),
    ({"tags": ""}, r"tags is '': expected a list"),
    ({"tags": 5}, r"tags is 5: expected a list"),
    ({"tags": [""]}, r"tag '' is no text of 1 to 200 characters"),
    ({"tags": ["  "]}, r"tag '  ' is no text"),
    ({"tags": ["a" * 201]}, r"is no text of 1 to 200"),
    ({"tags": [None]}, r"tag None is no text"),
    ({"tags": {"a": 1}, "parent": ""}, r"parent is ''"),
    ({"parent": " "}, r"parent is ' '"),
    ({"parent": 5}, r"parent is 5: expected the id of a trace or a run"),
    ({"parent": "x" * 201}, r"parent is 'xxx"),
    ({"parent": SimpleNamespace(trace=None)}, r"parent is namespace"),
    ({"parent": SimpleNamespace(id=5)}, r"parent is namespace"),
]


@pytest.mark.parametrize(("options", "words"), BAD_MARKS)
def test_marks_that_cannot_be(kind, options, words):
    """Tags are a list of short texts, a parent is an id; anything else is named."""
    ask = Asking(kind)
    with pytest.raises(RequestError, match=words):
        ask(**options)
    assert ask.asked == []
