"""Scores that were learned from a recording of your own requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

from cascade import Abstained, ConfigError, Draft, Needs, Request, Score, Start

if TYPE_CHECKING:
    from cascade.calibration import LearnedModel

__all__ = ["Learned", "LearnedEntry"]


@dataclass(frozen=True, slots=True)
class Learned:
    """The probability that an answer is right, learned from recorded answers.

    Weighs all evidence that the requests has paid for so far: the answer's surface, its
    log-probabilities where they are there, agreement with every earlier answer, the words of the
    request. `cascade.calibration.learn` makes the model; it is one readable JSON file. The reason
    names the three strongest contributions.

    Abstains where nothing was learned that fits, or where evidence is missing that never was while
    learning. Costs nothing; the usual answer takes about 60 microseconds (`benchmarks/learned.py`).

    Pitfalls: ranking carries over to other tasks, levels do not: recalibrate with labels of the new
    task (`recalibrated`). Recorded signals that no registered evidence computes cannot be served.

    Args:
        model: a `LearnedModel`, the data of one, or the path of its file.
        returns: the name of an earlier tier: its answer is judged again, now that this tier has
            answered too, and is the one returned. This tier is then a witness.
        judges: the name of the tier whose own answers this scorer judges: log-probabilities are
            then asked for only if its models use them. "" stands for any.
        digest: of the model, as `LearnedModel.digest`; filled in where it is not given.

    Raises:
        ConfigError: the model is none, has another digest than the one given, or uses evidence that
            no installed package registers.

    Source: Platt, 1999, for logistic calibration; Kull et al., AISTATS 2017, for beta maps;
    Niculescu-Mizil and Caruana, ICML 2005, for why isotonic maps wait for more labels.
    """

    model: LearnedModel | Mapping[str, Any] | str | PathLike[str] = field(compare=False)
    returns: str = ""
    judges: str = ""
    digest: str = ""

    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("returns", "judges"):
            if not isinstance(getattr(self, name), str):
                raise ConfigError(
                    f"Learned: {name} is {getattr(self, name)!r}: expected a tier's name"
                )
        _settle(self, "Learned")

    @property
    def needs(self) -> Needs:
        """Log-probabilities where its evidence on this tier's own answers is made of them."""
        model: Any = self.model
        part = model.only(self.judges) if self.judges else model
        wanted = not self.returns and part.uses("logprobs")
        return Needs(logprobs=wanted, top_logprobs=2 if wanted else 0)

    @property
    def replaces(self) -> bool:
        """Whether another answer than this tier's own is returned."""
        return bool(self.returns)

    def __call__(self, draft: Draft) -> Score | Abstained:
        """Judge a draft, or the earlier one that `returns` names."""
        model: Any = self.model
        p, reason = model.judge(draft, self.returns)
        if isnan(p):
            return Abstained(reason)
        if not self.returns or self.returns == draft.tier:
            return Score(p, reason)
        [reply] = [one.reply for one in draft.earlier if one.tier == self.returns][-1:]
        return Score(p, reason, reply=reply)


@dataclass(frozen=True, slots=True)
class LearnedEntry:
    """Begins higher up where the request alone says that the first tier will fail.

    An entry of a chain: `Chain(tiers, entry=LearnedEntry("support.json", "nano", "mini", 0.4))`.
    Where nothing is known about a request it begins at the chain's first tier.

    Args:
        model: as for `Learned`.
        tier: the tier whose chance is judged.
        start_at: the tier to begin with where the chance is below the threshold.
        threshold: in [0, 1].
        digest: as for `Learned`.

    Raises:
        ConfigError: no model, or one without a gate for the tier; a threshold outside [0, 1].
    """

    model: LearnedModel | Mapping[str, Any] | str | PathLike[str] = field(compare=False)
    tier: str
    start_at: str
    threshold: float
    digest: str = ""

    def __post_init__(self) -> None:
        _settle(self, "LearnedEntry")
        model: Any = self.model
        if not model.has_gate(self.tier):
            raise ConfigError(
                f"LearnedEntry: the model has no gate for tier {self.tier!r}; learn one with "
                "`learning.model_for(plans)`, of plans that have a gate"
            )
        given: object = self.threshold
        number = isinstance(given, int | float) and not isinstance(given, bool)
        if not number or not 0 <= self.threshold <= 1:
            raise ConfigError(f"LearnedEntry: threshold {given!r} is outside [0, 1]")
        object.__setattr__(self, "threshold", float(self.threshold))

    def __call__(self, request: Request) -> Start | None:
        """The tier to begin with; `None` for the chain's first."""
        model: Any = self.model
        p, _ = model.gate(request, self.tier)
        if isnan(p) or p >= self.threshold:
            return None
        return Start(self.start_at, f"P({self.tier} is right) = {p:.3g} < {self.threshold:g}")


def _settle(owner: Learned | LearnedEntry, name: str) -> None:
    """Load the model, and hold its digest against the one given."""
    model = _model_of(owner.model, name)
    if owner.digest not in ("", model.digest):
        raise ConfigError(
            f"{name}: the model has digest {model.digest!r}, and {owner.digest!r} was expected: it "
            "was changed or learned again since"
        )
    object.__setattr__(owner, "model", model)
    object.__setattr__(owner, "digest", model.digest)


def _model_of(given: Any, owner: str) -> LearnedModel:
    from cascade.calibration import LearnedModel  # noqa: PLC0415  numpy, loaded where it is used

    if isinstance(given, LearnedModel):
        return given
    if isinstance(given, Mapping):
        return LearnedModel.from_dict(given, where=f"{owner}: model")
    if isinstance(given, str | PathLike):
        return LearnedModel.load(given)  # type: ignore[arg-type]
    raise ConfigError(
        f"{owner}: model is {type(given).__name__} {str(given)[:60]!r}: expected a LearnedModel, "
        "its data, or the path of its file"
    )
