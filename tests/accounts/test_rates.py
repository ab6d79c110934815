"""Requests and tokens per minute: never more than the limit, over all processes."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from accounts_help import eventually


def admitted(accounts, key, tokens=0):
    return asyncio.run(accounts.admit(key, tokens))


@pytest.fixture(autouse=True)
def _same_minute(set_clock):
    """No minute ends while a test runs."""
    set_clock(datetime(2026, 11, 27, 12, 0, 5, tzinfo=UTC))


def test_so_many_requests_and_no_more(accounts):
    """The limit is reached exactly; then a request is refused, and told when to come again."""
    key, _ = accounts.create("app", requests_per_minute=10)
    told = [admitted(accounts, key) for _ in range(12)]
    assert [one.refused for one in told] == [None] * 10 + ["requests"] * 2
    assert [one.left["requests"].remaining for one in told] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]
    last = told[-1].left["requests"]
    assert last.limit == 10
    assert 50 < last.reset_s < 55
    assert told[-1].retry_after_s in (54, 55)
    assert told[-1].unavailable is None


def test_two_processes_share_a_rate(accounts, open_accounts, database):
    """However requests are spread over processes, no more than the limit begin."""
    key, _ = accounts.create("app", requests_per_minute=50)
    others = [open_accounts(database) for _ in range(2)]

    async def main():
        asked = [others[number % 2].admit(key) for number in range(120)]
        return [one.refused for one in await asyncio.gather(*asked)]

    told = asyncio.run(main())
    assert 45 <= told.count(None) <= 50


def test_tokens_are_expected_and_then_counted(accounts):
    """A request counts what it may use until it tells what it did use."""
    key, _ = accounts.create("app", tokens_per_minute=1000)
    first = admitted(accounts, key, 800)
    assert admitted(accounts, key, 300).refused == "tokens"
    first.settle(100)
    first.settle(0)  # only the first time counts
    second = admitted(accounts, key, 900)
    assert second.refused is None
    second.settle(None)
    assert admitted(accounts, key, 1).refused == "tokens"


def test_what_is_left_is_known_where_nothing_is_held(accounts):
    """What is told to be left is right when this process holds no part of the rate any more, too."""
    key, _ = accounts.create("app", tokens_per_minute=1000)
    admitted(accounts, key, 800).settle(700)
    eventually(lambda: not accounts._lease(key, "tokens").pockets)
    refused = admitted(accounts, key, 400)
    assert (refused.refused, refused.left["tokens"].remaining) == ("tokens", 300)


def test_a_refused_request_takes_nothing(accounts):
    """Where the tokens do not suffice the request is not counted either."""
    key, _ = accounts.create("app", requests_per_minute=2, tokens_per_minute=1000)
    assert admitted(accounts, key, 2000).refused == "tokens"
    assert [admitted(accounts, key, 10).refused for _ in range(3)] == [None, None, "requests"]


def test_a_new_minute_begins_anew(accounts, set_clock):
    """When the minute of the database's clock is over, all of it is there again; what a request of the minute before then tells counts for that one."""
    key, _ = accounts.create("app", requests_per_minute=3, tokens_per_minute=100)
    set_clock(datetime(2026, 11, 27, 12, 0, 59, 500_000, tzinfo=UTC))
    told = [admitted(accounts, key, 30) for _ in range(4)]
    assert [one.refused for one in told] == [None, None, None, "requests"]

    async def later():
        await asyncio.sleep(0.8)
        first = await accounts.admit(key, 100)
        told[0].settle(5000)
        second = await accounts.admit(key, 0)
        return first.refused, second.refused

    assert asyncio.run(later()) == (None, None)


def test_a_key_without_rates_asks_nobody(accounts, monkeypatch):
    """No limit, no question, no header."""
    key, _ = accounts.create("app")
    monkeypatch.setattr(accounts._worker, "ask", None)
    assert admitted(accounts, key, 10**9).left == {}


def leave_while_waiting(accounts, key, tokens):
    """A request that is cancelled while its rate is asked for."""

    async def main():
        task = asyncio.create_task(accounts.admit(key, tokens))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_request_that_leaves_while_it_waits_counts_nothing(accounts, monkeypatch):
    """Cancelled while its rate is asked for, a request leaves the rate as it was."""
    key, _ = accounts.create("app", tokens_per_minute=100)
    lease = accounts._lease(key, "tokens")

    leave_while_waiting(accounts, key, 100)
    for _ in range(50):
        if lease.reserve(Decimal(100)) or admitted(accounts, key, 100).refused is None:
            return
    pytest.fail("the tokens of the request that left are lost")


