"""Partial pooling: a slice with many labels gets a level of its own, one with few leans on all.

Each slice's shift of the log-odds is drawn from N(0, tau²); tau² is estimated from the slices
themselves, so that slices which do not differ get none.

Source: DerSimonian and Laird, "Meta-analysis in clinical trials", 1986, for tau².
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.learning.calibration_maps import fitted_with_offset
from cascade.calibration.learning.logistic import sigmoid

__all__ = ["SLICE_FROM", "slice_shifts"]

Floats = NDArray[np.float64]

SLICE_FROM = 25
"""Labels below which a slice uses the map of all."""


def slice_shifts(
    z: Floats, quality: Floats, weights: Floats, slices: NDArray[np.object_]
) -> Mapping[str, float]:
    """Shifts of the log-odds by slice; none where the slices do not differ.

    Args:
        z: log-odds after the map of all, (n,).
        quality: in [0, 1], (n,).
        weights: of the requests, (n,).
        slices: a name per request; "" belongs to none, (n,).
    """
    names = [name for name in sorted(set(slices)) if name and (slices == name).sum() >= SLICE_FROM]
    if len(names) < 2:  # noqa: PLR2004  nothing to differ from
        return {}
    free, error = np.zeros(len(names)), np.zeros(len(names))
    for at, name in enumerate(names):
        mine = slices == name
        free[at] = fitted_with_offset(z[mine], quality[mine], weights[mine], 5.0)[0]
        p = sigmoid(z[mine] + free[at])
        error[at] = 1.0 / max(float(weights[mine] @ (p * (1.0 - p))), 1e-9)
    spread = np.sqrt(_variance_between(free, error))
    if spread <= 0:
        return {}
    found = {}
    for name in names:
        mine = slices == name
        shift = fitted_with_offset(z[mine], quality[mine], weights[mine], float(spread))[0]
        found[name] = float(f"{shift:.6g}")
    return found


def _variance_between(free: Floats, error: Floats) -> float:
    """tau²: how much more the slices differ than their labels' noise explains; 0 at least."""
    weight = 1.0 / error
    centre = float(weight @ free / weight.sum())
    excess = float(weight @ (free - centre) ** 2) - (len(free) - 1)
    scale = float(weight.sum() - weight @ weight / weight.sum())
    return max(0.0, excess / scale) if scale > 0 else 0.0
