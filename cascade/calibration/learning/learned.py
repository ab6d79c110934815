"""A learned model: the probability that an answer is right, from the evidence a plan has bought.

One small model per state of evidence. Serving needs numpy and nothing else. Kept as one readable
JSON file; nothing in it is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cascade.calibration.fingerprint import fingerprint
from cascade.calibration.learning.evidence import OWN_GROUP, PAIR_GROUP, Reading, is_whole, readings
from cascade.calibration.learning.query_words import WordWeights
from cascade.calibration.learning.sight import Read, Sight, reader_of
from cascade.calibration.learning.state_model import StateModel, Verdict
from cascade.calibration.learning.states import State
from cascade.core.reply import Reply
from cascade.core.request import Request
from cascade.core.scoring import Draft
from cascade.errors import ConfigError

if TYPE_CHECKING:
    from cascade.calibration.learning.learned_source import LearnedSource
    from cascade.calibration.recording import Recording

__all__ = ["LearnedModel"]


_NUMBERS = re.compile(r'\[[^\[\]{}"]*\]|\{\s+"(?:mean|rows)": [^{}]*\}')
"""Lists of numbers and the numbers of a feature, which are read best in one line."""


@dataclass(frozen=True, eq=False)
class LearnedModel:
    """Probabilities for answers, by state of evidence; see `learn`.

    A state that was not learned is judged by the largest learned state that sees a part of it; with
    none there is no signal, which never accepts. Answers that are refused, empty or cut off count
    as not bought.

    Attributes:
        tiers: names of tiers and witnesses, in the order of the recording.
        own: fields of the evidence on one answer, by name.
        pairs: fields of the evidence on two answers, by name.
        words: what the words of a request say, by tier.
        states: the models.
        slice_key: the label in a request's metadata that names its slice.
        about: where it comes from, in words, for people.

    Raises:
        ConfigError: evidence that no installed package registers.
    """

    tiers: tuple[str, ...]
    own: Mapping[str, tuple[str, ...]]
    pairs: Mapping[str, tuple[str, ...]]
    words: Mapping[str, WordWeights] = field(repr=False)
    states: tuple[StateModel, ...] = field(repr=False)
    slice_key: str = "slice"
    about: str = ""

    def __post_init__(self) -> None:
        _ = self._readings

    @cached_property
    def _readings(self) -> tuple[Mapping[str, Reading], Mapping[str, Reading]]:
        return readings(self.own, OWN_GROUP), readings(self.pairs, PAIR_GROUP)

    @cached_property
    def _readers(self) -> Mapping[State, tuple[Read, ...]]:
        own, pairs = self._readings
        return {
            model.state: tuple(
                reader_of(part.block, model.state, own, pairs, self.words) for part in model.blocks
            )
            for model in self.states
        }

    @cached_property
    def _by_state(self) -> Mapping[State, StateModel]:
        return {model.state: model for model in self.states}

    @cached_property
    def _found(self) -> dict[tuple[str, tuple[str, ...]], StateModel | None]:
        return {}

    # Serving -------------------------------------------------------------------------------------

    def judge(self, draft: Draft, returns: str = "") -> Verdict:
        """The probability that an answer is right.

        Args:
            draft: the answer just bought, with the earlier ones.
            returns: name of an earlier tier whose answer is judged instead; "" for the draft's own.

        Returns:
            The verdict; its `p` is NaN where there is no signal, and its `reason` says why.

        Raises:
            ScorerError: evidence gave something it must not.
        """
        bought = {one.tier: one for one in (*draft.earlier, draft) if is_whole(one.reply)}
        name = returns or draft.tier
        judged = bought.get(name)
        if judged is None:
            return Verdict(nan, f"tier {name!r} gave no whole answer to judge")
        model = self.model_at(name, bought)
        if model is None:
            return Verdict(nan, f"nothing was learned about answers of tier {name!r}")
        return self._judged(model, Sight(judged, bought, self._slice_of(draft.request)))

    def gate(self, request: Request, tier: str) -> Verdict:
        """The probability that a tier's answer will be right, from the request alone."""
        model = self._by_state.get(State(tier, (), from_request=True))
        if model is None:
            return Verdict(nan, f"no gate was learned for tier {tier!r}")
        draft = Draft(request, Reply(""))
        return self._judged(model, Sight(draft, {}, self._slice_of(request)))

    def _judged(self, model: StateModel, sight: Sight) -> Verdict:
        numbers = [read(sight) for read in self._readers[model.state]]
        return model.judge(numbers, sight.slice_name)

    def _slice_of(self, request: Request) -> str:
        labels = request.metadata
        return str(labels.get(self.slice_key, "")) if labels else ""

    def model_at(self, judged: str, bought: Iterable[str]) -> StateModel | None:
        """The model for a state, or for the largest learned part of it; `None` without any.

        Args:
            judged: the tier whose answer is judged.
            bought: all tiers with an answer.
        """
        key = judged, tuple(sorted(bought))
        if key not in self._found:
            names = set(key[1])
            fits = [
                model
                for model in self.states
                if model.state.judged == judged
                and not model.state.from_request
                and names.issuperset(model.state.beside)
            ]
            best = max(fits, key=lambda m: (len(m.state.beside), m.labels), default=None)
            self._found[key] = best
        return self._found[key]

    # Other uses ----------------------------------------------------------------------------------

    def on(self, recording: Recording) -> LearnedSource:
        """The scores of this model on a recording it was not learned from.

        Raises:
            RecordingError: evidence cannot be read from it.
        """
        from cascade.calibration.learning.learned_source import LearnedSource  # noqa: PLC0415  needs a table

        return LearnedSource(self, recording)

    def only(self, tier: str) -> Self:
        """The part of it that judges one tier's answers, or gates it."""
        states = tuple(model for model in self.states if model.state.judged == tier)
        words = {name: self.words[name] for name in (tier,) if name in self.words}
        used = {(part.block.kind, part.block.of) for model in states for part in model.blocks}
        own = {name: fields for name, fields in self.own.items() if ("own", name) in used}
        return replace(self, states=states, words=words, own=own)

    def has_gate(self, tier: str) -> bool:
        """Whether it can judge a tier's chance from the request alone."""
        return State(tier, (), from_request=True) in self._by_state

    def uses(self, evidence: str) -> bool:
        """Whether it reads some evidence on one answer."""
        return evidence in self.own

    @cached_property
    def digest(self) -> str:
        """A short hash of all of it: equal for models that say the same of every answer."""
        return fingerprint(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        from cascade.calibration.learning.learned_json import model_to_dict  # noqa: PLC0415  reading only

        return model_to_dict(self)

    @classmethod
    def from_dict(cls, data: Any, *, where: str = "learned model") -> LearnedModel:
        """Read what `to_dict` wrote; the data may come from anywhere.

        Raises:
            ConfigError: it is no model, of a later version, or its parts do not fit together.
        """
        from cascade.calibration.learning.learned_json import model_from_dict  # noqa: PLC0415  reading only

        return model_from_dict(data, where)

    def save(self, path: str | Path) -> None:
        """Write it as a JSON file."""
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        text = _NUMBERS.sub(lambda found: " ".join(found[0].split()), text)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> LearnedModel:
        """Read a file; raises `ConfigError` as `from_dict`, or where it cannot be read."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"model file {str(path)!r}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"model file {str(path)!r} is no JSON: {error}") from error
        return cls.from_dict(data, where=f"model file {str(path)!r}")
