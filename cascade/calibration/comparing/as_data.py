"""Values of this room as JSON-ready data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

__all__ = ["as_data"]


def as_data(value: Any) -> Any:
    """Dataclasses as dictionaries, numbers that are none (NaN, infinity) as `None`.

    What has a `to_dict` of its own is written by it. Amounts stay `Decimal`.
    """
    if hasattr(value, "to_dict"):
        return as_data(value.to_dict())
    if is_dataclass(value) and not isinstance(value, type):
        return {spec.name: as_data(getattr(value, spec.name)) for spec in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
