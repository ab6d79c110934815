"""Recordings from what others have recorded: traces, and tables of answers."""

from __future__ import annotations

from cascade.calibration.trace_import import EXAMPLE_TAG, import_traces

__all__ = ["EXAMPLE_TAG", "import_traces"]
