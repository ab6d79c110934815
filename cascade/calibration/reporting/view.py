"""What the report shows, as plain values: the page, the charts and the JSON read nothing else.

Costs are USD per 1,000 requests, qualities and shares are in [0, 1]. `None` is unknown, and is
shown as that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cascade.calibration.comparing.net_value import NetValue
from cascade.calibration.comparing.reliability import Reliability
from cascade.traces.page.content import Words

__all__ = [
    "Case",
    "Dropped",
    "Fact",
    "FoundPlan",
    "Frontier",
    "Kind",
    "Line",
    "PolicyLine",
    "PriceLine",
    "Promise",
    "Range",
    "Spot",
    "TierLine",
    "View",
]

Range = tuple[float, float]
"""Both ends of an interval."""

Kind = Literal["single", "cheapest", "top", "pair", "oracle", "found", "search", "chosen"]
"""What a policy is, which decides its mark: a baseline, found by a search, or chosen."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A policy in the picture of cost and quality.

    Attributes:
        name: as it is labelled.
        kind: see `Kind`.
        cost: USD per 1,000 requests.
        quality: mean, in [0, 1].
        cost_range: interval of the cost.
        quality_range: interval of the quality.
    """

    name: str
    kind: Kind
    cost: float
    quality: float
    cost_range: Range | None = None
    quality_range: Range | None = None


@dataclass(frozen=True, slots=True)
class Frontier:
    """Everything in one picture of cost and quality.

    Attributes:
        spots: the baselines, each once.
        found: the plans that the search found, cheapest first.
        mixing: ends and corners of the line that drawing models at random reaches.
        oracle: the line that hindsight reaches.
        chosen: the plan that the report is about.
        floor: the least quality that the promise allows.
    """

    spots: tuple[Spot, ...] = ()
    found: tuple[Spot, ...] = ()
    mixing: tuple[Spot, ...] = ()
    oracle: tuple[Spot, ...] = ()
    chosen: Spot | None = None
    floor: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not (self.spots or self.chosen)


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """A policy in the table of everything compared.

    Attributes:
        name: of the policy.
        what: its definition.
        cost: USD per 1,000 requests.
        quality: mean.
        share: cost as a share of always asking the top tier.
        cost_range: interval of the cost.
        quality_range: interval of the quality.
        reason: why there is no such policy on this recording.
        is_chosen: it is the plan that the report is about.
    """

    name: str
    what: str
    cost: float | None = None
    quality: float | None = None
    share: float | None = None
    cost_range: Range | None = None
    quality_range: Range | None = None
    reason: str = ""
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class TierLine:
    """What one tier or witness contributes to the chosen plan.

    Attributes:
        name: of the tier.
        model: that it asks.
        is_witness: it is asked for evidence, and its answer is never returned.
        asked: share of requests that ask it.
        answered: share of requests whose returned answer is its own.
        spent: its share of the plan's cost, judging at its step included.
        cost: USD per 1,000 requests of all traffic.
        quality: mean quality of its returned answers.
        harms: requests where its returned answer is worse than the top tier's.
        gains: requests where it is better.
    """

    name: str
    model: str
    is_witness: bool = False
    asked: float = 0.0
    answered: float = 0.0
    spent: float | None = None
    cost: float | None = None
    quality: float | None = None
    harms: int = 0
    gains: int = 0


@dataclass(frozen=True, slots=True)
class Dropped:
    """A tier that the plan does not ask, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class FoundPlan:
    """What a search finds on the requests reported on; nothing of it is certified.

    Attributes:
        plan: the cheapest that may be expected to keep so much quality, in words.
        scores: "own" or "learned", whose scores it decides by.
        sentence: what it saves, and how far to believe it.
        cost: USD per 1,000 requests.
        quality: as measured on these requests, which it was searched on.
        expected_quality: of other requests.
        keep: the share of the top tier's quality that it was to keep: what the chosen plan keeps,
            at most all of it; without one 98 %.
        dropped: tiers and witnesses that it does without, each with the reason.
    """

    plan: str
    scores: Literal["own", "learned"]
    sentence: str
    cost: float
    quality: float | None
    expected_quality: float
    keep: float
    dropped: tuple[Dropped, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded request that the plan answered worse, or better, than the top tier."""

    kind: Literal["harm", "gain"]
    id: str
    tier: str
    top: str
    request: Words
    answer: Words
    top_answer: Words
    reference: Words | None
    quality: float
    top_quality: float
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A number with its name, what stands beside it, and what it is."""

    name: str
    value: str
    beside: str = ""
    means: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A term and what there is to say about it."""

    term: str
    words: str


@dataclass(frozen=True, slots=True)
class PriceLine:
    """A tier's standard price, as USD per million tokens; "" where there is none."""

    tier: str
    model: str
    id: str = ""
    input: str = ""
    cached: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True)
class Promise:
    """The certificate: in one sentence, or what is missing for one.

    Attributes:
        holds: there is a certificate that speaks of what is reported.
        sentence: the promise, or why there is none.
        next_step: what would make one possible; "" where there is one.
        lines: the certificate in full.
        expires: what voids it.
        elsewhere: there is a certificate, and it speaks of something else.
    """

    holds: bool
    sentence: str
    next_step: str = ""
    lines: tuple[Line, ...] = ()
    expires: tuple[str, ...] = ()
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """The whole report.

    Attributes:
        title: what it is about.
        headline: the saving in one sentence.
        about: size and date of the recording, in words.
        promise: the certificate.
        facts: the few numbers at the top.
        simpler: that something simpler does as well for less, in a sentence; "" where nothing does.
        plan: the chosen plan in words, "" where there is none.
        gate: what the plan's gate does, in a sentence; "" where it has none.
        top: name of the top tier.
        frontier: cost and quality of everything.
        policies: the same as a table.
        beside: whose cost and quality the equal ones among them equal, in words.
        tiers: what each tier contributes.
        scorers: what each scorer is worth.
        dropped: tiers that the plan does not ask.
        searched: what a search finds where nothing is certified; `None` where none was made.
        reliability: how far each step's scores can be believed.
        cases: harms and gains.
        harms: how many harms there are; `None` where quality is not known.
        gains: how many gains there are.
        measures: further numbers with their definitions.
        method: how quality was measured, on which requests.
        gaps: what the recording does not hold.
        prices: of each tier.
        price_table: date and hash of the price list.
        notes: what a reader must know besides.
        limits: what the report does not say.
        confidence: of all intervals but the certificate's.
    """

    title: str
    headline: str
    about: str
    promise: Promise
    facts: tuple[Line, ...] = ()
    simpler: str = ""
    plan: str = ""
    gate: str = ""
    top: str = ""
    frontier: Frontier = Frontier()
    policies: tuple[PolicyLine, ...] = ()
    beside: str = ""
    tiers: tuple[TierLine, ...] = ()
    scorers: tuple[NetValue, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    searched: FoundPlan | None = None
    reliability: tuple[Reliability, ...] = ()
    cases: tuple[Case, ...] = ()
    harms: int | None = None
    gains: int | None = None
    measures: tuple[Line, ...] = ()
    method: tuple[Fact, ...] = ()
    gaps: tuple[str, ...] = ()
    prices: tuple[PriceLine, ...] = ()
    price_table: str = ""
    notes: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    confidence: float = 0.95
