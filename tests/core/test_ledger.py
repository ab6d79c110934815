"""The ledger: what is booked, priced and given back to the budget, whatever ends a request."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cascade import Budget, Chain, Price, Request, Tier
from cascade.core.ledger import Ledger
from cascade.core.usage import Usage
from cascade.core.wishes import Try
from cascade.testing import failure, reply

TIER = Tier("m", price=Price.of("1", "1"))
PAYLOAD = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 10}


def open_call(limit="1", **settings):
    """A ledger with one call in flight."""
    chain = Chain([TIER, Tier("top", price=Price.of("2", "2"))])
    budget = Budget(limit) if limit else None
    ledger = Ledger(chain, Request.build("x"), budget=budget, origin=100.0)
    attempt = ledger.begin(TIER)
    steps = ledger.call(attempt, TIER, PAYLOAD, **settings)
    call = next(steps)
    assert call.may_begin()
    return ledger, attempt, steps, call


def close(ledger, status="cancelled", tier=None):
    return ledger.close(
        trace_id="t", status=status, reason="", tier=tier, started_at="", duration_s=0.0
    )


def a_try(result, usage=True, started=101.0, **more):
    if isinstance(result, str):
        made = reply(result)
        return Try("ok", started, 0.5, reply=made, usage=made.usage if usage else None,
                   service_tier="default", **more)  # fmt: skip
    return Try(result.kind, started, 0.5, failure=result, **more)


def finish(steps, result):
    with pytest.raises(StopIteration) as stop:
        steps.send(result)
    return stop.value.value


def test_a_call_is_booked_with_its_cost():
    """A reply's tokens are priced, times are relative to the request, the budget pays the cost."""
    ledger, attempt, steps, call = open_call()
    held = ledger.budget.committed_usd
    call.tries.append(a_try("one two"))
    finish(steps, reply("one two"))
    attempt.end("accepted", "")
    (charge,) = close(ledger, "accepted", "m").charges
    assert held > charge.cost_usd == ledger.budget.committed_usd == Decimal("0.000012")
    assert (charge.started_s, charge.latency_s, charge.call) == (1.0, 0.5, 0)


def test_a_call_in_flight_is_unknown_and_keeps_its_reservation():
    """A call cut off without a record is in the trace, and its worst case stays reserved."""
    ledger, _, steps, _ = open_call()
    held = ledger.budget.committed_usd
    steps.close()
    (charge,) = close(ledger).charges
    assert (charge.outcome, charge.cost_usd, charge.started_s) == ("cancelled", None, 0.0)
    assert ledger.budget.committed_usd == held > 0
    close(ledger)
    assert ledger.budget.committed_usd == held


def test_a_call_that_no_driver_began_costs_nothing():
    """A call that was wanted and not begun is known to be free: no reservation is kept for it."""
    budget = Budget("1")
    ledger = Ledger(Chain([TIER]), Request.build("x"), budget=budget)
    attempt = ledger.begin(TIER)
    begun, waiting = next(ledger.call_all([(attempt, TIER, PAYLOAD, {})] * 2)).calls
    held = budget.committed_usd / 2
    assert begun.may_begin()
    charges = close(ledger).charges
    assert [charge.cost_usd for charge in charges] == [None, 0]
    assert charges[1].message == "not made: the request was left before"
    assert budget.committed_usd == held > 0
    assert not waiting.may_begin()


def test_a_lost_call_starts_where_the_known_ones_end():
    """A call without a record is placed after the last exchange that has one."""
    ledger, attempt, steps, call = open_call()
    call.tries.append(a_try("one"))
    finish(steps, reply("one"))
    next(ledger.call(attempt, TIER, PAYLOAD))
    assert [charge.started_s for charge in close(ledger).charges] == [1.0, 1.5]


def test_a_call_that_came_too_late_costs_nothing():
    """A failure without any try means that nothing was sent: that is known to cost nothing."""
    ledger, _, steps, _ = open_call()
    finish(steps, failure("deadline"))
    (charge,) = close(ledger).charges
    assert (charge.outcome, charge.cost_usd, charge.basis) == ("deadline", 0, "exact")
    assert ledger.budget.committed_usd == 0


