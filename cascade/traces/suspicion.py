"""Whether the JSON of a trace may hold a credential: one search instead of a walk through its data.

Says yes wherever `cascade.traces.scrub` would take something out, and seldom besides; what to take
out is decided there. Hardly any trace holds one, and to walk through it only to see that would take
longer than all the rest of keeping it.
"""

from __future__ import annotations

from pydantic_core import SchemaValidator, core_schema

from cascade.traces.scrub import NAMES

__all__ = ["may_hold_secret"]

SHAPES = (
    # No letter or digit stands before it; what JSON escapes is none either.
    r"(?:[^A-Za-z0-9]|\\[bfnrt]|\\u[0-9a-f]{4})"
    r"(?:(?:sk|sess|rk)-[A-Za-z0-9_*.-]{6}"
    r"|ck-[A-Za-z0-9_-]{43}"
    r"|key-[A-Za-z0-9_-]{16}"
    r"|AKIA[0-9A-Z]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{20}"
    r"|xox[abprs]-[A-Za-z0-9-]{10}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.)"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
)

ANNOUNCED = (
    # A dot for i: where case is ignored, `re` takes the Turkish letters for it as well.
    r"bearer|author.zat.on|ap.[-_ ]?key|(?:access|refresh|auth|secret)[-_]?token"
    r"|cl.ent[-_]?secret|secret[-_]?key|passwo?r?d"
)

BETWEEN = r'(?:(?-i:[^A-Za-z"\\])|\\u[0-9a-f]{4}|\\[^u])*'
"""What a key that announces a credential may have between its letters."""

KEYS = "|".join(
    BETWEEN.join("[iİ]" if letter == "i" else letter for letter in name) for name in sorted(NAMES)
)

SUSPICIOUS = "|".join(
    (
        f"(?-i:{SHAPES})",
        f"(?i:{ANNOUNCED})",
        f'(?i:"{BETWEEN}(?:{KEYS}){BETWEEN}": ?"[^"])',
        r"\\ud[89ab]",  # half of a surrogate pair: all that is not ASCII is escaped in such JSON
    )
)

# Rust's search reads the text once, however many patterns there are. Python's `re`, and asking with
# `in` for one word after the other, take many times as long.
_search = SchemaValidator(core_schema.str_schema(pattern=SUSPICIOUS)).isinstance_python


def may_hold_secret(json: str) -> bool:
    """Whether a trace may hold a credential, by its JSON as a store keeps it."""
    return _search(json)
