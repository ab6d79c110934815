"""Packages that only this room needs: loaded here, and named with the remedy where missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cascade.errors import ConfigError

__all__ = ["needed"]


def needed(module: str) -> Any:
    """A module of the extra `calibrate`.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ConfigError(
            f"{package} is not installed; proving a chain needs it: "
            "pip install frugal-cascade[calibrate]"
        ) from error
