"""A recording where one is expected: what else was given is named, with the next step."""

from __future__ import annotations

from typing import Any

from cascade.calibration.recording import Recording
from cascade.errors import ConfigError

__all__ = ["checked_recording"]


def checked_recording(given: Any, what: str) -> Recording:
    """The recording that a caller passed.

    Args:
        given: what was passed.
        what: the function that it was passed to.

    Raises:
        ConfigError: it is no recording, such as the path of one.
    """
    if isinstance(given, Recording):
        return given
    raise ConfigError(
        f"{what} takes a Recording, not {str(given)[:60]!r}; a recording's file is read by "
        "read_recording(path)"
    )
