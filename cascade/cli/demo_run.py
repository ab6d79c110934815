"""The demo from its first question to its report; every step is one that any job takes."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from cascade.calibration import (
    Calibration,
    Certificate,
    Recorder,
    Recording,
    WhatIf,
    prepare,
    read_recording,
    report,
    what_if,
)
from cascade.cli.demo_words import bill, introduction, promise
from cascade.cli.output import INTERRUPTED, OutputError, UsageError, print_json, say
from cascade.cli.recording_bar import recording_bar
from cascade.cli.stopping import Stop, stop_on_interrupt
from cascade.core.chain import Chain
from cascade.core.dollars import dollars
from cascade.demo.job import chain_text, local_chain, openai_chain, tickets
from cascade.demo.servers import local_models
from cascade.engine import Cascade
from cascade.errors import CascadeError, NotCertifiable
from cascade.traces.terminal import trace_panel

__all__ = ["EPSILON", "DemoRun"]

EPSILON = 0.05
"""The loss that a promise is sought for. Fixed before anything is recorded: a margin read off the
labels would promise nothing."""

CONCURRENCY = 8
LOCAL_CONCURRENCY = 2
"""One request for each of the models, which share the processor's cores."""

RECORDING, CHAIN = "tickets.parquet", "tickets.toml"
CERTIFICATE, PAGE = "certificate.json", "report.html"


class DemoRun:
    """One demo.

    Args:
        folder: for all that it makes.
        limit: tickets to record.
        openai: whether OpenAI's models are asked.
        as_json: whether standard output is for a program.
    """

    def __init__(self, folder: Path, limit: int, *, openai: bool, as_json: bool) -> None:
        self._folder = folder
        self._examples = tickets(limit)
        self._openai = openai
        self._as_json = as_json
        self._console = Console(stderr=as_json)

    def run(self) -> int:
        """Record, price, certify, report; the exit code."""
        console = self._console
        with ExitStack() as stack:
            chain = self._started(stack)
            console.print(introduction(chain, len(self._examples)))
            recording = self._recorded(chain)
            if recording is None:
                return INTERRUPTED
            found = what_if(chain, recording)
            console.print(
                Text("One request, from its trace:"), self._trace(chain, recording, found)
            )
        console.print(bill(found, recording))
        with console.status("Learning, searching plans, testing ..."):
            plans = prepare(chain, recording)
            certificate, refusal = self._certified(chain, plans)
        console.print(promise(certificate, refusal))
        page = self._reported(plans, certificate, refusal)
        if self._as_json:
            print_json(_summary(found, certificate, refusal, page))
        console.print(Text(f"\nThe report: {page}"), soft_wrap=True)
        return 0

    def _started(self, stack: ExitStack) -> Chain:
        """The chain, and the models behind it for as long as they are asked."""
        if self._openai:
            return openai_chain()
        with self._console.status("Starting two local language models ..."):
            return local_chain(stack.enter_context(local_models()))

    # Asking ----------------------------------------------------------------------------------

    def _recorded(self, chain: Chain) -> Recording | None:
        """What every tier answers to every ticket; `None` after Ctrl-C."""
        self._write(CHAIN, chain_text(openai=self._openai))
        file = self._folder / RECORDING
        if file.exists():
            return self._read(file)
        recorder = Recorder(chain, self._examples, output=file)
        stop = Stop(lambda: say("finishing what is under way; Ctrl-C again leaves it", style="dim"))
        stop.many = recorder
        try:
            with stop_on_interrupt(stop), recording_bar(recorder.standing) as tell:
                concurrency = CONCURRENCY if self._openai else LOCAL_CONCURRENCY
                recorder.run(concurrency=concurrency, progress=tell)
            if recorder.remaining:
                self._cut_short(recorder, interrupted=stop.interrupted)
                return None
            return recorder.finish()
        finally:
            recorder.close()

    def _read(self, file: Path) -> Recording:
        """A recording that an earlier demo made: nothing is paid twice."""
        recording = read_recording(file)
        if list(recording.ids) != [example.id for example in self._examples]:
            raise UsageError(
                f"{str(file)!r} holds {len(recording)} tickets, not {len(self._examples)}: give "
                f"--limit {len(recording)} to use it, another folder with --output, or delete it"
            )
        say(f"recorded before: {file}; delete it to record again")
        return recording

    def _cut_short(self, recorder: Recorder, *, interrupted: bool) -> None:
        """Say how far it came; raises where it was not Ctrl-C that ended it."""
        now = recorder.standing
        words = f"{now.done} of {now.total} tickets are recorded, cost {dollars(now.spent_usd)}"
        if not interrupted:
            raise CascadeError(f"{recorder.why_stopped or 'models failed'}; {words}")
        say(f"interrupted: {words}; the same command goes on with them", style="yellow")

    def _trace(self, chain: Chain, recording: Recording, found: WhatIf) -> Any:
        """A ticket that climbs furthest and is answered rightly, asked for everyone to see.

        The models' probabilities differ a little from one time to another, so one is taken whose
        first answers were the least sure.
        """
        outcomes, sure = found.outcomes, np.nansum(recording.score, axis=1)
        telling = max(
            range(found.n),
            key=lambda row: (outcomes.calls[row], outcomes.quality[row], -sure[row]),
        )
        return trace_panel(Cascade(chain).complete(self._examples[telling].request).trace)

    # Proving ---------------------------------------------------------------------------------

    def _certified(
        self, chain: Chain, plans: Calibration
    ) -> tuple[Certificate | None, NotCertifiable | None]:
        """A certificate, or why there is none."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        file = self._folder / CERTIFICATE
        try:
            made = plans.certificate(chain, epsilon=EPSILON, created_at=at)
        except NotCertifiable as refusal:
            file.unlink(missing_ok=True)
            return None, refusal
        made.save(file)
        return made, None

    def _reported(
        self, plans: Calibration, certificate: Certificate | None, refusal: NotCertifiable | None
    ) -> Path:
        """The page, about the requests that nothing was chosen on."""
        made = report(
            plans.certify_part,
            certificate=certificate,
            source=plans.source,
            path=plans.path,
            chosen=None if certificate is None else certificate.plan,
            missing="" if refusal is None else str(refusal),
            title="Support tickets",
        )
        return self._write(PAGE, made.to_html())

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{str(path)!r} cannot be written: {error.strerror}") from error
        return path


def _summary(
    found: WhatIf,
    certificate: Certificate | None,
    refusal: NotCertifiable | None,
    page: Path,
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "requests": found.n,
        "what_if": found.to_dict(),
        "certificate": None if certificate is None else certificate.to_dict(),
        "refusal": None,
        "report": str(page),
    }
    if refusal is not None:
        data["refusal"] = {
            "words": str(refusal),
            "certifiable": refusal.certifiable,
            "labels_needed": refusal.labels_needed,
        }
    return data
