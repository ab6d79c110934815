"""What differs between two traces: one request before and after a change, such as a replay.

Ids and the moments when the requests began always differ and are not compared. Times differ from
run to run: they are told, and two traces may be the same all the same.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cascade.core.trace import Attempt, ScoreRecord, Trace
from cascade.traces.given import a_trace

__all__ = ["AttemptDiff", "Change", "TraceDiff", "diff_traces"]

TIMES = ("duration_s", "latency_s")

FACTS = (
    *("status", "tier", "chain", "chain_digest", "price_table", "requested_model", "start_at"),
    *("stop_at", "cost_usd", "scoring_cost_usd", "saved_usd", "basis"),
    *("top_tier", "top_tier_cost_usd", "budget_usd", "tags", "parent_id", "duration_s"),
)
"""What is compared of a whole trace under every content policy."""

TURN_FACTS = ("model", "verdict", "threshold", "finish_reason", "cost_usd", "latency_s")

MOST_LINES = 2_000
"""Lines of a text that are compared; comparing takes time that grows faster than the text."""


@dataclass(frozen=True, slots=True)
class Change:
    """A value that differs; `None` where a trace has none."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class AttemptDiff:
    """What differs in one tier's turn.

    Attributes:
        tier: its name.
        only_in: "before" or "after" where the tier had a turn in one of the traces only.
        changes: values that differ; a scorer's is named by the way to it: "score both > inner".
        text: the drafts' difference as unified diff, without its head; empty where there is none.
    """

    tier: str
    only_in: Literal["before", "after"] | None
    changes: tuple[Change, ...] = ()
    text: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TraceDiff:
    """What differs between two traces.

    Attributes:
        before: id of the first trace.
        after: id of the second one.
        words_compared: False where their content policies differ: then requests, drafts and reasons
            say nothing about each other, and only names and numbers were compared.
        changes: values of the whole traces that differ.
        request: the requests' difference as unified diff of their JSON, without its head.
        attempts: turns that differ, in the order of the first trace.
    """

    before: str
    after: str
    words_compared: bool
    changes: tuple[Change, ...]
    request: tuple[str, ...]
    attempts: tuple[AttemptDiff, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs but times."""
        return not (
            self.request
            or any(change.name not in TIMES for change in self.changes)
            or any(_counts(attempt) for attempt in self.attempts)
        )


def diff_traces(before: Trace, after: Trace) -> TraceDiff:
    """Compare two traces.

    Args:
        before: the one to start from.
        after: the other one, e.g. `replay(before, another_chain)`.

    Raises:
        TypeError: one of them is no trace.
    """
    a_trace(before, "diff_traces")
    a_trace(after, "diff_traces")
    words = before.content == after.content
    changes = [*_differing(FACTS, before, after)]
    if before.cost_usd is None or after.cost_usd is None:  # else it is the same as the cost
        changes += _differing(("known_cost_usd",), before, after)
    request: tuple[str, ...] = ()
    if words:
        changes += _differing(("reason", "metadata"), before, after)
        request = _unified(_as_json(before.request), _as_json(after.request))
    found = []
    for tier, old, new in _pairs(before.attempts, after.attempts):
        turn = _turn(tier, old, new, words=words)
        if turn.only_in or turn.changes or turn.text:
            found.append(turn)
    return TraceDiff(before.id, after.id, words, tuple(changes), request, tuple(found))


Placed = tuple[int, Attempt]


def _pairs(
    before: Sequence[Attempt], after: Sequence[Attempt]
) -> Iterator[tuple[str, Placed | None, Placed | None]]:
    """Turns of the same tier side by side, each with its place; those of one trace only alone."""
    theirs: dict[str, list[Placed]] = {}
    for place, attempt in enumerate(after, 1):
        theirs.setdefault(attempt.tier, []).append((place, attempt))
    for place, attempt in enumerate(before, 1):
        found = theirs.get(attempt.tier)
        yield attempt.tier, (place, attempt), found.pop(0) if found else None
    for tier, left in theirs.items():
        for placed in left:
            yield tier, None, placed


def _turn(tier: str, old: Placed | None, new: Placed | None, *, words: bool) -> AttemptDiff:
    if old is None or new is None:
        return AttemptDiff(tier, "after" if old is None else "before")
    (was, before), (now, after) = old, new
    changes = [Change("place", was, now)] if was != now else []
    changes += _differing(TURN_FACTS, before, after)
    changes += _scores(before.score, after.score, words=words)
    for name, count in (("calls", _calls), ("tokens in", _tokens_in), ("tokens out", _tokens_out)):
        if count(before) != count(after):
            changes.append(Change(name, count(before), count(after)))
    if not words:
        return AttemptDiff(tier, None, tuple(changes))
    changes += _differing(("reason", "tool_calls"), before, after)
    if (before.text is None) != (after.text is None):
        changes.append(Change("text", _said(before), _said(after)))
    return AttemptDiff(tier, None, tuple(changes), _unified(before.text or "", after.text or ""))


def _differing(names: Sequence[str], before: object, after: object) -> Iterator[Change]:
    for name in names:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield Change(name, old, new)


def _scores(
    before: ScoreRecord | None, after: ScoreRecord | None, *, words: bool
) -> Iterator[Change]:
    """Scores and their reasons, of combinations and their parts alike."""
    old, new = dict(_named(before)), dict(_named(after))
    for name in (*old, *(name for name in new if name not in old)):
        was, now = old.get(name), new.get(name)
        if _outcome(was) != _outcome(now):
            yield Change(f"score {name}", _outcome(was), _outcome(now))
        if words and was and now and was.reason != now.reason:
            yield Change(f"reason of {name}", was.reason, now.reason)


def _named(record: ScoreRecord | None, above: str = "") -> Iterator[tuple[str, ScoreRecord]]:
    """Scores by the way to them; of parts with one name the later ones are numbered."""
    if record is None:
        return
    way = f"{above}{record.scorer}"
    yield way, record
    seen: dict[str, int] = {}
    for part in record.parts:
        seen[part.scorer] = seen.get(part.scorer, 0) + 1
        again = f"#{seen[part.scorer]} " if seen[part.scorer] > 1 else ""
        yield from _named(part, f"{way} > {again}")


def _outcome(record: ScoreRecord | None) -> float | str | None:
    if record is None:
        return None
    return record.kind if record.value is None else record.value


def _calls(attempt: Attempt) -> list[str]:
    return [f"{charge.purpose} {charge.outcome}" for charge in attempt.charges]


def _tokens_in(attempt: Attempt) -> int:
    return sum(charge.usage.input_tokens for charge in attempt.charges if charge.usage)


def _tokens_out(attempt: Attempt) -> int:
    return sum(charge.usage.output_tokens for charge in attempt.charges if charge.usage)


def _said(attempt: Attempt) -> str:
    return "none" if attempt.text is None else "some"


def _as_json(request: Mapping[str, Any] | None) -> str:
    if request is None:
        return ""
    return json.dumps(request, ensure_ascii=False, indent=2, sort_keys=True, default=str)


def _unified(before: str, after: str) -> tuple[str, ...]:
    if before == after:
        return ()
    old, new = before.splitlines(), after.splitlines()
    lines = difflib.unified_diff(old[:MOST_LINES], new[:MOST_LINES], lineterm="", n=2)
    found = tuple(lines)[2:]
    if max(len(old), len(new)) > MOST_LINES:
        found += (f"@@ compared up to line {MOST_LINES} @@",)
    # Texts that differ in how their lines end have the same lines.
    return found or ("@@ only line ends differ @@",)


def _counts(attempt: AttemptDiff) -> bool:
    if attempt.only_in or attempt.text:
        return True
    return any(change.name not in TIMES for change in attempt.changes)
