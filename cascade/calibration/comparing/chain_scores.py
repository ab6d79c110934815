"""Scores of a chain's steps, each from the scorer that its tier has: learned, or recorded."""

from __future__ import annotations

from typing import Any

from cascade.calibration.comparing.recorded_scores import RecordedScores
from cascade.calibration.money import Pico
from cascade.calibration.plan import Asked, Floats, ScoreSource
from cascade.calibration.recording import Recording
from cascade.core.chain import Chain
from cascade.core.scoring import scorer_name
from cascade.errors import RecordingError

__all__ = ["ChainScores"]


class ChainScores:
    """A `ScoreSource` that serves every step from the scorer of the tier it asks.

    A scorer with a learned model (an attribute `model` that has `on(recording)`) is put to the
    recording; any other is looked up there, as `RecordedScores` does.

    Args:
        chain: whose scorers and entry count.
        recording: what the tiers answered.
        trusted: as for `RecordedScores`.

    Raises:
        RecordingError: as `RecordedScores`.
    """

    def __init__(self, chain: Chain, recording: Recording, *, trusted: bool = False) -> None:
        self._chain = chain
        self._recording = recording
        self._own = RecordedScores(recording, chain, trusted=trusted)
        self._learned: dict[int, ScoreSource] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the recorded scores was taken on trust."""
        return self._own.notes

    def scores(self, asked: Asked, returns: int) -> Floats:
        """The step's scores, shape (n,); see `ScoreSource`."""
        return self._source(asked).scores(asked, returns)

    def cost_pusd(self, asked: Asked, returns: int) -> Pico:
        """What they cost beside the answers, shape (n,); see `ScoreSource`."""
        return self._source(asked).cost_pusd(asked, returns)

    def gate(self, tier: int) -> Floats:
        """P(the tier's answer is right) by the model of the chain's entry, shape (n,).

        Raises:
            RecordingError: the entry has no learned model.
        """
        model = getattr(self._chain.entry, "model", None)
        if not hasattr(model, "on"):
            raise RecordingError(
                f"chain {self._chain.name!r} has no learned entry: a recording cannot tell where "
                "its requests would begin"
            )
        return self._on(model).gate(tier)

    def judge(self, asks: int) -> str:
        """The name of what judges the step that asks a tier, for people."""
        name = self._recording.names[asks]
        scorer = next((tier.scorer for tier in self._chain.tiers if tier.name == name), None)
        return "" if scorer is None else scorer_name(scorer)

    def _source(self, asked: Asked) -> ScoreSource:
        name = self._recording.names[asked[-1]]
        scorers = {tier.name: tier.scorer for tier in self._chain.tiers}
        model = getattr(scorers.get(name), "model", None)
        return self._on(model) if hasattr(model, "on") else self._own

    def _on(self, model: Any) -> ScoreSource:
        key = id(model)  # the chain holds it as long as this does
        if key not in self._learned:
            self._learned[key] = model.on(self._recording)
        return self._learned[key]
