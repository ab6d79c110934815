"""`report(recording)`: a recording, its baselines, its plan and its certificate in one value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cascade.calibration.reporting.drawn import charts_of
from cascade.calibration.reporting.page import report_html
from cascade.calibration.reporting.summary import summary_of
from cascade.calibration.reporting.svg import Format, picture
from cascade.calibration.reporting.view import View

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Report"]

VERSION = 1
"""Of the JSON form."""


@dataclass(frozen=True, eq=False)
class Report:
    """A report, to be shown as a page, as pictures, as data or on a terminal.

    The same recording, plan and certificate make the same bytes.

    Attributes:
        view: everything that is shown.
    """

    view: View

    def __str__(self) -> str:
        return f"{self.view.headline}. {self.view.promise.sentence}"

    @cached_property
    def charts(self) -> Mapping[str, Any]:
        """Altair charts by name: "frontier", "parts", "reliability_1", ...; see `picture`."""
        return charts_of(self.view)

    def picture(self, name: str, form: Format = "svg") -> bytes:
        """One chart as a file, on light ground.

        Args:
            name: one of `charts`.
            form: "svg" or "png".

        Raises:
            KeyError: there is no such chart.
        """
        return picture(self.charts[name], form)

    def to_html(self) -> str:
        """One self-contained page; write it as UTF-8."""
        return report_html(self.view)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data: amounts as decimal strings, what is unknown as `None`."""
        return {"version": VERSION, **_plain(asdict(self.view))}

    def summary(self) -> RenderableType:
        """The report in a screenful, for `rich`."""
        return summary_of(self.view)

    def __rich__(self) -> RenderableType:
        return self.summary()


def _plain(value: Any) -> Any:
    """Data as JSON holds it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
