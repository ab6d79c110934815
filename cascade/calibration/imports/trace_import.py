"""A recording from traces: of a recording run, or of requests that were served.

What production never asked is a gap of the recording (`cascade.calibration.unasked`). Quality is
not in a trace: it stays unknown, except that no answer at all is worth 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cascade.calibration.files.datasets import Example, request_digest
from cascade.calibration.imports.recorded_tiers import recorded_tier
from cascade.calibration.imports.trace_cells import RECORDED
from cascade.calibration.imports.trace_rows import TracedRow, recording_of, row_of
from cascade.calibration.recording import About, RecordedTier, Recording
from cascade.core.chain import Chain
from cascade.core.trace import Trace
from cascade.errors import RecordingError, RequestError, TraceError
from cascade.traces.content import STRICTNESS

__all__ = ["EXAMPLE_TAG", "import_traces"]

EXAMPLE_TAG = "example:"
"""Beginning of the tag by which a trace names its example."""


def import_traces(
    traces: Iterable[Trace] | str | Path,
    *,
    examples: Iterable[Example] | None = None,
    chain: Chain | None = None,
    witnesses: Sequence[str] = (),
    ids: Callable[[Trace], str] | None = None,
    group_key: str | None = None,
    slice_key: str | None = None,
    source: str = "",
    any_chain: bool = False,
) -> Recording:
    """Make a recording of traces; see the module.

    Args:
        traces: from `TraceStore.iter_traces()`, a recording run, or a file of JSON lines. Where one
            id occurs again, the later trace counts.
        examples: what is known of the requests: references, groups, weights, slices. A trace is
            joined by its id, else by what it asked; other traces are left out. Rows are in the
            order of the examples.
        chain: the chain that was asked, for what a trace does not hold: settings, scorers, prices.
        witnesses: names of the tiers that are asked only to compare their answers.
        ids: gives a trace its request's id; its tag `example:<id>`, else its own id, unless given.
        group_key: the key of a trace's metadata that says what belongs together.
        slice_key: the key of its metadata that names its slice.
        source: for `About.source`.
        any_chain: take traces of several chains together, e.g. after a threshold was changed.

    Raises:
        RecordingError: no trace, none that fits an example, several chains, a replay, or a tier
            that the chain does not have.
        TraceError: a line that is no trace.
    """
    name = ids or _id_of
    known = None if examples is None else _Examples(list(examples))
    rows: dict[str, TracedRow] = {}
    for trace in _read(traces) if isinstance(traces, str | Path) else traces:
        if trace.replayed:
            raise RecordingError(
                f"trace {trace.id} is a replay: nothing of it happened; import what it replays"
            )
        if known is None:
            example: Example | None = _made_up(trace, name(trace), group_key, slice_key)
        else:
            example = known.example_of(trace, name(trace))
        if example is not None:
            rows.pop(example.id, None)  # the later one counts, and stands where it came
            rows[example.id] = row_of(trace, example)
    if not rows:
        why = "" if known is None else ": none asks what an example asks, or names one in a tag"
        raise RecordingError(f"there is no trace to make a recording of{why}")
    kept = list(rows.values()) if known is None else known.in_order(rows)
    tiers = _tiers(kept, witnesses) if chain is None else _chain_tiers(kept, chain, witnesses)
    if chain is None and not any_chain:
        _refuse_several(kept)
    return recording_of(kept, tiers, _about(kept, source))


class _Examples:
    """Finds the example that a trace was made for."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples
        self._by_id = {example.id: example for example in examples}
        self._by_digest: dict[str, Example] | None = None

    def example_of(self, trace: Trace, name: str) -> Example | None:
        found = self._by_id.get(name)
        if found is not None or trace.request is None:
            return found
        if self._by_digest is None:
            self._by_digest = {request_digest(one.request): one for one in self._examples}
        try:
            return self._by_digest.get(_digest(trace))
        except RequestError:  # a payload of another time
            return None

    def in_order(self, rows: dict[str, TracedRow]) -> list[TracedRow]:
        return [rows[example.id] for example in self._examples if example.id in rows]


