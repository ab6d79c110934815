"""How long a prompt is, as far as it can be told without the model's own tokenizer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["prompt_tokens_at_least"]

WORD = r"[^\x00-@\[-`{-\x7f\s\d]+"
"""What is neither ASCII's punctuation nor a space nor a digit: the vowel signs of Hindi or Tamil
belong to their word, though `re` takes them for no letters."""

PIECES = re.compile(rf"{WORD}(?:'{WORD})?|\d{{1,3}}")
"""Words and groups of digits: no token of OpenAI's encodings reaches over two of them."""

LONGEST_BYTES = 8
"""Bytes of text that a token stands for at most, on average: English prose has 4 to 5, scripts with
three bytes to a letter have more."""

MEDIA = frozenset({"image_url", "input_image", "input_audio", "audio", "file", "input_file"})
"""Parts of a message whose bytes say nothing about their tokens."""


def prompt_tokens_at_least(payload: Mapping[str, Any]) -> int:
    """Tokens that a prompt holds, rather too few than too many; media count nothing.

    A tier that is asked in vain refuses for nothing; one that is passed over in vain costs the
    price of the next.
    """
    pieces = size = 0
    for key in ("messages", "input", "instructions", "tools"):
        for text in _texts(payload.get(key)):
            pieces += sum(1 for _ in PIECES.finditer(text))
            # A token may be a long run of spaces, as in a table or in code.
            size += len(" ".join(text.split()).encode(errors="replace"))
    return max(pieces, size // LONGEST_BYTES)


def _texts(value: object) -> Iterator[str]:
    """All texts within; without recursion, because a payload may be nested as deep as JSON goes."""
    parts = [value]
    while parts:
        part = parts.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, Mapping):
            if part.get("type") not in MEDIA:
                parts += part.values()
        elif isinstance(part, list | tuple):
            parts += part
