"""The ledger of attempts: who tries often enough on the same labels is lucky, unless it counts.

Attempt i may err with 6 delta / (pi^2 i^2), which adds up to delta over all there will ever be. The
ledger is a file of JSON lines that only grows. Each line holds a hash of the line before, so that
one that was changed or taken out is noticed. An attempt is written down before its labels are
looked at. It counts against every later attempt that shares a request with it, so that a few more
labels make no fresh start. The very same test again is the same attempt: it can say nothing new.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from cascade.calibration.fingerprint import fingerprint
from cascade.errors import RecordingError

try:
    import fcntl
except ImportError:  # Windows: two processes at once are not kept apart
    fcntl = None  # type: ignore[assignment]

__all__ = ["Attempt", "attempt_delta", "read_attempts", "spend_attempt", "split_fingerprint"]

START = "start"
SHORT = 12
"""Hexadecimal digits kept of a request's hash: which requests were used, not what they are."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a promise.

    Attributes:
        number: from 1, among the attempts that share a request with it.
        epsilon: margin tried.
        delta: error allowed over all attempts.
        spent: error this attempt may make.
        split: fingerprint of the requests it looks at.
        test: fingerprint of all that decides its outcome: plans, margin, labels.
        at: when, as the caller says; "" where they do not.
    """

    number: int
    epsilon: float
    delta: float
    spent: float
    split: str
    test: str
    at: str = ""


def attempt_delta(delta: float, number: int) -> float:
    """The error that attempt `number`, from 1, may make; all of them together make `delta`."""
    return 6 * delta / (math.pi * number) ** 2


def split_fingerprint(ids: Iterable[str]) -> str:
    """A short hash of which requests a part holds, whatever their order."""
    return fingerprint(sorted(_hashed(ids)))


def spend_attempt(
    path: str | os.PathLike[str],
    ids: Sequence[str],
    *,
    test: str,
    epsilon: float,
    delta: float,
    at: str = "",
) -> Attempt:
    """Write an attempt down, before anything is looked at.

    Args:
        path: the ledger; made where there is none.
        ids: requests whose labels will be looked at.
        test: fingerprint of all that decides the outcome.
        epsilon: margin.
        delta: error allowed over all attempts.
        at: time for the record.

    Returns:
        The attempt with its number and error; an earlier one where the same test was made before.

    Raises:
        RecordingError: the ledger cannot be read or written, or was changed.
    """
    members = _hashed(ids)
    split = fingerprint(sorted(members))
    with _locked(Path(path), "a+b") as file:
        kept = _read(file, path)
        for line in kept.attempts:
            if (line["test"], line["split"]) == (test, split):
                return _attempt(line)
        shared = {name for name, requests in kept.parts.items() if requests & members}
        number = 1 + sum(line["split"] in shared for line in kept.attempts)
        made = Attempt(number, epsilon, delta, attempt_delta(delta, number), split, test, at)
        new: list[dict[str, Any]] = [{"kind": "attempt", **asdict(made)}]
        if split not in kept.parts:
            new.insert(0, {"kind": "split", "split": split, "requests": sorted(members)})
        file.truncate(kept.size)  # a torn last line: killed while it wrote, with nothing looked at
        _append(file, new, kept.last)
    return made


def read_attempts(path: str | os.PathLike[str]) -> tuple[Attempt, ...]:
    """The attempts of a ledger, in order; none where there is no file.

    Raises:
        RecordingError: it cannot be read, or was changed.
    """
    if not Path(path).exists():
        return ()
    with _locked(Path(path), "rb") as file:
        return tuple(_attempt(line) for line in _read(file, path).attempts)


@dataclass(slots=True)
class _Kept:
    """What a ledger holds: its attempts, the requests of each split, and where it ends."""

    attempts: list[dict[str, Any]] = field(default_factory=list)
    parts: dict[str, set[str]] = field(default_factory=dict)
    last: str = START
    size: int = 0


def _hashed(ids: Iterable[str]) -> set[str]:
    return {
        hashlib.sha256(str(one).encode("utf-8", "surrogatepass")).hexdigest()[:SHORT] for one in ids
    }


def _attempt(line: dict[str, Any]) -> Attempt:
    return Attempt(**{name: line[name] for name in Attempt.__dataclass_fields__})


@contextmanager
def _locked(path: Path, mode: Literal["rb", "a+b"]) -> Iterator[BinaryIO]:
    """The ledger, opened; nobody writes to it meanwhile."""
    try:
        file = path.open(mode)
    except OSError as error:
        raise RecordingError(f"ledger {str(path)!r}: {error.strerror}") from error
    with file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_SH if mode == "rb" else fcntl.LOCK_EX)
        yield file


def _read(file: BinaryIO, path: object) -> _Kept:
    """Take in the whole lines, each checked against the one before."""
    kept = _Kept()
    file.seek(0)
    for number, text in enumerate(file, 1):
        if not text.endswith(b"\n"):
            break
        where = f"ledger {str(path)!r}, line {number}"
        try:
            line = json.loads(text)
            follows = line["previous"] == kept.last
            if line["kind"] == "split":
                kept.parts[line["split"]] = set(line["requests"])
            else:
                _attempt(line)
                kept.attempts.append(line)
        except (ValueError, KeyError, TypeError) as error:
            raise RecordingError(f"{where} is no line of a ledger: {error!r}") from error
        if not follows:
            raise RecordingError(
                f"{where} does not follow from the line before: the ledger was changed; certify "
                "on requests that nobody has looked at, with a new ledger"
            )
        kept.last, kept.size = _hash(text), kept.size + len(text)
    return kept


def _append(file: BinaryIO, new: list[dict[str, Any]], last: str) -> None:
    for line in new:
        text = json.dumps({"previous": last, **line}, sort_keys=True).encode() + b"\n"
        file.write(text)
        last = _hash(text)
    file.flush()
    os.fsync(file.fileno())


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:16]
