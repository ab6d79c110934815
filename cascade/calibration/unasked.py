"""Where a recording is silent: requests that a tier was never asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.recording import Recording
from cascade.errors import RecordingError

__all__ = ["gaps", "refuse_gaps"]


def gaps(recording: Recording) -> NDArray[np.bool_]:
    """True where a tier was not asked, shape (n, k).

    A tier that was asked and failed is no gap: its answer is worth 0.
    """
    return ~recording.answered & np.isnan(recording.quality)


def refuse_gaps(recording: Recording, tiers: NDArray[np.int64] | tuple[int, ...]) -> None:
    """Raise `RecordingError` where one of these tiers was not asked every request."""
    missing = gaps(recording)
    lacking = [(recording.names[tier], np.flatnonzero(missing[:, tier])) for tier in tiers]
    lacking = [(name, rows) for name, rows in lacking if len(rows)]
    if lacking:
        (name, rows), n = lacking[0], len(recording)
        others = ", nor ".join(f"{name!r} {len(rows):,}" for name, rows in lacking[1:])
        raise RecordingError(
            f"tier {name!r} was not asked {len(rows):,} of {n:,} requests, e.g. "
            f"{recording.ids[rows[0]]!r}{others and ', nor '}{others}: record them, or leave the "
            "tier or the requests out"
        )
