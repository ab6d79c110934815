"""How much of a conversation is kept: all of it, its fingerprints, or nothing.

The policies differ in what people wrote and models answered. Numbers, names, verdicts, token counts
and costs stay under each of them, so that money and quality can be studied without the words.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from cascade.core.trace import Attempt, Charge, Content, ScoreRecord, Trace
from cascade.errors import ConfigError
from cascade.traces.scrub import scrub

__all__ = ["check_content", "redact", "scrub"]

STRICTNESS: tuple[Content, ...] = ("full", "hashed", "none")
"""From keeping all to keeping nothing. A trace never gets looser on its way: what was hashed once
is not hashed again and cannot come back."""

LABEL = re.compile(r"[\w.:/+-]{1,200}", re.ASCII)
"""What a name looks like. Servers fill in model names, codes and finish reasons; prose in such a
place is treated as content."""

QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)
"""From a quote mark to its last like: what is quoted may hold marks of its own."""

Hide = Callable[[Any], Any]

Value = TypeVar("Value", Trace, Attempt, Charge, ScoreRecord)
Many = TypeVar("Many", bound="tuple[Any, ...] | list[Any]")


def check_content(content: str) -> Content:
    """The policy of that name.

    Raises:
        ConfigError: there is none.
    """
    for known in STRICTNESS:
        if content == known:
            return known
    raise ConfigError(f"content is {content!r}; expected 'full', 'hashed' or 'none'")


def redact(trace: Trace, content: Content, key: bytes | str | None = None) -> Trace:
    """A copy of a trace that holds no more than a content policy allows.

    Args:
        trace: any trace; one that already went through a stricter policy stays as it is.
        content: "full" keeps everything except credentials; "hashed" puts the SHA-256 of its
            canonical JSON in the place of each text, payload and reason, so that equal contents can
            be joined; "none" drops them.
        key: for "hashed", makes the digest an HMAC: without the key nobody can confirm a guess.

    Returns:
        The copy, with `content` set. Raw replies are kept under "full" only.
    """
    if STRICTNESS.index(trace.content) > STRICTNESS.index(content):
        content = trace.content
    if content == "full":
        return _scrubbed(trace)
    if trace.content == content:
        return trace
    if content == "none":
        return _without(trace, content, lambda _: None)
    secret = key.encode() if isinstance(key, str) else key
    return _without(trace, content, lambda value: _digest(value, secret))


# Full ------------------------------------------------------------------------------------------


def _scrubbed(trace: Trace) -> Trace:
    return _with(
        trace,
        reason=scrub(trace.reason),
        request=scrub(trace.request),
        requested_model=scrub(trace.requested_model),
        metadata=scrub(trace.metadata),
        tags=scrub(trace.tags),
        parent_id=scrub(trace.parent_id),
        attempts=_each(trace.attempts, _scrubbed_attempt),
    )


def _scrubbed_attempt(attempt: Attempt) -> Attempt:
    return _with(
        attempt,
        reason=scrub(attempt.reason),
        score=_scrubbed_score(attempt.score) if attempt.score else None,
        text=scrub(attempt.text),
        tool_calls=scrub(attempt.tool_calls),
        charges=_each(attempt.charges, _scrubbed_charge),
    )


def _scrubbed_charge(charge: Charge) -> Charge:
    return _with(
        charge,
        message=scrub(charge.message),
        notes=scrub(charge.notes),
        reply=_scrubbed_reply(charge.reply),
    )


def _scrubbed_score(score: ScoreRecord) -> ScoreRecord:
    return _with(score, reason=scrub(score.reason), parts=_each(score.parts, _scrubbed_score))


def _scrubbed_reply(reply: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Log-probabilities spell the answer token by token, so they go where its text had a secret."""
    for name, clean in (("choices", _scrubbed_choice), ("output", _scrubbed_item)):
        if reply is not None and isinstance(reply.get(name), list):
            return _scrubbed_list(reply, name, clean)
    return cast("Mapping[str, Any] | None", scrub(reply))


