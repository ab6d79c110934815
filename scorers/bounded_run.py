"""Running a command with an end: no shell, a time limit, bounded output, its whole group stopped.

Knows no drafts. Works where processes have groups (Linux, macOS). It is no sandbox: the command has
the rights of its caller, and one that starts a session of its own outlives its group.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Literal

__all__ = ["Ended", "run_bounded"]

CHUNK = 65_536
GLANCE_S = 0.05
"""How often the end of the command is looked for while something it started holds its output."""

PATIENCE_S = 5.0
"""How long a killed command is waited for; one that runs as another user cannot be killed."""

TAIL = 2_000
"""Bytes of output kept: the end, where test runners say what failed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Attributes:
        how: "exited", or what stopped it: its "timeout", or a "flood" of output.
        code: exit code; negative for the signal that killed it.
        tail: the end of what it wrote, standard output and error together.
    """

    how: Literal["exited", "timeout", "flood"]
    code: int
    tail: str


def run_bounded(
    argv: Sequence[str],
    *,
    stdin: bytes,
    cwd: str,
    env: Mapping[str, str],
    timeout_s: float,
    max_output_bytes: int,
) -> Ended:
    """Run a command to its end, or stop it.

    Raises:
        OSError: it cannot be started.
    """
    deadline = time.monotonic() + timeout_s
    process = subprocess.Popen(  # noqa: S603  the user's own command, never through a shell
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=env,
        start_new_session=True,  # a group of its own, and no terminal to read from
    )
    try:
        how, written = _talk(process, stdin, deadline, max_output_bytes)
        while how == "exited" and not _has_ended(process):
            if time.monotonic() >= deadline:
                how = "timeout"  # it closed its output and works on
            time.sleep(GLANCE_S / 5)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started in the background ends too
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
    code = process.returncode if process.returncode is not None else -signal.SIGKILL
    return Ended(how, code, written.decode("utf-8", "replace"))


def _talk(
    process: subprocess.Popen[bytes], stdin: bytes, deadline: float, most: int
) -> tuple[Literal["exited", "timeout", "flood"], bytes]:
    """Feed the command and read what it writes, until it ends or has to be stopped."""
    assert process.stdin is not None  # noqa: S101  PIPE was asked for
    assert process.stdout is not None  # noqa: S101
    tail, total = b"", 0
    with selectors.DefaultSelector() as ready:
        os.set_blocking(process.stdin.fileno(), False)
        ready.register(process.stdin, selectors.EVENT_WRITE)
        ready.register(process.stdout, selectors.EVENT_READ)
        while process.stdout in {key.fileobj for key in ready.get_map().values()}:
            left = deadline - time.monotonic()
            if left <= 0:
                return "timeout", tail
            events = ready.select(min(left, GLANCE_S))
            if not events and _has_ended(process):
                break  # it ended; something it started still holds its output
            for key, _ in events:
                if key.fileobj is process.stdin:
                    stdin = _feed(process.stdin, stdin, ready)
                    continue
                data = os.read(process.stdout.fileno(), CHUNK)
                if not data:
                    ready.unregister(process.stdout)
                total += len(data)
                tail = (tail + data)[-TAIL:]
                if total > most:
                    return "flood", tail
    return "exited", tail


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the command has ended.

    It stays a zombie where that can be: while its number is taken, killing its group hits nobody
    else.
    """
    if hasattr(os, "waitid"):
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, process.pid, flags) is not None
    return process.poll() is not None


def _feed(pipe: IO[bytes], data: bytes, ready: selectors.BaseSelector) -> bytes:
    """Write what the pipe takes, and close it behind the last byte."""
    try:
        written = os.write(pipe.fileno(), data[:CHUNK]) if data else 0
    except BlockingIOError:
        return data
    except OSError:  # the command does not read, or has ended: its exit code will tell
        written = len(data)
    rest = data[written:]
    if not rest:
        ready.unregister(pipe)
        pipe.close()
    return rest
