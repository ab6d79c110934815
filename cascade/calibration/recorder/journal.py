"""What a recording has paid for so far, line by line beside its output: nothing is paid twice.

A line is written and synced as soon as a request has ended, so that a crash costs no more than
what was under way. Lines are JSON: first a heading that says which chain is recorded, then one per
request as asked, and one per request as graded. The last line counts where an example has several.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Self

from cascade.core.price import EXACT
from cascade.core.trace import Trace
from cascade.errors import RecordingError, TraceError

try:
    import fcntl
except ImportError:  # Windows: nobody is kept from recording twice at once
    fcntl = None  # type: ignore[assignment]

__all__ = ["Entry", "Heading", "Journal"]

VERSION = 1


@dataclass(frozen=True, slots=True)
class Heading:
    """What all lines of a journal belong to.

    Attributes:
        chain: its name.
        tiers: hashes of what decides answers and scores, by tier or witness, in order.
        policy: hash of the policy.
        content: what is kept of texts.
    """

    chain: str
    tiers: Mapping[str, str]
    policy: str
    content: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "journal": VERSION,
            "chain": self.chain,
            "tiers": dict(self.tiers),
            "policy": self.policy,
            "content": self.content,
        }

    def differs_from(self, data: Mapping[str, Any]) -> str | None:
        """How the heading of a file differs from this one, in words; `None` where it does not."""
        if data.get("journal") != VERSION:
            return f"is of version {data.get('journal')!r}, and this is version {VERSION}"
        given = data.get("tiers")
        known: dict[str, Any] = given if isinstance(given, dict) else {}
        if list(known) != list(self.tiers):
            return f"records the tiers {', '.join(known)}, not {', '.join(self.tiers)}"
        changed = [name for name, settings in self.tiers.items() if known[name] != settings]
        if changed:
            names = ", ".join(map(repr, changed))
            return f"records tier {names} with another model, other settings or another scorer"
        if data.get("policy") != self.policy:
            return "records the chain under another policy"
        if data.get("content") != self.content:
            return f"keeps content {data.get('content')!r}, not {self.content!r}"
        return None


@dataclass(slots=True)
class Entry:
    """One example in the journal.

    Attributes:
        asked: digest of what was asked.
        trace: what the tiers said and cost; of a continued request, all that was ever paid for it.
        held_back: whether a question of a scorer's did not fit under the cap.
        graded: what grading it cost, its scores being the grades; `None` where it was not graded.
        graded_by: hash of the metric and the reference; "" where the grades do not hold any more.
    """

    asked: str
    trace: Trace
    held_back: bool = False
    graded: Trace | None = None
    graded_by: str = ""


@dataclass(slots=True)
class Journal:
    """Entries by example, in memory and in a file.

    Attributes:
        entries: by the example's id.
        readers: tiers whose scorers have looked at earlier answers.
        spent_usd: everything in it whose cost is known.
        unknown_costs: exchanges in it whose cost nobody knows.
    """

    heading: Heading
    path: Path | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    readers: set[str] = field(default_factory=set)
    spent_usd: Decimal = Decimal(0)
    unknown_costs: int = 0
    _file: BinaryIO | None = None
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def open(cls, path: str | Path | None, heading: Heading) -> Self:
        """Open a journal, new or with what it holds; without a path it is kept in memory alone.

        Raises:
            RecordingError: it belongs to another chain, another process records into it, or it
                cannot be read or written.
        """
        if path is None:
            return cls(heading)
        made = cls(heading, Path(path))
        try:
            made._begin()
        except OSError as error:
            made.close()
            raise RecordingError(
                f"journal {str(path)!r} cannot be written: {error.strerror or error}"
            ) from error
        except BaseException:
            made.close()
            raise
        return made

    def asked(self, example: str, entry: Entry) -> None:
        """Write down what the tiers said to a request.

        Raises:
            RecordingError: it cannot be written, such as on a full disk.
        """
        data = {
            "kind": "asked",
            "id": example,
            "asked": entry.asked,
            "held_back": entry.held_back,
            "reads_earlier": sorted(self.readers),
            "trace": entry.trace.to_dict(),
        }
        self._write(data, lambda: self._take_answers(example, entry))

    def graded(self, example: str, trace: Trace, graded_by: str) -> None:
        """Write down the grades of a request; raises as `asked`."""
        data = {"kind": "graded", "id": example, "by": graded_by, "trace": trace.to_dict()}
        self._write(data, lambda: self._take_grades(example, trace, graded_by))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Close the file and delete it: all it holds is in the recording."""
        self.close()
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink()

    def _take_answers(self, example: str, entry: Entry) -> None:
        before = self.entries.get(example)
        if before is not None:  # what its grades have cost stays paid
            entry.graded = before.graded
        self._count(before.trace if before is not None else None, entry.trace)
        self.entries[example] = entry

    def _take_grades(self, example: str, trace: Trace, graded_by: str) -> None:
        entry = self.entries[example]
        self._count(entry.graded, trace)
        entry.graded, entry.graded_by = trace, graded_by

    def _count(self, before: Trace | None, trace: Trace) -> None:
        if before is not None:
            self.spent_usd = EXACT.subtract(self.spent_usd, before.known_cost_usd)
            self.unknown_costs -= _unknown(before)
        self.spent_usd = EXACT.add(self.spent_usd, trace.known_cost_usd)
        self.unknown_costs += _unknown(trace)

    # The file ------------------------------------------------------------------------------------

    def _begin(self) -> None:
        path = self.path
        assert path is not None  # noqa: S101  `open` made it with one
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # it may hold what people wrote
        self._file = os.fdopen(descriptor, "r+b")
        self._keep_others_out()
        kept = self._read()
        self._file.seek(kept)
        self._file.truncate()  # a torn last line: the program was killed while it wrote
        if not kept:
            self._write(self.heading.to_dict(), lambda: None)

    def _keep_others_out(self) -> None:
        if fcntl is None or self._file is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecordingError(
                f"journal {str(self.path)!r} is in use: another process is recording into it"
            ) from None

    def _read(self) -> int:
        """Take in the lines of the file; how many bytes of it are whole lines."""
        assert self._file is not None  # noqa: S101  it was just opened
        kept = 0
        for number, line in enumerate(self._file, 1):
            if not line.endswith(b"\n"):
                break
            self._take(number, line)
            kept += len(line)
        return kept

    def _take(self, number: int, line: bytes) -> None:
        where = f"journal {str(self.path)!r}, line {number}"
        try:
            data = json.loads(line)
            if number > 1:
                self._take_entry(data)
        except (ValueError, KeyError, TypeError, TraceError) as error:
            raise RecordingError(
                f"{where} cannot be read ({error}); it is damaged, or no journal: move it away to "
                "record anew, which pays again"
            ) from error
        if number > 1:
            return
        problem = self.heading.differs_from(data if isinstance(data, dict) else {})
        if problem is not None:
            raise RecordingError(
                f"journal {str(self.path)!r} {problem}: record with the chain that it was begun "
                "with, choose another output, or delete it, which pays again"
            )

    def _take_entry(self, data: Mapping[str, Any]) -> None:
        example, trace = data["id"], Trace.from_dict(data["trace"])
        if data["kind"] == "graded":
            self._take_grades(example, trace, data["by"])
            return
        self.readers.update(data["reads_earlier"])
        self._take_answers(example, Entry(data["asked"], trace, data["held_back"]))

    def _write(self, data: Mapping[str, Any], then: Any) -> None:
        line = json.dumps(data, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            if self._file is not None:
                try:
                    self._file.write(line)
                    self._file.flush()
                    os.fsync(self._file.fileno())
                except OSError as error:
                    raise RecordingError(
                        f"journal {str(self.path)!r} cannot be written: {error.strerror}"
                    ) from error
            then()


def _unknown(trace: Trace) -> int:
    return sum(charge.cost_usd is None for charge in trace.charges)
