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
    for tier in tiers:
        count = int(missing[:, tier].sum())
        if count:
            first = recording.ids[int(np.flatnonzero(missing[:, tier])[0])]
            raise RecordingError(
                f"tier {recording.tiers[tier].name!r} was not asked {count} of {len(recording)} "
                f"requests, e.g. {first!r}: record them, or leave the tier or the requests out"
            )