def _scrubbed_list(data: Mapping[str, Any], name: str, clean: Hide) -> Mapping[str, Any]:
    """Data whose list of that name is cleaned in a way of its own."""
    rest = {key: item for key, item in data.items() if key != name}
    cleaned, items = scrub(rest), _each(data[name], clean)
    if cleaned is rest and items is data[name]:
        return data
    # The order of a reply's keys is part of what came; replay gives it back as it was.
    made = {**cleaned, name: items}
    return {key: made.get(key, made.get(scrub(key))) for key in data}


def _scrubbed_item(item: Any) -> Any:
    """An output item of Responses; each part of a message has its own log-probabilities."""
    if not isinstance(item, Mapping) or not isinstance(item.get("content"), list):
        return scrub(item)
    return _scrubbed_list(item, "content", _scrubbed_choice)


def _scrubbed_choice(choice: Any) -> Any:
    if not isinstance(choice, Mapping) or "logprobs" not in choice:
        return scrub(choice)
    words = {name: item for name, item in choice.items() if name != "logprobs"}
    clean = scrub(words)
    return choice if clean is words else {**clean, "logprobs": None}


def _with(value: Value, **fields: Any) -> Value:
    """The value with other fields; the very same where they are the fields that it has."""
    for name, field in fields.items():
        if field is not getattr(value, name):
            return replace(value, **fields)
    return value


def _each(items: Many, clean: Hide) -> Many:
    """Every item cleaned; the very same items where nothing had to be."""
    cleaned = [clean(item) for item in items]
    for new, old in zip(cleaned, items, strict=True):
        if new is not old:
            return type(items)(cleaned)
    return items


# Hashed and none -------------------------------------------------------------------------------


def _without(trace: Trace, content: Content, hide: Hide) -> Trace:
    """The trace with `hide` applied to everything that people or models wrote."""
    request = hide(trace.request) if trace.request is not None else None
    hidden = {scrub(name): _text(value, hide) for name, value in trace.metadata.items()}
    return replace(
        trace,
        content=content,
        reason=_text(trace.reason, hide) or "",
        request=None if request is None else {"sha256": request},
        requested_model=_label(trace.requested_model, hide),
        metadata={name: value for name, value in hidden.items() if value is not None},
        tags=scrub(trace.tags),  # names to find and add up by, as a tier's are
        parent_id=scrub(trace.parent_id),
        attempts=tuple(_attempt_without(attempt, hide) for attempt in trace.attempts),
    )


def _attempt_without(attempt: Attempt, hide: Hide) -> Attempt:
    calls = tuple(hide(call) for call in attempt.tool_calls)
    return replace(
        attempt,
        reason=_text(attempt.reason, hide) or "",
        score=_score_without(attempt.score, hide) if attempt.score else None,
        text=_text(attempt.text, hide),
        finish_reason=_label(attempt.finish_reason, hide),
        tool_calls=tuple({"sha256": call} for call in calls if call is not None),
        charges=tuple(_charge_without(charge, hide) for charge in attempt.charges),
    )


def _score_without(score: ScoreRecord, hide: Hide) -> ScoreRecord:
    parts = tuple(_score_without(part, hide) for part in score.parts)
    return replace(score, reason=_text(score.reason, hide), parts=parts)


def _charge_without(charge: Charge, hide: Hide) -> Charge:
    return replace(
        charge,
        message=_text(charge.message, hide),
        model=_label(charge.model, hide) or "",
        service_tier=_label(charge.service_tier, hide),
        code=_label(charge.code, hide),
        request_id=_label(charge.request_id, hide),
        reply=None,
        # Notes are Cascade's own words; what they quote came from outside.
        notes=tuple(QUOTED.sub("'…'", note) for note in charge.notes),
    )


def _text(value: Any, hide: Hide) -> str | None:
    """What stands for a text; empty text says nothing and stays."""
    if value is None or value == "":
        return cast("str | None", value)
    hidden = hide(value)
    return None if hidden is None else f"sha256:{hidden}"


def _label(value: str | None, hide: Hide) -> str | None:
    """A name stays readable; anything that is not one is content, and so is a credential."""
    if value is None or (LABEL.fullmatch(value) and scrub(value) is value):
        return value
    return _text(value, hide)


def _digest(value: Any, key: bytes | None) -> str:
    """Hex SHA-256 of the canonical JSON: sorted keys, no spaces, ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    if key is None:
        return hashlib.sha256(text.encode()).hexdigest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
