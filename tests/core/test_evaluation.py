"""Scorers of every form: what they are taken for, and what becomes of what they do."""

from __future__ import annotations

import functools
from functools import partial

import pytest

from cascade import (
    Abstained,
    Draft,
    Failed,
    Needs,
    Request,
    Score,
    ScorerError,
    ask,
    evaluate,
    scorer_name,
)
from cascade.core.evaluation import is_coroutine_scorer
from cascade.core.scoring import Ask, needs_of, outcome_of, parts_of
from cascade.core.wishes import Await, Ran, Run
from cascade.errors import ConfigError
from cascade.testing import reply

DRAFT = Draft(Request.build("hello"), reply("world"))


def carry(scoring, *answers):
    """Run an evaluation to its end; answers go to the questions in order."""
    answers = list(answers)
    wanted = []
    try:
        wish = next(scoring)
        while True:
            wanted.append(wish)
            if isinstance(wish, Run):
                try:
                    ran = Ran(value=wish.function())
                except Exception as error:
                    ran = Ran(error=error)
                wish = scoring.send(ran)
            else:
                answer = answers.pop(0)
                raises = isinstance(answer, Exception)
                wish = scoring.throw(answer) if raises else scoring.send(answer)
    except StopIteration as stop:
        return stop.value, wanted


def plain(draft):
    return True


async def coroutine(draft):
    return True


class AsyncCall:
    async def __call__(self, draft):
        return True


class Holds:
    def __init__(self, *scorers):
        self.scorers = list(scorers)

    def __call__(self, draft):
        return True


@pytest.mark.parametrize(
    ("scorer", "is_async"),
    [
        (plain, False),
        (partial(plain), False),
        (Holds(plain, Holds()), False),
        (coroutine, True),
        (AsyncCall(), True),
        (AsyncCall().__call__, True),
        (partial(coroutine), True),
        (partial(AsyncCall()), True),
        (partial(partial(AsyncCall())), True),
        (partial(Holds(coroutine)), True),
        (Holds(plain, coroutine), True),
        (Holds(Holds(partial(AsyncCall()))), True),
    ],
    ids=str,
)
def test_coroutine_scorers_are_recognised(scorer, is_async):
    """Coroutine functions are found in objects, partials and combinations, at any depth."""
    assert is_coroutine_scorer(scorer) is is_async


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (True, Score(1.0)),
        (False, Score(0.0)),
        (0, Score(0.0)),
        (0.25, Score(0.25)),
        (Score(0.5, "so"), Score(0.5, "so")),
        (Abstained("?"), Abstained("?")),
        (Failed("!"), Failed("!")),
    ],
)
def test_what_a_scorer_may_return(value, outcome):
    """Booleans, numbers in [0, 1] and outcomes are read as they are meant."""
    assert outcome_of(value) == outcome
    assert carry(evaluate(lambda draft: value, DRAFT))[0] == outcome


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "returned None; return a Score"),
        (2.0, "score 2.0 is outside [0, 1]"),
        (-1, "score -1.0 is outside [0, 1]"),
        (float("nan"), "score nan is outside [0, 1]"),
        ("yes", "returned str 'yes'; return a Score"),
        ([1], "returned list '[1]'"),
        (1j, "returned complex"),
    ],
)
def test_anything_else_is_a_failure_that_names_it(value, words):
    """A missing or impossible score is never a number."""
    outcome = outcome_of(value)
    assert isinstance(outcome, Failed)
    assert words in outcome.reason


def test_a_score_is_checked_at_birth():
    """Scores outside [0, 1] and of other types never come to exist."""
    with pytest.raises(ValueError, match=r"score 1\.5 is outside"):
        Score(1.5)
    with pytest.raises(TypeError, match=r"a score is a number in .0, 1., not"):
        Score("1")
    assert type(Score(True).value) is float


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LookupError("no word"), "LookupError: no word"),
        (AssertionError(), "AssertionError"),
        (StopIteration("slipped"), "StopIteration: slipped"),
    ],
)
@pytest.mark.parametrize("inline", [True, False])
def test_what_a_scorer_raises_is_its_failure(error, reason, inline):
    """An exception becomes data that names it, on whichever thread it was raised."""

    def scorer(draft):
        raise error

    scorer.inline = inline
    outcome, wanted = carry(evaluate(scorer, DRAFT))
    assert outcome == Failed(reason)
    assert len(wanted) == (not inline)


