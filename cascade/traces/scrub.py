"""Takes credentials out of text and data before they are kept.

Knows how keys look, and which names announce one. It reads no environment: a secret without a
telling shape or name ("hunter2" in the middle of a sentence) is not recognised.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

__all__ = ["REPLACEMENT", "scrub"]

REPLACEMENT = "[secret]"

HINTS = (
    *("sk-", "ck-", "sess-", "rk-", "key", "bearer", "token", "secret", "passw", "authorization"),
    *("akia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "xox", "eyj"),
)
"""Lower-case fragments, one of which every pattern contains. Looking for them first spares images
and long answers the patterns: a megabyte takes a millisecond instead of a tenth of a second."""

SHORTEST = 8
"""Shorter text holds no credential that a pattern would find."""

SHAPES = re.compile(
    # Each alternative starts at a boundary and consumes what it scans, so that time stays linear
    # on hostile text.
    r"(?<![A-Za-z0-9])(?:sk|sess|rk)-[A-Za-z0-9_*.-]{6,}"
    r"|(?<![A-Za-z0-9])ck-[A-Za-z0-9_-]{43}"  # the gateway's own
    r"|(?<![A-Za-z0-9])key-(?=[a-z-]*[0-9A-Z])[A-Za-z0-9_-]{16,}"
    r"|(?<![A-Za-z0-9])AKIA[0-9A-Z]{16}"
    r"|(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{20,}"
    r"|(?<![A-Za-z0-9])xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[A-Za-z0-9+/=\s\\]*"
)

BEARER = re.compile(
    # A token has a digit or is long; "bearer securities" is a word of finance.
    r"((?i:\bbearer)\s+)(?=\S*[0-9]|\S{20})[A-Za-z0-9._~+/=-]{6,}"
    r"|((?i:\bauthorization)\\?[\"']?\s*[:=]\s*\\?[\"']?(?:(?i:bearer|basic)\s+)?)[^\s\"',;\\]{6,}"
)

NAMED = re.compile(
    r"((?i:api[-_ ]?key|(?:access|refresh|auth|secret)[-_]?token|client[-_]?secret|secret[-_]?key"
    r"|passwo?r?d)\\?[\"']?\s*[:=]\s*\\?[\"']?)[^\s\"',;}\\]{4,}"
)

NAMES = frozenset(
    {
        "accesstoken",
        "apikey",
        "authorization",
        "authtoken",
        "clientsecret",
        "cookie",
        "openaiapikey",
        "passwd",
        "password",
        "proxyauthorization",
        "refreshtoken",
        "secret",
        "secretkey",
        "secrettoken",
        "setcookie",
        "xapikey",
    }
)
"""Keys of headers and payloads whose text value is a credential; lower case, letters only."""


NO_TEXT = frozenset({int, float, bool, type(None)})


def scrub(value: Any) -> Any:
    """The same text or data without anything that looks like a credential.

    Args:
        value: text, or data as JSON holds it: mappings, lists and tuples of any depth. Other values
            come back as they are.

    Returns:
        `value` with each credential replaced by "[secret]"; the very same object where nothing had
        to be replaced.
    """
    kind = type(value)
    if kind in NO_TEXT:
        return value
    if isinstance(value, str):
        return _text(value)
    if kind is dict or isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, list | tuple):
        items = [scrub(item) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return tuple(items) if isinstance(value, tuple) else items
    return value


def _text(text: str) -> str:
    if len(text) < SHORTEST or not _hinted(text.lower()):
        return text
    found = SHAPES.sub(REPLACEMENT, text)
    found = BEARER.sub(lambda match: f"{match[1] or match[2]}{REPLACEMENT}", found)
    found = NAMED.sub(lambda match: f"{match[1]}{REPLACEMENT}", found)
    return text if found == text else found


def _hinted(lower: str) -> bool:
    for hint in HINTS:  # noqa: SIM110  any() with a generator takes three times as long
        if hint in lower:
            return True
    return False


def _mapping(data: Mapping[Any, Any]) -> Mapping[Any, Any]:
    changed = False
    result: dict[Any, Any] = {}
    for key, item in data.items():
        new_key, announces = _name(key) if type(key) is str else (key, False)
        # Only text: where a JSON schema describes a "password" there is none behind the name.
        new = REPLACEMENT if announces and isinstance(item, str) and item else scrub(item)
        if new is not item or new_key != key:
            changed = True
        result[new_key] = new
    return result if changed else data


@lru_cache(maxsize=2048)
def _name(key: str) -> tuple[str, bool]:
    """A key without credentials, and whether it announces one; payloads repeat their keys."""
    return _text(key), re.sub(r"[^a-z]", "", key.lower()) in NAMES
