"""What is to be recorded: the chains that ask and grade, and each example's request, all checked.

Mistakes surface here, before money flows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from cascade.calibration.files.datasets import Example, request_digest
from cascade.calibration.fingerprint import fingerprint, scorer_fingerprint, tier_fingerprint
from cascade.calibration.imports.trace_import import EXAMPLE_TAG
from cascade.calibration.recorder.continued import NamedOptions
from cascade.calibration.recorder.journal import Heading
from cascade.calibration.recorder.quality.grading import Grading, agreement, grading_chain
from cascade.calibration.recorder.quality.metric import Metric
from cascade.calibration.recorder.quality.named import metric_of
from cascade.calibration.recorder.recorded_chain import again, recording_chain
from cascade.core.chain import Chain
from cascade.core.payloads import check_payloads
from cascade.core.request import Request
from cascade.core.route import Route
from cascade.core.scoring import scorer_name
from cascade.core.tier import DEFAULT_THRESHOLD, Tier
from cascade.core.trace import Content
from cascade.errors import ConfigError, RecordingError, RequestError
from cascade.traces.content import check_content

__all__ = ["DOUBLE_CALLS", "Task", "set_apart", "task_of"]

DOUBLE_CALLS = 100
"""Requests that the top tier answers twice, where its answers stand in for references: d0 of a few
per cent is then known to about two points."""

MOST_NAMED = 5

LONGEST_TAG = 180


@dataclass(frozen=True)
class Task:
    """Made by `task_of`.

    Attributes:
        chain: what is recorded.
        witnesses: asked for evidence alone.
        examples: in order, by id.
        asked: the chain that asks: tiers, witnesses, the top tier again.
        metric: what grades.
        by_top: whether the top tier's answer takes the place of references.
        doubles: ids of the examples that the top tier is asked twice.
        content: what is kept of texts.
        readers: tiers whose scorers have looked at earlier answers, filled in while it runs.
    """

    chain: Chain
    witnesses: tuple[Tier, ...]
    examples: Mapping[str, Example]
    asked: Chain
    metric: Metric
    by_top: bool
    doubles: frozenset[str]
    content: Content
    readers: set[str] = field(default_factory=set)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Tiers and witnesses, in order."""
        return tuple(tier.name for tier in (*self.chain.tiers, *self.witnesses))

    @cached_property
    def scorers(self) -> Mapping[str, str]:
        """Names of the chain's own scorers, by tier."""
        return {t.name: scorer_name(t.scorer) for t in self.chain.tiers if t.scorer is not None}

    @cached_property
    def again(self) -> str:
        """Name of the top tier where it is asked once more."""
        return again(self.chain.top).name

    @cached_property
    def requests(self) -> Mapping[str, Request]:
        """What is asked, by example."""
        return {name: _request(example) for name, example in self.examples.items()}

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """Digests of what is asked, by example."""
        return {name: request_digest(one.request) for name, one in self.examples.items()}

    @cached_property
    def by_tag(self) -> Mapping[str, str]:
        """Ids of examples by the tag that their traces carry."""
        return {_tag(name): name for name in self.examples}

    def tiers_for(self, name: str) -> frozenset[str]:
        """Names of the tiers that an example is put to."""
        return frozenset({*self.names, self.again} if name in self.doubles else self.names)

    def stop_at(self, name: str) -> str:
        """Name of the last tier that an example is put to."""
        return self.again if name in self.doubles else self.names[-1]

    def known(self, name: str) -> str | None:
        """The reference of an example."""
        return self.examples[name].reference

    def is_gradable(self, name: str) -> bool:
        """Whether anything can be said of an example's answers."""
        return self.by_top or not self.metric.needs_reference or self.known(name) is not None

    def graded_by(self, name: str) -> str:
        """A hash of what decides an example's grades."""
        return fingerprint([self.metric.settings, self.by_top, self.known(name)])

    @cached_property
    def grading(self) -> Grading:
        """How answers are graded.

        Raises:
            ConfigError: the metric cannot judge these tiers.
        """
        chain = grading_chain(self.chain, self._graded_tiers, self.metric)
        return Grading(chain, self.metric, self.chain.top.name if self.by_top else None)

    @property
    def _graded_tiers(self) -> tuple[Tier, ...]:
        second = (again(self.chain.top),) if self.doubles else ()
        return (*self.chain.tiers, *self.witnesses, *second)

    @property
    def heading(self) -> Heading:
        """What its journal belongs to."""
        settings = {
            tier.name: fingerprint([tier_fingerprint(tier), scorer_fingerprint(tier.scorer), role])
            for role, tiers in (("tier", self.chain.tiers), ("witness", self.witnesses))
            for tier in tiers
        }
        policy = fingerprint(repr(self.asked.policy))
        return Heading(self.chain.name, settings, policy, self.content)


