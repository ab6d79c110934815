"""Recordings as files: one Parquet that other tools read and write.

One row per request and tier, requests one after the other, tiers in the order of the chain:

| column | type | what it holds |
|---|---|---|
| `request_id` | string | unique per request; the same in the rows of its tiers. Required |
| `tier` | string | name of the tier, or witness. Required |
| `quality` | double | in [0, 1]; null where unknown, 0 where there is no answer. Required |
| `cost_usd` | decimal128(18, 12) | of the draft's calls, retries included; null where unknown. Required |
| `group` | string | what belongs together; the request's id where nothing was given |
| `slice`, `split` | string | "" for none |
| `weight` | double | above 0 |
| `request` | string | payload, messages or prompt as JSON; null where it was not kept |
| `reference` | string | the right answer; null where unknown |
| `model` | string | the model asked |
| `role` | string | "tier" or "witness" |
| `answered` | bool | the tier gave an answer |
| `usable` | bool | the answer is one that a scorer gets to see |
| `score` | double | of the recorded chain's scorer, in [0, 1]; null where there is none |
| `score_kind` | string | "none", "score", "abstained" or "failed" |
| `score_cost_usd` | decimal128(18, 12) | of the scorer's own calls; null where unknown |
| `latency_s` | double | seconds until the draft; null where unknown |
| `input_tokens`, `output_tokens`, `cached_tokens`, `cache_write_tokens`, `reasoning_tokens` | double | of the draft's calls; null where unknown |
| `answer` | string | the answer's text |
| `reply` | string | the reply on the wire as JSON |
| `signal.<name>` | double | further numbers per answer; -inf is one, null is none |
| `charges` | list of struct | each exchange: `purpose`, `model`, `service_tier`, `batch`, `regional`, the five token counts, `cost_usd` |

The columns of a request (`group` to `reference`) are the same in all its rows. A pair of request
and tier that has no row was not recorded: see `cascade.calibration.unasked`. The rest (version,
tiers, where it comes from) is JSON in the schema's metadata under `cascade.recording`; a file
without it has the tiers in the order in which they occur first.

Files of other tools need the required columns only, in any numeric type: money also as doubles.
"""  # noqa: E501  a table

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

from cascade.calibration.files.parquet_file import opened
from cascade.calibration.files.parquet_header import schema_of
from cascade.calibration.files.parquet_reading import recording_in
from cascade.calibration.files.parquet_rows import tables_of
from cascade.calibration.needs import needed
from cascade.calibration.recording import Recording
from cascade.errors import RecordingError

__all__ = ["read_recording", "write_recording"]

LEVEL = 9
"""Of zstd. Replies with log-probabilities are nearly all of a file; the usual level 3 writes four
times as fast and leaves it an eighth larger."""


def write_recording(recording: Recording, path: str | PathLike[str]) -> None:
    """Write a recording into a file; what it held stays until the new one is whole.

    Args:
        recording: any.
        path: of the file; its folder must exist.

    Raises:
        RecordingError: it cannot be written, or holds what a file cannot: a request that is no
            JSON, an answer that is no text, an amount of a million dollars.
        ConfigError: pyarrow is not installed.
    """
    parquet = needed("pyarrow.parquet")
    schema = schema_of(recording)
    with (
        _replacing(Path(path)) as file,
        parquet.ParquetWriter(
            file, schema, compression="zstd", compression_level=LEVEL, write_page_checksum=True
        ) as writer,
    ):
        for table in tables_of(recording, schema):
            writer.write_table(table)


def read_recording(path: str | PathLike[str]) -> Recording:
    """Read a recording, whether Cascade or another tool wrote it.

    Args:
        path: of the file.

    Raises:
        RecordingError: there is no such file, it is no Parquet, is cut off or damaged, was written
            by a newer version, lacks a column, or holds a row twice or a value that cannot be.
        ConfigError: pyarrow is not installed.
    """
    where = str(path)
    try:
        with opened(Path(path)) as columns:
            return recording_in(columns, f"file {where!r}")
    except RecordingError as error:
        raise RecordingError(f"{where!r}: {error}") from error
    except OSError as error:
        words = error.strerror or str(error)
        raise RecordingError(f"{where!r}: it cannot be read: {words}") from error


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file beside the wanted one, which takes its place once everything is written."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        words: Any = error.strerror or str(error)
        raise RecordingError(f"{str(path)!r} cannot be written: {words}") from error
    except RecordingError as error:
        raise RecordingError(f"{str(path)!r} cannot be written: {error}") from error
    finally:
        with suppress(OSError):  # it is the wanted file by now, or was never made
            beside.unlink()
