"""`cascade recording`: look into recordings, and make them of what others have recorded."""

from __future__ import annotations

import typer

from cascade.cli.chain_files import RecordingArgument
from cascade.cli.output import JsonOption, print_json, show
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
