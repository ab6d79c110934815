"""Letting a program of the user's judge an answer: a test run, a linter, a compiler."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cascade import Abstained, ConfigError, Draft, Score
from scorers.bounded_run import Ended, run_bounded
from scorers.canonical import fenced_code

__all__ = ["Command"]

ANSWER, REQUEST, REFERENCE = "{answer}", "{request}", "{reference}"

MAX_TIMEOUT_S = 3_600.0
BROKEN_CODES = (126, 127)
"""What a launcher (`env`, `timeout`, `xargs`) says when it found nothing to run."""


@dataclass(frozen=True, slots=True)
class Command:
    """Whether a command accepts the answer: 1 when it ends with exit code 0, else 0.

    The answer comes on standard input, or in a file where an argument holds `{answer}`; `{request}`
    stands for a file with the request as JSON, `{reference}` for one with the label `reference` of
    its metadata, such as the tests of this one request; it abstains where there is no such label.
    Without a shell: arguments are passed as they are, and nothing in an answer is ever part of a
    command line. The reason ends with the last line the command wrote.

    An answer whose test does not end within `timeout_s`, or floods its output, has not passed it
    and scores 0; the command and all it started are killed. A command that cannot be started fails,
    and so does one whose launcher finds nothing to run (exit codes 126 and 127).

    The environment holds `PATH`, a temporary `HOME` and `TMPDIR`, and what you name: keys such as
    `OPENAI_API_KEY` are not passed unless asked for.

    Costs no money; the time of the command. Runs on a thread of its own; `timeout_s` should be
    below the tier's `scorer_timeout_s`.

    Pitfalls: no sandbox. Code that a model wrote runs with your rights: run it in a container
    (`["docker", "run", "--network=none", ...]`) or under a user without any. Not on Windows. A
    replay runs it again.

    Args:
        argv: program and arguments, `["python", "-I", "{answer}"]`.
        timeout_s: longest run in seconds.
        max_output_bytes: most output, standard output and error together.
        answer: "text" passes the answer, "code" what stands in its Markdown code blocks (the answer
            itself where it has none).
        suffix: ending of the answer's file, ".py".
        cwd: where it runs; an empty temporary folder unless given.
        env: further environment variables.
        pass_env: names of variables to pass on from this process, where they are set.
        abstain_codes: exit codes that mean "cannot tell", 5 of pytest for example.

    Raises:
        ConfigError: no argument list, a program that is not found, or a limit outside its range.
    """

    argv: Sequence[str]
    timeout_s: float = 10.0
    max_output_bytes: int = 1_000_000
    answer: Literal["text", "code"] = "text"
    suffix: str = ".txt"
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    pass_env: Sequence[str] = ()
    abstain_codes: Sequence[int] = ()

    def __post_init__(self) -> None:
        if os.name != "posix":
            raise ConfigError("Command: stopping a command needs process groups: Linux or macOS")
        if isinstance(self.argv, str):
            raise ConfigError(
                f"Command: argv is the text {self.argv!r}; no shell reads it: pass a list, "
                "['pytest', '-q', '{answer}']"
            )
        object.__setattr__(self, "argv", _texts("argv", self.argv))
        object.__setattr__(self, "pass_env", _texts("pass_env", self.pass_env))
        if not self.argv:
            raise ConfigError("Command: argv is empty; pass a program and its arguments")
        object.__setattr__(self, "env", _variables(self.env))
        self._check_limits()
        self._check_place()

    def _check_limits(self) -> None:
        number = isinstance(self.timeout_s, int | float) and not isinstance(self.timeout_s, bool)
        if not number or not 0 < self.timeout_s <= MAX_TIMEOUT_S:
            raise ConfigError(
                f"Command: timeout_s {self.timeout_s!r} is no number of seconds above 0, "
                f"at most {MAX_TIMEOUT_S:g}"
            )
        if type(self.max_output_bytes) is not int or self.max_output_bytes < 1:
            raise ConfigError(
                f"Command: max_output_bytes {self.max_output_bytes!r} is no whole number from 1"
            )
        codes = self.abstain_codes
        listed = isinstance(codes, Sequence) and not isinstance(codes, str)
        if not listed or not all(type(code) is int and 0 < code < 256 for code in codes):  # noqa: PLR2004
            raise ConfigError(f"Command: abstain_codes {codes!r} are no exit codes from 1 to 255")
        object.__setattr__(self, "abstain_codes", tuple(codes))

    def _check_place(self) -> None:
        if self.answer not in ("text", "code"):
            raise ConfigError(f"Command: answer {self.answer!r} is unknown; use 'text' or 'code'")
        if not isinstance(self.suffix, str) or "/" in self.suffix or "\0" in self.suffix:
            raise ConfigError(f"Command: suffix {self.suffix!r} is no ending of a file, like '.py'")
        if self.cwd is not None and not Path(self.cwd).is_dir():
            raise ConfigError(f"Command: cwd {str(self.cwd)!r} is no folder")
        program = self.argv[0]
        if "/" in program and not program.startswith("/"):
            if self.cwd is None:
                raise ConfigError(
                    f"Command: {program!r} is relative, and the command runs in an empty folder; "
                    "give its full path, or cwd="
                )
            program = str(Path(self.cwd, program))
        path = {**os.environ, **self.env}.get("PATH", os.defpath)
        if shutil.which(program, path=path) is None:
            raise ConfigError(f"Command: the program {self.argv[0]!r} is not found or not allowed")

    def __call__(self, draft: Draft) -> Score | Abstained:
        """Run the command on the answer."""
        if self._needs_reference and draft.request.metadata.get("reference") is None:
            return Abstained("the request's metadata holds no reference to judge by")
        text = fenced_code(draft.text) if self.answer == "code" else draft.text
        # What a left-over process still writes there must not cost the verdict.
        with tempfile.TemporaryDirectory(prefix="cascade-", ignore_cleanup_errors=True) as folder:
            ended = self._run(text.encode("utf-8", "replace"), draft, Path(folder))
        if ended.how == "timeout":
            return Score(0.0, f"it did not end within {self.timeout_s:g} s{_said(ended)}")
        if ended.how == "flood":
            return Score(0.0, f"it wrote more than {self.max_output_bytes:,} bytes")
        if ended.code == 0:
            return Score(1.0, f"exit code 0{_said(ended)}")
        if ended.code in self.abstain_codes:
            return Abstained(f"exit code {ended.code}{_said(ended)}")
        if ended.code in BROKEN_CODES:
            raise RuntimeError(f"exit code {ended.code}: nothing was run{_said(ended)}")
        how = f"exit code {ended.code}" if ended.code > 0 else f"killed by signal {-ended.code}"
        return Score(0.0, f"{how}{_said(ended)}")

    @property
    def _needs_reference(self) -> bool:
        return any(REFERENCE in argument for argument in self.argv)

    def _run(self, answer: bytes, draft: Draft, folder: Path) -> Ended:
        place = {
            ANSWER: folder / f"answer{self.suffix}",
            REQUEST: folder / "request.json",
            REFERENCE: folder / f"reference{self.suffix}",
        }
        work = folder / "work"
        work.mkdir()
        joined = "\0".join(self.argv)
        if ANSWER in joined:
            place[ANSWER].write_bytes(answer)
            answer = b""
        if REQUEST in joined:
            place[REQUEST].write_text(json.dumps(draft.request.payload), encoding="utf-8")
        if self._needs_reference:
            known = str(draft.request.metadata["reference"])
            place[REFERENCE].write_text(known, encoding="utf-8", errors="replace")
        argv = [_filled(argument, place) for argument in self.argv]
        passed = {name: os.environ[name] for name in self.pass_env if name in os.environ}
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(work),
            "TMPDIR": str(work),
            **passed,
            **self.env,
        }
        return run_bounded(
            argv,
            stdin=answer,
            cwd=self.cwd or str(work),
            env=env,
            timeout_s=self.timeout_s,
            max_output_bytes=self.max_output_bytes,
        )


def _filled(argument: str, place: Mapping[str, Path]) -> str:
    """An argument with the paths of files in the places that stand for them."""
    for name, path in place.items():
        argument = argument.replace(name, str(path))
    return argument


def _said(ended: Ended) -> str:
    """The last line with content that the command wrote."""
    lines = [line.strip() for line in ended.tail.splitlines() if line.strip()]
    return f": {lines[-1][:200]}" if lines else ""


def _texts(name: str, given: object) -> tuple[str, ...]:
    listed = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else None
    if listed is None or not all(isinstance(t, str) and t and "\0" not in t for t in listed):
        raise ConfigError(f"Command: {name} {given!r} is no list of texts; write {name}=['...']")
    return listed


def _variables(given: object) -> dict[str, str]:
    good = isinstance(given, Mapping) and all(
        isinstance(name, str) and name and "=" not in name and isinstance(value, str)
        and "\0" not in name + value
        for name, value in given.items()
    )  # fmt: skip
    if not isinstance(given, Mapping) or not good:
        raise ConfigError("Command: env is no mapping of names to texts; write env={'CI': '1'}")
    return dict(given)
