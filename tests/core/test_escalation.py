"""The decision loop, asked with `next` and `send`: no mock, no event loop, no server."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from decimal import Decimal

import pytest

from cascade import (
    Abstained,
    Budget,
    Chain,
    Draft,
    Policy,
    Price,
    Request,
    Score,
    ScorerError,
    Tier,
    ask,
)
from cascade.core.escalation import escalate
from cascade.core.failures import KINDS, CallFailure
from cascade.core.ledger import Ledger
from cascade.core.payloads import payload_for
from cascade.core.wishes import ModelCall, Ran, Run, Try
from cascade.testing import failure, reply

PRICES = Price.of("1", "2"), Price.of("2", "4"), Price.of("4", "8")
NAMES = ("low", "mid", "top")


class Talk:
    """A conversation with the loop; `says` answers what it wants and takes the next wish."""

    def __init__(self, *tiers, policy=None, budget=None, asked="hello"):
        self.chain = Chain(tiers, policy=policy or Policy())
        self.ledger = Ledger(self.chain, Request.build(asked), budget=budget)
        self.loop = escalate(self.chain, self.ledger.request, self.ledger)
        self.wish = self.decision = None
        self._go(lambda: next(self.loop))

    def says(self, answer):
        """Answer the model call that is waited for; text becomes a reply."""
        assert isinstance(self.wish, ModelCall)
        result = reply(answer) if isinstance(answer, str) else answer
        failed = isinstance(result, CallFailure)
        self.wish.tries.append(
            Try(
                result.kind if failed else "ok",
                0.0,
                0.0,
                failure=result if failed else None,
                reply=None if failed else result,
                usage=None if failed else result.usage,
                service_tier="default",
            )
        )
        return self._go(lambda: self.loop.send(result))

    def _go(self, step):
        try:
            self.wish = step()
            while isinstance(self.wish, Run):
                try:
                    ran = Ran(value=self.wish.function())
                except Exception as error:
                    ran = Ran(error=error)
                self.wish = self.loop.send(ran)
        except StopIteration as stop:
            self.wish, self.decision = None, stop.value
        return self

    @property
    def trace(self):
        return self.ledger.close(
            trace_id="t", status=self.decision.status, reason=self.decision.reason,
            tier=self.decision.draft and self.decision.draft.tier, started_at="", duration_s=0.0,
        )  # fmt: skip

    @property
    def verdicts(self):
        return [attempt.verdict for attempt in self.ledger.attempts]


def by_number(draft):
    """Scores a draft that is a number as that number."""
    return Score(float(draft.text))


def tiers(*scorers, **settings):
    """Tiers low, mid, ... with these scorers."""
    return [
        Tier(name, scorer=scorer, price=price, **settings)
        for name, scorer, price in zip(NAMES, scorers, PRICES, strict=False)
    ]


def talk(*scorers, policy=None, budget=None, **settings):
    return Talk(*tiers(*scorers, **settings), policy=policy, budget=budget)


# Accepting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", range(3))
def test_the_first_sufficient_score_is_accepted(place):
    """Tiers are asked in order until one scores at or above its threshold."""
    chat = talk(by_number, by_number, by_number)
    for number in range(place):
        assert chat.wish.model == NAMES[number]
        chat.says("0.49")
    chat.says("0.5")
    assert chat.decision.status == "accepted"
    assert chat.decision.draft.tier == NAMES[place]
    assert chat.verdicts == ["escalated"] * place + ["accepted"]
    assert "score 0.5 >= 0.5" in chat.decision.reason


@pytest.mark.parametrize("scorer", [None, by_number, lambda draft: Abstained("?"), lambda draft: 7])
def test_the_last_answer_stands(scorer):
    """The last tier's answer is accepted whatever its scorer says, and the trace says why."""
    chat = talk(by_number, scorer).says("0.1")
    assert chat.wish.final
    chat.says("0.2")
    assert (chat.decision.status, chat.decision.draft.text) == ("accepted", "0.2")
    assert chat.decision.reason.endswith("the last tier's answer stands")


def test_only_the_last_tier_is_final():
    """Only the answer that will stand in any case may be streamed."""
    chat = talk(by_number, None)
    assert not chat.wish.final
    assert chat.says("0").wish.final


