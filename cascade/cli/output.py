"""What the commands share: where words and data go, and how errors leave.

Data goes to standard output, everything said to people about it (progress, warnings, errors) to
standard error. Exit codes: 0 fine, 1 a run went wrong, 2 the call, its configuration or its input
is wrong, 130 interrupted.
"""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.text import Text
from typer.core import TyperGroup

from cascade.core.clean import harmless
from cascade.core.price import EXACT
from cascade.errors import CascadeError, ConfigError, RecordingError, RequestError

__all__ = [
    "DATABASE_VARIABLE",
    "INTERRUPTED",
    "WRONG_CALL",
    "WRONG_RUN",
    "Commands",
    "JsonOption",
    "OutputError",
    "OutputOption",
    "StoreArgument",
    "StoreOption",
    "UsageError",
    "add",
    "existing",
    "exit_code",
    "nearest_of",
    "plain",
    "print_json",
    "say",
    "show",
    "times",
    "warn",
    "warn_once",
    "words_of",
    "write",
]

WRONG_RUN = 1
WRONG_CALL = 2
INTERRUPTED = 130
"""128 + SIGINT, as shells count."""

NO_KEY = (
    "there is no key: set OPENAI_API_KEY, or give the tier an endpoint in the chain's file, e.g. "
    "endpoint = { base_url = 'https://api.example.com/v1', api_key_env = 'EXAMPLE_KEY' }; "
    "a server on this machine, such as llama.cpp's or Ollama's, needs no api_key_env"
)
"""For the message of the library, which names arguments that a command line does not have."""

AS_JSON = "cascade.as_json"

SERVERS = ("serve", "ui")
"""Commands that Ctrl-C ends as it should, without a word."""

MISREAD: Any = typer.BadParameter.__bases__[0]
"""The parser's usage errors, whichever copy of click typer brings."""

PIPE_WIDTH = 120
"""Width of tables that go to a file or a pipe, where no terminal sets one."""

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON on standard output instead of text.")
]

OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="File to write; standard output unless given."),
]

DATABASE_VARIABLE = "CASCADE_DATABASE_URL"

STORE = "Trace store: an SQLite file or an SQLAlchemy URL"

StoreOption = Annotated[str, typer.Option("--store", envvar=DATABASE_VARIABLE, help=f"{STORE}.")]

StoreArgument = Annotated[
    str | None,
    typer.Argument(metavar="STORE", show_default=False, help=f"{STORE}; the same as --store."),
]


class UsageError(ConfigError):
    """A command called in a way that cannot work."""


class OutputError(CascadeError):
    """What a command found cannot be written, such as on a full disk."""


class Commands(TyperGroup):
    """A group whose commands end a foreseen error with one line instead of a traceback.

    Where the call holds `--json`, standard output gets the error as an object as well.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Look for `--json` before the arguments are taken apart."""
        own = args[: args.index("--")] if "--" in args else args
        ctx.meta[AS_JSON] = "--json" in own
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; see the module for exit codes."""
        try:
            return super().invoke(ctx)
        except MISREAD as error:
            if ctx.meta[AS_JSON]:
                print_json({"error": error.format_message()})
            raise
        except KeyboardInterrupt:
            if ctx.invoked_subcommand not in SERVERS:
                say("interrupted")
            raise
        except CascadeError as error:
            words = words_of(error)
            if not isinstance(error.__cause__, BrokenPipeError):  # as `| head` wants it
                say(f"error: {words}", style="red")
            if ctx.meta[AS_JSON] and not isinstance(error, OutputError):
                print_json({"error": words})
            raise typer.Exit(exit_code(error)) from error


def exit_code(error: Exception) -> int:
    """2 where the call, its configuration or its input is wrong, 1 where the run went wrong."""
    wrong_call = ConfigError | RequestError | RecordingError
    return WRONG_CALL if isinstance(error, wrong_call) else WRONG_RUN


def words_of(error: BaseException) -> str:
    """An error in words for a command line, where there is no attribute `.trace` to see."""
    if "OPENAI_API_KEY, pass client=" in str(error):
        return NO_KEY
    return str(error).replace("; see .trace)", ")")


def print_json(data: Any) -> None:
    """Data for a program, on standard output."""
    write(json.dumps(plain(data), ensure_ascii=False, indent=2) + "\n")


def write(text: str) -> None:
    """Text on standard output; made harmless where a person's terminal reads it."""
    shown = harmless(text) if sys.stdout.isatty() else text
    try:
        sys.stdout.write(shown.encode("utf-8", "replace").decode())
        sys.stdout.flush()
    except OSError as error:
        raise _broken(error) from error


def show(renderable: RenderableType, *, err: bool = False) -> None:
    """A table or panel, as wide as the terminal."""
    console = Console(stderr=err)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    try:
        console.print(renderable)
    except OSError as error:
        raise _broken(error) from error


def _broken(error: OSError) -> OutputError:
    """Standard output is full or gone: what is left of it must not fail again at the end."""
    with suppress(OSError, ValueError):  # a test's stand-in has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OutputError(f"standard output cannot be written: {error.strerror}")


def say(text: str, *, style: str = "") -> None:
    """One line for people, on standard error."""
    words = Text(harmless(text).replace("\n", " "), style=style)
    Console(stderr=True, highlight=False).print(words, soft_wrap=True)


def warn(text: str) -> None:
    """A warning for people."""
    say(f"warning: {text}", style="yellow")


def warn_once() -> Callable[..., None]:
    """What shows Python's warnings: without the line of source code, and each only once.

    A chain that is built again, as commands do with other thresholds, warns again.
    """
    said: set[str] = set()

    def show_warning(message: object, *_where: object, **_more: object) -> None:
        if str(message) not in said:
            said.add(str(message))
            warn(str(message))

    return show_warning


def plain(value: Any) -> Any:
    """Data as JSON holds it: amounts as decimal strings, dates in ISO 8601."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def times(count: int, what: str) -> str:
    """A count with its noun: "1 request", "1,500 requests"."""
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"


def add(total: Decimal | None, amount: Decimal | None) -> Decimal | None:
    """An exact sum; unknown as soon as one part is."""
    return None if total is None or amount is None else EXACT.add(total, amount)


def nearest_of(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to a mistyped one, for error messages."""
    close = difflib.get_close_matches(name.lower(), list(known), n=1)
    return close[0] if close else None


def existing(where: str) -> str:
    """A store's place, which must exist: reading makes no empty store.

    Raises:
        UsageError: there is no such file.
    """
    if "://" not in where and not Path(where).expanduser().exists():
        raise UsageError(
            f"there is no trace store {where!r}; check the name, "
            f"or make one with `cascade run --store {where} ...`"
        )
    return where
