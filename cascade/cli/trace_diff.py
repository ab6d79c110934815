"""`cascade trace diff`: what differs between two traces."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cascade.cli.kept import DEFAULT_STORE, WHICH, found_trace
from cascade.cli.output import WRONG_RUN, JsonOption, StoreOption, print_json, show

__all__ = ["trace_diff"]


def trace_diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help=WHICH)],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The same, of the other trace.")],
    *,
    store: StoreOption = DEFAULT_STORE,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 where they differ in more than time.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what differs between two traces, e.g. a request and its replay under another chain."""
    from cascade.traces.diff import diff_traces  # noqa: PLC0415  loads with what it needs
    from cascade.traces.diff_view import diff_panel  # noqa: PLC0415

    found = diff_traces(found_trace(before, store), found_trace(after, store))
    if as_json:
        print_json({"same": found.same, **asdict(found)})
    else:
        show(diff_panel(found))
    if exit_code and not found.same:
        raise typer.Exit(WRONG_RUN)
