"""Running a scorer again on recorded answers: no model is asked, no money flows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.drafts import Drafts
from cascade.calibration.recording import Recording
from cascade.core.evaluation import evaluate
from cascade.core.scoring import (
    Ask,
    AskAll,
    Draft,
    Outcome,
    Score,
    Scorer,
    merged_needs,
    scorer_name,
)
from cascade.core.tier import Tier
from cascade.core.wishes import Await, Ran, Run
from cascade.drivers.threads import run_limited
from cascade.errors import RecordingError

__all__ = ["judged_again"]


def judged_again(
    recording: Recording, drafts: Drafts, tier: Tier, asked: Sequence[int], *, because: str
) -> NDArray[np.float64]:
    """Scores of the last tier asked by its scorer, which asks no model.

    Args:
        recording: with its requests and texts, or replies.
        drafts: its answers as drafts.
        tier: its scorer judges, within the time that the tier gives it.
        asked: indices of the recorded tiers that were asked, in order, that tier last.
        because: why the recorded scores do not do, for messages.

    Returns:
        Shape (n,), in [0, 1]; NaN where there is no usable answer, the scorer abstains or fails.

    Raises:
        RecordingError: the scorer asks a model, or what it reads was not kept.
    """
    scorer, limit_s = cast("Scorer", tier.scorer), tier.scorer_timeout_s
    named, name = scorer_name(scorer), recording.names[asked[-1]]
    where = f"tier {name!r}: {because}; scorer {named!r} cannot be run again"
    why_not = drafts.why_not(asked)
    if why_not is None and merged_needs(scorer).logprobs:
        blank = [reply is None for reply in recording.replies[:, asked[-1]]]
        if (recording.answered[:, asked[-1]] & blank).any():
            why_not = (
                "it reads log-probabilities, and the replies were not kept; record the chain with "
                "content='full' (--content full)"
            )
    if why_not is not None:
        raise RecordingError(f"{where}: {why_not}")
    found = np.full(len(recording), np.nan)
    usable = recording.usable[:, asked[-1]] & recording.answered[:, asked[-1]]
    for row in np.flatnonzero(usable):
        outcome = _outcome(scorer, drafts.draft(int(row), asked), limit_s, where)
        if isinstance(outcome, Score):
            found[row] = outcome.value
    return found


def _outcome(scorer: Scorer, draft: Draft, limit_s: float | None, where: str) -> Outcome:
    """What a scorer says; the wishes it may have here are a call of its own and an await."""
    scoring = evaluate(scorer, draft)
    try:
        wish = next(scoring)
        while True:
            if isinstance(wish, Ask | AskAll):
                raise RecordingError(
                    f"{where}: it asks a model, and those answers are not in the recording; "
                    "record the chain with this scorer"
                )
            wish = scoring.send(_ran(wish, limit_s))
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome
    finally:
        scoring.close()


def _ran(wish: Run | Await, limit_s: float | None) -> Ran:
    if isinstance(wish, Run):
        return run_limited(wish.function, limit_s)
    try:
        with ThreadPoolExecutor(1) as pool:  # this thread may have a running loop of its own
            return Ran(pool.submit(asyncio.run, _awaited(wish, limit_s)).result())
    except Exception as error:  # noqa: BLE001  a scorer's own error becomes its failure
        return Ran(error=error)


async def _awaited(wish: Await, limit_s: float | None) -> Any:
    async with asyncio.timeout(limit_s):
        return await wish.awaitable
