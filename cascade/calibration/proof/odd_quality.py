"""Quality that looks as if it was measured wrongly: promises about it would mean nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cascade.calibration.recording import Recording

__all__ = ["odd_quality"]

LEAST = 2
"""Known qualities of an answer below which being all the same says nothing."""


def odd_quality(recording: Recording) -> Iterator[str]:
    """What looks wrong with the quality of a recording, in words; nothing where it looks right.

    Args:
        recording: all of it, or the part that certifies.
    """
    known, of_top = (
        part[~np.isnan(part)] for part in (recording.quality, recording.quality[:, recording.top])
    )
    check = "check how answers are graded, and on some by hand, before relying on this"
    if len(known) >= LEAST and (known == known[0]).all():
        yield (
            f"every answer of every tier that was graded has quality {float(known[0]):g}: the "
            f"metric tells no answers apart, and looks wrong; {check}"
        )
    elif len(of_top) >= LEAST and not of_top.any():
        top = recording.names[recording.top]
        yield (
            f"every answer of the top tier {top!r} that was graded has quality 0: anything is as "
            f"good as that, and the metric looks wrong; {check}"
        )
