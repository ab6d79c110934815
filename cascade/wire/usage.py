"""Token counts as each API writes them."""

from __future__ import annotations

from typing import Any

from cascade.core.usage import Usage
from cascade.forms.api import Api

__all__ = ["usage_for"]


def usage_for(usage: Usage, api: Api) -> dict[str, Any]:
    """The `usage` object of a reply of an API."""
    total = usage.input_tokens + usage.output_tokens
    read = {
        "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
    }
    written = {"reasoning_tokens": usage.reasoning_tokens}
    if api == "chat":
        return {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": total,
            "prompt_tokens_details": read,
            "completion_tokens_details": written,
        }
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": read,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": written,
        "total_tokens": total,
    }
