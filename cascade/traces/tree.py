"""What a request cost together with all requests that were made for it.

An agent asks, its helpers ask, and theirs: each request names the trace or run that it was made for
(`Trace.parent_id`). A run has an id and no trace of its own. Adding up follows these names
downwards from a root; ids that lead back to themselves are followed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from cascade.core.price import EXACT
from cascade.core.trace import Trace
from cascade.errors import StoreError
from cascade.traces.given import a_trace, some_traces

if TYPE_CHECKING:
    from cascade.traces.store import TraceStore

__all__ = ["CostTree", "Spent", "cost_tree"]

AT_ONCE = 500
"""Parents whose children a store is asked for at once; databases take some thousands at most."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What some requests, or their parts at one tier, came to.

    Attributes:
        requests: how many requests have a share in it.
        cost_usd: all of it; `None` where a part is unknown.
        known_usd: the parts that are known: a lower bound of `cost_usd`.
    """

    requests: int = 0
    cost_usd: Decimal | None = Decimal(0)
    known_usd: Decimal = Decimal(0)

    def __add__(self, other: Spent) -> Spent:
        unknown = self.cost_usd is None or other.cost_usd is None
        known = EXACT.add(self.known_usd, other.known_usd)
        return Spent(self.requests + other.requests, None if unknown else known, known)


@dataclass(frozen=True, slots=True)
class Made:
    """The part of a trace that a tree needs."""

    id: str
    parent_id: str | None
    tier: str | None
    status: str
    tags: tuple[str, ...]
    spent: Spent
    by_tier: tuple[tuple[str, Spent], ...]


@dataclass(frozen=True)
class CostTree:
    """A request, or a run, with everything that was asked for it.

    Attributes:
        id: of the trace, or of a run that left no trace.
        has_trace: False where requests name this id as their parent and no trace has it.
        parent_id: what it was made for in turn; it is not part of the tree.
        status: how it ended; `None` without a trace, as `tier` is.
        tier: which tier answered it.
        tags: its own.
        own: what it cost by itself; nothing without a trace.
        total: the same with all descendants.
        own_by_tier: its own cost at each tier that it asked, scorers' calls counted where their
            draft was.
        children: what was made for it, oldest first.
        returns_to: ids among its children that were met before, such as the root of a cycle. They
            are not followed, and so counted once.
    """

    id: str
    has_trace: bool
    parent_id: str | None
    status: str | None
    tier: str | None
    tags: tuple[str, ...]
    own: Spent
    total: Spent
    own_by_tier: tuple[tuple[str, Spent], ...] = ()
    children: tuple[CostTree, ...] = field(default=(), repr=False)
    returns_to: tuple[str, ...] = ()

    @property
    def by_tag(self) -> dict[str, Spent]:
        """The total by tag; requests without one stand under "".

        A request with two tags counts under each: the parts may add up to more than the total.
        """
        nodes = (node for _, node in self.walk() if node.has_trace)
        return _by_name((tag, node.own) for node in nodes for tag in node.tags or ("",))

    @property
    def by_tier(self) -> dict[str, Spent]:
        """The total by tier that was asked."""
        return _by_name(part for _, node in self.walk() for part in node.own_by_tier)

    def walk(self) -> Iterator[tuple[int, CostTree]]:
        """Each node with its depth, from the root at depth 0 downwards, children in order."""
        waiting = [(0, self)]
        while waiting:
            depth, node = waiting.pop()
            yield depth, node
            waiting += [(depth + 1, child) for child in reversed(node.children)]


Children = Callable[[Sequence[str]], Iterable[Trace]]


def cost_tree(traces: Iterable[Trace] | TraceStore, root_id: str) -> CostTree:
    """Add up what a request or a run cost with everything that was made for it.

    Args:
        traces: traces in any order, or the store that keeps them. Replays are passed over: nothing
            of them was paid. The last trace of an id counts.
        root_id: id of a trace, or of a run that traces name as their parent.

    Raises:
        StoreError: no trace has this id, and none was made for it.
        TraceError: a trace in the store is damaged.
        TypeError: `traces` is neither, but e.g. the path of a store.
    """
    root, children = _source(traces, root_id)
    found: dict[str, Made] = {} if root is None else {root_id: _made(root)}
    below: dict[str, list[str]] = {}
    returns: dict[str, list[str]] = {}
    order = met = [root_id]  # parents before their children
    known = {root_id}
    while met:
        level: list[str] = []
        for start in range(0, len(met), AT_ONCE):
            for made in map(_made, children(met[start : start + AT_ONCE])):
                parent = str(made.parent_id)
                if made.id in known:
                    returns.setdefault(parent, []).append(made.id)
                    continue
                known.add(made.id)
                found[made.id] = made
                below.setdefault(parent, []).append(made.id)
                level.append(made.id)
        order = order + level
        met = level
    if root is None and not below:
        raise StoreError(f"no trace has the id {root_id!r}, and none names it as its parent")
    return _added_up(order, found, below, returns)


def _source(traces: Iterable[Trace] | TraceStore, root_id: str) -> tuple[Trace | None, Children]:
    """The root's trace, and a way to find what was made for some ids, oldest first."""
    if not isinstance(traces, Iterable) and hasattr(traces, "iter_traces"):
        return traces.find(root_id), lambda parents: traces.iter_traces(parent=parents)
    given = (a_trace(trace, "cost_tree") for trace in some_traces(traces, "cost_tree"))
    paid = {trace.id: trace for trace in given if not trace.replayed}
    by_parent: dict[str, list[Trace]] = {}
    for trace in sorted(paid.values(), key=lambda trace: (trace.started_at, trace.id)):
        if trace.parent_id is not None:
            by_parent.setdefault(trace.parent_id, []).append(trace)
    return paid.get(root_id), lambda parents: [
        trace for parent in parents for trace in by_parent.get(parent, ())
    ]


def _made(trace: Trace) -> Made:
    by_tier = []
    for attempt in trace.attempts:
        if attempt.asked:
            spent = Spent(1, attempt.cost_usd, attempt.known_cost_usd)
            by_tier.append((attempt.tier, spent))
    return Made(
        id=trace.id,
        parent_id=trace.parent_id,
        tier=trace.tier,
        status=trace.status,
        tags=tuple(dict.fromkeys(trace.tags)),
        spent=Spent(1, trace.cost_usd, trace.known_cost_usd),
        by_tier=tuple(by_tier),
    )


def _added_up(
    order: Sequence[str],
    found: Mapping[str, Made],
    below: Mapping[str, list[str]],
    returns: Mapping[str, list[str]],
) -> CostTree:
    """Nodes from the leaves upwards: a chain of ten thousand agents is no reason to recurse."""
    nodes: dict[str, CostTree] = {}
    for node_id in reversed(order):
        made = found.get(node_id)
        children = tuple(nodes.pop(child) for child in below.get(node_id, ()))
        own = made.spent if made else Spent()
        nodes[node_id] = CostTree(
            id=node_id,
            has_trace=made is not None,
            parent_id=made.parent_id if made else None,
            status=made.status if made else None,
            tier=made.tier if made else None,
            tags=made.tags if made else (),
            own=own,
            total=sum((child.total for child in children), own),
            own_by_tier=made.by_tier if made else (),
            children=children,
            returns_to=tuple(returns.get(node_id, ())),
        )
    return nodes[order[0]]


def _by_name(parts: Iterable[tuple[str, Spent]]) -> dict[str, Spent]:
    total: dict[str, Spent] = {}
    for name, spent in parts:
        total[name] = total.get(name, Spent()) + spent
    return total
