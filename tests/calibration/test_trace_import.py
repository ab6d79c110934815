"""Traces become recordings: each turn is a cell, and what was not asked is a gap."""

from dataclasses import replace

import numpy as np
import pytest

from cascade import Abstained, Cascade, Chain, Price, Score, Tier
from cascade.calibration import Example, gaps, import_traces
from cascade.calibration.imports.recorded_tiers import reads_earlier
from cascade.calibration.imports.trace_cells import RECORDED
from cascade.calibration.money import UNKNOWN, usd_of
from cascade.calibration.unasked import refuse_gaps
from cascade.core.scoring import ask
from cascade.errors import RecordingError, TraceError
from cascade.testing import ScriptedModels, failure, reply
from cascade.traces.content import redact


def long_enough(draft):
    return min(1.0, len(draft.text) / 10)


def judged(draft):
    found = yield from ask("judge", "good?")
    return Score(float(found.text == "yes"))


class Recorder:
    """Runs a scorer and accepts nothing, as a recording run does."""

    name = RECORDED

    def __init__(self, scorer=None):
        self.scorer = scorer

    def __call__(self, draft):
        parts = ((self.scorer.__name__, Score(self.scorer(draft))),) if self.scorer else ()
        return Abstained("recording", parts)


PRICE = Price.of("1", "2")


def chain(scorer=long_enough, last=None, **given):
    return Chain(
        (
            Tier("small", scorer=scorer, threshold=0.6, price=PRICE),
            Tier("big", scorer=last, threshold=0.9, price=PRICE),
        ),
        allow_unknown_prices=True,
        **given,
    )


def traces(asked, small, big="a long and proper answer", made=None, **options):
    llm = Cascade(made or chain(), models=ScriptedModels({"small": small, "big": big, **MODELS}))
    return [done.trace for done in (llm.complete(text, **options) for text in asked)]


MODELS = {"judge": [reply("yes"), reply("no"), reply("yes")]}


def test_a_cell_per_turn_and_gaps_elsewhere():
    """Answers, scores, costs, tokens and charges of every turn come along; others are gaps."""
    kept = traces(["one", "two"], [reply("a good long answer"), reply("no")])
    found = import_traces(kept)
    assert found.names == ("small", "big")
    assert found.ids.tolist() == [trace.id for trace in kept]
    assert found.texts.tolist() == [
        ["a good long answer", None],
        ["no", "a long and proper answer"],
    ]
    assert found.answered.tolist() == [[True, False], [True, True]]
    assert gaps(found).tolist() == [[False, True], [False, False]]
    assert found.cost_pusd[0, 1] == UNKNOWN
    assert [usd_of(row.sum()) for row in found.cost_pusd[1:]] == [kept[1].cost_usd]
    assert found.score[:, 0].tolist() == [1.0, 0.2]
    assert found.score_kind.tolist() == [[1, 0], [1, 0]]
    assert np.isnan(found.quality).all()
    assert found.tokens.input[1].tolist() == [10, 10]
    assert (len(found.charges), found.charges.tier.tolist()) == (3, [0, 0, 1])
    assert found.charges.cost_pusd.sum() == sum(found.cost_pusd[found.answered])
    assert found.requests[0] == {"messages": [{"role": "user", "content": "one"}]}
    assert '"choices"' in found.replies[0, 0]
    assert (found.tiers[0].scorer, found.tiers[0].threshold) == ("long_enough", 0.6)
    assert found.about.chain == "chain"


def test_a_gap_is_named():
    """Whoever needs a tier that was not asked is told which requests lack it."""
    found = import_traces(traces(["one"], "a good long answer"), chain=chain())
    with pytest.raises(RecordingError, match="'big' was not asked 1 of 1 requests"):
        refuse_gaps(found, (0, 1))
    refuse_gaps(found, (0,))


def test_a_recorder_gives_the_real_outcome():
    """What a recording scorer holds back is the score; a tier without a scorer has none."""
    made = chain(Recorder(long_enough), Recorder())
    found = import_traces(traces(["one"], "short", made=made), chain=chain())
    assert found.score_kind.tolist() == [[1, 0]]
    assert found.score[0, 0] == 0.5
    assert found.usable.all()
    assert (found.tiers[0].scorer, found.tiers[1].scorer) == ("long_enough", "")
    assert found.tiers[0].price == PRICE.to_dict()
    assert found.tiers[0].settings
    without = import_traces(traces(["one"], "short", made=made))
    assert [tier.scorer for tier in without.tiers] == ["", ""]


