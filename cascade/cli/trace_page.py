"""`cascade trace html`: one trace as a web page."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from cascade.cli.browser import OpenOption, open_in_browser
from cascade.cli.files import check_place, refuse_same_file, store_file
from cascade.cli.kept import DEFAULT_STORE, WHICH, LineOption, found_trace
from cascade.cli.output import OutputError, OutputOption, StoreOption, say, write

__all__ = ["trace_page"]


def trace_page(
    which: Annotated[str, typer.Argument(metavar="ID|FILE", help=WHICH)] = "last",
    *,
    output: OutputOption = None,
    open_it: OpenOption = False,
    store: StoreOption = DEFAULT_STORE,
    line: LineOption = None,
) -> None:
    """Write one trace as a web page: its calls in time, every score, every charge.

    The page holds all it needs, runs no script and asks no other host. With --open and no --output
    it goes to a file of its own in the folder for temporary files.
    """
    refuse_same_file(output, {"--store": store_file(store), "ID|FILE": Path(which)})
    check_place(output)
    found = found_trace(which, store, line)
    page = found.to_html()
    if output is None and not open_it:
        write(page)
        return
    path = output or Path(tempfile.mkdtemp(prefix="cascade-")) / f"{_safe(found.id)}.html"
    try:
        path.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(f"--output {str(path)!r} cannot be written: {error.strerror}") from error
    say(f"trace {found.id} written to {path}")
    if open_it:
        open_in_browser(path.absolute().as_uri(), "file")


def _safe(trace_id: str) -> str:
    """An id as a file's name: whoever wrote it may have put anything there."""
    return re.sub(r"[^\w-]", "_", trace_id, flags=re.ASCII)[:80] or "trace"
