"""The JSON form of a certificate: readable, versioned, and closed by a hash of all it says."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from cascade.calibration.comparing.findings import Estimate
from cascade.calibration.fingerprint import fingerprint
from cascade.calibration.plan import Plan
from cascade.calibration.proof.certificate import Certificate, Counted, Expiry
from cascade.calibration.proof.certified_chain import CertifiedTier
from cascade.calibration.proof.certified_point import SlicePromise
from cascade.calibration.proof.drift import ScoreHistogram
from cascade.errors import CertificateVoid, ConfigError, RecordingError

__all__ = ["certificate_from_dict", "certificate_to_dict", "load_certificate", "save_certificate"]

FORMAT = "cascade.certificate"
VERSION = 1

VALUES: dict[str, Any] = {
    "harm": Counted,
    "gain": Counted,
    "quality": Estimate,
    "top_quality": Estimate,
    "cost": Estimate,
    "cost_usd": Estimate,
    "top_cost_usd": Estimate,
    "expiry": Expiry,
}
LISTS: dict[str, Any] = {"tiers": CertifiedTier, "slices": SlicePromise}


def certificate_to_dict(made: Certificate) -> dict[str, Any]:
    """A certificate as JSON-ready data."""
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "sentence": made.sentence(),
        "epsilon_points": round(100 * made.epsilon, 6),
        "plan_digest": made.plan_digest,
    }
    for spec in fields(made):
        if spec.name != "chain":
            data[spec.name] = _plain(getattr(made, spec.name))
    data["digest"] = fingerprint(data)
    return data


def certificate_from_dict(data: Any) -> Certificate:
    """Read what `certificate_to_dict` wrote.

    Raises:
        RecordingError: the data is no certificate, or one of a newer version.
        CertificateVoid: something in it was changed.
    """
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise RecordingError(f"{str(data)[:60]!r} is no certificate; `cascade certify` writes one")
    if data.get("version") != VERSION:
        raise RecordingError(
            f"the certificate has version {data.get('version')!r}: this Cascade reads {VERSION}"
        )
    rest = dict(data)
    if rest.pop("digest", None) != fingerprint(rest):
        raise CertificateVoid(
            "the certificate was changed since it was written: its contents do not have the hash "
            "it closes with; take the original, or certify again"
        )
    try:
        given = {spec.name: _value(spec.name, rest[spec.name]) for spec in _kept_fields()}
        return Certificate(**given)
    except (KeyError, TypeError, ConfigError) as error:
        raise RecordingError(f"the certificate lacks what it should hold: {error!r}") from error


def save_certificate(made: Certificate, path: str | os.PathLike[str]) -> None:
    """Write a certificate as a JSON file, whole or not at all."""
    text = json.dumps(certificate_to_dict(made), ensure_ascii=False, indent=2) + "\n"
    part = Path(f"{os.fspath(path)}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise RecordingError(f"certificate {str(path)!r}: {error.strerror}") from error


def load_certificate(path: str | os.PathLike[str]) -> Certificate:
    """Read a certificate from its JSON file."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordingError(f"certificate {str(path)!r}: {error.strerror}") from error
    except ValueError as error:
        raise RecordingError(
            f"certificate {str(path)!r} is no JSON: {error}; `cascade certify` writes one"
        ) from error
    try:
        return certificate_from_dict(data)
    except (RecordingError, CertificateVoid) as error:
        raise type(error)(f"certificate {str(path)!r}: {error}") from error


def _kept_fields() -> list[Any]:
    return [spec for spec in fields(Certificate) if spec.name != "chain"]


def _plain(value: Any) -> Any:
    if isinstance(value, Plan):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(
        value, CertifiedTier | SlicePromise | ScoreHistogram | Counted | Estimate | Expiry
    ):
        return json.loads(json.dumps(asdict(value), default=dict))
    return value


def _value(name: str, data: Any) -> Any:
    if name == "plan":
        return Plan.from_dict(data)
    if name == "histograms":
        return tuple(ScoreHistogram(h["step"], tuple(h["counts"]), h["missing"]) for h in data)
    if name in VALUES:
        return None if data is None else VALUES[name](**data)
    if name in LISTS:
        return tuple(LISTS[name](**item) for item in data)
    return tuple(data) if isinstance(data, list) else data
