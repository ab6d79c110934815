"""Recordings from what others have recorded: traces, and tables of answers."""

from __future__ import annotations

from cascade.calibration.imports.long_form import import_long_form
from cascade.calibration.imports.trace_import import EXAMPLE_TAG, import_traces
from cascade.calibration.imports.wide_form import import_wide

__all__ = ["EXAMPLE_TAG", "import_long_form", "import_traces", "import_wide"]