def _digest(trace: Trace) -> str:
    request = trace.request or {}
    if trace.content == "hashed":
        return str(request.get("sha256", ""))[:16]
    return request_digest(request)


def _id_of(trace: Trace) -> str:
    tags = (tag for tag in trace.tags if tag.startswith(EXAMPLE_TAG))
    return next((tag.removeprefix(EXAMPLE_TAG) for tag in tags), trace.id)


def _made_up(trace: Trace, name: str, group_key: str | None, slice_key: str | None) -> Example:
    """What a trace alone tells of its request."""
    marks = [str(trace.metadata.get(key, "")) if key else "" for key in (group_key, slice_key)]
    return Example(name, trace.request or trace.id, group=marks[0], slice=marks[1])


# Tiers -------------------------------------------------------------------------------------------


def _chain_tiers(
    rows: Sequence[TracedRow], chain: Chain, witnesses: Sequence[str]
) -> list[RecordedTier]:
    names = {tier.name for tier in chain}
    for row in rows:
        if beyond := [name for name in row.tiers if name not in names]:
            raise RecordingError(
                f"trace {row.trace_id} asked tier {beyond[0]!r}, which chain {chain.name!r} does "
                "not have; give the chain that was asked, or none"
            )
    tiers = [recorded_tier(chain, tier) for tier in chain]
    return _with_roles(tiers, witnesses)


def _tiers(rows: Sequence[TracedRow], witnesses: Sequence[str]) -> list[RecordedTier]:
    """The tiers in the order in which they occur first: traces begin at the first tier."""
    found: dict[str, RecordedTier] = {}
    for row in rows:
        for name, turn in row.tiers.items():
            before = found.get(name, RecordedTier(name, turn.model))
            scorer = before.scorer or turn.scorer.replace(RECORDED, "")
            threshold = before.threshold if turn.threshold is None else turn.threshold
            found[name] = replace(before, scorer=scorer, threshold=threshold)
    return _with_roles(list(found.values()), witnesses)


def _with_roles(tiers: Sequence[RecordedTier], witnesses: Sequence[str]) -> list[RecordedTier]:
    names = [tier.name for tier in tiers]
    if unknown := [name for name in witnesses if name not in names]:
        raise RecordingError(f"witness {unknown[0]!r} is none of the tiers {names!r}")
    asked = [replace(tier, role="witness") for tier in tiers if tier.name in witnesses]
    return [*(tier for tier in tiers if tier.name not in witnesses), *asked]


# About -------------------------------------------------------------------------------------------


def _refuse_several(rows: Sequence[TracedRow]) -> None:
    found = Counter(f"{row.chain} ({row.chain_digest})" for row in rows)
    if len(found) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in found.most_common())
        raise RecordingError(
            f"these traces come from {len(found)} chains, whose answers may differ: {listed}; "
            "choose some by chain or time, or mix them: on the command line --any-chain, in "
            "Python any_chain=True"
        )


def _about(rows: Sequence[TracedRow], source: str) -> About:
    last = max(rows, key=lambda row: row.started_at)
    return About(
        source=source or f"{len(rows)} traces of chain {last.chain!r}",
        created_at=last.started_at,
        chain=last.chain,
        chain_digest=last.chain_digest,
        price_table=last.price_table,
        content=max((row.content for row in rows), key=STRICTNESS.index),
    )


# Files -------------------------------------------------------------------------------------------


def _read(path: str | Path) -> Iterator[Trace]:
    """The traces of a file of JSON lines, as `cascade trace export` writes it."""
    try:
        with Path(path).open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _trace_of(line, f"{str(path)!r}, line {number}")
    except OSError as error:
        raise RecordingError(f"{str(path)!r} cannot be read: {error.strerror}") from error


def _trace_of(line: bytes, where: str) -> Trace:
    try:
        return Trace.from_json(line)
    except TraceError as error:
        raise type(error)(f"{where}: {error}") from error
