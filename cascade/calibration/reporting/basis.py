"""What a report is about: which plan, and whose scores decide."""

from __future__ import annotations

from dataclasses import dataclass

from cascade.calibration.comparing.whatif import what_if
from cascade.calibration.plan import Plan, ScoreSource, Step
from cascade.calibration.proof.certificate import Certificate
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.speaks import SERVED, is_served_otherwise
from cascade.core.chain import Chain
from cascade.errors import RecordingError

__all__ = ["Basis", "basis_of"]


@dataclass(frozen=True, eq=False)
class Basis:
    """What is reported on.

    Attributes:
        chosen: the plan, or the chain that decides like one; `None` for nothing.
        source: scores; `None` for the recorded ones, or those of the chain's own scorers.
        notes: why there is no plan, where one would be expected.
    """

    chosen: Chain | Plan | None
    source: ScoreSource | None
    notes: tuple[str, ...] = ()

    @property
    def is_untold(self) -> bool:
        """Whether there is a plan, and nothing can be said of it."""
        return self.chosen is None and bool(self.notes)


def basis_of(
    recording: Recording,
    chosen: Chain | Plan | None,
    certificate: Certificate | None,
    source: ScoreSource | None,
) -> Basis:
    """What to report on: what was named, else what was certified, else what was recorded.

    A plan that nobody named is left out where the recording cannot tell what it does.
    """
    if chosen is not None:
        return Basis(chosen, source)
    if certificate is not None:
        alone = certificate.chain is None and source is None
        if alone and is_served_otherwise(recording, certificate):
            return Basis(None, source, (SERVED,))
        return _if_told(certificate.chain or certificate.plan, source, recording)
    plan = _recorded_plan(recording)
    return Basis(None, source) if plan is None else _if_told(plan, source, recording)


def _if_told(chosen: Chain | Plan, source: ScoreSource | None, recording: Recording) -> Basis:
    """The plan, or a note where the recording cannot tell what it does."""
    try:
        what_if(chosen, recording, source=source, resamples=1)
    except RecordingError as error:
        return Basis(None, source, (f"nothing is said of the plan: {error}",))
    return Basis(chosen, source)


def _recorded_plan(recording: Recording) -> Plan | None:
    """How the recorded chain decides; `None` where it had no scorers or no thresholds."""
    *judged, last = (recording.tiers[place] for place in recording.ladder)
    steps = []
    for tier in judged:
        if not tier.scorer or tier.threshold is None:
            return None
        steps.append(Step(tier.name, threshold=tier.threshold))
    return Plan((*steps, Step(last.name)))
