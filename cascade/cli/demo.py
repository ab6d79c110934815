"""`cascade demo`: real models are recorded, and what the labels prove of them is written down."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cascade.cli.files import check_folder
from cascade.cli.output import JsonOption
from cascade.errors import ConfigError

__all__ = ["demo"]

TICKETS = 250
"""Of 600: four tiers on this machine answer them in two to three minutes."""


def demo(
    *,
    openai: Annotated[
        bool,
        typer.Option("--openai", help="Ask OpenAI's models; needs OPENAI_API_KEY and spends."),
    ] = False,
    limit: Annotated[
        int, typer.Option(help="How many of the 600 tickets to record.", min=20, max=600)
    ] = TICKETS,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for recording, chain, certificate and report; cascade-demo unless given.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Record real models on labelled support tickets, and prove what a cascade of them is worth.

    Without --openai the models run on this machine: no key, no network, no configuration. After
    Ctrl-C the same command goes on with the recording where it was left.
    """
    if openai and not os.environ.get("OPENAI_API_KEY"):
        raise ConfigError(
            "--openai needs OPENAI_API_KEY; without it, `cascade demo` runs models on this machine"
        )
    folder = output or Path("cascade-demo-openai" if openai else "cascade-demo")
    check_folder(folder, "--output")
    from cascade.cli.demo_run import DemoRun  # noqa: PLC0415  loads numpy

    code = DemoRun(folder, limit, openai=openai, as_json=as_json).run()
    if code:
        raise typer.Exit(code)
