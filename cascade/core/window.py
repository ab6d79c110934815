"""How long a prompt is, as far as it can be told without the model's own tokenizer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cascade.core.chain import Chain
    from cascade.core.tier import Tier

__all__ = ["prompt_tokens_at_least", "window_of"]

PIECES = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d{1,3}")
"""Words and groups of digits: no token of OpenAI's encodings reaches over two of them."""

LONGEST_BYTES = 6
"""Bytes of text that a token stands for at most, on average: English prose has 4 to 5."""

MEDIA = frozenset({"image_url", "input_image", "input_audio", "audio", "file", "input_file"})
"""Parts of a message whose bytes say nothing about their tokens."""


def window_of(chain: Chain, tier: Tier) -> int | None:
    """The longest prompt that a tier takes, in tokens; `None` where nobody knows."""
    limits = tier.capabilities or chain.info(tier)
    return limits.max_input_tokens if limits else None


def prompt_tokens_at_least(payload: Mapping[str, Any]) -> int:
    """Tokens that a prompt holds, rather too few than too many; media count nothing.

    A tier that is asked in vain refuses for nothing; one that is passed over in vain costs the
    price of the next.
    """
    pieces = size = 0
    for key in ("messages", "input", "instructions", "tools"):
        for text in _texts(payload.get(key)):
            pieces += sum(1 for _ in PIECES.finditer(text))
            size += len(text.encode(errors="replace"))
    return max(pieces, size // LONGEST_BYTES)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        if value.get("type") in MEDIA:
            return
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
