"""Token counts as each API writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cascade.core.trace import Trace
from cascade.core.usage import Usage
from cascade.forms.api import Api
from cascade.wire.faults import OBJECT

__all__ = ["usage_for", "usage_in"]

Data = Mapping[str, Any]

READ = ("prompt_tokens_details", "input_tokens_details")
WRITTEN = ("completion_tokens_details", "output_tokens_details")
"""Parts of the totals, as Chat and as Responses call them; what is in them has the same names."""

NUMBERS = (int, float)


def usage_in(trace: Trace, api: Api) -> dict[str, Any]:
    """The `usage` object for everything that a trace has paid for."""
    charges = [charge for charge in trace.charges if charge.usage is not None]
    return usage_for(trace.usage, api, [charge.reply for charge in charges])


def usage_for(usage: Usage, api: Api, replies: Iterable[Data | None] = ()) -> dict[str, Any]:
    """The `usage` object of an API.

    Args:
        usage: the tokens.
        api: "chat" or "responses".
        replies: those that used them, on the wire: of the details that only they know, each is
            added up.
    """
    told = [given for reply in replies if reply and isinstance(given := reply.get("usage"), OBJECT)]
    read, written = _details(told, READ), _details(told, WRITTEN)
    cached = {
        "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
    }
    reasoned = {"reasoning_tokens": usage.reasoning_tokens}
    total = usage.input_tokens + usage.output_tokens
    if api == "chat":
        made = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": total,
            READ[0]: read | _known(cached, read),
            WRITTEN[0]: written | _known(reasoned, written),
        }
        return {name: part for name, part in made.items() if part != {}}
    return {
        "input_tokens": usage.input_tokens,
        READ[1]: read | cached,
        "output_tokens": usage.output_tokens,
        WRITTEN[1]: written | reasoned,
        "total_tokens": total,
    }


def _known(counts: Mapping[str, int], told: Data) -> dict[str, int]:
    """Counts worth telling: Chat leaves out what a model does not have."""
    return {name: count for name, count in counts.items() if count or name in told}


def _details(told: Iterable[Data], names: tuple[str, str]) -> dict[str, Any]:
    """The details of several usages together, under either name."""
    found: dict[str, Any] = {}
    for usage in told:
        for name in names:
            details = usage.get(name)
            if isinstance(details, OBJECT):
                _add(found, details)
    return found


def _add(found: dict[str, Any], details: Data) -> None:
    """Add numbers, also those of objects inside; what is no number is left out."""
    for name, value in details.items():
        before = found.get(name)
        if type(value) in NUMBERS:
            found[name] = value + (before if type(before) in NUMBERS else 0)
        elif isinstance(value, OBJECT):
            found[name] = inner = dict(before) if isinstance(before, OBJECT) else {}
            _add(inner, value)
