"""Measures beside the plan, each as people read it and with its definition."""

from __future__ import annotations

from collections.abc import Mapping

from cascade.calibration.reporting.view import Line

__all__ = ["measures_of"]


def measures_of(metrics: Mapping[str, float | None]) -> tuple[Line, ...]:
    """Metrics by name as lines."""
    return tuple(
        Line(name, "not defined" if value is None else f"{value:.4g}")
        for name, value in metrics.items()
    )
