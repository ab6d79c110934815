"""What the report says of the promise: the certificate's words, or what is missing for one."""

from __future__ import annotations

from collections.abc import Mapping

from cascade.calibration.comparing.findings import WhatIf
from cascade.calibration.proof.certificate import Certificate
from cascade.calibration.proof.labels import labels_without_harm, plan_labels
from cascade.calibration.reporting.sentences import gate_words
from cascade.calibration.reporting.view import Line, Promise
from cascade.calibration.reporting.words import points
from cascade.core.chain import Chain
from cascade.errors import CertificateVoid, NotCertifiable

__all__ = ["USUAL_MARGIN", "floor_of", "promise_of"]

USUAL_MARGIN = 0.02
"""The margin that labels are counted for where none was asked for: 2 points."""

DELTA = 0.05

GRADED = (
    "`cascade certify` tests it on requests kept aside, and says how many graded ones it takes."
)

MEANS: Mapping[str, str] = {
    "plan": "which tier is asked when, and the score from which its answer stands",
    "promise": "the margin, in points of quality: of 100 requests, so many fewer right answers",
    "confidence": "of 100 certificates made like this, at most so few break their promise",
    "test": "p is the chance of labels this good if the promise were broken; it must stay below "
    "what is allowed",
    "attempt": "every look at the same labels spends part of the error allowed",
    "path": "plans are tested from the most careful on, until the first that fails",
    "requests": "labelled requests that nothing was learnt from and nothing was chosen on",
    "harm": "requests with a worse answer than the top tier's, and their share with its interval",
    "gain": "requests with a better answer than the top tier's",
    "net harm seen": "mean loss of quality on these requests; the promise bounds the true one",
    "quality": "mean over these requests, with its interval",
    "top tier against itself": "share of double calls whose two answers differ; no margin below it "
    "means anything",
    "cost": "all calls and scorers paid for, beside always asking the top tier",
    "split": "requests of one group stay in one part",
    "requests tested": "which requests these were, without saying what they were",
}
"""What terms of a certificate mean, by how they are named there."""

GROUPED = (
    "so that the promise, and harm, gain and quality beside it, are not swayed by large groups; "
    "copies of a request are a group as well. Everywhere else on this page each request counts by "
    "its weight: figures of one name, and their intervals, differ for that reason"
)
"""Why a certificate of groups says other numbers than the rest of the page."""

VOID = "void when"


def promise_of(
    certificate: Certificate | None,
    found: WhatIf | None,
    *,
    chain: Chain | None = None,
    graded: bool = False,
    missing: str = "",
) -> Promise:
    """The promise as the page shows it.

    Args:
        certificate: what was certified; `None` for nothing.
        found: what became of the recorded requests, for counting labels where nothing is certified.
        chain: that the report is about; the certificate must speak of it.
        graded: quality is more than right or wrong.
        missing: why there is none, or why that one does not speak of what is reported, where it is
            known.
    """
    if certificate is None:
        return _none(found, missing, graded=graded)
    lines = tuple(
        Line(term, words, means=_means(term, certificate))
        for term, words in certificate.lines()
        if term != VOID
    )
    void = dict(certificate.lines()).get(VOID, "")
    expires = tuple(part.strip() for part in void.split(";") if part.strip())
    if missing:
        return Promise(holds=False, sentence=missing, lines=lines, elsewhere=True)
    try:
        notes = _check(certificate, found, chain)
    except CertificateVoid as error:
        words = f"{str(error)[:1].upper()}{str(error)[1:]}."
        return Promise(holds=False, sentence=words, lines=lines, elsewhere=True)
    return Promise(
        holds=True,
        sentence=certificate.sentence(),
        next_step=" ".join(notes),
        lines=lines,
        expires=expires,
    )


def _means(term: str, certificate: Certificate) -> str:
    """What a term means, with the plan's gate in a sentence, and what groups change."""
    gate = gate_words(certificate.plan) if term == "plan" else ""
    if term == "mean over" and certificate.units < certificate.requests:
        return GROUPED
    return f"{MEANS[term]}. {gate}" if gate else MEANS.get(term, "")


def _check(certificate: Certificate, found: WhatIf | None, chain: Chain | None) -> tuple[str, ...]:
    """Notes, if the certificate speaks of what is reported; raises `CertificateVoid` if not."""
    if chain is not None:
        return certificate.check(chain)
    if found is not None and found.plan != certificate.plan:
        raise CertificateVoid(
            f"the certificate speaks of another plan, {certificate.plan}: certify this one, or "
            "report on that one"
        )
    return ()


def floor_of(certificate: Certificate | None, found: WhatIf | None) -> float | None:
    """The least quality that the promise allows on the recorded requests."""
    if certificate is None or found is None or found.top_quality is None:
        return None
    return found.top_quality.value - certificate.epsilon


def _none(found: WhatIf | None, missing: str, *, graded: bool) -> Promise:
    sentence, next_step = (missing, "") if missing else _why_none(found, graded=graded)
    return Promise(holds=False, sentence=sentence, next_step=next_step)


def _why_none(found: WhatIf | None, *, graded: bool) -> tuple[str, str]:
    """Why there is no promise, and the next step."""
    if found is None:
        return (
            "No plan was chosen, so there is nothing to promise.",
            "`cascade certify` searches a plan and tests it on requests kept aside.",
        )
    if found.plan.is_constant and found.plan.tiers[0] == found.top:
        return f"Always asking {found.top} needs no promise: nothing is given up.", ""
    if found.harm is None or found.gain is None:
        return (
            "Quality is unknown, and without it nothing can be promised.",
            "Give references, or let `cascade record` compare with the top tier.",
        )
    return (
        "There is no certificate, so the numbers below hold for the recorded requests only.",
        GRADED if graded else _labels(found.harm.value, found.gain.value),
    )


def _labels(harm: float, gain: float) -> str:
    """How many labels would certify the usual margin."""
    margin = points(USUAL_MARGIN)
    least = labels_without_harm(USUAL_MARGIN, DELTA)
    words = (
        "`cascade certify` tests it on requests kept aside: to promise "
        f"{margin}, {least} labelled ones at least"
    )
    try:
        wanted = plan_labels(USUAL_MARGIN, harm, gain, DELTA)
    except NotCertifiable:
        return f"{words}; with harm and gain as seen here no number of them would do."
    if wanted.requests <= least:
        return f"{words}."
    return f"{words}, and about {wanted.requests:,} where harm and gain are as seen here."
