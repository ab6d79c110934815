"""What a model turned out not to accept, learned from its 400 and remembered for the process.

The same payload goes to every tier, and tiers differ: one refuses log-probabilities, the next one
`temperature`. On a matching 400 or 403 the parameter is changed, the call is sent once more, and
the change is made from the start next time. A key nobody knows (a typing error, say) is not
dropped: that would accept an option and ignore it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, NamedTuple

from cascade.core.failures import CallFailure
from cascade.forms.api import Api
from cascade.forms.params import ENCRYPTED, LOGPROBS
from cascade.forms.reading import effort_of

__all__ = ["Downgrades", "Situation"]

Body = dict[str, Any]
Change = Callable[[Body], Any]

DROPPABLE = frozenset(
    {
        "reasoning.effort",
        "reasoning.summary",
        "text.verbosity",
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "seed",
        "stop",
        "logit_bias",
        "prediction",
        "reasoning_effort",
        "verbosity",
        "parallel_tool_calls",
        "service_tier",
        "stream_options",
        "logprobs",
        "top_logprobs",
        "store",
        "prompt_cache_key",
        "safety_identifier",
    }
)
"""Parameters of the API that some models refuse; an answer without them is still an answer."""

BESIDE_TOOLS = (
    "reasoning_effort set to 'none': this model refuses it beside tools on Chat Completions; "
    "api='responses' on the tier keeps it"
)

LIMIT = re.compile(r"less than or equal to (\d+)")

QUOTED = re.compile(r"'([a-z_.]+)'|\"([a-z_.]+)\"|parameter: ([a-z_.]+)", re.IGNORECASE)


class Situation(NamedTuple):
    """Where a refusal holds: what a model takes depends on how much it reasons."""

    server: str
    model: str
    effort: str | None
    api: Api = "chat"

    @classmethod
    def of(
        cls, server: str, model: str, payload: Mapping[str, Any], api: Api = "chat"
    ) -> Situation:
        """The situation of a call; `payload` is what was asked, before any change."""
        return cls(server, model, effort_of(payload), api)


class Downgrades:
    """Remembers, per situation, how to change a body so that it is accepted."""

    def __init__(self) -> None:
        self._changes: dict[Situation, dict[str, Change]] = {}
        self._lock = Lock()

    @property
    def any(self) -> bool:
        """Whether anything was learned at all."""
        return bool(self._changes)

    def apply(self, situation: Situation, body: Body) -> tuple[str, ...]:
        """Change a body in place as the model needs it.

        Returns:
            What was changed, in words, for the trace.
        """
        changes = self._changes.get(situation)
        if not changes:
            return ()
        before = dict(body)
        applied = []
        for words, change in tuple(changes.items()):
            change(body)
            if body != before:
                applied.append(words)
                before = dict(body)
        return tuple(applied)

    def learn(self, situation: Situation, failure: CallFailure, body: Body) -> bool:
        """Learn from a refusal.

        Returns:
            Whether a resend makes sense: the refusal is understood and the change is a new one.
        """
        if failure.kind != "unsupported":
            return False
        found = _change_for(failure, body)
        if found is None:
            return False
        words, change = found
        changed = dict(body)
        change(changed)
        if changed == body:
            return False
        with self._lock:
            self._changes.setdefault(situation, {})[words] = change
        return True


def _change_for(  # noqa: PLR0911  one return per row of the documented errors
    failure: CallFailure, body: Body
) -> tuple[str, Change] | None:
    words = failure.message.lower()
    param = failure.param or _named(failure.message)
    if "function tools with reasoning_effort" in words:
        return BESIDE_TOOLS, _set_effort_none
    limit = LIMIT.search(words)
    if param == "top_logprobs" and limit:
        return f"top_logprobs capped at {limit[1]}", _cap_top_logprobs(int(limit[1]))
    if param == "top_logprobs" and "only allowed when" in words:
        return "top_logprobs dropped", _drop("top_logprobs")
    if "logprobs" in words and param in (None, "logprobs", "top_logprobs", "include"):
        return "logprobs dropped: the model gives none", _drop_logprobs
    if "encrypted content is not supported" in words:
        return f"include {ENCRYPTED!r} dropped: the model refuses it", _exclude(ENCRYPTED)
    if param == "max_tokens" and "max_completion_tokens" in words:
        return "max_tokens renamed to max_completion_tokens", _rename_max_tokens
    if param == "include_obfuscation" or (param or "").startswith("stream_options."):
        return "stream_options.include_obfuscation dropped", _plain_stream_options
    asked = body.get("service_tier")
    if param == "service_tier" and asked not in (None, "default") and "value" in _about(failure):
        return f"service_tier {asked!r} given up for 'default'", _default_tier(asked)
    if param in DROPPABLE and _holds(body, param):
        return f"{param} dropped: the model refuses it", _drop(param)
    return None


def _about(failure: CallFailure) -> str:
    """What was refused, by code and words: a value, or the parameter with any."""
    return f"{failure.code} {failure.message}".lower().replace("argument", "value")


def _holds(body: Body, path: str) -> bool:
    name, _, inner = path.partition(".")
    held = body.get(name)
    return name in body and (not inner or (isinstance(held, Mapping) and inner in held))


def _named(message: str) -> str | None:
    found = QUOTED.search(message)
    return next((group for group in found.groups() if group), None) if found else None


def _drop(*paths: str) -> Change:
    def change(body: Body) -> None:
        for path in paths:
            name, _, inner = path.partition(".")
            held = body.pop(name, None)
            if inner and isinstance(held, Mapping):
                left = {key: value for key, value in held.items() if key != inner}
                body.update({name: left} if left else {})

    return change


def _exclude(wanted: str) -> Change:
    """Take a word out of `include`."""

    def change(body: Body) -> None:
        given = body.get("include")
        if isinstance(given, list) and wanted in given:
            left = [word for word in given if word != wanted]
            body.pop("include")
            body.update({"include": left} if left else {})

    return change


def _drop_logprobs(body: Body) -> None:
    _drop("logprobs", "top_logprobs")(body)
    _exclude(LOGPROBS)(body)


def _cap_top_logprobs(limit: int) -> Change:
    def change(body: Body) -> None:
        asked = body.get("top_logprobs")
        if isinstance(asked, int) and asked > limit:
            body["top_logprobs"] = limit

    return change


def _default_tier(refused: object) -> Change:
    """One tier of service is refused; the others may be offered, and cost less."""

    def change(body: Body) -> None:
        if body.get("service_tier") == refused:
            body["service_tier"] = "default"

    return change


def _set_effort_none(body: Body) -> None:
    if body.get("tools"):
        body["reasoning_effort"] = "none"


def _rename_max_tokens(body: Body) -> None:
    if "max_tokens" in body:
        limit = body.pop("max_tokens")
        body.setdefault("max_completion_tokens", limit)


def _plain_stream_options(body: Body) -> None:
    given = body.get("stream_options")
    if isinstance(given, Mapping):
        body["stream_options"] = {key: given[key] for key in given if key == "include_usage"}
        if not body["stream_options"]:
            del body["stream_options"]
