"""How fast a recording answers "what if", and whether it decides exactly as the engine does.

    python -m benchmarks.what_if                       # speed on 1,000,000 requests; 1 minute
    python -m benchmarks.what_if --agree 100000        # every decision and cost; 4 minutes

The first deals out 1,000,000 requests over four tiers with scores and costs, prices 20 chains on
them, and says how many recorded requests are decided and paid for in a second of one core's time;
beside it stands the engine, which decides the same kind of request from its trace.

The second records requests with scripted models (failures, abstentions, refusals, graded scores),
decides each of them twice by the recording and once by the engine under another chain, and counts
decisions and costs that differ. They must be byte-identical: 0.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from time import perf_counter, process_time
from typing import Any

import numpy as np

from cascade import Abstained, Cascade, Chain, Draft, Policy, Price, Retry, RunError, Score, Tier
from cascade import replay as replay_trace
from cascade.calibration import (
    Plan,
    RecordedScores,
    RecordedTier,
    Recording,
    Step,
    import_traces,
    simulate,
    what_if,
)
from cascade.calibration.money import total_of, usd_of
from cascade.testing import ScriptedModels, failure, reply

NAMES = ("nano", "mini", "large", "top")
COSTS_USD = (0.001, 0.004, 0.012, 0.024)
PRICES = {
    "nano": Price.of("0.20", "1.25"),
    "mini": Price.of("0.75", "4.50"),
    "large": Price.of("2.50", "15"),
    "top": Price.of("5", "30"),
}
ONCE = Retry(max_tries=1)
WHOLE = 7
"""Chains that the whole what-if is timed with."""

# Speed -------------------------------------------------------------------------------------------


def synthetic(n: int, seed: int = 0) -> Recording:
    """Requests over four tiers: the dearer, the better; scores know a little."""
    rng = np.random.default_rng(seed)
    ease = rng.random((n, 1))
    quality = (ease + np.array([0.0, 0.2, 0.35, 0.45]) > rng.random((n, 4))).astype(float)
    scores = np.clip(0.6 * quality + 0.4 * rng.random((n, 4)), 0, 1)
    usd = np.array(COSTS_USD) * rng.uniform(0.5, 1.5, (n, 4))
    tiers = [RecordedTier(name, name, scorer="s", scorer_settings="s") for name in NAMES]
    return Recording.build(
        tiers,
        [f"q{row}" for row in range(n)],
        quality=quality,
        cost_pusd=(usd * 10**12).astype(np.int64),
        score=scores,
    )


def speed(n: int, chains: int) -> None:
    """Print recorded requests per second, for decisions and costs and for the whole what-if."""
    recording = synthetic(n)
    source = RecordedScores(recording)
    rng = np.random.default_rng(1)
    plans = [
        Plan((*(Step(name, threshold=t) for name, t in zip(NAMES, cut, strict=False)), Step("top")))
        for cut in rng.random((chains, 3))
    ]
    for plan in plans[:2]:
        simulate(plan, recording, source)
    times = []
    for plan in plans:
        begun = process_time()
        total_of(simulate(plan, recording, source).cost_pusd)
        times.append(process_time() - begun)
    middle, slowest = float(np.median(times)), max(times)
    print(f"decided and paid for: {n / middle:,.0f} requests/s of CPU, median of {chains} chains")
    print(f"  ({n / slowest:,.0f} for the slowest; {n:,} requests, 4 tiers, one core)")
    times = []
    for plan in plans[:WHOLE]:
        begun = process_time()
        what_if(plan, recording, resamples=1000)
        times.append(process_time() - begun)
    middle, slowest = float(np.median(times)), max(times)
    print(
        f"whole what-if with 1,000 resamples: {n / middle:,.0f} requests/s of CPU, median of "
        f"{len(times)} chains ({n / slowest:,.0f} for the slowest)"
    )


def engine_speed(count: int) -> None:
    """Print how fast the engine decides the same from traces."""
    made = World(0)
    traces = made.traces(count)
    chain = made.chain(0)
    begun = process_time()
    for trace in traces:
        replay_trace(trace, chain)
    took = process_time() - begun
    print(f"replayed by the engine: {count / took:,.0f} requests/s of CPU ({count:,} traces)")


# Agreement ---------------------------------------------------------------------------------------


def says(draft: Draft) -> Score | Abstained:
    """What the answer says of itself; "broken" raises, as a scorer may."""
    if draft.text == "abstain":
        return Abstained("no signal")
    return Score(float(draft.text))


def agrees(draft: Draft) -> Score | Abstained:
    """The share of earlier drafts that say the same."""
    if not draft.earlier:
        return Abstained("nothing before")
    return Score(0.99 * sum(one.text == draft.text for one in draft.earlier) / len(draft.earlier))


SCORERS = {"nano": says, "mini": agrees, "large": says, "top": says}


class World:
    """Requests that scripted models answer, and chains over the same tiers.

    Args:
        seed: of everything drawn.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311  an experiment's dice

    def traces(self, count: int) -> list[Any]:
        """Requests for which every tier was asked and judged: no score reaches 1."""
        end = Tier("end", price=Price.free(), retry=ONCE)
        tiers = [self._tier(name, 1.0) for name in NAMES]
        policy = Policy(on_content_filter="escalate")
        made = []
        for number in range(count):
            script: dict[str, Any] = {name: self._line() for name in NAMES}
            script["end"] = failure("server", "never answers", status=500)
            llm = Cascade([*tiers, end], models=ScriptedModels(script), policy=policy)
            try:
                made.append(llm.complete(f"question {number}").trace)
            except RunError as error:
                made.append(error.trace)
        return made

    def whole(self) -> Chain:
        """The chain that was recorded."""
        end = Tier("end", price=Price.free(), retry=ONCE)
        return Chain((*(self._tier(name, 1.0) for name in NAMES), end))

    def chain(self, number: int) -> Chain:
        """Some of the tiers, in some order, with some thresholds."""
        chance = random.Random(number)  # noqa: S311
        names = chance.sample(NAMES, chance.randint(2, 4))
        if names[0] == "mini":  # it has nothing to agree with there
            names.reverse()
        return Chain(tuple(self._tier(name, chance.choice((0.1, 0.5, 0.9))) for name in names))

    def _tier(self, name: str, threshold: float) -> Tier:
        scorer = SCORERS[name]
        return Tier(name, scorer=scorer, threshold=threshold, price=PRICES[name], retry=ONCE)

    def _line(self) -> Any:
        usage = {
            "input_tokens": self._chance.randint(1, 4000),
            "output_tokens": self._chance.randint(1, 900),
        }
        kind = self._chance.random()
        scored = self._chance.choice(("0.05", "0.3", "0.5", "0.7", "0.95"))
        lines: list[tuple[float, Any]] = [
            (0.03, failure("rate_limit", "too many", status=429)),
            (0.06, reply(None, refusal="I cannot", **usage)),
            (0.09, reply(scored, finish_reason="length", **usage)),
            (0.12, reply(scored, finish_reason="content_filter", **usage)),
            (0.15, reply("", **usage)),
            (0.19, reply("abstain", **usage)),
            (0.22, reply("broken", **usage)),
            (1.0, reply(scored, **usage)),
        ]
        return next(line for below, line in lines if kind < below)


