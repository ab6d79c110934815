"""Looking at a watched draft while it arrives."""

from __future__ import annotations

import time

from cascade import Price, Tier
from cascade.core.wishes import ModelCall
from cascade.drivers.base import Arriving

TIER = Tier("t", price=Price.free())


def arriving(watch):
    return Arriving(ModelCall(0, TIER, "t", {}, watch=watch))


def chunk(text):
    return {"choices": [{"delta": {"content": text}}]}


def test_a_draft_is_looked_at_ever_more_rarely():
    """Looking at each of n pieces would take a time that grows with n squared."""
    looks = []
    draft = arriving(lambda text, _: looks.append(text))
    assert not any(draft.lost(chunk("x")) for _ in range(20_000))
    assert 50 < len(looks) < 120
    assert looks[-1] == "x" * len(looks[-1])
    assert len(looks[0]) < 10
    assert len(looks[-1]) > 15_000


def test_a_long_draft_is_read_in_a_time_that_grows_with_its_length():
    """The text is put together for a look, not for each piece that comes."""
    draft, piece = arriving(lambda *_: None), chunk("some text ")
    begun = time.process_time()
    for _ in range(60_000):
        draft.lost(piece)
    assert time.process_time() - begun < 3  # a tenth of it; put together each time, it takes 20


def test_what_the_watch_says_ends_the_reading():
    """The words are kept with the call, for the trace."""
    draft = arriving(lambda text, _: "lost" if "bad" in text else None)
    assert not draft.lost(chunk("so far good"))
    assert draft.lost(chunk(" and now bad"))
    assert (draft.call.stopped, draft.outcome(None).kind) == ("lost", "stopped")