def test_a_tier_without_scorer_accepts_what_is_usable():
    """Without a scorer every usable answer is accepted."""
    chat = talk(None, None).says("whatever")
    assert (chat.decision.status, chat.decision.reason) == ("accepted", "no scorer")


def test_drafts_show_the_earlier_ones():
    """A scorer sees the drafts already paid for, oldest first, and the payload as sent."""
    seen = []
    chat = talk(by_number, lambda draft: seen.append(draft) or 1.0, params={"seed": 7})
    chat.says("0.1").says("0.2")
    (draft,) = seen
    assert [earlier.text for earlier in draft.earlier] == ["0.1"]
    assert (draft.tier, draft.model, draft.payload["seed"]) == ("mid", "mid", 7)


# Policies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on_abstain", "on_failure", "outcome"),
    list(itertools.product(("escalate", "accept"), ("escalate", "accept"), ("a", "f", "s"))),
)
def test_abstaining_and_failing_have_a_policy_each(on_abstain, on_failure, outcome):
    """No signal, a broken scorer and a low score are three things; a policy rules only its own."""
    says = {"a": Abstained("no signal"), "f": "not a score", "s": 0.1}[outcome]
    policy = Policy(on_abstain=on_abstain, on_scorer_failure=on_failure)
    chat = talk(lambda draft: says, None, policy=policy).says("draft")
    accepted = {"a": on_abstain, "f": on_failure, "s": "escalate"}[outcome] == "accept"
    assert chat.verdicts == (["accepted"] if accepted else ["escalated", "failed"])
    assert (chat.decision is not None) == accepted
    kind = {"a": "abstained", "f": "failed", "s": "score"}[outcome]
    assert chat.ledger.attempts[0].score.kind == kind


FLAWED = {
    "refusal": reply(None, refusal="I cannot."),
    "length": reply("half an ans", finish_reason="length"),
    "content_filter": reply("h", finish_reason="content_filter"),
    "empty": reply("  "),
}


@pytest.mark.parametrize("choice", ["escalate", "accept"])
@pytest.mark.parametrize("name", FLAWED)
def test_unusable_answers_follow_their_policy(name, choice):
    """Refused, cut, filtered and empty answers are ruled by policy before any scorer is paid."""
    asked = []
    policy = Policy(**{f"on_{name}": choice})
    chat = talk(asked.append, None, policy=policy).says(FLAWED[name])
    assert asked == []
    assert (chat.decision is not None) == (choice == "accept")
    assert f"on_{name}={choice!r}" in chat.ledger.attempts[0].reason


@pytest.mark.parametrize("name", FLAWED)
def test_a_flawed_answer_can_be_scored(name):
    """Policy "score" leaves a flawed answer to the tier's scorer, like any other."""
    policy = Policy(**{f"on_{name}": "score"})
    chat = talk(lambda draft: 0.4, None, policy=policy).says(FLAWED[name])
    assert chat.ledger.attempts[0].reason == "score 0.4 < 0.5"
    chat = talk(lambda draft: 0.6, None, policy=policy).says(FLAWED[name])
    assert chat.decision.status == "accepted"


def test_an_empty_last_answer_is_not_scored_into_standing():
    """Policy "score" does not make nothing the final answer."""
    chat = talk(by_number, None, policy=Policy(on_empty="score")).says("0.4").says(FLAWED["empty"])
    assert (chat.decision.status, chat.decision.draft.tier) == ("unaccepted", "low")


@pytest.mark.parametrize("name", ["refusal", "length", "content_filter"])
def test_a_flawed_last_answer_stands(name):
    """The last tier's answer stands although it is refused or cut."""
    chat = talk(by_number, None, policy=Policy(on_content_filter="escalate"))
    chat.says("0.4").says(FLAWED[name])
    assert (chat.decision.status, chat.decision.draft.tier) == ("accepted", "mid")


def test_an_empty_last_answer_falls_back():
    """Nothing is never the answer while an earlier draft exists."""
    chat = talk(by_number, None).says("0.4").says(FLAWED["empty"])
    assert (chat.decision.status, chat.decision.draft.tier) == ("unaccepted", "low")


def test_an_empty_last_answer_stands_by_policy():
    """A caller who takes empty answers gets the last one."""
    chat = talk(by_number, None, policy=Policy(on_empty="accept")).says("0.4").says(FLAWED["empty"])
    assert (chat.decision.status, chat.decision.draft.tier) == ("accepted", "mid")


