"""`cascade recording`: look into recordings, and make them of what others have recorded."""

from __future__ import annotations

import typer

from cascade.cli.chain_files import RecordingArgument
from cascade.cli.files import check_place, refuse_same_file
from cascade.cli.output import JsonOption, OutputError, OutputOption, print_json, say, show, write
from cascade.cli.recording_import import import_recording

__all__ = ["recording"]

recording = typer.Typer(
    no_args_is_help=True, help="Show recordings; import them from tables and traces."
)

recording.command("import")(import_recording)


@recording.command("show")
def show_recording(
    file: RecordingArgument,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what a recording holds: tiers, quality, cost, scores, gaps, and where it comes from.

    Quality is the weighted mean of the answers whose quality is known, cost the mean of the
    requests whose cost is, both over the requests that the tier was asked.
    """
    from cascade.calibration import read_recording  # noqa: PLC0415  loads numpy
    from cascade.cli.recording_view import recording_data, recording_tables  # noqa: PLC0415

    made = read_recording(file)
    if as_json:
        print_json({"recording": str(file), **recording_data(made)})
    else:
        show(recording_tables(made))


@recording.command("chain")
def write_chain(
    file: RecordingArgument,
    *,
    output: OutputOption = None,
) -> None:
    """Write a chain of the models of an imported recording, for what-if and certify to begin with.

    Tiers are in the recording's order, with the prices that the import was given. Where answers can
    be judged, a scorer holds the place of one of yours.
    """
    from cascade.calibration import read_recording  # noqa: PLC0415  loads numpy
    from cascade.calibration.drafted_chain import chain_text  # noqa: PLC0415

    refuse_same_file(output, {"FILE": file})
    check_place(output)
    text = chain_text(read_recording(file), file.stem)
    if output is None:
        write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"--output {str(output)!r} cannot be written: {error.strerror}"
        ) from error
    say(f"written: {output}")
    say(f"next: cascade what-if {file} --chain {output}, and cascade certify with the same")
