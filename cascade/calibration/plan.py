"""A plan: which tiers are asked in which order, and when an answer is accepted.

A plan is a chain cut to what pays: it may skip tiers, buy a witness where an answer is in doubt,
and begin higher up where the request alone says that the first tier will fail. `simulate` decides
recorded requests by a plan, all at once and exactly as `escalate()` would decide them one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.fingerprint import fingerprint
from cascade.calibration.money import UNKNOWN, Pico
from cascade.calibration.recording import Recording
from cascade.errors import ConfigError, RecordingError

__all__ = ["Gate", "Outcomes", "Plan", "ScoreSource", "Step", "simulate"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Asked = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One paid step of a plan.

    Attributes:
        asks: the tier or witness that is asked.
        returns: the tier whose answer is returned where the step accepts: `asks` itself, or one
            asked before, whose answer is judged again now that a witness has spoken. "" is `asks`.
        threshold: accept where score >= threshold. Not read on the last step, which stands.

    Raises:
        ConfigError: `returns` is no name, such as a threshold in its place.
    """

    asks: str
    returns: str = ""
    threshold: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.returns, str):
            raise ConfigError(
                f"step {self.asks!r}: returns is {self.returns!r}; expected the name of a tier "
                f"asked before; a threshold is given by name: Step({self.asks!r}, threshold=0.9)"
            )
        if not self.returns:
            object.__setattr__(self, "returns", self.asks)

    @property
    def is_witness(self) -> bool:
        """Whether it buys evidence on an earlier answer."""
        return self.returns != self.asks


@dataclass(frozen=True, slots=True)
class Gate:
    """Where a request may begin higher up, judged by the request alone.

    Attributes:
        start_at: the tier of the step to begin with where the gate is shut.
        threshold: the gate is open where P(the first step's tier is right | request) >= threshold.
    """

    start_at: str
    threshold: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order; the last one's answer stands.

    Raises:
        ConfigError: no step, a tier asked twice, a witness without an earlier answer, or a gate to
            a step that is not there.
    """

    steps: tuple[Step, ...]
    gate: Gate | None = None

    def __post_init__(self) -> None:
        asked = [step.asks for step in self.steps]
        if not asked or len(set(asked)) != len(asked):
            raise ConfigError(f"plan {asked!r}: expected one or more steps, each tier asked once")
        for place, step in enumerate(self.steps):
            if step.returns not in asked[: place + 1]:
                raise ConfigError(
                    f"plan {asked!r}: {step.returns!r} is returned before it is asked"
                )
        if self.steps[-1].is_witness:
            raise ConfigError(f"plan {asked!r}: the last step must be a tier that answers")
        if self.gate is not None and self.gate.start_at not in asked[1:]:
            raise ConfigError(f"plan {asked!r}: its gate begins at {self.gate.start_at!r}")

    @property
    def tiers(self) -> tuple[str, ...]:
        """Names of the tiers and witnesses it asks, in order."""
        return tuple(step.asks for step in self.steps)

    @property
    def is_constant(self) -> bool:
        """Whether it always asks one model and nothing else."""
        return len(self.steps) == 1

    @property
    def digest(self) -> str:
        """A short hash of the whole plan."""
        return fingerprint(self.to_dict())

    def __str__(self) -> str:
        words = []
        for place, step in enumerate(self.steps):
            asks = f"{step.asks} on {step.returns}" if step.is_witness else step.asks
            last = place == len(self.steps) - 1
            words.append(asks if last else f"{asks} >= {step.threshold:.4g}")
        shown = " → ".join(words)
        if self.gate is None:
            return shown
        return f"[{self.gate.start_at} where P < {self.gate.threshold:.4g}] {shown}"

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON-ready data."""
        steps = [
            {"asks": step.asks, "returns": step.returns, "threshold": step.threshold}
            for step in self.steps
        ]
        data: dict[str, Any] = {"steps": steps}
        if self.gate is not None:
            data["gate"] = {"start_at": self.gate.start_at, "threshold": self.gate.threshold}
        return data

    @classmethod
    def from_dict(cls, data: Any) -> Plan:
        """Read what `to_dict` wrote.

        Raises:
            ConfigError: the data is no plan.
        """
        try:
            steps = tuple(Step(**step) for step in data["steps"])
            gate = Gate(**data["gate"]) if data.get("gate") is not None else None
        except (TypeError, KeyError, AttributeError) as error:
            raise ConfigError(f"{str(data)[:80]!r} is no plan: {error}") from error
        return cls(steps, gate)


class ScoreSource(Protocol):
    """Where the scores of a plan's steps come from: a recorded scorer, or a learned one.

    A score may use only what the plan has bought: `asked` holds it all, the current step last.
    """

    def scores(self, asked: Asked, returns: int) -> Floats:
        """The score of `returns`'s answer once `asked` have answered, shape (n,).

        In [0, 1]; NaN where there is no signal, which never accepts.

        Raises:
            RecordingError: the recording cannot tell.
        """
        ...

    def cost_pusd(self, asked: Asked, returns: int) -> Pico:
        """What that score costs beside the answers, in picodollars, shape (n,)."""
        ...

    def gate(self, tier: int) -> Floats:
        """P(the tier's answer is right), from the request alone, shape (n,)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What became of each request under a plan; all of shape (n,).

    Attributes:
        stop: index of the step after which the request ended.
        returned: index of the recorded tier whose answer was returned; -1 where none answered.
        quality: of that answer; NaN where unknown.
        cost_pusd: of all calls made on the way; `UNKNOWN` where one is.
        score: that the returned answer was accepted with; NaN where it stands without one.
        calls: tiers and witnesses asked.
    """

    stop: NDArray[np.int64]
    returned: NDArray[np.int64]
    quality: Floats
    cost_pusd: Pico
    score: Floats
    calls: NDArray[np.int64]


