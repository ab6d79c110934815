"""A draft whose stream is left early: the connection is closed, the cost estimated, nothing lost."""

from __future__ import annotations

from decimal import Decimal

import fake_openai as fake
import httpx
from faces import one, pair
from fake_openai import answer, completion, text_chunks
from test_broken_streams import BROKEN, Piecewise

from cascade import Policy, Score


class Early:
    """Knows from the third word that this leads nowhere."""

    def __call__(self, draft):
        return Score(1.0)

    def hopeless(self, text, tokens, threshold):
        return "three words are enough" if len(text.split()) >= 3 else None


class Counted(Piecewise):
    """Counts the pieces that were taken from it."""

    taken = 0

    def __iter__(self):
        for piece in super().__iter__():
            self.taken += 1
            yield piece

    async def __aiter__(self):
        async for piece in super().__aiter__():
            self.taken += 1
            yield piece


LONG = tuple(f" word{place}" for place in range(200))


def early(face):
    return face(pair(scorer=Early()), policy=Policy(stop_early=True))


def test_a_hopeless_draft_is_left(face, openai_api):
    """The second tier is asked at once; what was read of the first is an estimate."""
    stream = Counted(text_chunks(*LONG))
    openai_api.side_effect = [httpx.Response(200, stream=stream), answer(completion("Paris"))]
    asked = early(face)
    done = asked.complete("Capital of France?")
    assert (done.text, done.tier) == ("Paris", "big")
    assert stream.taken < 20
    first, second = done.trace.attempts
    assert first.verdict == "escalated"
    assert first.reason == "left before its end: Early: three words are enough"
    [charge] = first.charges
    assert (charge.outcome, charge.basis) == ("stopped", "estimated")
    assert Decimal(0) < charge.cost_usd < Decimal("0.001")
    assert second.charges[0].basis == "exact"
    assert done.trace.basis == "estimated"


def test_a_watched_draft_that_breaks_is_a_failure_of_its_tier(face, openai_api):
    """Nobody has seen its text, so the request goes on: it is no interrupted answer."""
    for name, broken in BROKEN.items():
        openai_api.side_effect = [broken(text_chunks("Pa", "ris")[:2]), answer(completion("Rome"))]
        done = early(face).complete("Capital of Italy?")
        assert (done.text, done.tier) == ("Rome", "big"), name
        first = done.trace.attempts[0]
        assert first.verdict == "failed", name
        assert first.charges[0].basis == "estimated", name


def test_a_draft_read_to_its_end_costs_what_it_costs(face, openai_api):
    """Watching changes nothing for an answer that is never hopeless."""
    openai_api.side_effect = [fake.events(text_chunks("Pa", "ris"))]
    done = early(face).complete("Capital of France?")
    assert (done.text, done.tier, done.trace.basis) == ("Paris", "small", "exact")
    assert openai_api.calls[0].request.content.count(b'"stream":true') == 1


def test_without_the_policy_nothing_is_streamed(face, openai_api):
    """A draft that nobody may leave is asked for in one piece, as cheaply as can be."""
    openai_api.side_effect = [answer(completion("Paris"))]
    assert face(one(scorer=Early())).complete("Capital of France?").text == "Paris"
    assert b"stream" not in openai_api.calls[0].request.content
