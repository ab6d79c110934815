"""What a recording holds, for people and as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cascade.calibration.money import UNKNOWN, Pico, usd_of
from cascade.calibration.recording import SCORE_KINDS, Recording
from cascade.calibration.unasked import gaps
from cascade.core.clean import on_one_line
from cascade.percent import percent
from cascade.traces.lines import cost_text, line

__all__ = ["recording_data", "recording_tables"]

SHOWN = 12
"""Slices, splits and signals that a line lists."""

NAMED = 4
"""Tiers that a note names."""

WORDLESS = (
    "requests have no text: no scorer can judge their answers; import with --queries, a table that "
    "has every request's id and prompt"
)

NUMBERS = ("asked", "answered", "quality", "cost a request", "scored")


def recording_data(made: Recording) -> dict[str, Any]:
    """A recording in short; means and shares are `None` where there is nothing to take them of."""
    silent = gaps(made)
    return {
        "requests": len(made),
        "groups": len(set(made.groups)),
        "weighted": bool((made.weights != made.weights[0]).any()),
        "gaps": int(silent.sum()),
        "tiers": [_tier(made, tier, silent[:, tier]) for tier in range(len(made.tiers))],
        "slices": _counted(made.slices),
        "splits": _counted(made.splits),
        "with_request": _present(made.requests),
        "with_reference": _present(made.references),
        "with_text": _present(made.texts[made.answered]),
        "with_reply": _present(made.replies[made.answered]),
        "charges": len(made.charges),
        "signals": {
            name: float((~np.isnan(values[made.answered])).mean()) if made.answered.any() else None
            for name, values in made.signals.items()
        },
        "about": asdict(made.about),
    }


def recording_tables(made: Recording) -> RenderableType:
    """The same for people."""
    data = recording_data(made)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("tier", overflow="fold")
    for name in NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    for tier in data["tiers"]:
        role = " (witness)" if tier["role"] == "witness" else ""
        table.add_row(
            line(f"{tier['tier']}{role}"),
            str(tier["asked"]),
            str(tier["answered"]),
            _share(tier["quality"]),
            cost_text(tier["cost_usd"], "exact"),
            _share(tier["scored"]),
        )
    return Group(Text(), table, Text(), *_facts(data), *_notes(data))


def _tier(made: Recording, tier: int, silent: NDArray[np.bool_]) -> dict[str, Any]:
    about = made.tiers[tier]
    asked = ~silent
    quality = made.quality[asked, tier]
    graded = ~np.isnan(quality)
    usable, kinds = made.usable[:, tier], made.score_kind[:, tier]
    cost = made.cost_pusd[asked, tier]
    return {
        "tier": about.name,
        "model": about.model,
        "role": about.role,
        "asked": int(asked.sum()),
        "answered": int(made.answered[:, tier].sum()),
        "quality": float(np.average(quality[graded], weights=made.weights[asked][graded]))
        if graded.any()
        else None,
        "quality_unknown": int((~graded).sum()),
        "cost_usd": _mean_usd(cost),
        "cost_unknown": int((cost == UNKNOWN).sum()),
        "scorer": about.scorer or None,
        "threshold": about.threshold,
        "scored": float((kinds[usable] == SCORE_KINDS.index("score")).mean())
        if usable.any() and (kinds != 0).any()
        else None,
        "scorer_failed": int((kinds == SCORE_KINDS.index("failed")).sum()),
    }


def _mean_usd(cost: Pico) -> Any:
    """The mean of the known amounts, to the picodollar."""
    known = cost[cost != UNKNOWN]
    return usd_of(round(int(known.sum()) / len(known))) if len(known) else None


def _facts(data: dict[str, Any]) -> Iterator[Text]:
    about, groups = data["about"], data["groups"]
    of = "" if groups == data["requests"] else f" in {groups} groups"
    weighted = ", weighted" if data["weighted"] else ""
    yield _fact("requests", f"{data['requests']}{of}{weighted}")
    for name in ("slices", "splits"):
        if set(data[name]) - {""}:
            yield _fact(name, _listed(data[name]))
    if data["signals"]:
        shown = {name: _share(share) for name, share in data["signals"].items()}
        yield _fact("signals", _listed(shown))
    yield _fact("quality", about["quality"] or "nobody says what it means")
    if about["self_disagreement"] is not None:
        calls = about["self_disagreement_calls"]
        words = (
            f"{percent(about['self_disagreement'])} of {calls} double calls of the last tier differ"
        )
        yield _fact("d0", words)
    if about["chain"]:
        yield _fact("chain", f"{about['chain']} ({about['chain_digest']})")
    kept = "" if about["content"] == "full" else f"; content {about['content']}"
    yield _fact("from", f"{about['source'] or 'unknown'}{kept}")


def _fact(name: str, words: str) -> Text:
    return Text(f"{name:11}{on_one_line(words)}")


def _notes(data: dict[str, Any]) -> Iterator[Text]:
    """What is odd about it, with the tiers that it is odd about."""
    wordless = data["requests"] - data["with_request"]
    if wordless and not data["about"]["chain"]:
        yield _fact("note", f"{wordless:,} of {data['requests']:,} {WORDLESS}")
    asked = {tier["tier"]: tier["asked"] for tier in data["tiers"]}
    unasked = {name: data["requests"] - count for name, count in asked.items()}
    for found, words in (
        (unasked, "requests were not asked; plans with it cannot be replayed on them"),
        (_counts(data, "quality_unknown"), "answers of unknown quality"),
        (_counts(data, "cost_unknown"), "requests of unknown cost"),
        (_counts(data, "scorer_failed"), "failures of the scorer"),
    ):
        odd = [f"{name!r} {count}" for name, count in found.items() if count]
        more = f", and {len(odd) - NAMED} tiers more" if len(odd) > NAMED else ""
        if odd:
            yield _fact("note", f"{words}: {', '.join(odd[:NAMED])}{more}")
    if better := _better(data):
        yield _fact("note", better)


def _better(data: dict[str, Any]) -> str:
    """That a cheaper tier is better than the last, where no chain chose the order; else ""."""
    tiers = [tier for tier in data["tiers"] if tier["role"] == "tier"]
    whole = all(tier["asked"] == data["requests"] for tier in tiers)
    unknown = any(None in (tier["quality"], tier["cost_usd"]) for tier in tiers)
    if data["about"]["chain"] or not whole or unknown:
        return ""
    top, best = tiers[-1], max(tiers, key=lambda tier: tier["quality"])
    if best["quality"] <= top["quality"] or best["cost_usd"] >= top["cost_usd"]:
        return ""
    return (
        f"the top tier {top['tier']!r} is not the best model: {best['tier']!r} is better and costs "
        "less; import with --tiers to name them in another order"
    )


def _counts(data: dict[str, Any], name: str) -> dict[str, int]:
    return {tier["tier"]: tier[name] for tier in data["tiers"]}


def _counted(names: NDArray[np.object_]) -> dict[str, int]:
    return dict(Counter(names.tolist()).most_common())


def _present(values: NDArray[np.object_]) -> int:
    return sum(value is not None for value in values.ravel())


def _listed(counts: dict[str, Any]) -> str:
    shown = [f"{name or 'none'} {count}" for name, count in list(counts.items())[:SHOWN]]
    more = f", and {len(counts) - SHOWN} more" if len(counts) > SHOWN else ""
    return ", ".join(shown) + more


def _share(value: float | None) -> str:
    return "-" if value is None else percent(value)
