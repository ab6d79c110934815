"""Time limits with one timer end what takes too long, and nothing else."""

import asyncio

import pytest

from cascade.provider.time_limits import TimeLimits

NEVER_S = 60.0


@pytest.fixture
async def limits():
    """Limits in the event loop of a test; none may be left in it."""
    made = TimeLimits(asyncio.get_running_loop())
    yield made
    assert not made._ends


async def slept(limits, limit_s, seconds, ended, name):
    """Sleep within a limit, and say how that ended."""
    try:
        with limits.within(limit_s):
            await asyncio.sleep(seconds)
    except TimeoutError as error:
        ended.append((name, type(error.__cause__)))
    else:
        ended.append((name, None))


async def test_what_takes_too_long_ends(limits):
    """After its own limit each, whichever began first; what is quick enough goes on."""
    ended = []
    await asyncio.gather(
        slept(limits, NEVER_S, 0.15, ended, "quick"),
        slept(limits, 0.1, NEVER_S, ended, "second"),
        slept(limits, 0.05, NEVER_S, ended, "first"),
        slept(limits, 0.05, 0.0, ended, "at once"),
        slept(limits, 0.2, NEVER_S, ended, "last"),
    )
    late = asyncio.CancelledError
    assert ended == [
        ("at once", None),
        ("first", late),
        ("second", late),
        ("quick", None),
        ("last", late),
    ]
    assert asyncio.current_task().cancelling() == 0


async def test_a_timer_that_rings_for_nobody_is_set_for_the_next(limits):
    """The block it was set for has ended; a longer one still ends in time."""
    with limits.within(0.03):
        pass
    timer, ended = limits._timer, []
    longer = asyncio.create_task(slept(limits, 0.08, NEVER_S, ended, "longer"))
    await asyncio.sleep(0)
    assert limits._timer is timer, "a later end needs no timer of its own"
    await longer
    assert ended == [("longer", asyncio.CancelledError)]
    assert limits._timer is None
    with limits.within(0.02):
        await asyncio.sleep(0)
    await asyncio.sleep(0.04)
    assert limits._timer is None, "nothing is under way, so nothing rings"


async def test_somebody_else_cancels(limits):
    """A task that is cancelled from outside is cancelled, also where its time is over as well."""
    for at_once in (False, True):
        task = asyncio.create_task(slept(limits, 0.05, NEVER_S, [], "x"))
        await asyncio.sleep(0.01)
        if at_once:
            (limit,) = limits._ends
            limit.expire()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_errors_pass_through(limits):
    """An error of the block's own is not taken for the end of its time."""
    with pytest.raises(ValueError, match="mine"), limits.within(NEVER_S):
        raise ValueError("mine")


async def test_one_within_another(limits):
    """The inner limit ends the inner block; the outer one goes on, and ends in its own time."""
    ended = []

    async def both():
        with limits.within(0.1):
            await slept(limits, 0.02, NEVER_S, ended, "inner")
            await asyncio.sleep(NEVER_S)

    with pytest.raises(TimeoutError):
        await both()
    assert ended == [("inner", asyncio.CancelledError)]
    assert asyncio.current_task().cancelling() == 0


def test_without_a_task():
    """A limit needs a task that it can end."""
    loop = asyncio.new_event_loop()
    with pytest.raises(RuntimeError, match="for a task"), TimeLimits(loop).within(1):
        pass
    loop.close()
