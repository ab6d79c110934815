"""A tree of costs in the terminal, and as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text
from rich.tree import Tree

from cascade.core.trace_text import cost_words, ending_words
from cascade.traces.lines import line, short_dollars
from cascade.traces.summary import STATUSES
from cascade.traces.tables import Column, fitted
from cascade.traces.tree import CostTree, Spent

__all__ = ["spent_text", "tree_panel", "tree_to_dict"]


def tree_panel(tree: CostTree) -> RenderableType:
    """A tree to read: each request with its own cost and that of all below it."""
    total = Text("cost ").append(spent_text(tree.total), style="bold")
    total.append(f" · {tree.total.requests} {_requests(tree.total.requests)}")
    if tree.parent_id:
        total.append(" · itself made for ").append_text(line(tree.parent_id))
    drawn = _drawn(tree)
    return Panel(
        Group(
            total,
            Text(),
            drawn,
            Text(),
            _table("tag", tree.by_tag),
            Text(),
            _table("tier", tree.by_tier),
        ),
        title=line(f"Cost of {tree.id} with everything made for it", "bold"),
        title_align="left",
    )


def spent_text(spent: Spent) -> str:
    """What some requests came to; a lower bound where a part is unknown."""
    return cost_words(spent.cost_usd, spent.known_usd)


def tree_to_dict(tree: CostTree) -> dict[str, Any]:
    """A tree as data: totals, and its nodes in a flat list, parents before their children."""
    return {
        "id": tree.id,
        "has_trace": tree.has_trace,
        "parent_id": tree.parent_id,
        **_spent(tree.total),
        "by_tag": {tag: _spent(spent) for tag, spent in tree.by_tag.items()},
        "by_tier": {tier: _spent(spent) for tier, spent in tree.by_tier.items()},
        "nodes": [
            {
                "id": node.id,
                "depth": depth,
                "has_trace": node.has_trace,
                "parent_id": node.parent_id,
                "status": node.status,
                "tier": node.tier,
                "tags": node.tags,
                "own_cost_usd": node.own.cost_usd,
                "own_known_usd": node.own.known_usd,
                **_spent(node.total),
                "returns_to": node.returns_to,
            }
            for depth, node in tree.walk()
        ],
    }


def _spent(spent: Spent) -> dict[str, Any]:
    return {
        "requests": spent.requests,
        "cost_usd": spent.cost_usd,
        "known_cost_usd": spent.known_usd,
    }


def _drawn(tree: CostTree) -> Tree:
    root = Tree(_label(tree), guide_style="dim")
    branches = {0: root}
    for depth, node in tree.walk():
        if depth:
            branches[depth] = branches[depth - 1].add(_label(node))
        for known in node.returns_to:
            again = line(known, "yellow").append(" was met before: a cycle, counted once", "yellow")
            branches[depth].add(again)
    return root


def _label(node: CostTree) -> Text:
    label = line(node.id, "cyan")
    if node.has_trace:
        ending = line(ending_words(node.status), STATUSES.get(node.status or "", "red"))
        label.append(" ").append_text(ending)
        if node.tier:
            label.append(" by ").append_text(line(node.tier))
    else:
        label.append(" no trace of its own", style="dim")
    for tag in node.tags:
        label.append(" ").append_text(line(f"#{tag}", "magenta"))
    if node.has_trace:
        label.append(" · ").append(spent_text(node.own))
    if node.children and node.has_trace:
        label.append(" · with all below ").append(spent_text(node.total), style="bold")
    label.no_wrap = False
    return label


def _table(name: str, parts: Mapping[str, Spent]) -> RenderableType:
    return fitted(
        [
            Column(f"by {name}", [line(part or f"no {name}") for part in parts], least=16),
            Column("requests", [f"{spent.requests:,}" for spent in parts.values()]),
            Column("cost", [_in_short(spent) for spent in parts.values()]),
        ]
    )


def _in_short(spent: Spent) -> str:
    if spent.cost_usd is None:
        return f"unknown, at least {short_dollars(spent.known_usd)}"
    return short_dollars(spent.cost_usd)


def _requests(count: int) -> str:
    return "request" if count == 1 else "requests"
