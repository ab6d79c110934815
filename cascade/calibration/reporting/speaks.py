"""Whether a certificate speaks of what was recorded, and whether its plan can be told from it."""

from __future__ import annotations

from collections.abc import Iterable

from cascade.calibration.proof.certificate import Certificate
from cascade.calibration.proof.certified_chain import CertifiedTier
from cascade.calibration.recording import RecordedTier, Recording
from cascade.errors import RecordingError

__all__ = ["OTHER_REQUESTS", "SERVED", "is_served_otherwise", "other_tiers"]

OTHER_REQUESTS = (
    "The certificate speaks of other requests: those it was tested on are not found in this "
    "recording. Report on the recording it was made of, with the --key that it was made with."
)

SERVED = (
    "nothing is said of the plan: it is served by a learned model (or by other scorers than the "
    "recorded ones), which the certificate does not hold; add `--chain certified.toml`, the chain "
    "that the same `cascade certify` command writes with `--chain-output certified.toml`"
)


def other_tiers(recording: Recording, certificate: Certificate) -> str:
    """That a certificate speaks of other tiers than the recorded ones; "" where it does not.

    Raises:
        RecordingError: no tier is common to both.
    """
    known = {tier.name: tier for tier in recording.tiers}
    names = dict.fromkeys([*certificate.plan.tiers, certificate.top])
    if not any(name in known for name in names):
        raise RecordingError(
            f"the certificate speaks of other tiers, {_named(names)}, and none of them is in this "
            f"recording, which holds {_named(known)}; give the recording it was made of"
        )
    missing = [name for name in names if name not in known]
    if missing:
        return f"The certificate speaks of other tiers: {_named(missing)}, not in this recording."
    changed = [tier.name for tier in certificate.tiers if _is_other(tier, known.get(tier.name))]
    if changed:
        return (
            f"The certificate speaks of other tiers: {_named(changed)}, recorded with another "
            "model, prompt or parameter than certified."
        )
    return ""


def is_served_otherwise(recording: Recording, certificate: Certificate) -> bool:
    """Whether its plan needs scores that neither the recording nor the certificate holds."""
    plan = certificate.plan
    if certificate.entry or plan.gate is not None or any(step.is_witness for step in plan.steps):
        return True
    known = {tier.name: tier for tier in recording.tiers}
    return any(
        tier.threshold is not None
        and (found := known.get(tier.name)) is not None
        and (tier.scorer, tier.scorer_settings) != (found.scorer, found.scorer_settings)
        for tier in certificate.tiers
    )


def _is_other(certified: CertifiedTier, recorded: RecordedTier | None) -> bool:
    """Whether a tier was recorded otherwise than it was certified, as far as both are known."""
    if recorded is None or not certified.settings or not recorded.settings:
        return False
    return certified.settings != recorded.settings


def _named(names: Iterable[str]) -> str:
    found = [repr(name) for name in names]
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"