@pytest.mark.parametrize(
    ("error", "cost"),
    [
        (failure("rate_limit", status=429), 0),
        (failure("overloaded", status=429), 0),
        (failure("overloaded", status=503), None),
        (failure("unreachable"), 0),
        (failure("timeout"), None),
        (failure("malformed"), None),
    ],
    ids=str,
)
def test_what_was_refused_costs_nothing_and_what_was_lost_is_unknown(error, cost):
    """Refused before any token is known to be free; an answer that never came is not."""
    ledger, _, steps, call = open_call(None)
    call.tries.append(a_try(error))
    finish(steps, error)
    assert close(ledger).charges[0].cost_usd == cost


def test_retries_reserve_and_give_back():
    """Every further try reserves its own worst case; what was not tried is given back."""
    ledger, _, steps, call = open_call()
    bound = ledger.budget.committed_usd
    assert call.may_retry()
    assert call.may_retry()
    assert ledger.budget.committed_usd == 3 * bound
    call.tries += [a_try(failure("timeout")), a_try("one")]
    finish(steps, reply("one"))
    assert ledger.budget.committed_usd == bound + Decimal("0.000011")


def test_no_retry_beyond_the_budget():
    """A retry that could break the cap is not allowed."""
    ledger, _, _, call = open_call("0.00012")
    assert not call.may_retry()
    assert ledger.budget.left_usd < ledger.budget.committed_usd


def test_tries_nobody_asked_for_are_paid_too():
    """A model client that tries again without asking still pays from the budget."""
    ledger, _, steps, call = open_call()
    call.tries += [a_try("one"), a_try("one")]
    finish(steps, reply("one"))
    assert ledger.budget.committed_usd == Decimal("0.000022")


def test_the_top_tier_is_priced_at_standard():
    """The comparison prices the answer's tokens on the last tier, unknown where tokens are."""
    for usage, cost in ((True, Decimal("0.000022")), (False, None)):
        ledger, _, steps, call = open_call(None)
        call.tries.append(a_try("one", usage))
        finish(steps, reply("one"))
        assert close(ledger, "accepted", "m").top_tier_cost_usd == cost


def test_what_is_odd_is_noted_once():
    """Notes of the cost and of the reply stand in the charge, none of them twice."""
    ledger, _, steps, call = open_call(None)
    made = reply("one", input_tokens=None)
    call.tries.append(Try("ok", 0.0, 0.0, reply=made))
    finish(steps, made)
    assert close(ledger).charges[0].notes == ("usage not reported", "usage is missing")


def test_the_top_tier_is_priced_by_the_answers_own_tokens():
    """An answer without usage has no comparison, whatever an earlier try of its call reported."""
    ledger, _, steps, call = open_call(None)
    broken = Try("server", 0.0, 0.0, failure=failure("server"), usage=Usage(9, 9))
    call.tries += [broken, a_try("one", usage=False)]
    finish(steps, reply("one"))
    assert close(ledger, "accepted", "m").top_tier_cost_usd is None


def test_closed_books_take_no_further_call():
    """A request that was left asks nobody any more, and nothing is reserved or paid twice."""
    ledger, attempt, steps, call = open_call()
    held = ledger.budget.committed_usd
    trace = close(ledger)
    call.tries.append(a_try("one two"))
    assert not call.may_retry()
    assert not call.may_begin()
    finish(steps, reply("one two"))
    late = finish_at_once(ledger.call(attempt, TIER, PAYLOAD))
    assert (late.kind, late.message) == ("cancelled", "not made: the request was left")
    assert ledger.budget.committed_usd == held
    assert [charge.outcome for charge in trace.charges] == ["cancelled"]


def finish_at_once(steps):
    with pytest.raises(StopIteration) as stop:
        next(steps)
    return stop.value.value
