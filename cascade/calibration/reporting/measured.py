"""Measures beside the plan, each as people read it and with its definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cascade.calibration.comparing.measures import DEFINITIONS
from cascade.calibration.reporting.view import Line
from cascade.calibration.reporting.words import percent, points

__all__ = ["measures_of"]

Shown = Callable[[float], str]


def _number(value: float) -> str:
    return f"{value:,.4g}"


AS: Mapping[str, tuple[str, Shown]] = {
    # measure: its name for people, and how its value is written
    "cost_at_95": ("cost at 95 % of the quality", percent),
    "cost_at_98": ("cost at 98 % of the quality", percent),
    "cost_at_99": ("cost at 99 % of the quality", percent),
    "cost_at_100": ("cost at 100 % of the quality", percent),
    "cost_ratio": ("cost ratio", percent),
    "retention": ("retention", percent),
    "harm": ("harm", percent),
    "gain": ("gain", percent),
    "net_harm": ("net harm", points),
    "gap_closed": ("gap closed", percent),
    "aiq": ("AIQ", _number),
    "pgr": ("PGR", percent),
    "apgr": ("APGR", _number),
    "cpt_50": ("CPT(50 %)", percent),
    "cpt_80": ("CPT(80 %)", percent),
    "ibc": ("IBC", _number),
    "ibc_lift": ("ΔIBC", percent),
    "routerarena": ("RouterArena score", _number),
}


def measures_of(metrics: Mapping[str, float | None]) -> tuple[Line, ...]:
    """Metrics by name as lines."""
    return tuple(_line(name, value) for name, value in metrics.items())


def _line(name: str, value: float | None) -> Line:
    words, shown = AS.get(name, (name.replace("_", " "), _number))
    said = "not defined here" if value is None else shown(value)
    return Line(words, said, means=DEFINITIONS.get(name, ""))
