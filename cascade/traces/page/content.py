"""What was asked and answered, as a page shows it: text, and in words what was not kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from cascade.core.trace import Attempt, Trace
from cascade.traces.page.frame import visible

__all__ = [
    "Mark",
    "Message",
    "Words",
    "answer",
    "first_messages",
    "kept",
    "messages",
    "pretty",
    "question",
    "shortened",
    "tool",
]

LONGEST_DATA = 200
"""Characters of an image or file within a request that are shown."""

LONGEST_TEXT = 100_000
"""Characters of a text that a page shows: with a request of megabytes browsers take minutes."""

MOST_TEXT = 5 * LONGEST_TEXT
"""Characters of a request's messages together, after which no further message is shown."""

HEADING = 100
"""Characters that a page takes for a message without words."""


@dataclass(frozen=True, slots=True)
class Words:
    """A text, or what stands in its place: `missing` says why there is none."""

    text: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A tag of a trace: its words, and where they lead, if anywhere."""

    words: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a request."""

    role: str
    text: str


def kept(text: str | None, policy: str) -> Words:
    """A text as the content policy left it."""
    if policy == "hashed" and text and text.startswith("sha256:"):
        return Words(missing=f"only its digest was kept: {text}")
    if text:
        return Words(text)
    if policy == "none":
        return Words(missing="not kept: the content policy is “none”")
    return Words(missing="no text")


@pass_context
def shortened(context: Context, value: Any) -> Any:
    """Whatever a page writes, as `frame.visible` has it; a long text is cut, and says so."""
    if isinstance(value, str) and not isinstance(value, Markup) and len(value) > LONGEST_TEXT:
        left, trace = len(value) - LONGEST_TEXT, context.get("trace")
        shown_by = f"`cascade trace show {trace.id} --json`" if trace else "`cascade trace show`"
        value = (
            f"{value[:LONGEST_TEXT]}\n\n"
            f"[{left:,} more characters are left out here. {shown_by} and the JSON export have all]"
        )
    return visible(value)


def first_messages(found: Sequence[Message]) -> Sequence[Message]:
    """Those that a page shows of a request's messages."""
    room = MOST_TEXT
    for place, message in enumerate(found):
        if room <= 0:
            return found[:place]
        room -= HEADING + min(len(message.text), LONGEST_TEXT)
    return found


def question(trace: Trace) -> Words:
    """What was asked: the last message."""
    if trace.request is None:
        words = kept(None, trace.content)
        return words if trace.content == "none" else Words(missing="not in this trace")
    if set(trace.request) == {"sha256"}:
        return Words(missing=f"only its digest was kept: sha256:{trace.request['sha256']}")
    found = messages(trace.request)
    return Words(found[-1].text) if found else Words(missing="no messages")


def answer(trace: Trace) -> Words:
    """What was returned."""
    own = [attempt for attempt in trace.attempts if attempt.tier == trace.tier]
    if trace.tier is None or not own:
        return Words(missing="no answer was returned")
    return _draft(own[-1], trace.content)


def _draft(attempt: Attempt, policy: str) -> Words:
    words = kept(attempt.text, policy)
    if words.missing == "no text" and attempt.tool_calls:
        return Words(missing="no text; it calls tools")
    return words


def messages(request: Mapping[str, Any] | None) -> list[Message]:
    """A request's messages, of Chat Completions or of Responses, as text."""
    if request is None:
        return []
    found = []
    if isinstance(request.get("instructions"), str):
        found.append(Message("instructions", request["instructions"]))
    items = request.get("messages", request.get("input"))
    if isinstance(items, str):
        return [*found, Message("user", items)]
    for item in items if isinstance(items, list | tuple) else ():
        if isinstance(item, Mapping):
            found.append(Message(str(item.get("role") or item.get("type") or "?"), _text(item)))
        else:
            found.append(Message("?", pretty(item)))
    return found


def pretty(data: Any) -> str:
    """Data as JSON to read, images and files cut."""
    try:
        return json.dumps(_cut(data), ensure_ascii=False, indent=2, default=str)
    except (TypeError, ValueError, RecursionError):  # made by hand: a key that JSON cannot hold
        return str(data)


def tool(call: Mapping[str, Any]) -> str:
    """A tool call, of either API, as people write one."""
    named = call.get("function", call)
    if isinstance(named, Mapping) and named.get("name"):
        return f"{named['name']}({named.get('arguments', named.get('input', ''))})"
    if "sha256" in call:
        return f"only its digest was kept: sha256:{call['sha256']}"
    return pretty(call)


def _text(item: Mapping[str, Any]) -> str:
    content = item.get("content")
    lines = []
    if isinstance(content, str):
        lines.append(content)
    elif isinstance(content, list | tuple):
        lines += [_part(part) for part in content]
    calls = item.get("tool_calls")
    if isinstance(calls, list | tuple):
        lines += [f"calls {tool(call)}" for call in calls if isinstance(call, Mapping)]
    if lines:
        return "\n".join(lines)
    rest = {name: value for name, value in item.items() if name != "role"}
    return pretty(rest) if rest else ""


def _part(part: Any) -> str:
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return str(part["text"])
    return f"[{part.get('type', 'part')}]" if isinstance(part, Mapping) else str(part)


def _cut(data: Any) -> Any:
    if isinstance(data, str) and len(data) > LONGEST_DATA and data.startswith("data:"):
        return f"{data[:60]}… ({len(data):,} characters)"
    if isinstance(data, Mapping):
        return {name: _cut(item) for name, item in data.items()}
    return [_cut(item) for item in data] if isinstance(data, list | tuple) else data
