"""`report(recording)`: a recording, its baselines, its plan and its certificate in one value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cascade.calibration.comparing.complete import (
    source_of_rows,
    source_of_tiers,
    without_few_gaps,
    without_unasked_tiers,
)
from cascade.calibration.comparing.findings import WhatIf
from cascade.calibration.plan import Plan, ScoreSource
from cascade.calibration.proof.attempts import split_fingerprint
from cascade.calibration.proof.certificate import Certificate
from cascade.calibration.proof.losses import is_graded
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.basis import basis_of, needed_tiers
from cascade.calibration.reporting.beside_plan import compared
from cascade.calibration.reporting.drawn import charts_of
from cascade.calibration.reporting.page import report_html
from cascade.calibration.reporting.promise import floor_of, promise_of
from cascade.calibration.reporting.searched import search_beside
from cascade.calibration.reporting.speaks import other_tiers
from cascade.calibration.reporting.summary import summary_of
from cascade.calibration.reporting.svg import Format, picture
from cascade.calibration.reporting.view import View
from cascade.calibration.reporting.whole import view_of
from cascade.calibration.search.plan_path import PlanPath
from cascade.core.chain import Chain
from cascade.errors import RecordingError

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Report", "report"]

VERSION = 1
"""Of the JSON form."""

WITHOUT = "does without "
"""How a certificate's notes on tiers that its plan does not ask begin."""

UNTOLD = "The plan cannot be told from this recording, so there is nothing to promise."


@dataclass(frozen=True, eq=False)
class Report:
    """A report, to be shown as a page, as pictures, as data or on a terminal.

    The same recording, plan and certificate make the same bytes.

    Attributes:
        view: everything that is shown.
    """

    view: View

    def __str__(self) -> str:
        return f"{self.view.headline}. {self.view.promise.sentence}"

    @cached_property
    def charts(self) -> Mapping[str, Any]:
        """Altair charts by name: "frontier", "parts", "reliability_1", ...; see `picture`."""
        return charts_of(self.view)

    def picture(self, name: str, form: Format = "svg") -> bytes:
        """One chart as a file, on light ground.

        Args:
            name: one of `charts`.
            form: "svg" or "png".

        Raises:
            KeyError: there is no such chart.
        """
        return picture(self.charts[name], form)

    def to_html(self) -> str:
        """One self-contained page; write it as UTF-8."""
        return report_html(self.view)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data: amounts as decimal strings, what is unknown as `None`."""
        return {"version": VERSION, **_plain(asdict(self.view))}

    def summary(self) -> RenderableType:
        """The report in a screenful, for `rich`."""
        return summary_of(self.view)

    def __rich__(self) -> RenderableType:
        return self.summary()


def report(
    recording: Recording,
    *,
    certificate: Certificate | None = None,
    source: ScoreSource | None = None,
    path: PlanPath | None = None,
    chosen: Chain | Plan | None = None,
    missing: str = "",
    notes: Iterable[str] = (),
    title: str = "",
    search: bool = False,
    progress: Callable[[str], object] | None = None,
    cases: int = 5,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Report:
    """Put a plan, what it promises and everything simpler into one report.

    Where something is missing (labels, prices, scores, a second tier, a certificate) the report
    says so and holds the rest.

    Args:
        recording: what it rests on; best the requests that nothing was learnt from or chosen on.
        certificate: the promise.
        source: scores of the plan's steps; those of the chain's own scorers, or the recorded ones,
            unless given.
        path: the plans that a search found, priced again on this recording.
        chosen: the chain or plan that it is about; the certificate's, else the recorded chain's,
            unless given.
        missing: why there is no certificate, in words, e.g. those of a `NotCertifiable`; beside a
            certificate, why it does not speak of this recording.
        notes: what a reader must know besides.
        title: what the report is called; where the recording comes from unless given.
        search: without a certificate and a `path`, search plans: shows the cheapest that may be
            expected to be as good (without a plan, to keep 98 % of the top tier's quality), and
            why tiers do not pay. Seconds, where scores are learned.
        progress: of the search, told in words.
        cases: harms and gains shown, of each at most.
        confidence: of all intervals but the certificate's.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        RecordingError: `chosen` was given and not certified, and the recording cannot tell what it
            does; or the certificate speaks of none of the recorded tiers.
        ConfigError: settings that cannot work.
    """
    if certificate is not None:
        missing = other_tiers(recording, certificate) or missing
    part, absent = without_unasked_tiers(recording, needed_tiers(recording, chosen, certificate))
    asked, rows, left_out = without_few_gaps(part)
    notes = (*notes, *absent, *left_out)
    source = source_of_rows(source_of_tiers(source, part, recording), rows, len(recording))
    basis = basis_of(asked, chosen, certificate, source)
    settings: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
    kept, own, comparison = compared(asked, basis, path, **settings)
    searched = None
    if search and certificate is None and path is None:
        made = search_beside(kept, comparison, basis, own, progress=progress, **settings)
        if isinstance(made, str):
            notes = (*notes, f"no plans were searched: {made}")
        else:
            searched, comparison = made, made.beside(comparison, kept, **settings)
    comparison = replace(comparison, notes=(*notes, *comparison.notes))
    found = comparison.chosen
    chain = basis.chosen if isinstance(basis.chosen, Chain) else None
    if certificate is None and basis.is_untold:
        missing = missing or UNTOLD
    promise = promise_of(certificate, found, chain=chain, graded=is_graded(kept), missing=missing)
    view = view_of(
        kept,
        comparison,
        promise,
        title=title or recording.about.source or "recording",
        floor=floor_of(certificate, found) if promise.holds else None,
        fresh=promise.holds and _is_fresh(certificate, recording),
        untold=basis.is_untold,
        whole=recording,
        reasons=_reasons(path, certificate, found),
        searched=searched,
        cases=cases,
    )
    return Report(view)


def _is_fresh(certificate: Certificate | None, recording: Recording) -> bool:
    return certificate is not None and certificate.split == split_fingerprint(recording.ids)


def _reasons(
    path: PlanPath | None, certificate: Certificate | None, found: WhatIf | None
) -> dict[str, str]:
    """Why tiers are not in the plan, as far as the search or the certificate knows it."""
    if found is None:
        return {}
    if path is None:
        return {} if certificate is None else _certified_reasons(certificate, found)
    try:
        return {tier.name: tier.reason for tier in path.dropped(found.plan)}
    except RecordingError:  # a plan that the search did not find
        return {}


def _certified_reasons(certificate: Certificate, found: WhatIf) -> dict[str, str]:
    """The reasons among the notes of a certificate of that plan, by tier."""
    if certificate.plan.tiers != found.plan.tiers:
        return {}
    told = (note.removeprefix(WITHOUT) for note in certificate.notes if note.startswith(WITHOUT))
    return {name: reason for name, _, reason in (one.partition(": ") for one in told)}


def _plain(value: Any) -> Any:
    """Data as JSON holds it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
