"""The requests that a certificate was tested on, found again in its recording."""

from __future__ import annotations

from cascade.calibration.proof.attempts import split_fingerprint
from cascade.calibration.proof.certificate import Certificate
from cascade.calibration.proof.splits import SHARES, Splits, keyed_splits, own_splits
from cascade.calibration.recording import Recording
from cascade.errors import ConfigError, RecordingError

__all__ = ["tested_part"]


def tested_part(
    recording: Recording, certificate: Certificate, key: str | bytes
) -> Recording | None:
    """The part that nothing was learnt from and nothing chosen on.

    Numbers on it are honest; on the rest, learned scores and chosen plans look better than they
    are.

    Args:
        recording: the whole, as it was certified.
        certificate: says which requests it was tested on, by their fingerprint.
        key: of the splits.

    Returns:
        The part; `None` where the recording does not hold those requests, or the key is another.
    """
    if not certificate.split:
        return None
    if split_fingerprint(recording.ids) == certificate.split:
        return recording
    try:
        part = _splits(recording, certificate, key).part(recording, "certify")
    except (ConfigError, RecordingError):
        return None
    return part if split_fingerprint(part.ids) == certificate.split else None


def _splits(recording: Recording, certificate: Certificate, key: str | bytes) -> Splits:
    if not certificate.key:
        return own_splits(recording)
    first, second, third = certificate.shares or SHARES
    return keyed_splits(recording, key, (first, second, third))
