"""One trace: everything that happened, and the requests around it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, cast

from starlette.responses import Response

from cascade.accounts.key import KEY_TAG
from cascade.core.trace import Trace
from cascade.dashboard.site import Visit
from cascade.errors import StoreError, TraceError
from cascade.traces.page import shown
from cascade.traces.page.content import Mark
from cascade.traces.tree import CostTree, cost_tree

if TYPE_CHECKING:
    from cascade.traces.store import TraceStore

__all__ = ["one_trace"]

MOST_KIN = 200
"""Requests of a family that are listed; all are added up."""


@dataclass(frozen=True, slots=True)
class Kin:
    """A request of the same family, in the order of the tree."""

    depth: int
    node: CostTree
    is_this: bool


def one_trace(visit: Visit) -> Response:
    """Show the trace that the address names; a run without a trace of its own is shown as one."""
    trace_id = visit.asked("id")
    try:
        trace = visit.traces.find(trace_id)
    except TraceError as error:
        return visit.message("This trace is damaged", str(error), status=500)
    tree = _tree(visit, trace, trace_id)
    if trace is None and tree is None:
        return visit.message(
            "There is no such trace", "It was never kept here, or it is not yours.", status=404
        )
    if trace is None:
        return visit.page("run.html", run_id=trace_id, tree=tree, kin=_kin(tree, trace_id))
    parent = trace.parent_id
    context = shown(trace) | {
        "marks": [_mark(visit, tag) for tag in trace.tags],
        "parent_href": visit.href("trace", id=parent) if parent else "",
    }
    return visit.page("trace.html", tree=tree, kin=_kin(tree, trace_id), **context)


def _mark(visit: Visit, tag: str) -> Mark:
    """A tag that leads to all traces with it; a key by its name, where the viewer may know it."""
    if not tag.startswith(KEY_TAG):
        return Mark(tag, visit.href("traces", tag=tag))
    key_id = tag.removeprefix(KEY_TAG)
    name = visit.key_names.get(key_id)
    return Mark(f"key {name or key_id}", visit.href("traces", key=key_id) if name else "")


def _tree(visit: Visit, trace: Trace | None, trace_id: str) -> CostTree | None:
    """The trace with what was made for it; `None` where nothing was."""
    if not trace_id:
        return None
    try:
        found = cost_tree(cast("TraceStore", visit.traces), trace_id)  # reads as one
    except (StoreError, TraceError):
        return None
    return found if found.children or trace is None else None


def _kin(tree: CostTree | None, trace_id: str) -> list[Kin]:
    if tree is None:
        return []
    some = islice(tree.walk(), MOST_KIN)
    return [Kin(depth, node, node.id == trace_id) for depth, node in some]
