"""What a recording run came to: per tier how often it answered, how well, and for how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cascade.calibration.money import UNKNOWN, in_usd
from cascade.calibration.recorder.troubles import Trouble, metric_trouble, tier_troubles
from cascade.calibration.recording import SCORE_KINDS, Recording
from cascade.cli.output import times
from cascade.core.clean import on_one_line
from cascade.percent import percent
from cascade.traces.lines import cost_text, line, short_dollars

if TYPE_CHECKING:
    from cascade.calibration.recorder.journal import Entry
    from cascade.calibration.recorder.outlay import Outlay
    from cascade.calibration.recorder.recording_run import Recorder
    from cascade.calibration.recorder.recording_task import Task

__all__ = ["recorded_data", "recorded_tables"]


def recorded_data(
    made: Recording, recorder: Recorder, output: Path | None, left: Outlay
) -> dict[str, Any]:
    """The summary as JSON-ready data."""
    standing, about = recorder.standing, made.about
    bad = metric_trouble(*_run(recorder))
    return {
        "recording": str(output),
        "examples": standing.total,
        "complete": standing.done,
        "spent_usd": standing.spent_usd,
        "unknown_costs": standing.unknown_costs,
        "quality": about.quality,
        "quality_unknown": int(np.isnan(made.quality[made.answered]).sum()),
        "self_disagreement": about.self_disagreement,
        "self_disagreement_calls": about.self_disagreement_calls,
        "why_stopped": recorder.why_stopped or None,
        "failures": [_failure(one) for one in tier_troubles(*_run(recorder))],
        "metric_failure": None if bad is None else _failure(bad),
        "remaining": {
            "requests": left.requests,
            "calls": left.calls,
            "expected_usd": left.expected_usd,
            "most_usd": left.most_usd,
        },
        "tiers": [_tier(made, place) for place in range(len(made.tiers))],
    }


def recorded_tables(made: Recording, recorder: Recorder, output: Path | None) -> RenderableType:
    """The summary for people."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name in ("tier", "answered", "quality", "cost a request", "scored"):
        table.add_column(name, justify="left" if name == "tier" else "right")
    notes: list[Text] = []
    for place in range(len(made.tiers)):
        data = _tier(made, place)
        role = " (witness)" if data["role"] == "witness" else ""
        table.add_row(
            line(f"{data['tier']}{role}"),
            f"{data['answered']} of {data['asked']}",
            _share(data["quality"]),
            _cost(data["cost_usd"]),
            _share(data["scored"]),
        )
        notes += _notes(data, made.about.quality)
    notes = [*_failures(recorder), *notes]
    return Group(Text(), table, Text(), *_facts(made, recorder, output), *notes)


def _tier(made: Recording, place: int) -> dict[str, Any]:
    """What one tier came to; shares and means are `None` where there is nothing to take them of."""
    tier = made.tiers[place]
    answered, quality = made.answered[:, place], made.quality[:, place]
    asked = answered | ~np.isnan(quality)
    usable, kinds = made.usable[:, place], made.score_kind[:, place]
    cost = in_usd(made.cost_pusd[asked, place])
    failed = int((kinds == SCORE_KINDS.index("failed")).sum())
    return {
        "tier": tier.name,
        "model": tier.model,
        "role": tier.role,
        "asked": int(asked.sum()),
        "answered": int(answered.sum()),
        "quality": _mean(quality),
        "quality_unknown": int(np.isnan(quality[answered]).sum()),
        "cost_usd": _mean(cost),
        "cost_unknown": int((made.cost_pusd[asked, place] == UNKNOWN).sum()),
        "scorer": tier.scorer or None,
        "scored": _mean(kinds[usable] == SCORE_KINDS.index("score")) if tier.scorer else None,
        "scorer_failed": failed,
    }


def _facts(made: Recording, recorder: Recorder, output: Path | None) -> list[Text]:
    standing, about = recorder.standing, made.about
    many = times(standing.unknown_costs, "call")
    unknown = f", {many} of unknown cost" if standing.unknown_costs else ""
    spent = Text.assemble("spent      ", cost_text(standing.spent_usd, "exact"), unknown)
    what = "agreement with the last tier" if about.quality == "top tier" else about.quality
    facts = [Text(f"recording  {output}"), spent, Text(f"quality    {what}")]
    if about.self_disagreement is not None:
        facts.append(
            Text(
                f"d0         {percent(about.self_disagreement)}: so often the last tier's second "
                f"answer differs from its first ({about.self_disagreement_calls} asked twice); no "
                "target below it can be promised"
            )
        )
    elif about.quality == "top tier":
        facts.append(Text("d0         not measured: no promise can be made; see --double-calls"))
    return facts


def _run(recorder: Recorder) -> tuple[Task, Mapping[str, Entry]]:
    return recorder.task, recorder.journal.entries


def _failure(found: Trouble) -> dict[str, Any]:
    address = found.address or None
    return {"name": found.name, "count": found.count, "first": found.first, "address": address}


def _failures(recorder: Recorder) -> Iterator[Text]:
    """The first error of each tier, and of the metric."""
    for one in tier_troubles(*_run(recorder)):
        many = times(one.count, "request")
        yield _note(f"tier {one.name!r} failed on {many}, first: {one.words}")
    bad = metric_trouble(*_run(recorder))
    if bad is not None:
        many = times(bad.count, "answer")
        yield _note(f"metric {bad.name!r} failed on {many}, first: {bad.words}")


def _note(text: str) -> Text:
    return Text(f"note       {on_one_line(text)}", style="yellow")


def _notes(data: dict[str, Any], quality: str) -> list[Text]:
    """What is odd about a tier."""
    name, found = data["tier"], []
    if data["asked"] and not data["answered"]:
        found.append(f"tier {name!r} answered nothing: no plan can use it")
    if data["quality_unknown"]:
        found.append(
            f"tier {name!r}: {times(data['quality_unknown'], 'answer')} could not be graded by "
            f"{quality!r}"
        )
    if data["scorer_failed"]:
        found.append(
            f"tier {name!r}: scorer {data['scorer']!r} failed on "
            f"{times(data['scorer_failed'], 'answer')}"
        )
    if data["cost_unknown"]:
        many = times(data["cost_unknown"], "request")
        found.append(f"tier {name!r}: the cost of {many} is unknown")
    return [_note(text) for text in found]


def _mean(values: Any) -> float | None:
    known = np.asarray(values, float)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else None


def _share(value: float | None) -> str:
    return "-" if value is None else percent(value)


def _cost(value: float | None) -> str:
    """A mean, in three digits."""
    return "unknown" if value is None else short_dollars(Decimal(f"{value:.3g}"))