def task_of(
    chain: Chain,
    examples: Iterable[Example],
    *,
    metric: object = None,
    witnesses: Sequence[Tier | str] = (),
    content: str = "full",
    double_calls: int = DOUBLE_CALLS,
) -> Task:
    """Check what is to be recorded.

    Args:
        chain: whose tiers and scorers are recorded.
        examples: requests, with what is known of them.
        metric: how answers are graded; see `metric_of`. Unless given, "normalised" where there are
            references, and agreement with the top tier's answer where there are none.
        witnesses: asked for evidence alone: tiers, models, or names of tiers of the chain, which
            then are no longer part of the ladder.
        content: what is kept of texts: "full", "hashed" or "none".
        double_calls: how many examples the top tier is asked twice where its answers stand in for
            references.

    Raises:
        RecordingError: no example, an id twice, or requests that cannot be sent.
        ConfigError: a chain, metric or number that cannot work.
    """
    if type(double_calls) is not int or double_calls < 0:
        raise ConfigError(f"double_calls {double_calls!r} is no whole number from 0 up")
    listed = _by_id(examples)
    unlabelled = all(example.reference is None for example in listed.values())
    found = metric_of("normalised" if metric is None else metric)
    by_top = unlabelled and found.needs_reference
    if by_top and metric is None:
        found = agreement()
    doubles = _drawn(listed, double_calls) if by_top else frozenset[str]()
    readers: set[str] = set()
    chain, apart = set_apart(chain, witnesses)
    task = Task(
        chain=chain,
        witnesses=apart,
        examples=listed,
        asked=recording_chain(chain, apart, double=bool(doubles), readers=readers),
        metric=found,
        by_top=by_top,
        doubles=doubles,
        content=check_content(content),
        readers=readers,
    )
    _ = task.grading  # a metric that cannot judge these tiers is refused here
    _check_requests(task)
    return task


def set_apart(chain: Chain, given: Sequence[Tier | str]) -> tuple[Chain, tuple[Tier, ...]]:
    """The chain without its witnesses, and the witnesses."""
    if isinstance(given, str):
        raise ConfigError(f"witnesses is the text {given!r}: expected a list, [{given!r}]")
    known = {tier.name: tier for tier in chain.tiers}
    tiers = (one if isinstance(one, Tier) else known.get(one) or Tier(one) for one in given)
    # Nobody asks whether a witness is right: it is asked to compare its answer with others.
    apart = tuple(replace(one, scorer=None, threshold=DEFAULT_THRESHOLD) for one in tiers)
    named = {witness for witness in given if isinstance(witness, str)}
    ladder = tuple(tier for tier in chain.tiers if tier.name not in named)
    if not ladder:
        raise ConfigError(
            f"chain {chain.name!r}: all its tiers are to be witnesses; one that answers is needed"
        )
    if len(ladder) < len(chain.tiers):
        chain = replace(chain, tiers=ladder, entry=None)
    return chain, apart


def _by_id(examples: Iterable[Example]) -> dict[str, Example]:
    found: dict[str, Example] = {}
    for place, example in enumerate(examples):
        if not isinstance(example, Example):
            raise RecordingError(
                f"example {place} is {str(example)[:60]!r}: expected an Example, e.g. "
                "Example(id='1', request='Where is my parcel?', reference='in transit'), or what "
                "`read_examples` reads"
            )
        if example.id in found:
            raise RecordingError(
                f"two examples have the id {example.id!r}; every example needs one of its own, and "
                "those that belong together share a group"
            )
        found[example.id] = example
    if not found:
        raise RecordingError("there is no example to record: expected one request or more")
    return found


def _drawn(examples: Iterable[str], count: int) -> frozenset[str]:
    """As many ids as wanted, the same ones each time, whatever their order."""
    ranked = sorted(examples, key=lambda name: hashlib.sha256(name.encode()).digest())
    return frozenset(ranked[:count])


def _request(example: Example) -> Request:
    request = Request.build(example.request)
    named = NamedOptions(request.options, example.id)
    return replace(request, options=named).marked([_tag(example.id)], None)


def _tag(name: str) -> str:
    """A mark of the example's traces; tags have a longest length, ids have none."""
    return EXAMPLE_TAG + (name if len(name) <= LONGEST_TAG else fingerprint(name))


def _check_requests(task: Task) -> None:
    wrong = []
    for name, example in task.examples.items():
        try:
            check_payloads(task.asked, _request(example), Route(None, task.stop_at(name)))
        except RequestError as error:
            wrong.append(f"example {name!r}: {error}")
    if wrong:
        more = f"; and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
        raise RecordingError(f"cannot be sent: {'; '.join(wrong[:MOST_NAMED])}{more}")
