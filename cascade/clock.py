"""Today's date: the one place that asks for it, so that a test can set it."""

from __future__ import annotations

from datetime import UTC, date, datetime

__all__ = ["today"]


def today() -> date:
    """The date in UTC; models' shutdown dates are compared with it."""
    return datetime.now(UTC).date()
