"""The commands put together: one file per sub-command."""

from __future__ import annotations

from typing import Annotated

import typer

import cascade
from cascade.cli.certificate import certificate
from cascade.cli.certify import certify
from cascade.cli.demo import demo
from cascade.cli.doctor import doctor
from cascade.cli.keys import keys
from cascade.cli.output import Commands
from cascade.cli.plan_labels import plan_labels
from cascade.cli.prices import prices
from cascade.cli.record import record
from cascade.cli.recording import recording
from cascade.cli.report import report
from cascade.cli.run import run
from cascade.cli.serve import serve
from cascade.cli.stats import stats
from cascade.cli.trace import trace
from cascade.cli.ui import ui
from cascade.cli.what_if import what_if

__all__ = ["app"]

app = typer.Typer(
    name="cascade",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cascade {cascade.__version__}")
        raise typer.Exit


@app.callback()
def about(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Send each request to the cheapest model that answers it well; account for every cent."""


app.command()(run)
app.command()(serve)
app.command()(demo)
app.add_typer(trace, name="trace")
app.add_typer(keys, name="keys")
app.command()(stats)
app.command()(ui)
app.command()(record)
app.add_typer(recording, name="recording")
app.command()(certify)
app.add_typer(certificate, name="certificate")
app.command()(plan_labels)
app.command()(what_if)
app.command()(report)
app.command()(prices)
app.command()(doctor)
