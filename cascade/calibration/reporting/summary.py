"""The report for a terminal: the sentence, the promise, the notes, what stands beside the plan."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cascade.calibration.reporting.gather import together
from cascade.calibration.reporting.view import Dropped, PolicyLine, TierLine, View
from cascade.calibration.reporting.words import UNKNOWN_WORD, between, money, percent
from cascade.core.clean import on_one_line

__all__ = ["summary_of"]


def summary_of(view: View) -> RenderableType:
    """The report in a screenful, for `rich`."""
    parts: list[RenderableType] = [
        Text(on_one_line(view.headline), style="bold"),
        Text(on_one_line(f"{view.title}: {view.about}"), style="dim"),
        _promise(view),
    ]
    if view.simpler:
        parts.append(Text(on_one_line(view.simpler), style="yellow"))
    parts += _without(view)
    parts += [Text(on_one_line(f"note: {note}"), "yellow") for note in view.notes]
    if view.policies:
        parts += [Text(), _policies(view)]
    if view.beside:
        words = f"equal cost, equal quality: those of {view.beside}"
        parts.append(Text(on_one_line(words), style="dim"))
    if view.tiers:
        parts += [Text(), _tiers(view.tiers)]
    return Group(*parts)


def _without(view: View) -> Iterable[Text]:
    """What a search finds, and why tiers are not asked, where that is known."""
    found, told = view.searched, set[Dropped]()
    if found is not None:
        yield Text(on_one_line(found.sentence))
        told |= {*found.dropped}
        for names, reason in together(found.dropped):
            yield Text(on_one_line(f"what a search finds does without {names}: {reason}"))
    for names, reason in together([tier for tier in view.dropped if tier not in told]):
        yield Text(on_one_line(f"not in the plan: {names}: {reason}"))


def _promise(view: View) -> Text:
    promise = view.promise
    words = Text()
    if promise.holds:
        words.append("certified: ", style="bold green")
    else:
        here = " here" if promise.elsewhere else ""
        words.append(f"not certified{here}: ", style="bold yellow")
    words.append(on_one_line(f"{promise.sentence} {promise.next_step}"))
    return words


def _policies(view: View) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("policy", "USD per 1,000", f"of {on_one_line(view.top)}", "quality", "interval"):
        table.add_column(name, justify="left" if name == "policy" else "right")
    for line in view.policies:
        style = "bold" if line.is_chosen else "dim" if line.reason else ""
        table.add_row(*_policy(line), style=style)
    return table


def _policy(line: PolicyLine) -> Iterable[str]:
    name = on_one_line(line.name)
    if line.reason:
        return name, "none", "", "", ""
    share = "" if line.share is None else percent(line.share)
    ends = between(line.quality_range)
    return name, money(line.cost), share, percent(line.quality), ends


def _tiers(tiers: Iterable[TierLine]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("tier")
    for name in ("asked", "answers", "of the cost", "quality", "harms", "gains"):
        table.add_column(name, justify="right")
    for tier in tiers:
        table.add_row(
            on_one_line(tier.name),
            percent(tier.asked),
            percent(tier.answered),
            percent(tier.spent),
            percent(tier.quality) if tier.answered else "-",
            UNKNOWN_WORD if tier.quality is None and tier.answered else f"{tier.harms:,}",
            UNKNOWN_WORD if tier.quality is None and tier.answered else f"{tier.gains:,}",
        )
    return table
