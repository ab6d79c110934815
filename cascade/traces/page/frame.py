"""What every page of ours has in common: it shows text as text, runs no script, asks no other host.

The template escapes every value, characters that hide or reorder text are written out, and the
page's own policy (a Content-Security-Policy in its head) allows its one style sheet by its digest
and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

import cascade

__all__ = ["environment", "part", "styled", "visible"]

ACTING = re.compile(
    # Everything that hides, reorders or breaks text, but for tab, line feed and the joiners that
    # many scripts and emoji need.
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufeff\ufff9-\uffff\U000e0000-\U000e0fff]"
)

POLICY = "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"


def visible(value: Any) -> Any:
    """Text whose hidden characters can be seen, e.g. `⟨U+202E⟩`; other values as they are."""
    if isinstance(value, str) and not isinstance(value, Markup):
        text = value.replace("\r\n", "\n")
        return ACTING.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)
    return value


def part(package: str, name: str) -> str:
    """A file that lies beside the code: a template or a style sheet."""
    return files(package).joinpath(name).read_text("utf-8")


def styled(*sheets: str) -> dict[str, Any]:
    """What the head of a page is made of: one style sheet, the policy that allows it, the version.

    Args:
        sheets: added to the common one, our own files.
    """
    style = "\n".join([part("cascade.traces.page", "page.css"), *sheets])
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        "style": Markup(style),  # noqa: S704  our own files, and their digest is in the policy
        "policy": POLICY.format(digest),
        "version": cascade.__version__,
    }


def environment(name: str, template: str, others: Mapping[str, str] | None = None) -> Environment:
    """Templates that escape whatever they are given.

    Args:
        name: of the template.
        template: its text.
        others: that it includes or extends, by name.
    """
    return Environment(
        loader=DictLoader({name: template, **(others or {})}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
