"""The process that draws: a line of JSON in, a line of JSON out, until its input ends.

Drawing holds the interpreter's lock for a tenth of a second at a time, which a server that answers
others cannot afford; so it is done here. Started by `cascade.dashboard.drawing`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

__all__ = ["main"]


def main() -> None:
    """Draw what is asked for."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()


def _answer(wanted: dict[str, Any]) -> dict[str, str]:
    try:
        from cascade.calibration.reporting.svg import inline_svg  # noqa: PLC0415  loaded once asked
        from cascade.dashboard.charts import CHARTS  # noqa: PLC0415

        chart = CHARTS[wanted["chart"]](**wanted["data"])
        head = {name: wanted[name] for name in ("title", "says", "name")}
        return {"svg": inline_svg(chart, shape="chart", **head)}
    except Exception as error:  # noqa: BLE001  the page does without the picture, and says so
        return {"error": f"{type(error).__name__}: {error}"[:500]}


if __name__ == "__main__":
    main()
