"""Metrics: what each says of an answer, and what a wrong name or setting is told."""

import sys

import pytest

from cascade import Abstained, Chain, ConfigError, Draft, Price, Reply, Request, Tier
from cascade.calibration import Example, Metric, metric_of, record
from cascade.calibration.recorder.quality.named import METRICS
from cascade.core.evaluation import evaluate
from cascade.core.scoring import Failed, Score
from cascade.core.wishes import Ran
from cascade.testing import ScriptedModels
from scorers import LengthBetween

CHEAP = Price.of("1", "1")


def value(metric, answer, reference):
    """What a metric that asks nobody says."""
    labels = {} if reference is None else {"reference": reference}
    draft = Draft(Request.build("?", metadata=labels), Reply(answer))
    scoring = evaluate(metric_of(metric).scorer, draft)
    try:
        wish = next(scoring)
        while True:
            try:
                ran = Ran(wish.function())
            except Exception as error:
                ran = Ran(error=error)
            wish = scoring.send(ran)
    except StopIteration as stop:
        return stop.value


@pytest.mark.parametrize(
    ("metric", "answer", "reference", "expected"),
    [
        ("exact", " Paris ", "Paris", 1),
        ("exact", "paris", "Paris", 0),
        ("normalised", "The Paris!", "paris", 1),
        ("f1", "the red house", "a red barn", 0.5),
        ("numeric", "so it is 1,000", "1000.0", 1),
        ("numeric", "1001", "1000", 0),
        ("numeric:1", "1001", "1000", 1),
        ("numeric:0.5%", "1001", "1000", 1),
        ("numeric:0.05%", "1001", "1000", 0),
        ("option", "The answer is (b).", "B", 1),
        ("json", '{"a": 1, "b": "X"}', '{"a": 1, "b": "y", "c": null, "d": 2}', 0.25),
    ],
)
def test_each_named_metric(metric, answer, reference, expected):
    """A name stands for one way to compare; settings follow a colon."""
    assert value(metric, answer, reference).value == pytest.approx(expected)
    assert metric_of(metric).name == metric
    assert metric_of(metric).needs_reference


def test_a_command_judges_by_its_exit_code():
    """The user's own test: 1 where it ends with 0, on the answer or with a reference's help."""
    python = sys.executable
    check = f"command:{python} -c 'import sys; sys.exit(sys.stdin.read() != \"4\")'"
    assert value(check, "4", None).value == 1
    assert value(check, "5", None).value == 0
    assert not metric_of(check).needs_reference
    tested = (
        f"code:{python} -c 'import sys; exec(open(sys.argv[1]).read() + open(sys.argv[2]).read())' "
        "{answer} {reference}"
    )
    assert metric_of(tested).needs_reference
    answer = "Here:\n```python\ndef f(x):\n    return 2 * x\n```"
    assert value(tested, answer, "assert f(2) == 4").value == 1
    assert value(tested, answer, "assert f(2) == 5").value == 0
    assert isinstance(value(tested, answer, None), Abstained)


def test_a_function_of_answer_and_reference_is_a_metric():
    """It may give a truth value, a number or a score; without a reference it is not asked."""

    def shares_words(answer, reference):
        return len(set(answer.split()) & set(reference.split())) / 2

    found = metric_of(shares_words)
    assert (found.name, found.needs_reference) == ("shares_words", True)
    assert value(shares_words, "a b", "a c").value == 0.5
    assert isinstance(value(shares_words, "a b", None), Abstained)
    assert isinstance(value(lambda answer, reference: 1 / 0, "a", "b"), Failed)
    assert isinstance(value(lambda answer, reference: 1.5, "a", "b"), Failed)


