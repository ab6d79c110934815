"""Instructions of a request under valgrind's callgrind, and what a processor's cache does not hold.

The kernel's are left out. Counting is off while a program begins, which would take half a minute.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

__all__ = ["CACHES", "CALLGRIND", "MISSED", "RUN", "count_twice", "counts_in", "per_request"]

CALLGRIND = ("valgrind", "-q", "--tool=callgrind", "--instr-atstart=no")

CACHES = ("--cache-sim=yes", "--I1=32768,8,64", "--D1=32768,8,64", "--LL=1048576,8,64")
"""Those of a core of a server's processor. What its second level of 1 MB does not hold comes from
memory that all cores share."""

RUN, MISSED = ("Ir",), ("ILmr", "DLmr", "DLmw")
"""Callgrind's names: instructions, and what was not found in the second level."""

EVENTS = re.compile(r"^events: (.*)$", re.MULTILINE)
TOTALS = re.compile(r"^totals: (.*)$", re.MULTILINE)


def count_twice(ask: Callable[[int], object], pid: int, count: int) -> None:
    """Count so many requests of a program that has warmed up, and three times as many.

    Args:
        ask: makes so many requests, and returns once all that they cause is done.
        pid: the program's.
        count: how many at first.
    """
    _control("--instr=on", pid)
    for times in (1, 3):
        ask(times * count)
        _control("--dump", pid)


def per_request(out: Path, count: int, names: tuple[str, ...] = RUN) -> float:
    """What one request took, by the difference of the two counts; read once the program has ended.

    Args:
        out: callgrind's own file.
        count: as in `count_twice`.
        names: of the events that are added up.
    """
    few, many = (counts_in(Path(f"{out}.{dump}").read_text()) for dump in (1, 2))
    return sum(many[name] - few[name] for name in names) / (2 * count)


def counts_in(text: str) -> dict[str, int]:
    """What callgrind has counted, by the name of the event."""
    (names,) = EVENTS.findall(text)
    (counts,) = TOTALS.findall(text)
    return dict(zip(names.split(), map(int, counts.split()), strict=False))


def _control(order: str, pid: int) -> None:
    """Tell callgrind something."""
    subprocess.run(["callgrind_control", order, str(pid)], check=True, capture_output=True)  # noqa: S603, S607
