"""`cascade certificate`: show a certificate, and see whether it still speaks of a chain."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cascade.cli.output import JsonOption, exit_code, print_json, say, write
from cascade.config import load_chain
from cascade.errors import CertificateVoid

if TYPE_CHECKING:
    from cascade.calibration import Certificate

__all__ = ["certificate"]

certificate = typer.Typer(
    help="Show a certificate, and see whether it still holds.", no_args_is_help=True
)

CertificateArgument = Annotated[
    Path, typer.Argument(metavar="CERTIFICATE", help="As `cascade certify` writes one.")
]


@certificate.command()
def show(path: CertificateArgument, *, as_json: JsonOption = False) -> None:
    """Say what was promised, of which chain, and on what evidence."""
    made = _loaded(path)
    if as_json:
        print_json(made.to_dict())
    else:
        write(f"{made}\n")


@certificate.command()
def check(
    path: CertificateArgument,
    *,
    chain: Annotated[Path, typer.Option(help="The chain in use, as TOML.")],
    as_json: JsonOption = False,
) -> None:
    """See whether a certificate speaks of a chain as it is today.

    Ends with 0 where it does and with 1 where it is void, naming each change. A changed price is
    a note: quality stays as promised, but another plan may be cheaper now.
    """
    made = _loaded(path)
    try:
        notes = made.check(load_chain(chain), today=datetime.now(UTC).date())
    except CertificateVoid as error:
        for line in f"error: {error}".splitlines():  # each change by itself
            say(line, style="red")
        if as_json:
            print_json({"holds": False, "error": str(error)})
        raise typer.Exit(exit_code(error)) from error
    if as_json:
        print_json({"holds": True, "sentence": made.sentence(), "notes": notes})
        return
    write(f"It holds. {made.sentence()}\n")
    for note in notes:
        say(f"note: {note}", style="yellow")


def _loaded(path: Path) -> Certificate:
    from cascade.calibration import Certificate  # noqa: PLC0415  loads numpy

    return Certificate.load(path)
