"""One function per driver: it carries a scenario out and gives what a caller would see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace

from scenarios import LATENCY_S, Scenario

from cascade import AsyncCascade, Cascade, Completion, RunError, Trace
from cascade.testing import ManualClock, ScriptedModels


@dataclass
class Outcome:
    """What a driver made of a scenario."""

    trace: Trace
    text: str | None
    error: str | None
    streamed: str | None = None
    observed: int = 0


def settings_of(scenario: Scenario) -> dict:
    """The cascade's settings with a fresh script and clock."""
    clock = ManualClock()
    models = ScriptedModels(
        scenario.script(), scorers=scenario.scorers(), clock=clock, latency_s=LATENCY_S
    )
    made = {key: value() if callable(value) else value for key, value in scenario.settings.items()}
    return {"models": models, "clock": clock, **made}


@contextmanager
def watched(kind, scenario: Scenario):
    """A cascade of the scenario and the traces its observer has seen."""
    seen: list[Trace] = []
    yield kind(scenario.tiers(), observers=[seen.append], **settings_of(scenario)), seen
    assert len(seen) == 1


def _outcome(result: Completion | RunError, **more) -> Outcome:
    if isinstance(result, RunError):
        return Outcome(result.trace, None, type(result).__name__, **more)
    return Outcome(result.trace, result.text, None, **more)


def run_sync(scenario: Scenario) -> Outcome:
    """`Cascade.complete`."""
    with watched(Cascade, scenario) as (llm, _):
        try:
            return _outcome(llm.complete("hello"))
        except RunError as error:
            return _outcome(error)


def run_async(scenario: Scenario) -> Outcome:
    """`AsyncCascade.complete`."""

    async def main() -> Outcome:
        with watched(AsyncCascade, scenario) as (llm, _):
            try:
                return _outcome(await llm.complete("hello"))
            except RunError as error:
                return _outcome(error)

    return asyncio.run(main())


def run_stream(scenario: Scenario) -> Outcome:
    """`Cascade.stream`, read to its end."""
    with watched(Cascade, scenario) as (llm, _):
        shown = []
        try:
            stream = llm.stream("hello")
            shown += [chunk.text for chunk in stream]
        except RunError as error:
            return _outcome(error, streamed="".join(shown))
        return _outcome(stream.completion, streamed="".join(shown))


def run_async_stream(scenario: Scenario) -> Outcome:
    """`AsyncCascade.stream`, read to its end."""

    async def main() -> Outcome:
        with watched(AsyncCascade, scenario) as (llm, _):
            shown = []
            try:
                stream = llm.stream("hello")
                shown += [chunk.text async for chunk in stream]
            except RunError as error:
                return _outcome(error, streamed="".join(shown))
            return _outcome(stream.completion, streamed="".join(shown))

    return asyncio.run(main())


def run_rounds(scenario: Scenario) -> Outcome:
    """`Cascade.complete_rounds` with one request."""
    with watched(Cascade, scenario) as (llm, _):
        return _outcome(llm.complete_rounds(["hello"])[0])


def run_async_rounds(scenario: Scenario) -> Outcome:
    """`AsyncCascade.complete_rounds` with one request."""

    async def main() -> Outcome:
        with watched(AsyncCascade, scenario) as (llm, _):
            return _outcome((await llm.complete_rounds(["hello"]))[0])

    return asyncio.run(main())


DRIVERS: dict[str, Callable[[Scenario], Outcome]] = {
    "sync": run_sync,
    "async": run_async,
    "stream": run_stream,
    "async stream": run_async_stream,
    "rounds": run_rounds,
    "async rounds": run_async_rounds,
}

ASYNC_DRIVERS = tuple(name for name in DRIVERS if name.startswith("async"))


def comparable(trace: Trace) -> Trace:
    """A trace without what differs between two runs: its id and the time of day."""
    return replace(trace, id="", started_at="")