def simulate(
    plan: Plan, recording: Recording, source: ScoreSource, *, stands: Bools | None = None
) -> Outcomes:
    """Decide every request of a recording by a plan.

    Args:
        plan: whose tiers are in the recording.
        recording: what the tiers answered.
        source: where scores come from.
        stands: answers that no scorer gets to see and that end the request all the same, because
            a chain's policy says so (`Policy.on_content_filter`), (n, k); none unless given.

    Raises:
        RecordingError: a tier is not in the recording, or a score cannot be told from it.
    """
    check_tiers(plan, recording)
    n = len(recording)
    found = Outcomes(
        np.zeros(n, np.int64),
        np.full(n, -1),
        np.zeros(n),
        np.zeros(n, np.int64),
        np.full(n, np.nan),
        np.zeros(n, np.int64),
    )
    climb = _Climb(plan, recording, source, found, stands)
    rows = np.arange(n)
    if plan.gate is None:
        climb(rows)
        return found
    chance = source.gate(recording.index(plan.steps[0].asks))
    is_open = ~(chance < plan.gate.threshold)  # NaN: nothing speaks against the first step
    climb(rows[is_open])
    climb(rows[~is_open], start=plan.tiers.index(plan.gate.start_at))
    return found


@dataclass(frozen=True, slots=True)
class _Climb:
    """Decides some requests and writes what it finds.

    Only requests still under way are looked at, one step after another, so that a plan costs as
    many operations as it asks tiers.
    """

    plan: Plan
    recording: Recording
    source: ScoreSource
    found: Outcomes
    stands: Bools | None

    def __call__(self, rows: NDArray[np.int64], *, start: int = 0) -> None:
        asked: Asked = ()
        paid = np.zeros(len(rows), np.int64)
        passed: list[tuple[int, Floats]] = []
        last = len(self.plan.steps) - 1
        for place in range(start, last):
            step = self.plan.steps[place]
            tier, returns = self.recording.index(step.asks), self.recording.index(step.returns)
            asked = (*asked, tier)
            paid = _plus(paid, self.recording.cost_pusd[:, tier][rows])
            can = self.can(rows, tier, returns)
            said = self.source.scores(asked, returns)
            score = np.where(can, said[rows], np.nan)
            paid = _plus(paid, np.where(can, self.source.cost_pusd(asked, returns)[rows], 0))
            accepted = score >= step.threshold  # never where there is no score
            self._return(rows[accepted], returns, score[accepted])
            if self.stands is not None:
                standing = self.stands[:, tier][rows]
                self._return(rows[standing], tier, np.nan)
                accepted |= standing
            self._end(rows[accepted], place, paid[accepted], len(asked))
            rows, paid = rows[~accepted], paid[~accepted]
            passed.append((returns, said))
        tier = self.recording.index(self.plan.steps[last].asks)
        paid = _plus(paid, self.recording.cost_pusd[:, tier][rows])
        self._end(rows, last, paid, len(asked) + 1)
        self._last(rows, tier, passed)

    def can(self, rows: NDArray[np.int64], tier: int, returns: int) -> Bools:
        """Where there is something to judge, and the one that was just asked has answered."""
        return self.recording.usable[:, returns][rows] & self.recording.answered[:, tier][rows]

    def _last(
        self, rows: NDArray[np.int64], tier: int, passed: Sequence[tuple[int, Floats]]
    ) -> None:
        """The last tier's answer stands; where it gave none, the best draft does.

        Drafts without a score rank below any score, later ones above earlier ones.
        """
        has = self.recording.answered[:, tier][rows]
        self._return(rows[has], tier, np.nan)
        rows = rows[~has]
        best = np.full(len(rows), -np.inf)
        for place, (returns, said) in enumerate(passed):
            asks = self.recording.index(self.plan.steps[place - len(passed) - 1].asks)
            worth = np.where(self.can(rows, asks, returns), said[rows], np.nan)
            worth = np.where(np.isnan(worth), -1.0, worth)
            better = self.recording.answered[:, returns][rows] & (worth >= best)
            best[better] = worth[better]
            self._return(rows[better], returns, np.nan)

    def _end(self, rows: NDArray[np.int64], place: int, paid: Pico, calls: int) -> None:
        self.found.stop[rows] = place
        self.found.calls[rows] = calls
        self.found.cost_pusd[rows] = paid

    def _return(self, rows: NDArray[np.int64], tier: int, score: Any) -> None:
        self.found.returned[rows] = tier
        self.found.quality[rows] = self.recording.quality[:, tier][rows]
        self.found.score[rows] = score


def _plus(total: Pico, part: Pico) -> Pico:
    unknown = (total | part) < 0  # UNKNOWN is the only amount below zero
    return np.where(unknown, UNKNOWN, total + part) if unknown.any() else total + part


def check_tiers(plan: Plan, recording: Recording) -> None:
    """Raise `RecordingError` unless the recording holds every tier of the plan."""
    missing = [name for name in plan.tiers if name not in recording.names]
    if missing:
        raise RecordingError(
            f"the recording holds no {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, recording.names))}: record those tiers first"
        )
