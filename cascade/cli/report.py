"""`cascade report`: a recording, its plan and everything simpler, as one web page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from cascade.cli.browser import OpenOption, open_in_browser
from cascade.cli.chain_files import RecordingArgument
from cascade.cli.files import check_folder, check_place, refuse_same_file
from cascade.cli.output import JsonOption, OutputError, UsageError, print_json, say, show
from cascade.cli.score_options import ScoresOption, recorded_scores
from cascade.config import load_chain
from cascade.errors import RecordingError

if TYPE_CHECKING:
    from cascade.calibration import Certificate, Recording
    from cascade.calibration.reporting.made import Report

__all__ = ["report"]

FormatName = Literal["svg", "png"]

TESTED = (
    "requests that the certificate was tested on: nothing was learnt from them or chosen on them"
)

ELSEWHERE = (
    "the requests that the certificate was tested on are not found in this recording (another "
    "recording, or another --key): numbers are of all its requests, and flatter what was learnt "
    "from them"
)


def report(
    recording: RecordingArgument,
    *,
    chain: Annotated[
        Path | None,
        typer.Option(
            help="Chain as TOML that the report is about; needed beside the certificate of a plan "
            "with learned scores, which does not hold the model: the file of `certify "
            "--chain-output`. Unless given, the certificate's plan, or the recorded thresholds."
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="Certificate, as `cascade certify` writes one.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Page to write; RECORDING with .html unless given."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            envvar="CASCADE_SPLIT_KEY", help="Of the certificate's split, as given to `certify`."
        ),
    ] = None,
    charts: Annotated[
        Path | None, typer.Option(help="Folder for each chart as a picture of its own.")
    ] = None,
    picture_format: Annotated[
        FormatName, typer.Option("--format", help="Of the pictures.")
    ] = "svg",
    scores: ScoresOption = "auto",
    search: Annotated[
        bool,
        typer.Option(
            help="Without a certificate, search plans: shows what is cheaper at equal quality, and "
            "why tiers do not pay."
        ),
    ] = True,
    open_it: OpenOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write one page that shows what a plan saves, what is promised, and everything simpler.

    With a certificate the numbers are those of the requests it was tested on, where the recording
    holds them. The page holds all it needs, runs no script and asks no other host. With --json it
    is data on standard output, and a page is written only where --output names one.
    """
    from cascade.calibration.reporting.made import report as make  # noqa: PLC0415  loads numpy
    from cascade.calibration.reporting.speaks import OTHER_REQUESTS  # noqa: PLC0415

    if scores == "recorded" and chain is None:
        raise UsageError(
            "--scores recorded takes the place of a chain's scorers: name it with --chain"
        )
    page = _page(recording, output, as_json=as_json)
    if open_it and page is None:
        raise UsageError("--open shows a page: name one with --output, or leave --json out")
    refuse_same_file(page, {"RECORDING": recording, "--chain": chain, "--certificate": certificate})
    check_place(page)
    check_folder(charts, "--charts")
    promised = _certificate(certificate)
    part, notes = _part(recording, promised, key)
    chosen = None if chain is None else load_chain(chain)
    source = None if chosen is None else recorded_scores(scores, chosen, part)
    with _searching() as tell:
        made = make(
            part,
            certificate=promised,
            source=source,
            chosen=chosen,
            missing=OTHER_REQUESTS if ELSEWHERE in notes else "",
            notes=notes if source is None else (*notes, *source.notes),
            title=recording.name,
            search=search,
            progress=tell,
        )
    if charts is not None:
        _write_charts(made, charts, picture_format)
    if page is not None:
        _write(page, made.to_html().encode(), "--output")
    if as_json:
        print_json(made.to_dict())
    else:
        show(made.summary())
    if page is not None:
        say(f"report written to {page}")
        if open_it:
            open_in_browser(page.absolute().as_uri(), "file")


@contextmanager
def _searching() -> Iterator[Callable[[str], object]]:
    """Shows what is being done while it lasts: a line on terminals, nothing elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _words: None
        return
    with console.status("comparing") as status:
        yield lambda words: status.update(Text(words))


def _page(recording: Path, output: Path | None, *, as_json: bool) -> Path | None:
    """Where the page goes; `None` where only data was asked for."""
    if recording.is_dir():
        raise RecordingError(f"{str(recording)!r} is a folder: name the recording in it")
    if output is not None or as_json:
        return output
    page = recording.with_suffix(".html")
    if page == recording:
        raise UsageError(f"{str(recording)!r} is a page already: a recording was expected")
    return page


def _part(
    path: Path, certificate: Certificate | None, key: str | None
) -> tuple[Recording, tuple[str, ...]]:
    """The requests to report on, and a note on which they are."""
    from cascade.calibration import read_recording  # noqa: PLC0415  loads numpy
    from cascade.calibration.calibrating import KEY  # noqa: PLC0415
    from cascade.calibration.reporting.tested import tested_part  # noqa: PLC0415

    whole = read_recording(path)
    if certificate is None:
        return whole, ()
    part = tested_part(whole, certificate, KEY if key is None else key)
    if part is None:
        return whole, (ELSEWHERE,)
    return part, (f"numbers are of the {len(part):,} of {len(whole):,} {TESTED}",)


def _certificate(path: Path | None) -> Certificate | None:
    from cascade.calibration.proof.certificate import Certificate  # noqa: PLC0415

    return None if path is None else Certificate.load(path)


def _write_charts(made: Report, folder: Path, form: FormatName) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"--charts {str(folder)!r} cannot be made: {error.strerror}") from error
    for name in made.charts:
        _write(folder / f"{name}.{form}", made.picture(name, form), "--charts")
    say(f"{len(made.charts)} charts written to {folder}")


def _write(path: Path, content: bytes, option: str) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{option} {str(path)!r} cannot be written: {error.strerror}") from error
