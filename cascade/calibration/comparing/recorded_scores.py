"""Scores of a chain's own scorers: as recorded, or computed again from recorded answers.

Asks no model. A recorded score holds where its scorer saw what it would see again; a free scorer
is run again on the recorded answers, with exactly the earlier drafts that a plan has bought.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cascade.calibration.comparing.judged_again import judged_again
from cascade.calibration.drafts import Drafts
from cascade.calibration.fingerprint import scorer_fingerprint
from cascade.calibration.money import Pico
from cascade.calibration.plan import Asked, Floats
from cascade.calibration.recording import SCORE_KINDS, RecordedTier, Recording
from cascade.core.scoring import Scorer, scorer_name
from cascade.errors import RecordingError

if TYPE_CHECKING:
    from cascade.core.chain import Chain
    from cascade.core.tier import Tier

__all__ = ["RecordedScores"]

SCORED = SCORE_KINDS.index("score")

NO_CHAIN = "pass the chain, so that its scorer can run again"

NO_TIER = "the chain has no such tier, whose scorer could run again"


class RecordedScores:
    """A `ScoreSource` of the scorers that a chain has.

    Without a chain, the recorded ones. A score is taken as recorded where the chain's scorer has
    the recorded settings, and did not read earlier answers or would read the same ones: those of
    all lower tiers. Elsewhere the chain's scorer is run again, where it asks no model and the
    answers were kept. Abstentions and failures are NaN, which never accepts.

    Args:
        recording: what the tiers answered, and what their scorers said.
        chain: whose scorers count; tiers are matched by name. A tier without a scorer accepts every
            usable answer, as it does in the engine.
        trusted: take scores of a file that does not say which scorer gave them, or with which
            settings, for those of the chain's scorer, which only holds their place.

    Raises:
        RecordingError: `trusted`, and a tier of the chain has such scores and no scorer.
    """

    def __init__(
        self, recording: Recording, chain: Chain | None = None, *, trusted: bool = False
    ) -> None:
        self._recording = recording
        self._trusted = _trusted(chain, recording) if trusted and chain is not None else []
        self._tiers = {tier.name: tier for tier in chain.tiers} if chain is not None else None
        self._drafts = Drafts(recording, self._tiers)
        self._again: dict[tuple[Asked, int], Floats] = {}
        self._nothing = np.zeros(len(recording), np.int64)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was taken on trust: nobody knows that the chain's scorers would say the same."""
        names = ", ".join(map(repr, self._trusted))
        note = (
            f"the recording does not say how the scores of {names} were made: numbers hold for a "
            "chain whose scorer gives the same ones"
        )
        return (note,) if names else ()

    def scores(self, asked: Asked, returns: int) -> Floats:
        """The score of the answer of `returns`, shape (n,); see `ScoreSource`.

        Raises:
            RecordingError: neither the recorded score holds, nor can it be computed again.
        """
        self._refuse_witness(asked, returns)
        key = (asked, returns)
        if key not in self._again:
            self._again[key] = self._found(asked, returns)
        return self._again[key]

    def cost_pusd(self, asked: Asked, returns: int) -> Pico:
        """What the scorer's own calls cost, as recorded; one that runs again asks nobody."""
        tier = self._tier(returns)
        no_scorer = self._tiers is not None and tier is not None and tier.scorer is None
        if no_scorer or self._why_not_recorded(asked, returns) is not None:
            return self._nothing
        return self._recording.score_cost_pusd[:, returns]

    def gate(self, tier: int) -> Floats:
        """Never: what chain's scorers say of an answer says nothing of the request alone.

        Raises:
            RecordingError: always.
        """
        raise RecordingError(
            f"recorded scorers know no gate for tier {self._recording.names[tier]!r}: they judge "
            "answers, not requests; learn one (`learn`) and pass its source"
        )

    # Where a score comes from --------------------------------------------------------------------

    def _found(self, asked: Asked, returns: int) -> Floats:
        tier = self._tier(returns)
        if self._tiers is not None and tier is not None and tier.scorer is None:
            return np.ones(len(self._recording))  # every usable answer is accepted
        why_not = self._why_not_recorded(asked, returns)
        if why_not is None:
            kind = self._recording.score_kind[:, returns]
            return np.where(kind == SCORED, self._recording.score[:, returns], np.nan)
        name = self._recording.names[returns]
        if tier is None or tier.scorer is None:
            next_step = NO_TIER if self._tiers else NO_CHAIN
            raise RecordingError(f"tier {name!r}: {why_not}; {next_step}")
        return judged_again(self._recording, self._drafts, tier, asked, because=why_not)

    def _why_not_recorded(self, asked: Asked, returns: int) -> str | None:
        """Why the recorded scores of a tier do not hold here; `None` where they do."""
        recorded = self._recording.tiers[returns]
        tier = self._tier(returns)
        if not (self._recording.score_kind[:, returns] != 0).any():
            return "no scorer was recorded there"
        known = tier is None or recorded.name in self._trusted
        if tier is not None and not known and (why := _why_other(recorded, tier.scorer)):
            return why
        below = tuple(i for i in self._recording.ladder if i < returns)
        if recorded.scorer_reads_earlier and asked[:-1] != below:
            seen = ", ".join(repr(self._recording.names[i]) for i in asked[:-1]) or "none"
            return (
                "its recorded scorer read the answers of all lower tiers, and this plan has "
                f"bought {seen}"
            )
        return None

    def _tier(self, returns: int) -> Tier | None:
        return (self._tiers or {}).get(self._recording.names[returns])

    def _refuse_witness(self, asked: Asked, returns: int) -> None:
        if asked[-1] != returns:
            names = self._recording.names
            raise RecordingError(
                f"recorded scorers judge a tier's own answer, not that of {names[returns]!r} after "
                f"{names[asked[-1]]!r} has spoken; learn from the recording (`learn`) and pass its "
                "source"
            )


def _trusted(chain: Chain, recording: Recording) -> list[str]:
    """The tiers below the last whose recorded scores may be any scorer's."""
    found = []
    for tier in chain.tiers[:-1]:
        if tier.name not in recording.names:
            continue  # whoever asks is told elsewhere
        place = recording.index(tier.name)
        known = recording.tiers[place]
        unnamed = known.scorer in ("", scorer_name(tier.scorer)) and not known.scorer_settings
        if not unnamed or not (recording.score_kind[:, place] != 0).any():
            continue
        if tier.scorer is None:
            raise RecordingError(
                f"tier {tier.name!r} has recorded scores, and no scorer in the chain whose they "
                "could be; give it one, which holds their place, and a threshold: in a file "
                "scorer = { use = 'no_refusal' }"
            )
        found.append(tier.name)
    return found


def _why_other(recorded: RecordedTier, scorer: Scorer | None) -> str | None:
    """Why a scorer is not known to be the recorded one; `None` where it is."""
    mine = scorer_fingerprint(scorer)
    if recorded.scorer_settings == mine:
        return None
    name = scorer_name(scorer)
    if not recorded.scorer_settings:
        which = f"its recorded scorer {recorded.scorer!r}" if recorded.scorer else "what scored it"
        return (
            f"the settings of {which} are not known (where the chain's scorer holds its place: "
            "--scores recorded, or RecordedScores(..., trusted=True))"
        )
    if name == recorded.scorer:
        return f"its scorer {name!r} has other settings than when it was recorded"
    return f"its scorer is {name!r}, and it was recorded with {recorded.scorer!r}"
