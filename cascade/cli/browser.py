"""Pages shown in the web browser: the option, and what is said where there is no browser."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from cascade.cli.output import say

__all__ = ["OpenOption", "open_in_browser"]

OpenOption = Annotated[bool, typer.Option("--open", help="Show it in the web browser.")]


def open_in_browser(address: str, what: str) -> None:
    """Show a page; `what` its address is ("file", "address") is said where nothing can show it."""
    if not webbrowser.open(address):
        say(f"no web browser could be started; open the {what} yourself", style="yellow")