def test_what_a_scorer_paid_is_apart():
    """A scorer's own calls are its cost, not the draft's."""
    found = import_traces(traces(["one"], "short", made=chain(judged)))
    assert found.cost_pusd[0, 0] == 10 * 10**6 + 1 * 2 * 10**6
    assert found.score_cost_pusd[0, 0] == UNKNOWN  # the judge has no price
    assert found.charges.purpose.tolist() == ["draft", "scorer"]
    assert found.charges.model.tolist() == ["small", "scripted"]


@pytest.mark.parametrize(
    ("said", "answered", "usable", "quality"),
    [
        (reply(""), False, False, 0.0),
        (failure("server", "down"), False, False, 0.0),
        (reply("half an ans", finish_reason="length"), True, False, np.nan),
        (reply(None, refusal="I would rather not"), True, False, np.nan),
        (reply("fine"), True, True, np.nan),
    ],
)
def test_flaws(said, answered, usable, quality):
    """No answer is worth nothing; a refused or cut one is an answer that no scorer sees."""
    made = chain(Recorder(long_enough), Recorder())
    found = import_traces(traces(["one"], said, made=made))
    assert (found.answered[0, 0], found.usable[0, 0]) == (answered, usable)
    np.testing.assert_equal(found.quality[0, 0], quality)
    assert not gaps(found).any()


@pytest.mark.parametrize("content", ["hashed", "none"])
def test_a_content_policy_is_kept(content):
    """What a trace hides is not in the recording; numbers and what was answered are."""
    full = traces(["one", "two"], [reply("a good long answer"), reply("no")])
    found = import_traces([redact(trace, content) for trace in full])
    whole = import_traces(full)
    assert (found.about.content, whole.about.content) == (content, "full")
    for column in (found.texts, found.replies, found.requests):
        assert all(value is None for value in column.ravel())
    for name in ("answered", "usable", "cost_pusd", "score", "score_kind"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))


class TestExamples:
    def test_by_tag(self):
        """A trace that names its example gets all that is known of it; others are left out."""
        kept = traces(["one", "two"], "good enough", tags=["example:b"])[:1]
        examples = [Example("a", "x"), Example("b", "y", "ref", "u1", 2.0, "billing", "test")]
        found = import_traces([*kept, *traces(["z"], "good enough")], examples=examples)
        assert found.ids.tolist() == ["b"]
        assert (found.references[0], found.groups[0], found.slices[0]) == ("ref", "u1", "billing")
        assert (found.weights[0], found.splits[0]) == (2.0, "test")

    @pytest.mark.parametrize("content", ["full", "hashed"])
    def test_by_what_was_asked(self, content):
        """Served requests are joined with labelled ones, even where only a digest was kept."""
        kept = [redact(one, content) for one in traces(["one", "two"], "good enough")]
        examples = [Example("t", "two", "2"), Example("o", "one", "1")]
        found = import_traces(kept, examples=examples)
        assert found.ids.tolist() == ["t", "o"]
        assert found.references.tolist() == ["2", "1"]

    def test_a_payload_of_another_time(self):
        """A request that could not be sent today fits no example, and is left out."""
        one, two = traces(["one", "two"], "good enough")
        odd = replace(one, request={"messages": []})
        assert len(import_traces([odd, two], examples=[Example("t", "two")])) == 1

    def test_none_fits(self):
        """Traces of other requests are refused instead of making an empty recording."""
        with pytest.raises(RecordingError, match="none asks what an example asks"):
            import_traces(traces(["one"], "good enough"), examples=[Example("a", "two")])

    def test_the_later_trace_counts(self):
        """A request that was asked again is one row: the last."""
        kept = traces(["one", "one"], ["good enough", "better still"], tags=["example:a"])
        assert import_traces(kept).texts[:, 0].tolist() == ["better still"]


def test_marks_of_metadata():
    """Groups and slices come from the metadata keys that are named."""
    kept = traces(["one"], "good enough", metadata={"user": "u7", "topic": "billing"})
    found = import_traces(kept, group_key="user", slice_key="topic")
    assert (found.groups[0], found.slices[0]) == ("u7", "billing")
    assert import_traces(kept).groups[0] == kept[0].id


def test_a_tier_that_was_passed_over():
    """A request that begins higher up leaves gaps below, and none of its tiers is lost."""
    found = import_traces(traces(["one"], "never asked", start_at="big"))
    assert found.names == ("small", "big")
    assert gaps(found).tolist() == [[True, False]]


def test_a_reply_that_no_encoding_can_write():
    """Half of a surrogate pair in a reply is escaped in its JSON."""
    found = import_traces(traces(["one"], "odd \ud83d answer that is long"))
    assert found.texts[0, 0] == "odd \ud83d answer that is long"
    assert "\\ud83d" in found.replies[0, 0]


