"""`cascade trace`: list, show and export kept traces, and add up those that belong together."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from cascade.cli.files import check_place, refuse_same_file, store_file, writing
from cascade.cli.kept import (
    DEFAULT_STORE,
    WHICH,
    ChainOption,
    Damaged,
    LineOption,
    ParentOption,
    SinceOption,
    StatusOption,
    TagOption,
    TierOption,
    UntilOption,
    filters,
    found_trace,
    named_store,
    opened,
    say_nothing_found,
)
from cascade.cli.output import (
    JsonOption,
    OutputOption,
    StoreArgument,
    StoreOption,
    print_json,
    say,
    show,
    write,
)
from cascade.cli.trace_diff import trace_diff
from cascade.cli.trace_page import trace_page
from cascade.traces.filters import Sort

__all__ = ["trace"]

trace = typer.Typer(no_args_is_help=True, help="List, show, compare and export kept traces.")


@trace.command("list")
def list_traces(
    ctx: typer.Context,
    place: StoreArgument = None,
    *,
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many at most.", min=1)] = 20,
    status: StatusOption = None,
    tier: TierOption = None,
    chain: ChainOption = None,
    tag: TagOption = None,
    parent: ParentOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    sort: Annotated[
        Sort,
        typer.Option(help="What comes first: the newest (time), the dearest, or the longest."),
    ] = "time",
    as_json: JsonOption = False,
) -> None:
    """List traces: how each request ended, at what cost, and what it saved.

    The newest come first unless --sort says otherwise; an unknown cost counts with its known part.
    """
    from cascade.traces.terminal import summary_table  # noqa: PLC0415  rich only where it is shown

    wanted = filters(
        status=status, tier=tier, since=since, until=until, chain=chain, tag=tag, parent=parent
    )
    damaged, store = Damaged(), named_store(ctx, place, store)
    with opened(store) as kept:
        rows = kept.list(limit, sort=sort, on_damaged=damaged, **wanted)
        found, total = kept.count(**wanted), kept.count()
        if not rows:
            say_nothing_found(kept, wanted)
    if as_json:
        print_json([asdict(row) for row in rows])
    else:
        show(summary_table(rows))
        of_all = f"{found} found among {total}" if found != total else str(total)
        then = "; `cascade trace show ID` shows one" if rows else ""
        say(f"{len(rows)} of {of_all} traces in {store}{then}")
    damaged.end()


@trace.command("show")
def show_trace(
    which: Annotated[str, typer.Argument(metavar="ID|FILE", help=WHICH)] = "last",
    *,
    store: StoreOption = DEFAULT_STORE,
    line: LineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one trace: who was asked, what each scorer said, what every call cost."""
    found = found_trace(which, store, line)
    if as_json:
        print_json(found.to_dict())
        return
    show(found)


trace.command("html")(trace_page)
trace.command("diff")(trace_diff)


@trace.command("tree")
def show_tree(
    which: Annotated[
        str,
        typer.Argument(
            metavar="ID", help='Id of a trace or run, the beginning of a trace\'s, or "last".'
        ),
    ] = "last",
    *,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Add up what a request or run cost with everything that was made for it."""
    from cascade.traces.tree import cost_tree  # noqa: PLC0415  loads with the store
    from cascade.traces.tree_view import tree_panel, tree_to_dict  # noqa: PLC0415

    with opened(store) as kept:
        is_run = bool(kept.count(parent=which))
        tree = cost_tree(kept, which if is_run else kept.resolve(which))
    if as_json:
        print_json(tree_to_dict(tree))
        return
    show(tree_panel(tree))
    if not tree.has_trace:
        say(f"{which} has no trace of its own; requests name it as what they were made for")


@trace.command("export")
def export_traces(
    ctx: typer.Context,
    place: StoreArgument = None,
    *,
    store: StoreOption = DEFAULT_STORE,
    output: OutputOption = None,
    status: StatusOption = None,
    tier: TierOption = None,
    chain: ChainOption = None,
    tag: TagOption = None,
    parent: ParentOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print how many were written as JSON (with --output).")
    ] = False,
) -> None:
    """Write whole traces as JSON lines, oldest first.

    A damaged trace is named, passed over, and makes the command end with 1.
    """
    wanted = filters(
        status=status, tier=tier, since=since, until=until, chain=chain, tag=tag, parent=parent
    )
    store = named_store(ctx, place, store)
    refuse_same_file(output, {"--store": store_file(store)})
    check_place(output)
    damaged, count = Damaged(), 0
    with opened(store) as kept, writing(output) as file:
        for item in kept.iter_traces(on_damaged=damaged, **wanted):
            line = json.dumps(item.to_dict())
            count += 1
            if file is None:
                write(f"{line}\n")
            else:
                file.write_text(line)
        if file is not None:
            file.finish()
        if not count:
            say_nothing_found(kept, wanted)
    if output is not None and as_json:
        print_json({"traces": count, "damaged": damaged.count, "output": str(output)})
    elif output is not None:
        say(f"{count} traces written to {output}")
    damaged.end()