def test_nothing_but_empty_answers_is_no_answer():
    """Where every answer is empty there is none to return, and no failure to name."""
    chat = talk(None, None).says(FLAWED["empty"]).says(reply("", finish_reason="length"))
    assert (chat.decision.status, chat.decision.draft) == ("exhausted", None)
    assert chat.decision.reason.startswith("no tier answered: every answer came back empty")
    assert "cut at the output limit" in chat.ledger.attempts[1].reason


# Failures ----------------------------------------------------------------------------------------

ENDS = {
    "billing": "billing_stopped",
    "budget": "budget_exceeded",
    "deadline": "deadline_exceeded",
    "interrupted": "interrupted",
    "content_policy": "refused",
    "auth": "refused",
    "invalid": "refused",
    "unsupported": "refused",
    "not_found": "refused",
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_failure_ends_the_request_or_moves_on(kind):
    """A failure no other tier can mend ends the request; any other asks the next tier."""
    chat = talk(by_number, None).says(failure(kind))
    if kind in ENDS:
        assert (chat.decision.status, chat.decision.draft) == (ENDS[kind], None)
        assert chat.decision.failure.kind == kind
    else:
        assert chat.wish.model == "mid"
    assert chat.verdicts[0] == ("escalated" if kind == "stopped" else "failed")


@pytest.mark.parametrize(
    ("kind", "policy", "ends"),
    [
        ("rate_limit", Policy(on_rate_limit="fail"), True),
        ("rate_limit", Policy(on_rate_limit="escalate"), False),
        ("not_found", Policy(on_not_found="fail"), True),
        ("not_found", Policy(on_not_found="escalate"), False),
    ],
)
def test_two_failures_have_a_policy(kind, policy, ends):
    """A rate limit and a missing model end the request or not, as the policy says."""
    chat = talk(by_number, None, policy=policy).says(failure(kind))
    assert (chat.decision is not None) == ends
    assert not ends or chat.decision.status == "refused"


@pytest.mark.parametrize("kind", ["deadline", "billing", "auth", "interrupted"])
def test_a_late_end_returns_the_best_draft_only_where_that_is_honest(kind):
    """Time running out still gives the best draft; a refusal or a billing stop does not."""
    chat = talk(by_number, None).says("0.3").says(failure(kind))
    if kind == "deadline":
        assert (chat.decision.status, chat.decision.draft.text) == ("unaccepted", "0.3")
    else:
        assert (chat.decision.status, chat.decision.draft) == (ENDS[kind], None)


def test_all_tiers_failing_names_the_last_failure():
    """When nobody answered, the decision says what the last one said."""
    chat = talk(None, None).says(failure("server", "down", status=503)).says(failure("malformed"))
    assert chat.decision.status == "exhausted"
    assert "malformed: scripted failure" in chat.decision.reason


# The best draft ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "best"),
    [
        ("0.4", "0.3", "low"),
        ("0.3", "0.4", "mid"),
        ("0.3", "0.3", "mid"),
        ("0.0", "x", "low"),
        ("x", "0.0", "mid"),
        ("x", "x", "mid"),
        ("0.0", FLAWED["length"], "low"),
    ],
    ids=str,
)
def test_the_best_draft(first, second, best):
    """The best score wins, a tie goes to the dearer tier, and an unscored draft is below any."""
    chat = talk(by_number, by_number, None).says(first).says(second).says(failure("server"))
    assert (chat.decision.status, chat.decision.draft.tier) == ("unaccepted", best)


# Scorers that ask --------------------------------------------------------------------------------


def asking(model, **params):
    """A scorer that asks once and scores the number it is told."""

    def scorer(draft):
        said = yield from ask(model, "How good?", **params)
        return float(said.text)

    return scorer


@pytest.mark.parametrize(
    ("model", "asked"),
    [(None, "low"), ("low", "low"), ("cheap-1", "low"), ("mid", "mid"), ("other", "other")],
)
def test_a_question_goes_to_the_tier_that_is_meant(model, asked):
    """A scorer asks its own tier, a tier by name or by model, or a model outside the chain."""
    low = Tier("cheap-1", name="low", scorer=asking(model), price=PRICES[0])
    chat = Talk(low, Tier("mid", price=PRICES[1])).says("draft")
    assert (chat.wish.tier.name, chat.wish.purpose) == (asked, "scorer")
    assert (chat.wish.attempt, chat.wish.scorer, chat.wish.final) == ("low", "scorer", False)
    assert chat.says("0.9").decision.status == "accepted"
    assert [charge.tier for charge in chat.trace.charges] == ["low", asked]


