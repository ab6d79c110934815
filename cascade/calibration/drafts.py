"""Recorded answers as the drafts that a scorer saw, with the earlier drafts that a plan bought."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cascade.calibration.recording import Recording
from cascade.core.copying import copy_of
from cascade.core.payloads import payload_for
from cascade.core.reply import Reply
from cascade.core.request import Request
from cascade.core.scoring import Draft
from cascade.errors import CascadeError, RecordingError
from cascade.wire.replies import read_reply

if TYPE_CHECKING:
    from cascade.core.tier import Tier

__all__ = ["Drafts"]

REQUESTS = "import the table with --queries (queries=), which has every request's id and prompt"

ANSWERS = "import the table with --column text=NAME (columns=), the column that has them"


class Drafts:
    """Makes drafts of a recording's requests and answers; each is read once.

    A reply kept on the wire is read as it was received; where only its text was kept, the draft
    has the text and nothing else (no finish reason, no tool calls, no log-probabilities).

    Args:
        recording: with its requests and texts or replies.
        tiers: by name, where their parameters and preamble are known: drafts then show the payload
            as it was sent.
    """

    def __init__(self, recording: Recording, tiers: Mapping[str, Tier] | None = None) -> None:
        self._recording = recording
        self._tiers = tiers or {}
        self._requests: dict[int, Request] = {}
        self._replies: dict[tuple[int, int], Reply] = {}

    def why_not(self, tiers: Sequence[int]) -> str | None:
        """Why drafts of some tiers cannot be made, and the way out; `None` where all can."""
        recording = self._recording
        lost = sum(request is None for request in recording.requests)
        if lost:
            some = "its" if lost == len(recording) else f"{lost:,} of its {len(recording):,}"
            return f"{some} requests were not kept; {self._way_out(REQUESTS)}"
        for tier in tiers:
            texts, replies = recording.texts[:, tier], recording.replies[:, tier]
            for row in np.flatnonzero(recording.answered[:, tier]):
                if texts[row] is None and replies[row] is None:
                    name = recording.names[tier]
                    return f"the answers of {name!r} were not kept; {self._way_out(ANSWERS)}"
        return None

    def _way_out(self, of_a_table: str) -> str:
        """What makes a recording that keeps more; one of a table of others knows no chain."""
        again = "record the chain with content='full' (--content full)"
        return again if self._recording.about.chain else f"{of_a_table}, or {again}"

    def draft(self, row: int, asked: Sequence[int]) -> Draft:
        """The draft of the last tier asked, with those of the others that answered before it.

        Args:
            row: index of the request.
            asked: tiers in the order they were asked; the last one has answered.

        Raises:
            RecordingError: request or answer were not kept, or are none.
        """
        made: list[Draft] = []
        for tier in asked:
            if tier == asked[-1] or self._came_back(row, tier):
                made.append(self._one(row, tier, tuple(made)))
        return made[-1]

    def _came_back(self, row: int, tier: int) -> bool:
        """Whether there was a draft: an answer, or a reply that was empty and whose tokens count.

        An empty draft stands among the earlier ones too; a call that failed has no tokens.
        """
        recording = self._recording
        return bool(recording.answered[row, tier]) or bool(recording.tokens.output[row, tier] > 0)

    def _one(self, row: int, tier: int, earlier: tuple[Draft, ...]) -> Draft:
        recorded = self._recording.tiers[tier]
        known = self._tiers.get(recorded.name)
        request = self.request(row)
        # Copies, as in the engine: what anybody's scorer does to them must stay with it.
        request = replace(request, payload=copy_of(request.payload))
        payload = request.payload if known is None else payload_for(known, request)
        reply = self.reply(row, tier)
        return Draft(request, reply, recorded.name, recorded.model, payload, earlier)

    def request(self, row: int) -> Request:
        """The request of a row; raises as `draft`."""
        if row not in self._requests:
            self._requests[row] = self._read_request(row)
        return self._requests[row]

    def reply(self, row: int, tier: int) -> Reply:
        """What a tier answered in a row; raises as `draft`."""
        if (row, tier) not in self._replies:
            self._replies[row, tier] = self._read_reply(row, tier)
        return self._replies[row, tier]

    def _read_request(self, row: int) -> Request:
        asked = _plain(self._recording.requests[row])
        if asked is None:
            raise RecordingError(f"request {self._recording.ids[row]!r} was not kept")
        try:
            return Request.build(asked)
        except CascadeError as error:
            raise RecordingError(f"request {self._recording.ids[row]!r}: {error}") from error

    def _read_reply(self, row: int, tier: int) -> Reply:
        recording = self._recording
        wire, text = recording.replies[row, tier], recording.texts[row, tier]
        if not recording.answered[row, tier]:
            return Reply("")
        if wire is None and text is None:
            raise RecordingError(
                f"the answer of {recording.names[tier]!r} to request {recording.ids[row]!r} was "
                "not kept: record with content='full' (--content full)"
            )
        if wire is None:
            return Reply(str(text))
        try:
            return read_reply(json.loads(wire) if isinstance(wire, str) else wire)
        except (CascadeError, ValueError) as error:
            raise RecordingError(
                f"the reply of {recording.names[tier]!r} to request {recording.ids[row]!r} "
                f"cannot be read: {error}"
            ) from error


def _plain(asked: Any) -> Any:
    """A prompt, messages or a payload; a payload may have been kept as its JSON text."""
    if not isinstance(asked, str) or not asked.lstrip().startswith(("{", "[")):
        return asked
    try:
        found = json.loads(asked)
    except ValueError:
        return asked
    is_payload = isinstance(found, Mapping) and bool({"messages", "input"} & found.keys())
    is_messages = isinstance(found, list) and all(
        isinstance(item, Mapping) and "role" in item for item in found
    )
    return found if is_payload or (is_messages and found) else asked
