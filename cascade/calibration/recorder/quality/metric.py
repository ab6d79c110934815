"""What a metric is: a scorer of an answer whose request carries the right answer as a label."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cascade.calibration.fingerprint import fingerprint
from cascade.core.chain import settings_of_scorer
from cascade.core.request import Request
from cascade.core.scoring import Abstained, Draft, Outcome, Scorer, scorer_name
from cascade.core.tier import DEFAULT_SCORER_TIMEOUT_S
from cascade.errors import ConfigError

__all__ = ["REFERENCE", "Metric", "metric_from", "reference_of"]

REFERENCE = "reference"
"""The label of a request's metadata under which a metric finds the right answer. The requests that
a chain is recorded with do not have it: no scorer may see what it is measured by."""


@dataclass(frozen=True, slots=True)
class Metric:
    """Turns an answer into quality in [0, 1].

    Attributes:
        name: as it stands in the recording.
        scorer: judges a draft; `reference_of(draft.request)` is the right answer. One that asks a
            model costs money, which the recording books. Where it abstains or fails the quality is
            unknown.
        needs_reference: whether it says nothing without a right answer.
        timeout_s: longest time one step of it may take; `None` where it keeps its own.
    """

    name: str
    scorer: Scorer = field(repr=False)
    needs_reference: bool = True
    timeout_s: float | None = None

    @property
    def settings(self) -> str:
        """A hash of what decides its values."""
        return fingerprint([self.name, settings_of_scorer(self.scorer)])


def reference_of(request: Request) -> str | None:
    """The right answer to a request that is being judged."""
    known = request.metadata.get(REFERENCE)
    return None if known is None else str(known)


@dataclass(frozen=True, slots=True)
class _OfTwo:
    """A user's function of an answer and its reference, as a scorer."""

    function: Callable[[str, str], Any]

    @property
    def name(self) -> str:
        return scorer_name(self.function)

    def __call__(self, draft: Draft) -> Outcome | float:
        known = reference_of(draft.request)
        if known is None:
            return Abstained("no right answer is known")
        found: Outcome | float = self.function(draft.text, known)
        return found


def metric_from(given: object) -> Metric:
    """A metric from what a caller passes that is no name.

    Args:
        given: a `Metric`; a function of (answer, reference) that gives a number in [0, 1] or a
            truth value; or a scorer, i.e. anything callable with a draft.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(given, Metric):
        return given
    if not callable(given) or isinstance(given, type):
        raise ConfigError(
            f"metric is {given!r}: expected a name such as 'normalised', a function of an answer "
            "and its reference, or a scorer"
        )
    if not _takes(given, 1) and _takes(given, 2):
        made = _OfTwo(given)
        return Metric(made.name, made, timeout_s=DEFAULT_SCORER_TIMEOUT_S)
    if not _takes(given, 1):
        raise ConfigError(
            f"metric {scorer_name(given)!r} takes {inspect.signature(given)}: expected a function "
            "of an answer and its reference, or a scorer, which takes a draft"
        )
    own = scorer_name(given)
    return Metric(own, given, needs_reference=False, timeout_s=DEFAULT_SCORER_TIMEOUT_S)


def _takes(function: Callable[..., Any], count: int) -> bool:
    """Whether it can be called with so many arguments."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # some built-in functions do not tell
        return count == 1
    return True