def test_a_question_carries_its_parameters():
    """Parameters pass through, `None` is left out, and log-probabilities become a need."""
    scorer = asking("mid", logprobs=True, top_logprobs=4, seed=7, stop=None)
    wish = talk(scorer, None).says("draft").wish
    assert wish.payload == {"messages": [{"role": "user", "content": "How good?"}], "seed": 7}
    assert (wish.needs.logprobs, wish.needs.top_logprobs) == (True, 4)


@pytest.mark.parametrize(
    ("model", "prompt", "complaint"),
    [
        ("", "How good?", "a tier's model is ''"),
        ("mid", [], "at least one message"),
        ("mid", ["How good?"], "expected a mapping with a 'role'"),
        ("mid", "half \ud83d", "not valid Unicode"),
        ("mid", [{"role": "user", "content": object()}], "cannot be sent as JSON"),
    ],
)
@pytest.mark.parametrize("budget", [None, "1"])
def test_a_question_that_cannot_be_sent_fails_its_scorer(model, prompt, complaint, budget):
    """A senseless question is the scorer's failure, not the request's."""

    def scorer(draft):
        yield from ask(model, prompt)

    chat = talk(
        scorer, None, budget=budget and Budget(budget), params={"max_completion_tokens": 5}
    ).says("draft")
    assert chat.ledger.attempts[0].score.kind == "failed"
    assert complaint in chat.ledger.attempts[0].reason
    assert chat.wish.model == "mid"


@pytest.mark.parametrize("handled", [True, False])
def test_a_failed_question_is_thrown_into_the_scorer(handled):
    """A scorer may handle the `ScorerError` of its question; unhandled it becomes its failure."""

    def scorer(draft):
        try:
            yield from ask("mid", "How good?")
        except ScorerError as error:
            if not handled:
                raise
            return Score(1.0, reason=str(error))

    chat = talk(scorer, None).says("draft").says(failure("auth", "no entry", status=401))
    score = chat.ledger.attempts[0].score
    assert score.kind == ("score" if handled else "failed")
    assert "auth (HTTP 401): no entry" in score.reason


def test_a_scorer_that_asks_for_ever_is_stopped():
    """After 64 questions about one draft a scorer has failed, and is closed."""
    closed = []

    def scorer(draft):
        try:
            while True:
                yield from ask("mid", "And now?")
        finally:
            closed.append(True)

    chat = talk(scorer, None).says("draft")
    for _ in range(64):
        assert chat.wish.purpose == "scorer"
        chat.says("hm")
    assert chat.wish.purpose == "draft"
    assert "asked 65 questions" in chat.ledger.attempts[0].reason
    assert closed == [True]


@pytest.mark.parametrize(
    ("kind", "status"), [("billing", "billing_stopped"), ("deadline", "unaccepted")]
)
def test_some_failures_end_the_request_out_of_a_scorer(kind, status):
    """A billing stop or the deadline met by a question ends the request, not only the scorer."""
    chat = talk(asking("mid"), None).says("draft").says(failure(kind))
    assert chat.decision.status == status
    assert chat.ledger.attempts[0].reason.startswith("stopped while scoring")


# Budgets -----------------------------------------------------------------------------------------


def capped(limit, *scorers, on_exceeded="return_best"):
    """A conversation under a cap; a call's bound is 91 or 101 dollars' millionths and its double."""
    return talk(
        *scorers,
        budget=Budget(limit, on_exceeded=on_exceeded),
        params={"max_completion_tokens": 10},
    )


@pytest.mark.parametrize("on_exceeded", ["return_best", "raise"])
def test_no_room_for_the_first_call(on_exceeded):
    """A cap below the first call's bound asks nobody."""
    chat = capped("0.00001", by_number, None, on_exceeded=on_exceeded)
    assert (chat.decision.status, chat.trace.charges) == ("budget_exceeded", ())
    assert "max_completion_tokens lowers the bound" in chat.decision.reason
    assert "tier 'low'" in chat.decision.reason