def test_minutes_long_gone_are_forgotten(accounts, open_accounts, database, set_clock):
    """What was used in a minute is kept for an hour, so that the table does not grow."""
    key, _ = accounts.create("app", requests_per_minute=3)
    admitted(accounts, key)
    accounts.close()
    assert database.sql("SELECT count(*) FROM cascade_used WHERE what = 'requests'") == [(1,)]
    set_clock(datetime(2026, 11, 27, 13, 10, tzinfo=UTC))
    open_accounts(database).close()
    assert database.sql("SELECT count(*) FROM cascade_used WHERE what = 'requests'") == [(0,)]


def test_a_rate_that_is_given_back_counts_again(accounts):
    """A limit that was taken away and set anew holds from the next request on."""
    key, _ = accounts.create("app", requests_per_minute=1)
    assert admitted(accounts, key).refused is None
    free = accounts.change("app", requests_per_minute=None)
    eventually(
        lambda: (
            not accounts._lease(key, "requests").limited
            or not accounts._lease(key, "requests").pockets
        )
    )
    assert [admitted(accounts, free).refused for _ in range(3)] == [None] * 3
    again = accounts.change("app", requests_per_minute=1)
    assert admitted(accounts, again).refused == "requests"


class TestConcurrency:
    def test_so_many_at_once_and_no_more(self, accounts):
        """A request has its place until it is settled, once; the next one gets it then."""
        key, _ = accounts.create("app", concurrency=2)
        first, second, third = (admitted(accounts, key) for _ in range(3))
        assert (first.refused, second.refused, third.refused) == (None, None, "concurrency")
        assert third.retry_after_s == 1
        third.settle(0)  # it has none to give back
        first.settle(10)
        first.settle(10)
        assert [admitted(accounts, key).refused for _ in range(2)] == [None, "concurrency"]

    def test_each_process_counts_its_own(self, accounts, open_accounts, database):
        """Another process has as many places of its own."""
        key, _ = accounts.create("app", concurrency=1)
        other = open_accounts(database)
        assert [admitted(one, key).refused for one in (accounts, other, other)] == [
            None,
            None,
            "concurrency",
        ]

    def test_a_refused_request_has_no_place(self, accounts):
        """Where a rate refuses a request, its place is free for the next; where there is no place, no rate is counted."""
        key, _ = accounts.create("app", concurrency=1, tokens_per_minute=1000)
        assert admitted(accounts, key, 2000).refused == "tokens"
        inside = admitted(accounts, key, 600)
        assert [admitted(accounts, key, 600).refused for _ in range(2)] == ["concurrency"] * 2
        inside.settle(400)
        assert admitted(accounts, key, 600).refused is None

    def test_a_request_that_leaves_while_it_waits_has_no_place(self, accounts):
        """Cancelled while its rate is asked for, a request gives its place back."""
        key, _ = accounts.create("app", concurrency=1, tokens_per_minute=100)
        leave_while_waiting(accounts, key, 10)
        assert admitted(accounts, key, 10).refused is None

    def test_a_limit_that_is_changed_holds_at_once(self, accounts):
        """Requests that are in flight count under the new limit, too."""
        key, _ = accounts.create("app", concurrency=1)
        inside = admitted(accounts, key)
        more = accounts.change("app", concurrency=2)
        assert [admitted(accounts, more).refused for _ in range(2)] == [None, "concurrency"]
        none = accounts.change("app", concurrency=None)
        assert admitted(accounts, none).refused is None
        inside.settle(0)
        assert admitted(accounts, more).refused is None


def test_what_is_at_hand_is_taken_whole_or_not_at_all(accounts):
    """A request whose tokens are at hand and whose own place in the minute is not takes none of them."""
    key, _ = accounts.create("app", requests_per_minute=1, tokens_per_minute=100_000)
    admitted(accounts, key, 100).settle(100)
    assert [admitted(accounts, key, 100).refused for _ in range(5)] == ["requests"] * 5
    assert admitted(accounts, key, 0).left["tokens"].remaining == 99_900
