"""A certificate: what was promised of which chain, on what evidence, and until when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from os import PathLike
from typing import TYPE_CHECKING, Any

from cascade.calibration.comparing.findings import Estimate
from cascade.calibration.plan import Plan
from cascade.calibration.proof.certified_chain import CertifiedTier, changes_of, price_changes
from cascade.calibration.proof.certified_point import SlicePromise, Test
from cascade.calibration.proof.drift import ScoreHistogram
from cascade.core.chain import Chain
from cascade.errors import CertificateVoid

if TYPE_CHECKING:
    from cascade.calibration.proof.losses import Floats

__all__ = ["Certificate", "Counted", "Expiry"]


@dataclass(frozen=True, slots=True)
class Counted:
    """How many requests, and which share that is.

    Attributes:
        count: requests.
        share: of all.
        low: lower end of its 95 % interval: Clopper and Pearson's for single requests, else a
            bootstrap one.
        high: upper end.
    """

    count: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Expiry:
    """What ends a certificate, besides a change of the chain.

    Attributes:
        days: after so many it must be made again; `None` for never. Models behind a name, and what
            people ask, change unseen.
        drift: a step's scores have moved so far (`ScoreHistogram.shift`) that requests are not
            those it was made on.
    """

    days: int | None = 90
    drift: float = 0.25


@dataclass(frozen=True)
class Certificate:
    """With confidence 1 - delta, a plan's quality is at most epsilon below the top tier's.

    Attributes:
        chain_name: name of the chain.
        tiers: those the plan asks, in order, as they were certified.
        plan: how requests are decided.
        policy: the chain's, in words; "" where no chain was given.
        entry: hash of what chooses where a request begins, "" for nothing.
        top: name of the tier that quality is compared with.
        top_model: its model.
        epsilon: margin as a share of requests; print it in points.
        delta: error allowed.
        spent: the part of it that this attempt could make.
        p: p-value of the promise; where slices have promises of their own, the largest.
        test: exact matched-pairs test, or betting martingale.
        requests: labelled requests it was tested on.
        units: independent observations among them: requests, or groups.
        dropped: requests left out for want of labels, where that was asked for.
        harm: requests that the plan answered worse than the top tier.
        gain: requests that it answered better.
        net_harm: mean loss of quality that was seen, over units as the promise is; below 0 where
            the plan was better.
        quality: mean quality of the plan.
        top_quality: mean quality of the top tier.
        cost: cost as a share of always asking the top tier; `None` where it is not known.
        cost_usd: cost per request in dollars, its calls and scorers together.
        top_cost_usd: cost per request of always asking the top tier.
        slices: promises of their own.
        tested: plans tested until the first failure.
        path: plans on the path.
        attempt: number of this attempt in the ledger; 0 where none was kept.
        ledger: hash of its line there (`Attempt.line`); "" where none was kept.
        heaviest: the weight above which no request counted more; `None` where all, or all groups,
            counted the same.
        unknown: requests among those harmed whose quality is not known.
        histograms: scores of each step.
        quality_from: how quality was measured, as the recording says.
        self_disagreement: d0, how often the top tier disagrees with itself; `None` if not measured.
        source: the recording, in words.
        price_table: date and hash of the price list.
        split: fingerprint of the requests it was tested on.
        key: fingerprint of the key they were chosen by, "" where they came split.
        shares: of learn, certify and monitor.
        learned_on: requests it was learnt from; 0 where not known.
        created_at: as whoever made it says.
        expiry: what ends it.
        notes: what a reader must know besides.
        chain: the chain itself; not saved, `None` after loading.
    """

    chain_name: str
    tiers: tuple[CertifiedTier, ...]
    plan: Plan
    policy: str
    entry: str
    top: str
    top_model: str
    epsilon: float
    delta: float
    spent: float
    p: float
    test: Test
    requests: int
    units: int
    dropped: int
    harm: Counted
    gain: Counted
    net_harm: float
    quality: Estimate | None
    top_quality: Estimate | None
    cost: Estimate | None
    cost_usd: Estimate | None
    top_cost_usd: Estimate | None
    slices: tuple[SlicePromise, ...] = ()
    tested: int = 1
    path: int = 1
    attempt: int = 0
    ledger: str = ""
    heaviest: float | None = None
    unknown: int = 0
    histograms: tuple[ScoreHistogram, ...] = ()
    quality_from: str = ""
    self_disagreement: float | None = None
    source: str = ""
    price_table: str = ""
    split: str = ""
    key: str = ""
    shares: tuple[float, ...] = ()
    learned_on: int = 0
    created_at: str = ""
    expiry: Expiry = field(default_factory=Expiry)
    notes: tuple[str, ...] = ()
    chain: Chain | None = field(default=None, compare=False, repr=False)

    @property
    def plan_digest(self) -> str:
        """Hash of the plan."""
        return self.plan.digest

    @property
    def confidence(self) -> float:
        """1 - delta."""
        return 1 - self.delta

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each step but the last, by the tier or witness asked."""
        return {step.asks: step.threshold for step in self.plan.steps[:-1]}

    # Does it still hold? -------------------------------------------------------------------------

    def check(self, chain: Chain, *, today: date | None = None) -> tuple[str, ...]:
        """See whether the promise still speaks of a chain.

        Args:
            chain: the chain in use.
            today: compared with the date it was made on; not looked at unless given.

        Returns:
            Notes: what has changed without voiding it, such as a price.

        Raises:
            CertificateVoid: a tier, model, parameter, preamble, scorer, threshold or policy is not
                as certified, or it is too old; the message names each.
        """
        changes = list(changes_of(self.tiers, self.policy, self.entry, chain))
        if changes:
            each, last = ("\n  ", "\n") if len(changes) > 1 else (" ", " ")
            raise CertificateVoid(
                f"the certificate does not speak of chain {chain.name!r}:"
                f"{''.join(f'{each}{change};' for change in changes)}{last}"
                "record and certify it as it is now"
            )
        self._check_age(today)
        changed = price_changes(self.tiers, chain)
        if not changed:
            return ()
        names = ", ".join(map(repr, changed))
        note = f"prices of {names} have changed: the promise of quality holds, but another plan"
        return (f"{note} may be cheaper now; search again",)

    def _check_age(self, today: date | None) -> None:
        if today is None or self.expiry.days is None or not self.created_at:
            return
        age = (today - date.fromisoformat(self.created_at[:10])).days
        if age > self.expiry.days:
            raise CertificateVoid(
                f"the certificate was made on {self.created_at[:10]}, {age} days ago, and holds "
                f"for {self.expiry.days}: certify again on recent requests"
            )

    def drift(self, step: str, scores: Floats) -> float:
        """How far a step's later scores have moved; above `expiry.drift`, certify again.

        Args:
            step: the tier or witness asked.
            scores: that it gave since, in [0, 1], NaN where it gave none, shape (n,).

        Raises:
            CertificateVoid: the plan has no such step.
        """
        for histogram in self.histograms:
            if histogram.step == step:
                return histogram.shift(scores)
        known = ", ".join(repr(histogram.step) for histogram in self.histograms)
        raise CertificateVoid(
            f"no scores of step {step!r} were certified; there are {known or '-'}"
        )

    # In words and in files -----------------------------------------------------------------------

    def sentence(self) -> str:
        """The promise in one plain sentence."""
        from cascade.calibration.proof.certificate_text import sentence_of  # noqa: PLC0415  a cycle

        return sentence_of(self)

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Everything it says, as terms and their words."""
        from cascade.calibration.proof.certificate_text import lines_of  # noqa: PLC0415  a cycle

        return lines_of(self)

    def __str__(self) -> str:
        width = max(len(term) for term, _ in self.lines()) + 2
        rows = [f"{term:<{width}}{words}" for term, words in self.lines()]
        return "\n".join([self.sentence(), "", *rows])

    def to_dict(self) -> dict[str, Any]:
        """The certificate as JSON-ready data."""
        from cascade.calibration.proof.certificate_json import certificate_to_dict  # noqa: PLC0415

        return certificate_to_dict(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write it as a JSON file.

        Raises:
            RecordingError: the file cannot be written.
        """
        from cascade.calibration.proof.certificate_json import save_certificate  # noqa: PLC0415

        save_certificate(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Certificate:
        """Read what `save` wrote.

        Raises:
            RecordingError: the file cannot be read, or holds no certificate.
            CertificateVoid: it was changed since it was written.
        """
        from cascade.calibration.proof.certificate_json import load_certificate  # noqa: PLC0415

        return load_certificate(path)
