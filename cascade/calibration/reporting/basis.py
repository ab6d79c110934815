"""What a report is about: which plan, and whose scores decide."""

from __future__ import annotations

from dataclasses import dataclass

from cascade.calibration.comparing.whatif import what_if
from cascade.calibration.plan import Plan, ScoreSource, Step
from cascade.calibration.proof.certificate import Certificate
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.speaks import SERVED, is_served_otherwise
from cascade.core.chain import Chain
from cascade.errors import CertificateVoid, RecordingError

__all__ = ["Basis", "basis_of", "needed_tiers"]


@dataclass(frozen=True, eq=False)
class Basis:
    """What is reported on.

    Attributes:
        chosen: the plan, or the chain that decides like one; `None` for nothing.
        source: scores; `None` for the recorded ones, or those of the chain's own scorers.
        notes: why there is no plan, where one would be expected.
        against: the tier that a certificate of it speaks of; `None` where none does.
    """

    chosen: Chain | Plan | None
    source: ScoreSource | None
    notes: tuple[str, ...] = ()
    against: str | None = None

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

    A plan that nobody named, or that was certified, is left out where the recording cannot tell
    what it does.
    """
    against = _against(recording, chosen, certificate)
    if chosen is not None:
        if certificate is None or not _speaks_of(certificate, chosen):
            return Basis(chosen, source, against=against)
        return _if_told(chosen, source, recording, against)  # the promise stands all the same
    if certificate is not None:
        alone = certificate.chain is None and source is None
        if alone and is_served_otherwise(recording, certificate):
            return Basis(None, source, (SERVED,), against)
        return _if_told(certificate.chain or certificate.plan, source, recording, against)
    plan = _recorded_plan(recording)
    return Basis(None, source) if plan is None else _if_told(plan, source, recording)


def needed_tiers(
    recording: Recording, chosen: Chain | Plan | None, certificate: Certificate | None
) -> frozenset[str]:
    """The tiers that the report cannot do without: all of them, where it is about no plan."""
    named = chosen
    if named is None and certificate is not None:
        named = certificate.chain or certificate.plan
    if named is None:
        return frozenset(recording.names)
    names = named.tiers if isinstance(named, Plan) else [tier.name for tier in named.tiers]
    against = _against(recording, chosen, certificate)
    return frozenset(names if against is None else [*names, against])


def _against(
    recording: Recording, chosen: Chain | Plan | None, certificate: Certificate | None
) -> str | None:
    """The tier that a certificate of the plan speaks of, which a plan that is served may lack."""
    if certificate is None or not _speaks_of(certificate, chosen):
        return None
    names = [recording.names[place] for place in recording.ladder]
    return certificate.top if certificate.top in names else None


def _speaks_of(certificate: Certificate, chosen: Chain | Plan | None) -> bool:
    if not isinstance(chosen, Chain):
        return chosen is None or chosen == certificate.plan
    try:
        certificate.check(chosen)
    except CertificateVoid:
        return False
    return True


def _if_told(
    chosen: Chain | Plan,
    source: ScoreSource | None,
    recording: Recording,
    against: str | None = None,
) -> Basis:
    """The plan, or a note where the recording cannot tell what it does."""
    try:
        what_if(chosen, recording, source=source, resamples=1)
    except RecordingError as error:
        return Basis(None, source, (f"nothing is said of the plan: {error}",), against)
    return Basis(chosen, source, against=against)


def _recorded_plan(recording: Recording) -> Plan | None:
    """How the recorded chain decides; `None` where it had no scorers or no thresholds."""
    *judged, last = (recording.tiers[place] for place in recording.ladder)
    steps = []
    for tier in judged:
        if not tier.scorer or tier.threshold is None:
            return None
        steps.append(Step(tier.name, threshold=tier.threshold))
    return Plan((*steps, Step(last.name)))
