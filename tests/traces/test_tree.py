"""What requests made for one another cost together: exact, complete, each counted once."""

from dataclasses import replace
from decimal import Decimal

import pytest

from cascade import Spent, StoreError, TraceStore, cost_tree

COST = Decimal("0.00220628")
NANO, BIG = Decimal("0.00000628"), Decimal("0.0022")


@pytest.fixture
def family(trace):
    """A crew's run without a trace: a planner, its two helpers, and a helper's helper."""
    made = [
        ("planner", "run-7", ("agent:plan",)),
        ("search", "planner", ("agent:search", "web")),
        ("write", "planner", ()),
        ("check", "write", ("agent:check",)),
    ]
    return [
        replace(
            trace, id=name, parent_id=parent, tags=tags, started_at=f"2026-11-22T0{hour}:00:00Z"
        )
        for hour, (name, parent, tags) in enumerate(made)
    ]


@pytest.fixture(params=["list", "store"])
def source(request, tmp_path):
    """Puts traces where the tree looks for them."""
    stores = []

    def put(traces):
        if request.param == "list":
            return traces[::-1]
        stores.append(TraceStore(tmp_path / "t.db"))
        for trace in traces:
            stores[-1].save(trace)
        return stores[-1]

    yield put
    for store in stores:
        store.close()


def drawn(tree):
    return [f"{'-' * depth}{node.id}" for depth, node in tree.walk()]


def test_totals_by_node_tag_and_tier(source, family):
    """A node's total is its own cost and its descendants', and the parts say whose it is."""
    tree = cost_tree(source(family), "planner")
    assert drawn(tree) == ["planner", "-search", "-write", "--check"]
    assert tree.own == Spent(1, COST, COST)
    assert tree.total == Spent(4, 4 * COST, 4 * COST)
    assert [child.total.cost_usd for child in tree.children] == [COST, 2 * COST]
    assert {tag: spent.requests for tag, spent in tree.by_tag.items()} == {
        "agent:plan": 1,
        "agent:search": 1,
        "web": 1,
        "": 1,
        "agent:check": 1,
    }
    assert tree.by_tier == {
        "nano": Spent(4, 4 * NANO, 4 * NANO),
        "big": Spent(4, 4 * BIG, 4 * BIG),
    }
    assert (tree.parent_id, tree.status, tree.tier) == ("run-7", "accepted", "big")


def test_a_parent_that_left_no_trace_is_a_root(source, family):
    """A run has an id and no trace of its own: it costs nothing itself and adds up all the same."""
    tree = cost_tree(source(family), "run-7")
    assert (tree.has_trace, tree.own, tree.status) == (False, Spent(), None)
    assert tree.total == Spent(4, 4 * COST, 4 * COST)
    assert drawn(tree)[:2] == ["run-7", "-planner"]
    assert "" in tree.by_tag
    assert sum(spent.requests for spent in tree.by_tier.values()) == 8


def test_an_id_that_nobody_knows(source, family):
    """An id that is neither a trace nor anybody's parent is named."""
    with pytest.raises(StoreError, match="no trace has the id 'runn', and none names it"):
        cost_tree(source(family), "runn")


def test_orphans_belong_to_no_other_tree(source, family):
    """Requests of other parents, or of none, are not counted."""
    others = [
        replace(family[0], id="o1", parent_id="gone"),
        replace(family[0], id="o2", parent_id=None),
    ]
    placed = source([*family, *others])
    assert cost_tree(placed, "planner").total.requests == 4
    assert cost_tree(placed, "gone").total.requests == 1
    assert drawn(cost_tree(placed, "o2")) == ["o2"]


def test_cycles_are_followed_once(source, family):
    """Ids that lead back to themselves end, are told, and count once."""
    planner, search, *_ = family
    ring = [
        replace(planner, parent_id="search"),
        search,
        replace(search, id="self", parent_id="self"),
    ]
    placed = source(ring)
    tree = cost_tree(placed, "planner")
    assert (drawn(tree), tree.children[0].returns_to) == (["planner", "-search"], ("planner",))
    assert tree.total.requests == 2
    alone = cost_tree(placed, "self")
    assert (drawn(alone), alone.returns_to) == (["self"], ("self",))


def test_an_unknown_cost_makes_totals_unknown(source, family):
    """One unknown charge makes every total above it unknown, with what is known as lower bound."""
    check = family[3]
    first = check.attempts[0]
    lost = replace(first.charges[1], cost_usd=None, basis="unknown", usage=None)
    broken = replace(check, attempts=(replace(first, charges=(lost,)), check.attempts[1]))
    tree = cost_tree(source([*family[:3], broken]), "planner")
    assert tree.total == Spent(4, None, 3 * COST + BIG)
    search, write = tree.children
    assert (search.total.cost_usd, write.total.cost_usd) == (COST, None)
    assert tree.by_tier["nano"] == Spent(4, None, 3 * NANO)
    assert tree.by_tier["big"].cost_usd == 4 * BIG
    assert tree.by_tag["agent:check"].cost_usd is None


def test_skipped_tiers_and_replays_cost_nothing(family):
    """A tier that was not asked has no share, and a replay was not paid."""
    planner = family[0]
    skipped = replace(planner.attempts[0], verdict="skipped", charges=(), score=None)
    planner = replace(planner, attempts=(skipped, planner.attempts[1]))
    replayed = replace(family[1], id="again", replayed=True)
    tree = cost_tree([planner, replayed], "planner")
    assert (list(tree.by_tier), tree.total.requests) == (["big"], 1)


def test_a_long_chain_of_parents_needs_no_recursion(trace):
    """Five thousand requests, each made for the one before it, are added up and walked."""
    line = [
        replace(trace, id=f"n{number}", parent_id=f"n{number - 1}" if number else None)
        for number in range(5_000)
    ]
    tree = cost_tree(line, "n0")
    assert tree.total.cost_usd == 5_000 * COST
    assert max(depth for depth, _ in tree.walk()) == 4_999
    assert tree.by_tag[""].requests == 5_000


def test_many_children_are_found_in_parts(trace, tmp_path, monkeypatch):
    """More parents than a database takes in one question are asked for in several."""
    monkeypatch.setattr("cascade.traces.tree.AT_ONCE", 2)
    with TraceStore(tmp_path / "t.db") as store:
        store.save(replace(trace, id="root"))
        for number in range(5):
            store.save(replace(trace, id=f"c{number}", parent_id="root"))
            store.save(replace(trace, id=f"g{number}", parent_id=f"c{number}"))
        tree = cost_tree(store, "root")
    assert (tree.total.requests, len(tree.children)) == (11, 5)
