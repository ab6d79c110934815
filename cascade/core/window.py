"""How long a prompt is, as far as it can be told without the model's own tokenizer."""

from __future__ import annotations

import math
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

PROMPT = ("messages", "input", "instructions", "tools")
"""Where a payload holds what a model reads."""

MEDIA = frozenset({"image_url", "input_image", "input_audio", "audio", "file", "input_file"})
"""Parts of a message whose bytes say nothing about their tokens."""


def prompt_tokens_at_least(payload: Mapping[str, Any], enough: float = math.inf) -> int:
    """Tokens that a prompt holds, rather too few than too many; media count nothing.

    A tier that is asked in vain refuses for nothing; one that is passed over in vain costs the
    price of the next.

    Args:
        payload: the request as asked.
        enough: no more has to be known of a prompt that holds more than this: counting the words
            of 20 MB would hold everybody else up for a second.
    """
    texts = [text for key in PROMPT for text in _texts(payload.get(key))]
    # A token may be a long run of spaces, as in a table or in code.
    size = sum([len(" ".join(text.split()).encode(errors="replace")) for text in texts])
    least = size // LONGEST_BYTES
    if least > enough:
        return least
    return max(least, sum([PIECES.subn("", text)[1] for text in texts]))


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
