"""The ledger of attempts: who tries often enough on the same labels is lucky, unless it counts.

Attempt i may err with 6 delta / (pi^2 i^2), which adds up to delta over all there will ever be. The
ledger is a file of JSON lines. Each holds a hash of the line before, and the first says how many
there are and the hash of the last, so that a line that was changed or taken out is noticed wherever
it stood; that the whole file was is not, and so a certificate names the line of its attempt. An
attempt is written down before its labels are looked at. It counts against every later attempt that
shares a request with it, so that a few more labels make no fresh start. The very same test again is
the same attempt: it can say nothing new.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, BinaryIO

from cascade.calibration.fingerprint import fingerprint
from cascade.errors import RecordingError

try:
    import fcntl
except ImportError:  # Windows: two processes at once are not kept apart
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "Attempt",
    "attempt_delta",
    "attempts_on",
    "read_attempts",
    "spend_attempt",
    "split_fingerprint",
]

START = "start"
CHANGED = "the ledger was changed; certify on requests that nobody has looked at, with a new ledger"
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
        line: hash of its line in the ledger, for whoever compares the two.
    """

    number: int
    epsilon: float
    delta: float
    spent: float
    split: str
    test: str
    at: str = ""
    line: str = ""


WRITTEN = tuple(spec.name for spec in fields(Attempt) if spec.name != "line")


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
    with _locked(Path(path), write=True) as file:
        kept = _read(file, path)
        for attempt in kept.attempts:
            if (attempt.test, attempt.split) == (test, split):
                return attempt
        number = 1 + len(kept.sharing(members))
        made = Attempt(number, epsilon, delta, attempt_delta(delta, number), split, test, at)
        new: list[dict[str, Any]] = [{"kind": "attempt", **_written(made)}]
        if split not in kept.parts:
            new.insert(0, {"kind": "split", "split": split, "requests": sorted(members)})
        file.truncate(kept.size)  # what was written and not counted: killed before it looked
        _append(file, new, kept)
    return replace(made, line=kept.last)


def attempts_on(path: str | os.PathLike[str], ids: Sequence[str]) -> tuple[Attempt, ...]:
    """The attempts that share a request with these, in order; none where there is no ledger.

    Raises:
        RecordingError: it cannot be read, or was changed.
    """
    if not Path(path).exists():
        return ()
    with _locked(Path(path)) as file:
        return tuple(_read(file, path).sharing(_hashed(ids)))


def read_attempts(path: str | os.PathLike[str]) -> tuple[Attempt, ...]:
    """The attempts of a ledger, in order; none where there is no file.

    Raises:
        RecordingError: it cannot be read, or was changed.
    """
    if not Path(path).exists():
        return ()
    with _locked(Path(path)) as file:
        return tuple(_read(file, path).attempts)


def _first(lines: int, last: str) -> bytes:
    """The first line, of a length that does not change."""
    line = {"kind": "ledger", "last": f"{last:<16}", "lines": f"{lines:>12}"}
    return json.dumps(line, sort_keys=True).encode() + b"\n"


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:16]


@dataclass(slots=True)
class _Kept:
    """What a ledger holds: its attempts, the requests of each split, and where it ends."""

    attempts: list[Attempt] = field(default_factory=list)
    parts: dict[str, set[str]] = field(default_factory=dict)
    lines: int = 0
    last: str = START
    size: int = len(_first(0, START))

    def sharing(self, members: set[str]) -> list[Attempt]:
        """Attempts that share a request with these."""
        shared = {name for name, requests in self.parts.items() if requests & members}
        return [attempt for attempt in self.attempts if attempt.split in shared]

    def take(self, text: bytes) -> bool:
        """Take a line in, and say whether it follows from the one before."""
        line = json.loads(text)
        follows = bool(line["previous"] == self.last)
        self.last, self.size, self.lines = _hash(text), self.size + len(text), self.lines + 1
        if line["kind"] == "split":
            self.parts[line["split"]] = set(line["requests"])
        else:
            self.attempts.append(Attempt(**{n: line[n] for n in WRITTEN}, line=self.last))
        return follows


def _hashed(ids: Iterable[str]) -> set[str]:
    return {
        hashlib.sha256(str(one).encode("utf-8", "surrogatepass")).hexdigest()[:SHORT] for one in ids
    }


def _written(attempt: Attempt) -> dict[str, Any]:
    return {name: getattr(attempt, name) for name in WRITTEN}


@contextmanager
def _locked(path: Path, *, write: bool = False) -> Iterator[BinaryIO]:
    """The ledger, opened; nobody writes to it meanwhile."""
    try:
        if write:
            path.open("ab").close()  # made where there is none
        file = path.open("r+b" if write else "rb")
    except OSError as error:
        raise RecordingError(f"ledger {str(path)!r}: {error.strerror}") from error
    with file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX if write else fcntl.LOCK_SH)
        yield file


def _read(file: BinaryIO, path: object) -> _Kept:
    """Take in the lines that were counted, each checked against the one before."""
    kept, name = _Kept(), f"ledger {str(path)!r}"
    first = file.readline()
    if len(first) < kept.size and _first(0, START).startswith(first):
        return kept  # new, or killed while it was made
    lines, head = _counted(first, name)
    for number in range(2, 2 + lines):
        text = file.readline()
        if not text.endswith(b"\n"):
            raise RecordingError(
                f"{name} has lost its end, after line {number - 1} of {lines + 1}: {CHANGED}"
            )
        where = f"{name}, line {number}"
        try:
            follows = kept.take(text)
        except (ValueError, KeyError, TypeError) as error:
            raise RecordingError(f"{where} is no line of a ledger: {CHANGED}") from error
        if not follows:
            raise RecordingError(f"{where} does not follow from the line before: {CHANGED}")
    if kept.last != head:
        raise RecordingError(
            f"{name}, line {lines + 1} is not the last that was written: {CHANGED}"
        )
    return kept


def _counted(first: bytes, name: str) -> tuple[int, str]:
    """How many lines follow the first one, and the hash of the last."""
    try:
        line = json.loads(first)
        kind, lines, last = line["kind"], int(line["lines"]), str(line["last"]).strip()
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingError(
            f"{name}, line 1 is not how a ledger begins: it is another file, or was changed; name "
            "the ledger that `cascade certify` wrote, or a file that is not there yet"
        ) from error
    if kind != "ledger":
        raise RecordingError(f"{name}, line 1 is of kind {kind!r}: expected 'ledger'")
    return lines, last


def _append(file: BinaryIO, new: list[dict[str, Any]], kept: _Kept) -> None:
    """Write lines, and only then count them."""
    file.seek(kept.size)
    for line in new:
        text = json.dumps({"previous": kept.last, **line}, sort_keys=True).encode() + b"\n"
        file.write(text)
        kept.take(text)
    _to_disk(file)
    file.seek(0)
    file.write(_first(kept.lines, kept.last))
    _to_disk(file)


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
