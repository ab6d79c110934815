"""What an answer tells of its own cost: in headers, and in the body's `cascade` field."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from cascade.core.trace import Trace
from cascade.endpoint.calls import Endpoint
from cascade.wire.usage import usage_in

__all__ = ["NAMES", "books_of", "header_value", "headers_of", "usage_of"]

PLAIN = "".join(chr(code) for code in range(0x20, 0x7F))


def books_of(trace: Trace) -> dict[str, Any]:
    """The `cascade` field: amounts are texts, whole to the last digit, and null where unknown.

    `basis` says how sure the cost is.
    """
    return {
        "trace_id": trace.id,
        "chain": trace.chain,
        "tier": trace.tier,
        "accepted": trace.accepted,
        "cost_usd": _amount(trace.cost_usd),
        "basis": trace.basis,
        "saved_usd": _amount(trace.saved_usd),
        "attempts": sum(attempt.asked for attempt in trace.attempts),
    }


NAMES = {
    name: f"x-cascade-{name.replace('_', '-')}"
    for name in ("trace_id", "chain", "tier", "accepted", "cost_usd", "saved_usd", "attempts")
}


def headers_of(books: Mapping[str, Any]) -> dict[str, str]:
    """The same as headers; what is unknown has none."""
    told = {
        header: str(value) for name, header in NAMES.items() if (value := books[name]) is not None
    }
    told[NAMES["accepted"]] = "true" if books["accepted"] else "false"
    if not is_plain("".join(told.values())):
        told = {header: header_value(value) for header, value in told.items()}
    return told


def is_plain(text: str) -> bool:
    """Whether it stands in a header as it is."""
    return text.isascii() and text.isprintable()


def header_value(text: str) -> str:
    """A text as the value of a header: whatever else than plain ASCII is written `%XX`."""
    return text if is_plain(text) else quote(text, safe=PLAIN)


def usage_of(trace: Trace, api: Endpoint) -> Mapping[str, Any] | None:
    """The tokens of every attempt together; `None` where no model has told any."""
    for charge in trace.charges:
        if charge.usage is not None:
            return usage_in(trace, api)
    return None


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")
