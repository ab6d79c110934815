"""Recording runs: every tier and every scorer of a chain on a data set, and nothing paid twice."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cascade.calibration.files.datasets import Example
from cascade.calibration.recorder.quality.metric import Metric
from cascade.calibration.recorder.recording_run import CONCURRENCY, Recorder, Standing
from cascade.calibration.recorder.recording_task import DOUBLE_CALLS
from cascade.calibration.recorder.troubles import metric_trouble, tier_troubles
from cascade.core.trace import Content
from cascade.drivers.base import Models

if TYPE_CHECKING:
    from cascade.calibration.recording import Recording
    from cascade.core.chain import Chain
    from cascade.core.tier import Tier

__all__ = ["IncompleteRecordingWarning", "record"]


class IncompleteRecordingWarning(UserWarning):
    """A recording lacks something: the cap was reached, models failed, or the metric did."""


def record(
    chain: Chain | Iterable[Tier],
    examples: Iterable[Example],
    *,
    output: str | Path | None = None,
    metric: str | Metric | Callable[..., Any] | None = None,
    witnesses: Sequence[Tier | str] = (),
    content: Content = "full",
    double_calls: int = DOUBLE_CALLS,
    max_cost: str | int | Decimal | None = None,
    concurrency: int = CONCURRENCY,
    progress: Callable[[Standing], object] | None = None,
    client: Any = None,
    models: Models | None = None,
) -> Recording:
    """Ask every tier of a chain, run every scorer, grade every answer, and keep it all.

    What is paid is written beside `output` as it comes; after Ctrl-C or a crash the same call goes
    on where it was, and pays nothing twice. A chain is asked as it is, whatever its thresholds. A
    scorer that is a coroutine function is refused.

    ```python
    recording = record(chain, read_examples("labelled.jsonl"), output="support.parquet")
    ```

    Args:
        chain: whose tiers and scorers are recorded.
        examples: requests, with what is known of them; see `read_examples`.
        output: file to write the recording to; without one nothing can be resumed.
        metric: how answers are graded: a name of `METRICS` with its settings, a function of an
            answer and its reference, or a scorer. Unless given, "normalised" where there are
            references, and agreement with the top tier's answer where there are none.
        witnesses: asked for evidence alone: tiers, models, or names of tiers of the chain, which
            then are no longer part of the ladder.
        content: what is kept of texts: "full", "hashed" or "none"; quality is the same under each.
        double_calls: without references, how many examples the top tier is asked twice, for d0.
        max_cost: US dollars that the whole recording may cost, earlier runs included; no request is
            begun that could break it.
        concurrency: requests under way at once.
        progress: told a `Standing` after each request.
        client: as for `Cascade`.
        models: as for `Cascade`.

    Returns:
        The recording of what was asked. Where something is missing (the cap was reached, a model
        could not be reached) an `IncompleteRecordingWarning` says how much, and the same call
        fills it in; another one says where the metric failed. An output that holds all of it
        already is read and returned.

    Raises:
        RecordingError: examples that cannot be recorded, a journal of another chain, an output
            that holds something else, nothing recorded.
        ConfigError: a chain or setting that cannot work.
    """
    recorder = Recorder(
        chain,
        examples,
        output=output,
        metric=metric,
        witnesses=witnesses,
        content=content,
        double_calls=double_calls,
        max_cost=max_cost,
        client=client,
        models=models,
    )
    try:
        recorder.run(concurrency=concurrency, progress=progress)
        made = recorder.finish()
    finally:
        recorder.close()
    for lack in _lacks(recorder):
        warnings.warn(lack, IncompleteRecordingWarning, stacklevel=2)
    return made


def _lacks(recorder: Recorder) -> Iterator[str]:
    """What the recording lacks, and why."""
    task, entries = recorder.task, recorder.journal.entries
    missing = len(recorder.remaining)
    if missing:
        why = f": {recorder.why_stopped}" if recorder.why_stopped else ""
        failed = "".join(
            f"; tier {one.name!r} failed on {one.count}, first: {one.words}"
            for one in tier_troubles(task, entries)
        )
        yield (
            f"{missing} of {len(task.examples)} examples are not recorded to the end{why}{failed}; "
            "the same call with output= goes on with them"
        )
    bad = metric_trouble(task, entries)
    if bad is not None:
        yield (
            f"metric {bad.name!r} failed on {bad.count} answers, whose quality is unknown, first: "
            f"{bad.words}"
        )
