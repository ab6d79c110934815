"""What the commands share: where words and data go, and how errors leave.

Data goes to standard output, everything said to people about it (progress, warnings, errors) to
standard error. Exit codes: 0 fine, 1 a run went wrong, 2 the call or its configuration is wrong,
130 interrupted.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.text import Text
from typer.core import TyperGroup

from cascade.core.price import EXACT
from cascade.errors import CascadeError, ConfigError, RequestError
from cascade.traces.lines import harmless

__all__ = [
    "Commands",
    "JsonOption",
    "StoreOption",
    "UsageError",
    "add",
    "existing",
    "moment",
    "plain",
    "print_json",
    "say",
    "show",
    "warn",
    "write",
]

WRONG_RUN = 1
WRONG_CALL = 2

PIPE_WIDTH = 120
"""Width of tables that go to a file or a pipe, where no terminal sets one."""

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON on standard output instead of text.")
]

StoreOption = Annotated[
    str, typer.Option("--store", help="Trace store: an SQLite file or an SQLAlchemy URL.")
]


AGO = re.compile(r"(\d{1,6})([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class UsageError(ConfigError):
    """A command called in a way that cannot work."""


class Commands(TyperGroup):
    """A group whose commands end a foreseen error with one line instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; see the module for exit codes."""
        try:
            return super().invoke(ctx)
        except CascadeError as error:
            say(f"error: {error}", style="red")
            wrong_call = isinstance(error, ConfigError | RequestError)
            raise typer.Exit(WRONG_CALL if wrong_call else WRONG_RUN) from error


def print_json(data: Any) -> None:
    """Data for a program, on standard output."""
    write(json.dumps(plain(data), ensure_ascii=False, indent=2) + "\n")


def write(text: str) -> None:
    """Text on standard output; made harmless where a person's terminal reads it."""
    shown = harmless(text) if sys.stdout.isatty() else text
    sys.stdout.write(shown.encode("utf-8", "replace").decode())
    sys.stdout.flush()


def show(renderable: RenderableType, *, err: bool = False) -> None:
    """A table or panel, as wide as the terminal."""
    console = Console(stderr=err)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    console.print(renderable)


def say(text: str, *, style: str = "") -> None:
    """One line for people, on standard error."""
    words = Text(harmless(text).replace("\n", " "), style=style)
    Console(stderr=True, highlight=False).print(words, soft_wrap=True)


def warn(text: str) -> None:
    """A warning for people."""
    say(f"warning: {text}", style="yellow")


def plain(value: Any) -> Any:
    """Data as JSON holds it: amounts as decimal strings, dates in ISO 8601."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def add(total: Decimal | None, amount: Decimal | None) -> Decimal | None:
    """An exact sum; unknown as soon as one part is."""
    return None if total is None or amount is None else EXACT.add(total, amount)


def moment(text: str | None) -> datetime | None:
    """A moment as people write it: ISO 8601, or so long ago ("30m", "12h", "7d", "2w").

    Raises:
        UsageError: it is neither.
    """
    if text is None:
        return None
    ago = AGO.fullmatch(text)
    if ago is not None:
        return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--since {text!r} is no moment; expected e.g. 2026-11-22, 2026-11-22T09:30, 12h or 7d"
        ) from None


def existing(where: str) -> str:
    """A store's place, which must exist: reading makes no empty store.

    Raises:
        UsageError: there is no such file.
    """
    if "://" not in where and not Path(where).expanduser().exists():
        raise UsageError(
            f"there is no trace store {where!r}; name one with --store, "
            "or make one with `cascade run --store ...`"
        )
    return where
