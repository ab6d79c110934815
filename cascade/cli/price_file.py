"""Prices from a JSON file: a whole price list, or a few models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cascade.cli.output import UsageError
from cascade.core.model_table import ModelTable
from cascade.core.price import Price
from cascade.errors import ConfigError

__all__ = ["read_prices"]

EXPECTED = (
    'expected {"gpt-5.4-nano": {"in": "0.20", "out": "1.25"}} in USD per 1,000,000 tokens, or what '
    "`cascade prices --json` prints"
)


def read_prices(path: Path) -> ModelTable | Mapping[str, Price]:
    """The prices of a file: by model, as `cascade prices --json` prints them, or a model table.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    from cascade.calibration.imports.import_prices import prices_of  # noqa: PLC0415  the room loads numpy

    try:
        data: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"--prices {str(path)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"--prices {str(path)!r} is no JSON: {error}; {EXPECTED}") from error
    if not isinstance(data, Mapping) or not data:
        raise UsageError(f"--prices {str(path)!r} holds no prices; {EXPECTED}")
    try:
        if "schema_version" in data:
            return ModelTable.from_dict(data)
        if isinstance(data.get("models"), list):
            data = {row["model"]: row["price"] for row in data["models"] if row.get("price")}
        return prices_of(data)
    except (ConfigError, AttributeError, KeyError, TypeError) as error:
        raise UsageError(f"--prices {str(path)!r}: {error}; {EXPECTED}") from error