def agreement(count: int, block: int = 2_000) -> int:
    """Decide every request by the recording, twice, and by the engine; print what differs."""
    differing, seen, again = 0, hashlib.sha256(), hashlib.sha256()
    begun = perf_counter()
    for start in range(0, count, block):
        world = World(start)
        traces = world.traces(min(block, count - start))
        recording = import_traces(traces, chain=world.whole())
        chain = world.chain(start)
        found = what_if(chain, recording, resamples=1)
        seen.update(found.digest.encode())
        again.update(what_if(chain, recording, resamples=1).digest.encode())
        for row, trace in enumerate(traces):
            theirs = replay_trace(trace, chain)
            mine = found.outcomes
            returned = mine.returned[row]
            same = (
                (None if returned < 0 else recording.names[returned]) == theirs.tier
                and usd_of(mine.cost_pusd[row]) == theirs.cost_usd
                and mine.calls[row] == sum(attempt.asked for attempt in theirs.attempts)
            )
            differing += not same
    print(
        f"{count:,} requests under {-(-count // block)} chains in {perf_counter() - begun:.0f} s: "
        f"{differing} differ from the engine; a second what-if is "
        f"{'byte-identical' if seen.digest() == again.digest() else 'DIFFERENT'}"
    )
    return differing + (seen.digest() != again.digest())


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--chains", type=int, default=20)
    parser.add_argument("--agree", type=int, metavar="N", help="compare N requests with the engine")
    given = parser.parse_args()
    if given.agree:
        raise SystemExit(1 if agreement(given.agree) else 0)
    speed(given.requests, given.chains)
    engine_speed(2_000)


if __name__ == "__main__":
    main()
