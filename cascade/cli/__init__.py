"""The command `cascade`: one file per sub-command.

`main` is the console script. Only this room knows typer. Its modules take a third of a second to
load, so that Ctrl-C may well come meanwhile: they are loaded where that ends without a traceback.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cascade.cli.commands import app

__all__ = ["app", "main"]

INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit."""
    try:
        import warnings  # noqa: PLC0415  see above

        from cascade.cli.commands import app  # noqa: PLC0415
        from cascade.cli.output import warn_once  # noqa: PLC0415

        warnings.showwarning = warn_once()
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cascade.cli.commands import app  # noqa: PLC0415

    return app