def test_nothing_was_paid():
    """A request that ended before its first call has tiers and no charge."""
    from decimal import Decimal

    from cascade import Budget
    from cascade.errors import RunError

    llm = Cascade(chain(), models=ScriptedModels({}))
    with pytest.raises(RunError) as caught:
        llm.complete("one", budget=Budget(Decimal("0.0000000001")), max_completion_tokens=50)
    found = import_traces([caught.value.trace], chain=chain())
    assert gaps(found).all()
    assert len(found.charges) == 0


def test_witnesses_stand_last():
    """A witness is told apart and comes after the tiers."""
    found = import_traces(traces(["one"], "no"), witnesses=["small"])
    assert (found.names, found.witnesses) == (("big", "small"), (1,))
    with pytest.raises(RecordingError, match="witness 'x' is none"):
        import_traces(traces(["one"], "no"), witnesses=["x"])


def test_from_a_file(tmp_path):
    """Exported traces are read line by line; a line that is none is named."""
    path = tmp_path / "traces.jsonl"
    kept = traces(["one", "two"], "good enough")
    path.write_text("\n".join(trace.to_json() for trace in kept) + "\n\n")
    assert import_traces(path).ids.tolist() == [trace.id for trace in kept]
    path.write_text(kept[0].to_json() + "\n{}\n")
    with pytest.raises(TraceError, match=r"traces.jsonl', line 2: this is no trace"):
        import_traces(path)
    with pytest.raises(RecordingError, match="cannot be read"):
        import_traces(tmp_path / "none.jsonl")


def test_what_is_no_recording():
    """No trace, a replay, several chains, or a tier of another chain are refused."""
    one = traces(["one"], "good enough")[0]
    with pytest.raises(RecordingError, match="there is no trace"):
        import_traces([])
    with pytest.raises(RecordingError, match="is a replay"):
        import_traces([replace(one, replayed=True)])
    other = traces(["two"], "good enough", made=chain().with_thresholds({"small": 0.1}))
    with pytest.raises(RecordingError, match="from 2 chains"):
        import_traces([one, *other])
    assert len(import_traces([one, *other], any_chain=True)) == 2
    with pytest.raises(RecordingError, match="asked tier 'small', which chain 'other'"):
        import_traces([one], chain=Chain((Tier("x", price=PRICE),), name="other"))
    odd = replace(one.attempts[0].charges[0], cost_usd=PRICE.standard.input.scaleb(-13))
    broken = replace(one, attempts=(replace(one.attempts[0], charges=(odd,)),))
    with pytest.raises(RecordingError, match="no whole number of picodollars"):
        import_traces([broken])


def test_the_reply_of_a_better_sample():
    """Where a scorer returned a better sample, its reply is kept with its text."""

    def better(draft):
        found = yield from ask("small", "again")
        return Score(1.0, reply=found)

    kept = traces(["one"], [reply("draft"), reply("sample")], made=chain(better))
    found = import_traces(kept)
    assert found.texts[0, 0] == "sample"
    assert '"sample"' in found.replies[0, 0]
    attempt = kept[0].attempts[0]
    odd = tuple(replace(charge, reply={"choices": 3}) for charge in attempt.charges)
    unread = replace(kept[0], attempts=(replace(attempt, charges=odd),))
    assert import_traces([unread]).replies[0, 0] == '{"choices": 3}'


def test_a_turn_without_charges():
    """A trace that kept no charges still gives its answer; time and tokens are unknown."""
    one = traces(["one"], "good enough")[0]
    found = import_traces([replace(one, attempts=(replace(one.attempts[0], charges=()),))])
    assert found.answered.all()
    assert np.isnan(found.latency_s).all()
    assert np.isnan(found.tokens.input).all()


def test_who_reads_earlier_answers():
    """A scorer's code tells whether it looks at earlier answers, unless it says so itself."""
    from functools import partial

    from scorers import AgreesWithEarlier, LengthBetween, first_reject

    def looks(draft):
        def within():
            return any(one.text for one in draft.earlier)

        return within()

    class Says:
        reads_earlier = True

        def __call__(self, draft):
            return 1.0

    assert not reads_earlier(None)
    assert not reads_earlier(long_enough)
    assert not reads_earlier(LengthBetween(min_words=1))
    assert reads_earlier(looks)
    assert reads_earlier(partial(looks))
    assert reads_earlier(Says())
    assert reads_earlier(first_reject(LengthBetween(min_words=1), AgreesWithEarlier()))
    assert not reads_earlier(len)
