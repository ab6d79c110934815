"""Scores of a chain's own scorers: as recorded where they hold, else judged again, else refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from cascade import Abstained, Chain, Needs, Price, Score, Tier, ask
from cascade.calibration import RecordedScores, RecordedTier, Recording, Tokens
from cascade.calibration.drafts import Drafts
from cascade.calibration.fingerprint import scorer_fingerprint
from cascade.errors import RecordingError
from cascade.testing import reply

FREE = Price.free()


@dataclass(frozen=True)
class AtLeast:
    """A scorer with a setting that reads its own answer."""

    words: int
    inline: ClassVar[bool] = True

    def __call__(self, draft):
        return Score(min(1.0, len(draft.text.split()) / self.words))


def agrees(draft):
    """A scorer that reads earlier answers."""
    if not draft.earlier:
        return Abstained("nothing before")
    return Score(sum(one.text == draft.text for one in draft.earlier) / len(draft.earlier))


async def waits(draft):
    return float(draft.text == "yes")


def asks(draft):
    said = yield from ask("judge", draft.text)
    return float(said.text)


def reads_tokens(draft):
    return 0.5 if draft.reply.logprobs is None else 1.0


reads_tokens.needs = Needs(logprobs=True)

TEXTS = np.array([["yes", "yes", "yes"], ["no", "yes", "no"], ["no no", None, "no no"]], object)
ANSWERED = np.array([[1, 1, 1], [1, 1, 1], [1, 0, 1]], bool)


def made(scorers, **given):
    """Three requests on a, b and c; the second tier failed on the last request."""
    tiers = [
        RecordedTier(
            name,
            name,
            scorer=getattr(scorer, "__name__", type(scorer).__name__) if scorer else "",
            scorer_settings=scorer_fingerprint(scorer),
            scorer_reads_earlier=scorer is agrees,
        )
        for name, scorer in zip("abc", scorers, strict=True)
    ]
    scored = np.array([[scorer is not None for scorer in scorers]] * 3)
    columns = {
        "quality": np.where(ANSWERED, 1.0, 0.0),
        "cost_pusd": np.zeros((3, 3), np.int64),
        "answered": ANSWERED,
        "score": np.where(scored & ANSWERED, 0.125, np.nan),
        "score_cost_pusd": np.where(scored, 7, 0),
        "requests": np.array(["is it?", '{"input": "is it?"}', '[{"role": "user", "content": "?"}]'], object),
        "texts": TEXTS,
        **given,
    }  # fmt: skip
    return Recording.build(tiers, ["1", "2", "3"], **columns)


def chain(scorers):
    tiers = [
        Tier(name, price=FREE) if scorer is None else Tier(name, scorer=scorer, price=FREE)
        for name, scorer in zip("abc", scorers, strict=True)
    ]
    return Chain(tuple(tiers))


def test_recorded_scores_hold_for_the_same_scorer():
    """The same scorer with the same settings is not run again, and costs what it cost."""
    scorers = (AtLeast(2), None, None)
    source = RecordedScores(made(scorers), chain(scorers))
    assert source.scores((0,), 0).tolist() == [0.125, 0.125, 0.125]
    assert source.scores((1, 0), 0).tolist() == [0.125, 0.125, 0.125]
    assert source.cost_pusd((0,), 0).tolist() == [7, 7, 7]
    assert RecordedScores(made(scorers)).scores((0,), 0).tolist() == [0.125, 0.125, 0.125]


def test_a_tier_without_a_scorer_accepts_what_is_usable():
    """As in the engine, and judging nothing costs nothing."""
    source = RecordedScores(made((AtLeast(2), None, None)), chain((None, AtLeast(3), None)))
    assert source.scores((0,), 0).tolist() == [1, 1, 1]
    assert source.cost_pusd((0,), 0).tolist() == [0, 0, 0]


def test_other_settings_are_judged_again():
    """A free scorer with other settings runs on the recorded answers; missing ones have none."""
    recorded = made((AtLeast(2), AtLeast(2), None))
    source = RecordedScores(recorded, chain((AtLeast(4), AtLeast(4), None)))
    assert source.scores((0,), 0).tolist() == [0.25, 0.25, 0.5]
    found = source.scores((0, 1), 1)
    assert found[:2].tolist() == [0.25, 0.25]
    assert np.isnan(found[2])
    assert source.cost_pusd((0,), 0).tolist() == [0, 0, 0]
    assert source.scores((0,), 0) is source.scores((0,), 0)


def test_earlier_answers_are_those_that_were_bought():
    """Recorded scores of such a scorer hold behind all lower tiers; elsewhere it reads less."""
    scorers = (AtLeast(2), None, agrees)
    recorded = made(scorers)
    source = RecordedScores(recorded, chain(scorers))
    assert source.scores((0, 1, 2), 2).tolist() == [0.125, 0.125, 0.125]
    assert source.scores((0, 2), 2).tolist() == [1, 1, 1]
    assert source.scores((1, 2), 2)[:2].tolist() == [1, 0]
    assert np.isnan(source.scores((1, 2), 2)[2])  # b had failed: nothing before
    assert np.isnan(source.scores((2,), 2)).all()
    with pytest.raises(RecordingError, match="bought 'a'; pass the chain, so that its scorer"):
        RecordedScores(recorded).scores((0, 2), 2)
    with pytest.raises(RecordingError, match="bought none"):
        RecordedScores(recorded).scores((2,), 2)


def test_leaving_a_tier_out_leaves_scores_out_that_read_it():
    """Scores given in view of other answers are no scores of the shorter ladder."""
    recorded = made((AtLeast(2), None, agrees))
    whole = recorded.with_tiers(["a", "b", "c"])
    assert whole.score[:, 2].tolist() == [0.125, 0.125, 0.125]
    for order in (["a", "c"], ["b", "a", "c"], ["c"]):
        short = recorded.with_tiers(order)
        at = order.index("c")
        assert np.isnan(short.score[:, at]).all()
        assert not short.score_kind[:, at].any()
        with pytest.raises(RecordingError, match="no scorer was recorded there"):
            RecordedScores(short).scores(tuple(range(at + 1)), at)
    short = recorded.with_tiers(["a", "c"])
    assert (
        RecordedScores(short, chain((AtLeast(2), None, agrees))).scores((0, 1), 1).tolist()
        == [1] * 3
    )


def test_coroutines_run_too():
    """A scorer that waits is awaited, whoever else's loop is running."""
    source = RecordedScores(made((AtLeast(2), None, None)), chain((waits, None, None)))
    assert source.scores((0,), 0).tolist() == [1, 0, 0]


