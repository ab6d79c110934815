"""The schema of a recording's file, and what its metadata say: version, tiers, where from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from cascade.calibration.files.arrow_columns import money_type
from cascade.calibration.needs import needed
from cascade.calibration.recording import About, RecordedTier, Recording
from cascade.errors import RecordingError

__all__ = ["CHARGE_TOKENS", "KEY", "SIGNAL", "TOKENS", "VERSION", "Header", "schema_of"]

KEY = b"cascade.recording"
FORMAT = "cascade.recording"
VERSION = 1

SIGNAL = "signal."
"""Beginning of the columns that hold signals."""

TOKENS: Mapping[str, str] = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cached": "cached_tokens",
    "cache_write": "cache_write_tokens",
    "reasoning": "reasoning_tokens",
}
"""Columns of tokens, by their name in `Tokens`."""

CHARGE_TOKENS = tuple(TOKENS.values())

Value = TypeVar("Value", RecordedTier, About)


@dataclass(frozen=True, slots=True)
class Header:
    """What a file's metadata say; nothing where another tool wrote it.

    Attributes:
        tiers: in order; empty where the rows alone tell them.
        about: where the recording comes from, `None` where nothing says.
    """

    tiers: tuple[RecordedTier, ...] = ()
    about: About | None = None

    @classmethod
    def read(cls, metadata: Mapping[bytes, bytes] | None) -> Header:
        """The header in a schema's metadata.

        Raises:
            RecordingError: it is damaged, or a newer version wrote it.
        """
        if not metadata or KEY not in metadata:
            return cls()
        try:
            data = json.loads(metadata[KEY])
            version = data["version"]
            if data["format"] != FORMAT or type(version) is not int:
                raise ValueError(f"format {data['format']!r}, version {version!r}")  # noqa: TRY301
        except (ValueError, TypeError, LookupError) as error:
            raise RecordingError(f"its metadata {KEY.decode()!r} is damaged: {error}") from error
        if version > VERSION:
            raise RecordingError(
                f"it has version {version}, but this Cascade reads up to {VERSION}; upgrade "
                "frugal-cascade to read it"
            )
        try:
            tiers = tuple(_value(RecordedTier, item) for item in data["tiers"])
            return cls(tiers, _value(About, data["about"]))
        except (TypeError, LookupError, AttributeError) as error:
            raise RecordingError(f"its metadata {KEY.decode()!r} is damaged: {error}") from error


def schema_of(recording: Recording) -> Any:
    """The Arrow schema of a recording's file, its header in the metadata.

    Raises:
        RecordingError: a tier's price, or whatever else the header holds, is no JSON.
    """
    arrow = needed("pyarrow")
    text, number, flag, money = arrow.string(), arrow.float64(), arrow.bool_(), money_type()
    tokens = dict.fromkeys(TOKENS.values(), number)
    charge = {
        "purpose": text,
        "model": text,
        "service_tier": text,
        "batch": flag,
        "regional": flag,
        **tokens,
        "cost_usd": money,
    }
    names: dict[str, Any] = {
        **dict.fromkeys(("request_id", "group", "slice", "split"), text),
        "weight": number,
        **dict.fromkeys(("request", "reference", "tier", "model", "role"), text),
        "answered": flag,
        "usable": flag,
        "quality": number,
        "cost_usd": money,
        "score": number,
        "score_kind": text,
        "score_cost_usd": money,
        "latency_s": number,
        **tokens,
        "answer": text,
        "reply": text,
        **{f"{SIGNAL}{name}": number for name in recording.signals},
        "charges": arrow.list_(arrow.struct(list(charge.items()))),
    }
    return arrow.schema(list(names.items()), metadata={KEY: _header_json(recording)})


def _header_json(recording: Recording) -> str:
    tiers = [
        replace(tier, price=None if tier.price is None else dict(tier.price))
        for tier in recording.tiers
    ]
    data = {
        "format": FORMAT,
        "version": VERSION,
        "tiers": [asdict(tier) for tier in tiers],
        "about": asdict(recording.about),
    }
    try:
        return json.dumps(data)
    except (TypeError, ValueError) as error:
        raise RecordingError(f"a tier's settings are no plain data: {error}") from error


def _value(kind: type[Value], data: Mapping[str, Any]) -> Value:
    """A value from its fields; those of a later writing of the same version are passed over."""
    names: Iterable[str] = (spec.name for spec in fields(kind))
    return kind(**{name: data[name] for name in names if name in data})