def test_a_scorer_is_a_metric():
    """Anything callable with a draft grades without a reference; a `Metric` is taken as it is."""
    found = metric_of(LengthBetween(min_words=2))
    assert not found.needs_reference
    assert value(LengthBetween(min_words=2), "one", None).value == 0
    own = Metric("own", lambda draft: Score(0.5))
    assert metric_of(own) is own


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("normalized", "did you mean 'normalised'"),
        ("bleu", "there are exact, normalised"),
        ("", "metric '' is unknown"),
        ("exact:3", "has no settings"),
        ("numeric:", "nothing follows the colon"),
        ("numeric:few", "'few' is no tolerance"),
        ("numeric:-1", "tolerance -1.0"),
        ("numeric:200%", "relative 2.0"),
        ("command", "names no program"),
        ("command:no-such-program-here", "is not found"),
        ("command:'", "cannot be read"),
        ("judge:gpt-5.4-mini", "expected a model and criteria"),
        ("judge::It is right.", "expected a model and criteria"),
        (3, "metric is 3"),
        (LengthBetween, "expected a name"),
        (lambda a, b, c: 1, "expected a function of an answer"),
    ],
)
def test_what_is_no_metric_is_refused(given, words):
    """The message names what was meant, or what there is."""
    with pytest.raises(ConfigError, match=words):
        metric_of(given)


def test_every_name_is_explained():
    """What `--metric` takes is what the table explains."""
    examples = {"command": "command:env", "code": "code:env", "judge": "judge:m:It is right."}
    for name in METRICS:
        assert metric_of(examples.get(name, name)).name.startswith(name)


def tiers():
    return Chain((Tier("small", price=CHEAP), Tier("big", price=CHEAP)))


def test_a_judge_is_told_the_reference():
    """`{reference}` in a criterion is filled in for each request; nobody else is told of it."""
    asked = ScriptedModels(
        {"small": "5", "big": "4"},
        scorers={"gpt-5.4-mini": lambda call: '{"c1": "yes", "c2": "no"}'},
    )
    found = record(
        tiers(),
        [Example("1", "2+2?", reference="SECRET-4")],
        models=asked,
        metric="judge:gpt-5.4-mini:Says {reference}; Is polite",
    )
    assert found.quality[0].tolist() == [0.5, 0.5]
    judged = [str(call.payload) for call in asked.calls if call.purpose == "scorer"]
    assert len(judged) == 2
    assert all("SECRET-4" in text for text in judged)
    others = [call for call in asked.calls if call.purpose == "draft"]
    assert not any("SECRET" in str(call.payload) for call in others)


@pytest.mark.parametrize("model", ["big", "no-such-model"])
def test_a_judge_that_cannot_judge_is_refused(model):
    """Not its own answers, and not without a price; said before any call."""
    asked = ScriptedModels({})
    with pytest.raises(ConfigError, match=model):
        record(tiers(), [Example("1", "?")], models=asked, metric=f"judge:{model}:Is right")
    assert not asked.calls


def test_no_scorer_sees_the_reference():
    """What a tier's scorer sees holds no label that its answer is graded by."""
    seen = []

    def peeks(draft):
        seen.append((dict(draft.request.metadata), str(draft.request.payload)))
        return 0.5

    built = Chain((Tier("small", scorer=peeks, price=CHEAP), Tier("big", price=CHEAP)))
    record(
        built,
        [Example("1", "2+2?", reference="four")],
        models=ScriptedModels({"small": "4", "big": "four"}),
    )
    assert seen
    assert "four" not in str(seen)


def test_a_metric_without_its_scorer_says_what_to_install(monkeypatch):
    """The rules live in registered scorers; where none is registered the message says so."""
    monkeypatch.setattr("cascade.calibration.recorder.quality.named.registered_scorers", dict)
    with pytest.raises(ConfigError, match="no scorer 'reference' is registered"):
        metric_of("exact")


def test_a_callable_that_does_not_tell_what_it_takes_is_a_scorer():
    """Some built-in functions have no signature; they are called with a draft."""
    assert not metric_of(max).needs_reference


def test_a_judge_of_references_says_nothing_without_one():
    """A criterion about a reference cannot be judged where there is none."""
    found = metric_of("judge:gpt-5.4-mini:Says {reference}")
    assert found.needs_reference
    assert value(found, "a", None) == Abstained("no right answer is known")