async def test_coroutines_run_within_a_loop():
    """A running loop of the caller's is left alone."""
    source = RecordedScores(made((AtLeast(2), None, None)), chain((waits, None, None)))
    assert source.scores((0,), 0).tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("scorer", "given", "words"),
    [
        (
            asks,
            {},
            r"'a': its scorer is 'asks', and it was recorded with 'AtLeast'.*it asks a model",
        ),
        (AtLeast(4), {"texts": np.full((3, 3), None, object)}, "the answers of 'a' were not kept"),
        (AtLeast(4), {"requests": np.full(3, None, object)}, "its requests were not kept"),
        (reads_tokens, {}, "log-probabilities, and the replies were not kept"),
    ],
)
def test_what_cannot_be_judged_again(scorer, given, words):
    """Paid scorers and unkept answers are refused, with the reason and the way out."""
    source = RecordedScores(made((AtLeast(2), None, None), **given), chain((scorer, None, None)))
    with pytest.raises(RecordingError, match=f"(?s){words}.*record the chain with"):
        source.scores((0,), 0)


class TestTrusted:
    """Scores of which the recording does not say by what they were made."""

    def brought(self, name=""):
        recorded = made((AtLeast(2), None, None))
        first = replace(recorded.tiers[0], scorer=name, scorer_settings="")
        return replace(recorded, tiers=(first, *recorded.tiers[1:]))

    @pytest.mark.parametrize("name", ["", "asks"])
    def test_they_count_where_the_scorer_holds_their_place(self, name):
        """A chain's scorer, whichever it is, or the one of that name, is taken for theirs."""
        asked = chain((asks, None, None))
        source = RecordedScores(self.brought(name), asked, trusted=True)
        assert source.scores((0,), 0).tolist() == [0.125, 0.125, 0.125]
        assert source.cost_pusd((0,), 0).tolist() == [7, 7, 7]
        assert "how the scores of 'a' were made" in source.notes[0]
        with pytest.raises(RecordingError, match=r"are not known .*--scores recorded"):
            RecordedScores(self.brought(name), asked).scores((0,), 0)

    def test_what_is_known_is_not_trusted(self):
        """A known scorer with other settings, or another name, is held to them as ever."""
        asked = chain((AtLeast(4), None, None))
        for recorded in (made((AtLeast(2), None, None)), self.brought("asks")):
            source = RecordedScores(recorded, asked, trusted=True)
            assert source.scores((0,), 0).tolist() == [0.25, 0.25, 0.5]
            assert not source.notes

    def test_a_tier_without_a_scorer(self):
        """A chain that accepts everything there is told to name a scorer, not priced as if."""
        with pytest.raises(RecordingError, match="'a' has recorded scores, and no scorer in the"):
            RecordedScores(self.brought(), chain((None, None, None)), trusted=True)

    def test_a_tier_that_was_not_recorded(self):
        """It has no scores to trust."""
        asked = Chain((Tier("new", scorer=AtLeast(2), price=FREE), Tier("b", price=FREE)))
        assert not RecordedScores(self.brought(), asked, trusted=True).notes


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"requests": np.array(["?", None, None], object)}, "2 of its 3 requests were.*--queries"),
        ({"texts": np.full((3, 3), None, object)}, "not kept; import the table with --column text"),
    ],
)
def test_the_way_out_of_an_import(given, words):
    """A table of others is imported again with what it lacks; a recorded chain is recorded."""
    lacking = made((None, None, None), **given)
    with pytest.raises(RecordingError, match=words):
        RecordedScores(lacking, chain((AtLeast(4), None, None))).scores((0,), 0)
    recorded = replace(lacking, about=replace(lacking.about, chain="support"))
    with pytest.raises(RecordingError, match="not kept; record the chain with content='full'"):
        RecordedScores(recorded, chain((AtLeast(4), None, None))).scores((0,), 0)


