"""Requests that ask exactly the same: copies, which are one observation and not several.

They are told by what is asked, where that was kept. A copy that certified what was learnt from its
twin, or counted as a label of its own, would make a promise look better founded than it is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from cascade.calibration.recording import Recording

__all__ = ["copies_in", "copies_together", "what_is_asked"]


def copies_together(recording: Recording) -> Recording:
    """The same recording, with copies in one group.

    A request without a group of its own, which is one whose group is its id, joins the group of the
    first request that asks the same. Groups that were given are left as they are.

    Returns:
        The recording itself where there is nothing to join.
    """
    groups = recording.groups.copy()
    first: dict[str, str] = {}
    for row, request in enumerate(recording.requests):
        asked = what_is_asked(request)
        if asked is None:
            continue
        group = first.setdefault(asked, groups[row])
        if groups[row] == recording.ids[row]:
            groups[row] = group
    return recording if (groups == recording.groups).all() else replace(recording, groups=groups)


def copies_in(recording: Recording) -> int:
    """How many requests ask what another one of their group asked before them."""
    asked = [what_is_asked(request) for request in recording.requests]
    told = [pair for pair in zip(recording.groups, asked, strict=True) if pair[1] is not None]
    return len(told) - len(set(told))


def what_is_asked(request: Any) -> str | None:
    """A hash of a prompt or payload; `None` where it was not kept or is empty."""
    if not request or (isinstance(request, str) and not request.strip()):
        return None
    text = json.dumps(request, sort_keys=True, ensure_ascii=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()