@pytest.mark.parametrize("on_exceeded", ["return_best", "raise"])
def test_no_room_for_the_second_call(on_exceeded):
    """A cap reached between tiers gives the best draft, or raises as the budget says."""
    chat = capped("0.00013", by_number, None, on_exceeded=on_exceeded).says("0.3")
    wanted = {"return_best": ("unaccepted", True), "raise": ("budget_exceeded", False)}
    assert (chat.decision.status, chat.decision.draft is not None) == wanted[on_exceeded]
    assert chat.ledger.budget.committed_usd == chat.trace.cost_usd == Decimal("0.000012")


def test_no_room_for_a_question():
    """A cap reached while scoring fails the scorer, which may handle it."""
    chat = capped("0.00013", asking("mid"), None).says("draft")
    assert "budget: tier 'mid'" in chat.ledger.attempts[0].score.reason
    assert chat.decision.status == "unaccepted"


def test_a_call_without_a_bound_is_not_made_under_a_budget():
    """Where no worst case can be computed, the message says what to set."""
    chat = talk(None, budget=Budget("100"))
    assert chat.decision.status == "budget_exceeded"
    assert "set max_completion_tokens" in chat.decision.reason


# Payloads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roles", "wanted"),
    [
        (["user"], ["example", "user"]),
        (["system", "user"], ["system", "example", "user"]),
        (["developer", "system", "user", "system"], ["developer", "system", "example", "user", "system"]),
        (["system"], ["system", "example"]),
    ],
)  # fmt: skip
def test_a_preamble_follows_the_leading_system_messages(roles, wanted):
    """Worked examples stand after the instructions and before the conversation."""
    tier = Tier("m", preamble=[{"role": "example", "content": "x"}], price=PRICES[0])
    request = Request.build([{"role": role, "content": "x"} for role in roles])
    assert [message["role"] for message in payload_for(tier, request)["messages"]] == wanted
    assert [message["role"] for message in request.messages] == roles


def test_a_tier_overrides_and_removes_parameters():
    """A tier's parameters win over the request's, and `None` removes one."""
    tier = Tier("m", params={"temperature": None, "seed": 2}, price=PRICES[0])
    request = Request.build("x", {"temperature": 0.5, "seed": 1, "stop": "."})
    assert payload_for(tier, request) == {
        "messages": [{"role": "user", "content": "x"}], "seed": 2, "stop": ".",
    }  # fmt: skip


def test_a_question_is_not_streamed():
    """A scorer that asks for a stream gets an error before anything is paid."""

    def asking(_):
        return (yield from ask(None, "right?", stream=True))

    asking.inline = True
    chat = Talk(Tier("low", scorer=asking, price=PRICES[0]), Tier("top", price=PRICES[2]))
    assert chat.says("an answer").wish.purpose == "draft"
    assert "stream=True" in chat.ledger.attempts[0].reason


def test_a_scorer_cannot_change_what_is_asked_or_kept():
    """What a scorer does to its draft reaches neither the next tier, nor other drafts, nor the trace."""

    def vandal(draft):
        for payload in (draft.payload, draft.request.payload):
            payload["messages"][0]["content"] = "PWNED"
            payload["messages"].append({"role": "user", "content": "PWNED"})
            payload["temperature"] = 2
        return 0.0

    chat = talk(vandal, vandal).says("a").says("b")
    assert "PWNED" not in str(chat.trace.to_dict())
    assert chat.ledger.request.payload == {"messages": [{"role": "user", "content": "hello"}]}


def test_a_draft_that_is_lent_is_a_draft_like_any_other():
    """What a scorer is given equals and copies as a draft that is made by hand."""
    seen = []

    def keeper(draft):
        seen.append(draft)
        return 1.0

    talk(keeper).says("a")
    (lent,) = seen
    assert lent.payload is lent.payload
    assert lent.request is lent.request
    by_hand = Draft(lent.request, lent.reply, lent.tier, lent.model, lent.payload, lent.earlier)
    assert lent == by_hand
    assert repr(lent) == repr(by_hand)
    assert copy.deepcopy(lent) == lent
    assert replace(lent, tier="other") == replace(by_hand, tier="other")
    with pytest.raises(AttributeError, match="a Draft has no attribute 'txet'"):
        _ = lent.txet


def test_answers_that_are_all_empty_are_named_as_the_cause():
    """Where no call failed, the reason says what came back instead."""
    chat = talk(by_number, None).says("").says(" ")
    assert chat.decision.status == "exhausted"
    assert "every answer came back empty" in chat.decision.reason