def test_other_reasons_are_said():
    """No scorer, unknown settings, other settings: each in its own words."""
    none = RecordedScores(made((None, None, None)))
    with pytest.raises(RecordingError, match="tier 'a': no scorer was recorded there; pass the"):
        none.scores((0,), 0)
    recorded = made((asks, None, None))
    blank = replace(
        recorded, tiers=(replace(recorded.tiers[0], scorer_settings=""), *recorded.tiers[1:])
    )
    with pytest.raises(
        RecordingError, match="settings of its recorded scorer 'asks' are not known"
    ):
        RecordedScores(blank, chain((asks, None, None))).scores((0,), 0)
    gone = made((AtLeast(2), None, None), texts=np.full((3, 3), None, object))
    with pytest.raises(RecordingError, match="'AtLeast' has other settings than when it was"):
        RecordedScores(gone, chain((AtLeast(3), None, None))).scores((0,), 0)


def test_neither_witnesses_nor_gates():
    """Recorded scorers judge a tier's own answer, and never a request alone."""
    source = RecordedScores(made((AtLeast(2), None, None)))
    with pytest.raises(RecordingError, match="not that of 'a' after 'b' has spoken"):
        source.scores((0, 1), 0)
    with pytest.raises(RecordingError, match="know no gate for tier 'a'"):
        source.gate(0)


# Drafts ------------------------------------------------------------------------------------------


def test_replies_are_read_as_they_came():
    """Kept replies bring log-probabilities and finish reasons; tiers bring their payload."""
    wire = json.dumps(dict(reply("yes", probabilities=[0.5]).wire))
    replies = np.full((3, 3), None, object)
    replies[0, 0] = wire
    recorded = made((AtLeast(2), None, None), replies=replies)
    tier = Tier("a", price=FREE, params={"temperature": 0})
    draft = Drafts(recorded, {"a": tier}).draft(0, (0,))
    assert draft.reply.logprobs[0].token == "yes"
    assert draft.reply.finish_reason == "stop"
    assert draft.payload["temperature"] == 0
    assert draft.messages[-1]["content"] == "is it?"
    second = Drafts(recorded).draft(1, (1, 0))
    assert [one.tier for one in second.earlier] == ["b"]
    assert second.request.api == "responses"
    assert Drafts(recorded).draft(2, (1, 0)).earlier == ()  # b failed


def test_what_cannot_be_read_is_named():
    """A broken reply and a request that is none say whose they are."""
    replies = np.full((3, 3), None, object)
    replies[0, 0] = "{"
    recorded = made((AtLeast(2), None, None), replies=replies)
    with pytest.raises(RecordingError, match="reply of 'a' to request '1' cannot be read"):
        Drafts(recorded).draft(0, (0,))
    empty = made((AtLeast(2), None, None), requests=np.array(["", "x", None], object))
    with pytest.raises(RecordingError, match="request '1': the prompt is empty"):
        Drafts(empty).draft(0, (0,))
    with pytest.raises(RecordingError, match="request '3' was not kept"):
        Drafts(empty).draft(2, (0,))
    bare = made((AtLeast(2), None, None), texts=np.full((3, 3), None, object))
    with pytest.raises(RecordingError, match="answer of 'a' to request '1' was not kept"):
        Drafts(bare).draft(0, (0,))
    assert Drafts(made((None,) * 3, requests=np.array(["{no json", "x", "y"], object))).request(0)


def test_an_empty_reply_is_an_earlier_draft_and_a_failed_call_is_none():
    """As in the engine: what came back empty has tokens, and says nothing."""
    shape = (3, 3)
    blank = np.full(shape, np.nan)
    output = blank.copy()
    output[2, 1] = 1.0
    tokens = Tokens(blank, output, blank, blank, blank)
    recorded = made((AtLeast(2), None, agrees), tokens=tokens)
    draft = Drafts(recorded).draft(2, (0, 1, 2))
    assert [one.text for one in draft.earlier] == ["no no", ""]
    assert RecordedScores(recorded, chain((None, None, agrees))).scores((1, 2), 2)[2] == 0


def test_log_probabilities_are_read_where_replies_were_kept():
    """A scorer that reads tokens runs again on kept replies."""
    replies = np.full((3, 3), json.dumps(dict(reply("yes", probabilities=[0.5]).wire)), object)
    recorded = made((AtLeast(2), None, None), replies=replies)
    source = RecordedScores(recorded, chain((reads_tokens, None, None)))
    assert source.scores((0,), 0).tolist() == [1, 1, 1]