@pytest.mark.parametrize("inline", [True, False])
def test_a_generator_scorer_asks_and_scores(inline):
    """Each step runs as its scorer wishes; questions come out and replies go in."""

    def scorer(draft):
        said = yield from ask("m", "right?", seed=1)
        return said.text == "yes"

    scorer.inline = inline
    outcome, wanted = carry(evaluate(scorer, DRAFT), reply("yes"))
    assert outcome == Score(1.0)
    question = Ask("m", ({"role": "user", "content": "right?"},), {"seed": 1})
    assert [wish for wish in wanted if isinstance(wish, Ask)] == [question]
    assert len(wanted) == (1 if inline else 4)


@pytest.mark.parametrize("handled", [True, False])
def test_a_failed_question_reaches_the_scorer(handled):
    """A scorer can handle the error of its question; unhandled it is its failure."""

    def scorer(draft):
        try:
            yield from ask("m", "right?")
        except ScorerError:
            if not handled:
                raise
        return 0.5

    outcome, _ = carry(evaluate(scorer, DRAFT), ScorerError("away"))
    assert outcome == (Score(0.5) if handled else Failed("ScorerError: away"))


def test_a_scorer_that_yields_nonsense_is_told_what_to_write():
    """Yielding anything but a wish fails with the form that works."""

    def scorer(draft):
        yield "gpt-5.5"
        return 1.0

    outcome, _ = carry(evaluate(scorer, DRAFT))
    assert "a scorer yielded 'gpt-5.5'" in outcome.reason
    assert "yield from ask(model, prompt)" in outcome.reason


def test_a_coroutine_is_handed_to_the_driver():
    """A coroutine scorer is awaited by the driver; its result is read as any other."""
    scoring = evaluate(coroutine, DRAFT)
    wish = next(scoring)
    assert isinstance(wish, Await)
    wish.awaitable.close()
    with pytest.raises(StopIteration) as stop:
        scoring.send(Ran(value=0.75))
    assert stop.value.value == Score(0.75)


@pytest.mark.parametrize(
    ("ran", "outcome"),
    [(Ran(value=0.75), Score(0.75)), (Ran(error=OSError("gone")), Failed("OSError: gone"))],
)
def test_a_generator_may_yield_a_coroutine(ran, outcome):
    """What a generator scorer yields to be awaited comes back as its value, or is raised there."""

    async def other():
        return 1.0

    def scorer(draft):
        value = yield other()
        return value

    scorer.inline = True
    scoring = evaluate(scorer, DRAFT)
    wish = next(scoring)
    wish.awaitable.close()
    with pytest.raises(StopIteration) as stop:
        scoring.send(ran)
    assert stop.value.value == outcome


def test_a_scorer_that_will_not_close_does_not_break_the_loop():
    """A generator scorer that yields while it is closed is left alone."""

    def scorer(draft):
        try:
            yield from ask("m", "right?")
        except GeneratorExit:
            yield "never"

    scorer.inline = True
    scoring = evaluate(scorer, DRAFT)
    assert isinstance(next(scoring), Ask)
    scoring.close()
    with pytest.raises(StopIteration):
        next(scoring)


def test_combinators_evaluate_their_parts():
    """A scorer judges its parts with `yield from evaluate(...)`, whatever form they have."""

    def either(draft):
        first = yield from evaluate(plain, draft)
        second = yield from evaluate(lambda draft: 1 / 0, draft)
        return Score(first.value, parts=(("plain", first), ("broken", second)))

    outcome, _ = carry(evaluate(either, DRAFT))
    assert outcome.parts[0] == ("plain", Score(1.0))
    assert outcome.parts[1][1].reason.startswith("ZeroDivisionError")


@pytest.mark.parametrize(
    ("scorer", "name"),
    [
        (plain, "plain"),
        (partial(plain), "plain"),
        (partial(partial(AsyncCall())), "AsyncCall"),
        (AsyncCall(), "AsyncCall"),
        (functools.wraps(plain)(lambda draft: 1), "plain"),
        (type("Named", (), {"name": "mine"})(), "mine"),
        (type("Unnamed", (), {"name": ""})(), "Unnamed"),
    ],
    ids=str,
)
def test_scorers_have_names(scorer, name):
    """A scorer is called by its `name`, else by its function's or class's."""
    assert scorer_name(scorer) == name


def test_what_a_scorer_declares_is_read_with_care():
    """Needs of another type are refused by name; parts of another type are no parts."""
    wrong = type("Wrong", (), {"needs": "logprobs", "scorers": "ab"})()
    with pytest.raises(ConfigError, match="scorer 'Wrong': needs is 'logprobs'"):
        needs_of(wrong)
    assert parts_of(wrong) == ()
    assert Needs(logprobs=True) | Needs(top_logprobs=3) == Needs(logprobs=True, top_logprobs=3)
    assert DRAFT.text == "world"
