"""Words that tell something about an answer whatever it is about. Needs no library."""

from __future__ import annotations

__all__ = ["OPENING_CHARS", "REFUSAL_PHRASES"]

REFUSAL_PHRASES = (
    "i can't help",
    "i can't assist",
    "i can't provide",
    "i can't answer",
    "i cannot help",
    "i cannot assist",
    "i cannot provide",
    "i cannot answer",
    "i'm unable to",
    "i am unable to",
    "i'm not able to",
    "i am not able to",
    "i'm sorry, but i",
    "i am sorry, but i",
    "i won't be able to",
    "i don't have access to",
    "i don't have enough information",
    "as an ai",
)
"""How current models begin to decline in English."""

OPENING_CHARS = 300
"""Where a refusal stands: at the beginning. Later, such words are usually quoted."""
