"""Streams that end before their time: what was shown stays shown, and what it cost is booked."""

from __future__ import annotations

import asyncio
import gc
from decimal import Decimal

import fake_openai as fake
import httpx
import httpx2
import pytest
from faces import PRICE, Face, one, pair
from fake_openai import answer, chunk, events, sure, text_chunks, usage

from cascade import Budget, Tier, Trace
from cascade.core.tier import Retry
from cascade.errors import StreamInterrupted
from cascade.testing import ManualClock

TEXTS = ("Pa", "ris", " is", " it", ".")


def reject(draft):
    return 0.0


class Piecewise(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A stream whose every event arrives on its own."""

    def __init__(self, chunks):
        self.pieces = [*(fake.sse([item], done=False) for item in chunks), fake.sse([])]

    def __iter__(self):
        yield from self.pieces

    async def __aiter__(self):
        for piece in self.pieces:
            yield piece


def dripping(*texts):
    """A response that streams text, event by event."""
    return httpx.Response(200, stream=Piecewise(text_chunks(*texts)))


class Breaks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Sends chunks, then does something."""

    def __init__(self, chunks, then):
        self.data = fake.sse(chunks, done=False)
        self.then = then

    def __iter__(self):
        yield self.data
        self.then()

    async def __aiter__(self):
        yield self.data
        self.then()


def breaks(chunks, error=None):
    """A response that streams chunks and then raises."""

    def then():
        raise error

    return httpx.Response(200, stream=Breaks(chunks, then))


BROKEN = {
    "error frame": lambda chunks: events([*chunks, fake.ERROR_FRAME]),
    "no end": lambda chunks: events(chunks, done=False),
    "rubbish": lambda chunks: httpx.Response(
        200, content=fake.sse(chunks, done=False) + b"data: {\n\n"
    ),
    "reset": lambda chunks: breaks(chunks, httpx2.ReadError("reset")),
    "timeout": lambda chunks: breaks(chunks, httpx2.ReadTimeout("silent")),
    "dropped": lambda chunks: breaks(chunks, httpx2.RemoteProtocolError("incomplete chunked read")),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_break_after_text_interrupts(face, openai_api, broken):
    """No retry, no other tier: the error carries a trace whose cost is an estimate."""
    openai_api.return_value = broken(text_chunks(*TEXTS)[:4])
    used = face(one(retry=Retry(max_tries=3)))
    with pytest.raises(StreamInterrupted) as caught:
        used.stream()
    trace = caught.value.trace
    assert trace.status == "interrupted"
    (charge,) = trace.charges
    assert (charge.outcome, charge.basis) == ("interrupted", "estimated")
    assert charge.usage.output_tokens == 3
    assert charge.cost_usd > 0
    assert used.traces == [trace]
    assert len(openai_api.calls) == 1


def test_a_break_after_the_usage_is_exact(face, openai_api):
    """What the stream had reported before it broke is billed as reported."""
    chunks = [*text_chunks(*TEXTS)[:3], chunk({"content": "x"}, counts=usage(100, 10))]
    openai_api.return_value = events(chunks, done=False)
    with pytest.raises(StreamInterrupted) as caught:
        face(one()).stream()
    assert caught.value.trace.charges[0].basis == "exact"
    assert caught.value.trace.cost_usd == Decimal("0.00012")


def test_a_running_count_of_a_broken_stream_is_an_estimate(face, openai_api):
    """Where every chunk counts, the last count before a break is not the final one."""
    counted = [chunk({"content": "x"}, counts=usage(100, 1)), *text_chunks(*TEXTS)[1:4]]
    openai_api.return_value = events(counted, done=False)
    with pytest.raises(StreamInterrupted) as caught:
        face(one()).stream()
    (charge,) = caught.value.trace.charges
    assert (charge.basis, charge.usage.input_tokens, charge.usage.output_tokens) == (
        "estimated", 100, 4,
    )  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_the_text_is_shown_before_the_break_is(kind, face, openai_api, broken):
    """Everything that came before the break reaches the reader."""
    openai_api.return_value = broken(text_chunks(*TEXTS)[:4])
    used = face(one())
    seen = []

    def read():
        for item in used.llm.stream("q"):
            seen.append(item.text)

    async def aread():
        async for item in used.llm.stream("q"):
            seen.append(item.text)

    with pytest.raises(StreamInterrupted):
        used.run(read() if kind == "sync" else aread())
    assert "".join(seen) == "Paris is"


@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_reader_who_stops_closes_the_books(face, openai_api, count):
    """Leaving the stream early closes the trace as cancelled, with an estimate of its cost."""
    openai_api.return_value = dripping(*TEXTS)
    used = face(one())
    stream, chunks = used.read_some(count)
    assert len(chunks) == count
    assert stream.trace.status == "cancelled"
    assert used.traces == [stream.trace]
    (charge,) = stream.trace.charges
    assert (charge.outcome, charge.basis) == ("cancelled", "estimated")
    assert charge.usage.output_tokens == min(max(count - 1, 1), 5)


REASONING = {
    "asked for": (one(), {"reasoning_effort": "low"}),
    "set on the tier": (one(params={"reasoning_effort": "high"}), {}),
    "the model's default": ([Tier("gpt-5.5")], {}),
    "a model that always does": ([Tier("gpt-6-astra", price=PRICE)], {}),
}


@pytest.mark.parametrize(("tiers", "asked"), REASONING.values(), ids=REASONING)
def test_a_reader_who_leaves_a_model_that_reasons(face, openai_api, tiers, asked):
    """What it had thought before its first word is billed and seen by nobody: the cost is unknown, and the budget keeps the worst case."""
    openai_api.return_value = dripping(*TEXTS)
    budget = Budget("10")
    used = face(tiers, budget=budget)
    stream, _ = used.read_some(2, max_completion_tokens=1_000, **asked)
    (charge,) = stream.trace.charges
    assert (charge.outcome, charge.cost_usd, charge.usage) == ("cancelled", None, None)
    assert "how much was reasoned cannot be seen" in charge.notes[-1]
    assert budget.committed_usd > Decimal("0.002")
    assert Trace.from_json(stream.trace.to_json()) == stream.trace


@pytest.mark.parametrize("tiers", [[Tier("gpt-5.5")], one()], ids=["off", "by default"])
def test_a_reader_who_leaves_a_model_that_does_not_reason(face, openai_api, tiers):
    """Where nothing is hidden, what was seen is an estimate, and the rest is given back."""
    openai_api.return_value = dripping(*TEXTS)
    budget = Budget("10")
    asked = {"reasoning_effort": "none"} if tiers[0].model == "gpt-5.5" else {}
    stream, _ = face(tiers, budget=budget).read_some(2, max_completion_tokens=1_000, **asked)
    (charge,) = stream.trace.charges
    assert charge.basis == "estimated"
    assert budget.committed_usd == charge.cost_usd > 0


def test_a_stream_of_a_model_that_reasons_breaks(face, openai_api):
    """The same where the provider ends it."""
    openai_api.return_value = events(text_chunks(*TEXTS)[:4], done=False)
    with pytest.raises(StreamInterrupted) as caught:
        face([Tier("gpt-5.5", retry=Retry(max_tries=1))]).stream()
    (charge,) = caught.value.trace.charges
    assert (charge.outcome, charge.basis) == ("interrupted", "unknown")


def test_what_has_come_counts_though_nobody_read_it(face, openai_api):
    """A reader stops while the usage has already arrived: the cost is exact."""
    openai_api.return_value = events(text_chunks(*TEXTS))
    stream, _ = face(one()).read_some(3)
    assert stream.trace.status == "cancelled"
    assert stream.trace.charges[0].basis == "exact"
    assert stream.trace.cost_usd == Decimal("0.00012")


def test_a_reader_who_stops_after_a_rejected_draft(face, openai_api):
    """The rejected draft's exact charge and the stream's estimate are both in the trace."""
    openai_api.side_effect = [answer(sure()), dripping(*TEXTS)]
    stream, _ = face(pair(scorer=reject)).read_some(3)
    assert [charge.basis for charge in stream.trace.charges] == ["exact", "estimated"]
    assert stream.trace.basis == "estimated"


def test_a_stream_never_read_costs_nothing(face):
    """Opened and closed: no request, a closed trace."""
    stream, _ = face(one()).read_some(0)
    assert stream.trace.status == "cancelled"
    assert stream.trace.cost_usd == 0


def test_a_forgotten_stream_closes_the_books(face, kind, openai_api):
    """A stream that is dropped half-read is closed by the garbage collector."""
    openai_api.return_value = dripping(*TEXTS)
    used = face(one())

    async def forget():
        await anext(used.llm.stream("q"))
        gc.collect()
        await asyncio.sleep(0.01)

    if kind == "sync":
        next(used.llm.stream("q"))
        gc.collect()
    else:
        used.run(forget())
    (trace,) = used.traces
    assert trace.status == "cancelled"
    assert trace.charges[0].outcome == "cancelled"


def test_a_deadline_in_mid_stream(kind, openai_api):
    """Text shown, time over: the stream is interrupted, with an estimate."""
    clock = ManualClock()
    chunks = text_chunks(*TEXTS)

    class Slow(Breaks):
        def __iter__(self):
            yield fake.sse(chunks[:3], done=False)
            clock.advance(100)
            yield fake.sse(chunks[3:])

        async def __aiter__(self):
            for data in self.__iter__():
                yield data

    openai_api.return_value = httpx.Response(200, stream=Slow([], None))
    used = Face(kind, one(), clock=clock, deadline_s=30)
    with pytest.raises(StreamInterrupted, match="deadline") as caught:
        used.stream()
    used.close()
    assert caught.value.trace.charges[0].basis == "estimated"


@pytest.fixture
def held(openai_api):
    """An endpoint that answers only when nobody waits any more; tells when it was asked."""
    asked = asyncio.Event()

    async def hold(request):
        asked.set()
        await asyncio.sleep(3600)

    openai_api.side_effect = hold
    return asked


async def test_a_task_cancelled_in_mid_call(held):
    """The call may have been billed: its charge is unknown, and the observers get the trace."""
    used = Face("async", one(), runner=False)
    task = asyncio.ensure_future(used.llm.complete("q"))
    await held.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await used.client.close()
    (trace,) = used.traces
    assert trace.status == "cancelled"
    assert [(c.outcome, c.cost_usd) for c in trace.charges] == [("cancelled", None)]


async def test_a_task_cancelled_before_the_first_text(held):
    """The same for a stream that has not begun."""
    used = Face("async", one(), runner=False)
    task = asyncio.ensure_future(anext(used.llm.stream("q")))
    await held.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await used.client.close()
    (trace,) = used.traces
    assert [(c.outcome, c.cost_usd) for c in trace.charges] == [("cancelled", None)]


async def test_a_task_cancelled_in_mid_stream(openai_api):
    """What was shown is estimated; the trace is delivered before the cancellation goes on."""
    paused = asyncio.Event()

    class Waits(Breaks):
        async def __aiter__(self):
            yield self.data
            paused.set()
            await asyncio.sleep(3600)

    openai_api.return_value = httpx.Response(200, stream=Waits(text_chunks(*TEXTS)[:3], None))
    used = Face("async", one(), runner=False)
    seen = []

    async def read():
        async for item in used.llm.stream("q"):
            seen.append(item.text)

    task = asyncio.ensure_future(read())
    await paused.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await used.client.close()
    (trace,) = used.traces
    assert "".join(seen) == "Paris"
    assert trace.status == "cancelled"
    assert [(c.outcome, c.basis) for c in trace.charges] == [("cancelled", "estimated")]


async def test_a_deadline_stops_a_silent_stream(openai_api):
    """A stream that says nothing more ends at the deadline, not at the tier's own timeout."""

    class Silent(Breaks):
        async def __aiter__(self):
            yield self.data
            await asyncio.sleep(3600)

    openai_api.return_value = httpx.Response(200, stream=Silent(text_chunks(*TEXTS)[:3], None))
    used = Face("async", one(), runner=False, deadline_s=0.05)
    with pytest.raises(StreamInterrupted):
        async for _ in used.llm.stream("q"):
            pass
    await used.client.close()
    assert used.traces[0].status == "interrupted"


def test_a_keyboard_interrupt_is_passed_on_and_booked(openai_api):
    """Ctrl-C during a call ends the request; the call's charge is unknown."""

    def interrupt(request):
        raise KeyboardInterrupt

    openai_api.side_effect = interrupt
    used = Face("sync", one(retry=Retry(max_tries=3)))
    with pytest.raises(KeyboardInterrupt):
        used.complete()
    used.close()
    (trace,) = used.traces
    assert [(c.outcome, c.cost_usd) for c in trace.charges] == [("cancelled", None)]
