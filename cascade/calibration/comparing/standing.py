"""What a chain's policy makes of recorded answers that no scorer got to see.

A recording holds that an answer is unusable; why it is stands in the reply, where that was kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.drafts import Drafts
from cascade.calibration.recording import Recording
from cascade.core.chain import Chain
from cascade.core.judging import flaw_of
from cascade.errors import RecordingError

__all__ = ["standing"]

Bools = NDArray[np.bool_]


def standing(chain: Chain, recording: Recording) -> tuple[Bools | None, tuple[str, ...]]:
    """Answers that end a request by the chain's policy although no scorer accepts them.

    Args:
        chain: its policy says what refused, cut or filtered answers do.
        recording: holds the chain's tiers.

    Returns:
        A mask (n, k), `None` where there are none; and notes.

    Raises:
        RecordingError: the policy hands such answers to the scorer, which did not see them when the
            recording was made.
    """
    policy, drafts = chain.policy, Drafts(recording)
    choices = {name: getattr(policy, f"on_{name}") for name in ("refusal", "length")}
    choices |= {"content_filter": policy.on_content_filter, "empty": policy.on_empty}
    if set(choices.values()) == {"escalate"}:
        return None, ()
    stands = np.zeros(recording.answered.shape, bool)
    unread = 0
    for tier in chain.tiers[:-1]:
        column = recording.index(tier.name)
        unusable = recording.answered[:, column] & ~recording.usable[:, column]
        for row in np.flatnonzero(unusable):
            if recording.replies[row, column] is None:
                unread += 1
                continue
            flaw = flaw_of(drafts.reply(int(row), column))
            choice = choices[flaw[0]] if flaw is not None else "escalate"
            if choice == "score":
                raise RecordingError(
                    f"tier {tier.name!r}: policy on_{flaw[0] if flaw else ''}='score' hands the "
                    f"answer to request {recording.ids[row]!r} to the scorer, which did not see it "
                    "when it was recorded; record the chain with this policy"
                )
            stands[row, column] = choice == "accept"
    note = (
        f"{unread} refused or cut answers are taken as escalated: their replies were not kept, so "
        "that the policy for each cannot be told"
    )
    return (stands if stands.any() else None), ((note,) if unread else ())
