"""How far the scores of a step can be believed: predicted beside observed, bin by bin."""

from __future__ import annotations

from dataclasses import dataclass

from cascade.calibration.findings import Estimate

__all__ = ["Bin", "Reliability"]


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers with neighbouring scores; bins hold equally many.

    Attributes:
        low: lowest score in it.
        high: highest score in it.
        n: answers.
        predicted: mean score.
        observed: mean quality, with its interval (exact for 0/1 quality).
    """

    low: float
    high: float
    n: int
    predicted: float
    observed: Estimate


@dataclass(frozen=True, slots=True)
class Reliability:
    """How the scores of one step fit what was right.

    Attributes:
        step: the tier or witness whose step it is.
        returns: the tier whose answer is judged.
        threshold: at which the plan accepts.
        n: answers with a score and a known quality.
        without_signal: answers that got no score.
        bins: equal-mass bins, lowest scores first.
        ece: expected calibration error over the bins, with a bootstrap interval.
        ece_null: what `ece` would be on average for perfect scores on so few answers.
        ece_accepted: of the answers that the plan accepts; `None` where it accepts none.
        auroc: within slices, then averaged; `None` where all are right or all wrong.
        auroc_pooled: over everything, which flatters whatever recognises the task.
        aurc: area under the risk-coverage curve.
        brier: mean squared error.
        log_loss: mean negative log-likelihood in nats.
    """

    step: str
    returns: str
    threshold: float
    n: int
    without_signal: int
    bins: tuple[Bin, ...]
    ece: Estimate | None
    ece_null: float | None
    ece_accepted: float | None
    auroc: float | None
    auroc_pooled: float | None
    aurc: float | None
    brier: float | None
    log_loss: float | None
