"""What a command's requests have cost so far, for when it ends early."""

from __future__ import annotations

from decimal import Decimal
from typing import NoReturn

import typer

from cascade.cli.files import Lines
from cascade.cli.output import INTERRUPTED, WRONG_RUN, OutputError, add, print_json, say
from cascade.core.trace import Trace
from cascade.core.trace_text import cost_words

__all__ = ["Keeper", "end_early"]


class Keeper:
    """Adds up every request's cost as it ends, and writes the cascade's traces down."""

    def __init__(self) -> None:
        self.file: Lines | None = None
        self.asked = 0
        self.cost_usd: Decimal | None = Decimal(0)
        self.known_cost_usd = Decimal(0)
        self._trouble: OutputError | None = None

    def count(self, trace: Trace) -> None:
        """Add a request up."""
        self.asked += 1
        self.cost_usd = add(self.cost_usd, trace.cost_usd)
        self.known_cost_usd += trace.known_cost_usd

    def keep(self, trace: Trace) -> None:
        """Add a request up and write its trace."""
        self.count(trace)
        if self.file is None or self._trouble is not None:
            return
        try:
            self.file.write_text(trace.to_json())
        except OutputError as error:  # observers cannot raise
            self._trouble = error

    def check(self) -> None:
        """Raise what kept a trace from being written."""
        if self._trouble is not None:
            raise self._trouble


def end_early(error: KeyboardInterrupt | OutputError, keeper: Keeper, *, as_json: bool) -> NoReturn:
    """Say what was spent until then, and end."""
    interrupted = isinstance(error, KeyboardInterrupt)
    words = "interrupted" if interrupted else f"error: {error}"
    cost = cost_words(keeper.cost_usd, keeper.known_cost_usd)
    style = "yellow" if interrupted else "red"
    say(f"{words} (after {keeper.asked} requests; cost {cost})", style=style)
    if as_json:
        told = "interrupted" if interrupted else str(error)
        print_json({"error": told, "requests": keeper.asked, "cost_usd": keeper.cost_usd})
    raise typer.Exit(INTERRUPTED if interrupted else WRONG_RUN) from error
