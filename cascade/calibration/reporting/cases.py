"""The recorded requests that the plan answered worse, or better, than the top tier."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal

from cascade.calibration.comparing.comparison import Comparison
from cascade.calibration.comparing.findings import WhatIf
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.view import Case
from cascade.traces.page.content import Words, kept, messages

__all__ = ["cases_of"]


def cases_of(recording: Recording, comparison: Comparison, shown: int) -> tuple[Case, ...]:
    """The requests of the widest differences, harms first.

    Args:
        recording: where their texts are, if they were kept.
        comparison: with a chosen plan and known quality; else there are none.
        shown: of each kind at most.
    """
    found = comparison.chosen
    if found is None:
        return ()
    harms = [_case("harm", row, recording, found) for row in comparison.harm_rows[:shown]]
    gains = [_case("gain", row, recording, found) for row in comparison.gain_rows[:shown]]
    return (*harms, *gains)


def _case(kind: Literal["harm", "gain"], row: int, recording: Recording, found: WhatIf) -> Case:
    tier, top = int(found.outcomes.returned[row]), recording.index(found.top)
    score = float(found.outcomes.score[row])
    reference = recording.references[row]
    policy = recording.about.content
    return Case(
        kind=kind,
        id=str(recording.ids[row]),
        tier=recording.names[tier] if tier >= 0 else "nobody",
        top=recording.names[top],
        request=_request(recording.requests[row], policy),
        answer=_answer(recording, row, tier),
        top_answer=_answer(recording, row, top),
        reference=None if reference is None else Words(str(reference)),
        quality=_quality(found.outcomes.quality[row]),
        top_quality=_quality(recording.quality[row, top]),
        score=None if math.isnan(score) else score,
    )


def _answer(recording: Recording, row: int, tier: int) -> Words:
    if tier < 0 or not recording.answered[row, tier]:
        return Words(missing="no answer")
    return _kept(recording.texts[row, tier], recording.about.content)


def _kept(text: str | None, policy: str) -> Words:
    """A text, or why it is not there."""
    if text is None and policy != "full":
        return Words(missing=f"not kept: the content policy is “{policy}”")
    return kept(text, policy)


def _quality(value: float) -> float:
    return 0.0 if math.isnan(value) else float(value)


def _request(request: Any, policy: str) -> Words:
    """What was asked: a prompt, or all messages with their roles where there are several."""
    if isinstance(request, str):
        request = _payload(request)
    if not isinstance(request, Mapping):
        return _kept(None if request is None else str(request), policy)
    if set(request) == {"sha256"}:
        return kept(f"sha256:{request['sha256']}", "hashed")
    found = messages(request)
    if len(found) == 1:
        return _kept(found[0].text, policy)
    return _kept("\n\n".join(f"{one.role}: {one.text}" for one in found), policy)


def _payload(text: str) -> Any:
    """A request's payload where the text is one as JSON; else the text."""
    if not text.startswith("{"):
        return text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    named = isinstance(found, dict) and {"messages", "input", "sha256"} & set(found)
    return found if named else text
