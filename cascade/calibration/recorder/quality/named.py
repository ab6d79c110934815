"""Metrics by name, as a command line and a file can say them.

The rules are those of the registered scorers `reference`, `command` and `judge`; this module knows
their names and settings only.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from cascade.calibration.recorder.quality.metric import Metric, metric_from, reference_of
from cascade.calibration.recorder.quality.rubric import Rubric
from cascade.config import registered_scorers
from cascade.errors import ConfigError

__all__ = ["METRICS", "metric_of", "scorer_class"]

COMMAND_TIMEOUT_S = 60.0
"""A test run that takes longer has hung; `scorers.Command` itself has other limits."""

METRICS: Mapping[str, str] = {
    "exact": "the texts are the same, white space around them aside",
    "normalised": "the same words without case, punctuation and articles",
    "f1": "overlap of words, as in reading comprehension",
    "numeric": "the number an answer ends on; numeric:0.01 forgives a difference, numeric:1% a "
    "relative one",
    "option": "the letter of a multiple-choice answer",
    "json": "the share of the reference's fields that the answer has right",
    "command": "command:PROGRAM ARGUMENTS ends with exit code 0 on the answer, which it reads or "
    "finds in the file {answer}; {reference} is a file with the reference",
    "code": "the same for what stands in the answer's code blocks, in a file that ends in .py",
    "judge": "judge:MODEL:CRITERION; CRITERION: the share that a model sees met; {reference} in a "
    "criterion stands for the reference",
}
"""What each name means, in words; all give 1 or 0 unless they speak of a share or an overlap."""


def metric_of(given: object) -> Metric:
    """The metric that a caller means.

    Args:
        given: a name of `METRICS` with its settings behind a colon, or what `metric_from` takes.

    Raises:
        ConfigError: an unknown name (the nearest one is named), or settings that cannot work.
    """
    if not isinstance(given, str):
        return metric_from(given)
    name, colon, rest = given.partition(":")
    name, rest = name.strip(), rest.strip()
    build = _BUILDERS.get(name)
    if build is None:
        close = difflib.get_close_matches(name.lower(), list(METRICS), n=1)
        hint = f", did you mean {close[0]!r}?" if close else ";"
        raise ConfigError(f"metric {name!r} is unknown{hint} there are {', '.join(METRICS)}")
    if colon and not rest:
        raise ConfigError(f"metric {given!r}: nothing follows the colon; {METRICS[name]}")
    return build(given.strip(), rest)


def scorer_class(name: str) -> Any:
    """A registered scorer's class.

    Raises:
        ConfigError: no installed package registers it.
    """
    known = registered_scorers()
    if name not in known:
        raise ConfigError(
            f"no scorer {name!r} is registered, which this metric uses: install `frugal-cascade` "
            "as a package, with its entry points"
        )
    return known[name].load()


def _compared(by: str) -> Callable[[str, str], Metric]:
    def build(given: str, rest: str) -> Metric:
        if rest:
            raise ConfigError(f"metric {given!r}: {by!r} has no settings; leave {rest!r} out")
        return Metric(given, scorer_class("reference")(reference_of, by=by))

    return build


def _numeric(given: str, rest: str) -> Metric:
    settings: dict[str, float] = {}
    if rest:
        is_share = rest.endswith("%")
        try:
            value = float(rest.removesuffix("%"))
        except ValueError:
            raise ConfigError(
                f"metric {given!r}: {rest!r} is no tolerance; write numeric:0.01 or numeric:1%"
            ) from None
        settings = {"relative": value / 100} if is_share else {"tolerance": value}
    return Metric(given, scorer_class("reference")(reference_of, by="number", **settings))


def _command(given: str, rest: str) -> Metric:
    is_code = given.startswith("code")
    try:
        argv = shlex.split(rest)
    except ValueError as error:
        raise ConfigError(f"metric {given!r}: the command cannot be read: {error}") from error
    if not argv:
        raise ConfigError(f"metric {given!r} names no program; {METRICS['command']}")
    answer: dict[str, Any] = {"answer": "code", "suffix": ".py"} if is_code else {}
    made = scorer_class("command")(argv, timeout_s=COMMAND_TIMEOUT_S, **answer)
    return Metric(given, made, any("{reference}" in argument for argument in argv))


def _judge(given: str, rest: str) -> Metric:
    model, colon, said = rest.partition(":")
    criteria = tuple(text.strip() for text in said.split(";") if text.strip())
    if not colon or not model.strip() or not criteria:
        raise ConfigError(
            f"metric {given!r}: expected a model and criteria, e.g. "
            "'judge:gpt-5.4-mini:It answers the question; It says the same as: {reference}'"
        )
    scorer_class("judge")  # says so where it is not there
    made = Rubric(model.strip(), criteria)
    return Metric(given, made, made.reads_reference)


_BUILDERS: Mapping[str, Callable[[str, str], Metric]] = {
    "exact": _compared("exact"),
    "normalised": _compared("normalised"),
    "f1": _compared("f1"),
    "numeric": _numeric,
    "option": _compared("option"),
    "json": _compared("fields"),
    "command": _command,
    "code": _command,
    "judge": _judge,
}
