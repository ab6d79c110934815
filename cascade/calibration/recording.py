"""A recording: what every tier answered to the same requests, what it cost and how good it was.

One row per request, one column per tier, in arrays. It is what thresholds, plans, certificates,
what-ifs and reports are computed from. How it is kept in a file: `cascade.calibration.files`; how
it is made: `cascade.calibration.recorder` and `cascade.calibration.imports`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.money import Pico
from cascade.calibration.recording_checks import check_recording
from cascade.core.trace import Content
from cascade.errors import RecordingError

__all__ = [
    "SCORE_KINDS",
    "About",
    "Charges",
    "RecordedTier",
    "Recording",
    "Role",
    "Tokens",
]

Role = Literal["tier", "witness"]
"""A tier may answer; a witness is asked only to compare its answer with a tier's."""

SCORE_KINDS = ("none", "score", "abstained", "failed")
"""What a scorer said of a draft, by the number that `Recording.score_kind` holds."""

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Codes = NDArray[np.int8]
Texts = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class RecordedTier:
    """One tier, or witness, as it was when it was recorded.

    Attributes:
        name: unique in the recording.
        model: the model asked.
        role: "tier" or "witness".
        settings: hash of all that decides its answers: model, params, preamble, API, base model.
        scorer: name of the scorer that judged its drafts, "" where there was none.
        scorer_settings: hash of the scorer and its settings.
        threshold: at which the recorded chain would have accepted; `None` where there was none.
        scorer_reads_earlier: its scorer looked at the answers of lower tiers, so that its recorded
            scores hold only where all lower tiers were asked.
        price: the price list entry it was charged by, as `Price.to_dict`; `None` where unknown.
    """

    name: str
    model: str
    role: Role = "tier"
    settings: str = ""
    scorer: str = ""
    scorer_settings: str = ""
    threshold: float | None = None
    scorer_reads_earlier: bool = False
    price: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class About:
    """Where a recording comes from.

    Attributes:
        source: in words, e.g. "recorded with chain 'support'" or the imported file's name.
        created_at: ISO 8601, UTC.
        chain: name of the chain; `chain_digest` its hash.
        price_table: date and hash of the price table.
        quality: what quality means: "exact", "numeric", ..., or "top tier" where it is agreement
            with the top tier's answer; "" where the recording has none.
        self_disagreement: d0, the share of double calls in which the top tier's two answers
            differ, with `self_disagreement_calls` of them; `None` where it was not measured.
        content: which content policy its texts went through.
    """

    source: str = ""
    created_at: str = ""
    chain: str = ""
    chain_digest: str = ""
    price_table: str = ""
    quality: str = ""
    self_disagreement: float | None = None
    self_disagreement_calls: int = 0
    content: Content = "full"


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Tokens of the draft's calls, retries included; each (n_requests, n_tiers), NaN where unknown.

    Parts as in `Usage`: cached and cache-write tokens are part of the input, reasoning tokens part
    of the output.
    """

    input: Floats
    output: Floats
    cached: Floats
    cache_write: Floats
    reasoning: Floats

    @classmethod
    def unknown(cls, shape: tuple[int, int]) -> Self:
        """No tokens known."""
        return cls(*(np.full(shape, np.nan) for _ in fields(cls)))

    def at(self, rows: Any, columns: Any) -> Self:
        """The part of it for some requests and tiers."""
        parts = (getattr(self, spec.name)[rows][:, columns] for spec in fields(self))
        return type(self)(*parts)


@dataclass(frozen=True, slots=True, eq=False)
class Charges:
    """Every exchange of the recording, one entry each, so that it can be priced again.

    Attributes:
        request: index of the request, shape (n_charges,).
        tier: index of the tier whose turn paid.
        purpose: "draft", "scorer", or "quality" for what only the recording paid: a judge's grades
            and second answers of the top tier, which are in no tier's cost.
        model: the model asked, which for a scorer's question may be no tier's.
        service_tier: as the reply said, "" where it did not.
        batch: made through the Batch API.
        regional: went to a regional host.
        tokens: input, output, cached, cache-write and reasoning tokens, shape (n_charges, 5); NaN
            where unknown.
        cost_pusd: picodollars, `UNKNOWN` where unknown.
    """

    request: NDArray[np.int64]
    tier: NDArray[np.int64]
    purpose: Texts
    model: Texts
    service_tier: Texts
    batch: Bools
    regional: Bools
    tokens: Floats
    cost_pusd: Pico

    @classmethod
    def none(cls) -> Self:
        """No charges are known one by one."""
        whole, text = np.zeros(0, np.int64), np.zeros(0, object)
        flag = np.zeros(0, bool)
        return cls(whole, whole, text, text, text, flag, flag, np.zeros((0, 5)), whole)

    def __len__(self) -> int:
        return len(self.request)


@dataclass(frozen=True, eq=False)
class Recording:
    """What every tier answered to the same requests. Shapes are in terms of n requests, k tiers.

    Attributes:
        tiers: the tiers, cheapest first as in their chain, then the witnesses.
        ids: unique id per request, shape (n,).
        groups: what belongs together (a user, a document), and must not be split; the id where
            nothing was given.
        slices: a name per request for a part of the traffic with its own promise; "" for none.
        splits: "train", "test" or the like where the source came split; "" otherwise.
        weights: how much each request counts, above 0.
        requests: the request's payload or prompt, `None` where it was not kept.
        references: the right answer as text, `None` where unknown.
        answered: the tier gave an answer, (n, k).
        usable: the answer is one that a scorer gets to see: not empty, refused or cut off.
        quality: in [0, 1], (n, k); NaN where unknown, 0 where there is no answer.
        cost_pusd: picodollars of the draft's calls, retries included; `UNKNOWN` where unknown.
        score: what the recorded chain's scorer said, in [0, 1]; NaN unless `score_kind` is 1.
        score_kind: index into `SCORE_KINDS`.
        score_cost_pusd: picodollars of the scorer's own calls.
        latency_s: seconds until the draft; NaN where unknown.
        tokens: of the drafts.
        texts: the answers, `None` where there is none or it was not kept.
        replies: the answers on the wire as JSON text, for evidence such as log-probabilities.
        signals: further numbers per answer by name, each (n, k); NaN where missing.
        charges: every exchange.
        about: where it comes from.

    Raises:
        RecordingError: shapes that do not fit, ids twice, numbers outside their range; the message
            names the column and the first bad row.
    """

    tiers: tuple[RecordedTier, ...]
    ids: Texts
    groups: Texts
    slices: Texts
    splits: Texts
    weights: Floats
    requests: Texts
    references: Texts
    answered: Bools
    usable: Bools
    quality: Floats
    cost_pusd: Pico
    score: Floats
    score_kind: Codes
    score_cost_pusd: Pico
    latency_s: Floats
    tokens: Tokens
    texts: Texts
    replies: Texts
    signals: Mapping[str, Floats] = field(default_factory=dict)
    charges: Charges = field(default_factory=Charges.none)
    about: About = field(default_factory=About)

    def __post_init__(self) -> None:
        check_recording(self)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        names = ", ".join(tier.name for tier in self.tiers)
        return f"<Recording {len(self)} requests, {len(self.tiers)} tiers: {names}>"

    @classmethod
    def build(
        cls,
        tiers: Sequence[RecordedTier],
        ids: Sequence[str],
        *,
        quality: Any,
        cost_pusd: Any,
        **given: Any,
    ) -> Self:
        """A recording from its essential columns; the others say "unknown" unless given.

        Args:
            tiers: as the attribute.
            ids: as the attribute.
            quality: (n, k), NaN where unknown.
            cost_pusd: (n, k) picodollars.
            **given: further attributes.
        """
        n, k = len(ids), len(tiers)
        shape = (n, k)
        made = _texts(ids)
        empty = np.full(n, "", object)
        blank = np.full(shape, None, object)
        answered = np.asarray(given.pop("answered", np.ones(shape)), bool)
        score = np.asarray(given.pop("score", np.full(shape, np.nan)), float)
        columns: dict[str, Any] = {
            "groups": made,
            "slices": empty,
            "splits": empty,
            "weights": np.ones(n),
            "requests": np.full(n, None, object),
            "references": np.full(n, None, object),
            "usable": answered,
            "score_kind": np.where(np.isnan(score), 0, 1).astype(np.int8),
            "score_cost_pusd": np.zeros(shape, np.int64),
            "latency_s": np.full(shape, np.nan),
            "tokens": Tokens.unknown(shape),
            "texts": blank,
            "replies": blank,
            **given,
        }
        return cls(
            tiers=tuple(tiers),
            ids=made,
            answered=answered,
            quality=np.asarray(quality, float),
            cost_pusd=np.asarray(cost_pusd, np.int64),
            score=score,
            **columns,
        )

    # Looking things up ---------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """The names of tiers and witnesses, in order."""
        return tuple(tier.name for tier in self.tiers)

    @property
    def top(self) -> int:
        """Index of the top tier: the last one that is no witness."""
        return max(i for i, tier in enumerate(self.tiers) if tier.role == "tier")

    @property
    def ladder(self) -> tuple[int, ...]:
        """Indices of the tiers that are no witnesses, in order."""
        return tuple(i for i, tier in enumerate(self.tiers) if tier.role == "tier")

    @property
    def witnesses(self) -> tuple[int, ...]:
        """Indices of the witnesses."""
        return tuple(i for i, tier in enumerate(self.tiers) if tier.role == "witness")

    def index(self, name: str) -> int:
        """The index of a tier.

        Raises:
            RecordingError: there is none of that name.
        """
        for i, tier in enumerate(self.tiers):
            if tier.name == name:
                return i
        known = ", ".join(repr(known) for known in self.names)
        raise RecordingError(f"no tier {name!r} in this recording; it has {known}")

    # Making new ones -----------------------------------------------------------------------------

    def rows(self, keep: Any) -> Self:
        """The same for some requests only.

        Args:
            keep: a mask of shape (n,) or indices, each at most once.

        Raises:
            RecordingError: a mask of another length, or no such row.
        """
        picked = np.asarray(keep)
        if picked.dtype == bool:
            if picked.shape != (len(self),):
                raise RecordingError(
                    f"rows: the mask has shape {picked.shape}: expected ({len(self)},), a truth "
                    "value for each request"
                )
            picked = np.flatnonzero(picked)
        return self._at(picked, np.arange(len(self.tiers)))

    def with_tiers(self, names: Sequence[str], witnesses: Sequence[str] = ()) -> Self:
        """The same with some tiers only, in a given order; `witnesses` follow them in that role.

        Recorded scores that were given in view of other earlier answers do not come along.

        Raises:
            RecordingError: no tier, a name that is none, or one twice.
        """
        wanted = [*names, *witnesses]
        if not names or len(set(wanted)) != len(wanted):
            raise RecordingError(f"tiers {wanted!r}: expected one or more names, each once")
        made = self._at(np.arange(len(self)), np.array([self.index(name) for name in wanted]))
        roles = cast("list[Role]", ["tier"] * len(names) + ["witness"] * len(witnesses))
        tiers = [replace(tier, role=role) for tier, role in zip(made.tiers, roles, strict=True)]
        other = np.array([self._read_others(name, wanted) for name in wanted])
        return replace(
            made,
            tiers=tuple(tiers),
            score=np.where(other, np.nan, made.score),
            score_kind=np.where(other, 0, made.score_kind).astype(np.int8),
            score_cost_pusd=np.where(other, 0, made.score_cost_pusd),
        )

    def _read_others(self, name: str, order: Sequence[str]) -> bool:
        """Whether a tier's scorer read earlier answers which are not those before it now."""
        place = self.index(name)
        before = [self.names[i] for i in self.ladder if i < place]
        return self.tiers[place].scorer_reads_earlier and before != list(order[: order.index(name)])

    def _at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Self:
        changed: dict[str, Any] = {"tiers": tuple(self.tiers[i] for i in columns)}
        for spec in fields(self):
            value = getattr(self, spec.name)
            if isinstance(value, np.ndarray):
                part = value[rows]
                changed[spec.name] = part[:, columns] if value.ndim > 1 else part
        changed["tokens"] = self.tokens.at(rows, columns)
        changed["signals"] = {n: v[rows][:, columns] for n, v in self.signals.items()}
        changed["charges"] = _charges_at(self, rows, columns)
        return replace(self, **changed)


def _charges_at(
    recording: Recording, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> Charges:
    charges = recording.charges
    if not len(charges):
        return charges
    new_row = np.full(len(recording), -1)
    new_row[rows] = np.arange(len(rows))
    new_column = np.full(len(recording.tiers), -1)
    new_column[columns] = np.arange(len(columns))
    request, tier = new_row[charges.request], new_column[charges.tier]
    keep = (request >= 0) & (tier >= 0)
    parts = {spec.name: getattr(charges, spec.name)[keep] for spec in fields(charges)}
    return Charges(**{**parts, "request": request[keep], "tier": tier[keep]})


def _texts(values: Sequence[Any]) -> Texts:
    made = np.empty(len(values), object)
    made[:] = list(values)
    return made
