"""Several chains from files, by name, and recordings of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cascade.cli.output import UsageError
from cascade.config import load_chain
from cascade.core.chain import Chain
from cascade.errors import ConfigError

__all__ = ["RecordingArgument", "RecordingsOption", "chains_of", "recordings_of"]

UNNAMED = "chain"
"""What a file without a name calls its chain."""


def _present(recording: Path) -> Path:
    """The file, which must exist: told before an option that is missing beside a misspelt name."""
    if not recording.exists():
        raise UsageError(
            f"there is no recording {str(recording)!r}; check the name, or make one with "
            f"`cascade record -o {recording} ...`"
        )
    return recording


RecordingArgument = Annotated[
    Path,
    typer.Argument(help="Recording, as `cascade record` writes one.", callback=_present),
]

RecordingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--recording",
        metavar="[CHAIN=]FILE",
        help="Recording of a chain, for quality and the best single model on the pages; may be "
        "given again. Without the chain's name, of the one --chain.",
    ),
]


def chains_of(files: Sequence[Path]) -> dict[str, Chain]:
    """Chains by their names; one that has none is called as its file.

    Raises:
        UsageError: two have the same name.
        ConfigError: a file holds no chain.
    """
    found: dict[str, Chain] = {}
    for file in files:
        loaded = load_chain(file)
        if loaded.name == UNNAMED:
            loaded = replace(loaded, name=file.stem)
        if loaded.name in found:
            raise UsageError(
                f"--chain {file}: there is a chain {loaded.name!r} already; give each file a name "
                "of its own: name = '...'"
            )
        found[loaded.name] = loaded
    return found


def recordings_of(given: Sequence[str], chains: Mapping[str, Chain]) -> dict[str, str]:
    """Files of recordings by the name of their chain.

    Raises:
        UsageError: one does not say of which chain it is, and there is not just one.
        ConfigError: there is no such file.
    """
    found: dict[str, str] = {}
    for item in given:
        name, has_name, file = item.partition("=")
        if not has_name:
            if len(chains) != 1:
                raise UsageError(f"--recording {item!r}: say of which chain, e.g. support={item}")
            name, file = next(iter(chains)), item
        if not Path(file).is_file():
            raise ConfigError(f"--recording {file!r}: there is no such file")
        found[name] = file
    return found
