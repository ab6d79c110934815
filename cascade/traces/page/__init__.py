"""A trace as one web page: it holds all it needs, runs no script, and asks no other host.

What people wrote and models answered is shown as text, whatever it holds: the template escapes
every value, characters that hide or reorder text are written out, and the page's own policy (a
Content-Security-Policy in its head) allows its one style sheet by its digest and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

import cascade
from cascade.core.trace import Trace
from cascade.core.trace_text import dollars, score_text
from cascade.traces.given import a_trace
from cascade.traces.page import content, waterfall

__all__ = ["trace_html"]

ACTING = re.compile(
    # Everything that hides, reorders or breaks text, but for tab, line feed and the joiners that
    # many scripts and emoji need.
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufeff\ufff9-\uffff\U000e0000-\U000e0fff]"
)

POLICY = "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"

MANY_ATTEMPTS = 6
"""With more of them only those matter at first sight that answered or were the last."""

MANY_CHARGES = 40
"""A longer table of charges is folded."""


def trace_html(trace: Trace) -> str:
    """A trace as one self-contained HTML page, for a browser or a printer.

    Args:
        trace: any trace, under any content policy. Raw replies (`Charge.reply`) are not shown.

    Returns:
        The page; write it as UTF-8.

    Raises:
        TypeError: it is no trace.
    """
    a_trace(trace, "trace_html")
    style = _part("trace.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("trace.html")
        .render(
            trace=trace,
            style=Markup(style),  # noqa: S704  our own file, and its digest is in the policy
            policy=POLICY.format(digest),
            version=cascade.__version__,
            messages=content.messages(trace.request),
            question=content.question(trace),
            answer=content.answer(trace),
            chart=waterfall.chart(trace),
            asked=sum(attempt.asked for attempt in trace.attempts),
            skipped=sum(attempt.verdict == "skipped" for attempt in trace.attempts),
            retries=waterfall.retries(trace.charges),
            opened=_opened(trace),
            fold_charges=len(trace.charges) > MANY_CHARGES,
        )
    )


def visible(value: Any) -> Any:
    """Text whose hidden characters can be seen, e.g. `⟨U+202E⟩`; other values as they are."""
    if isinstance(value, str) and not isinstance(value, Markup):
        text = value.replace("\r\n", "\n")
        return ACTING.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)
    return value


def _opened(trace: Trace) -> set[int]:
    """Numbers of the attempts that are unfolded at first."""
    count = len(trace.attempts)
    if count <= MANY_ATTEMPTS:
        return set(range(1, count + 1))
    found = {n for n, attempt in enumerate(trace.attempts, 1) if attempt.tier == trace.tier}
    return found | {count}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=DictLoader({"trace.html": _part("trace.html.j2")}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        usd=dollars,
        seconds=waterfall.seconds,
        moment=waterfall.moment,
        percent=waterfall.percent,
        pretty=content.pretty,
    )
    environment.globals.update(
        score_text=score_text, tool=content.tool, kept=content.kept, basis=waterfall.basis_of
    )
    return environment


def _part(name: str) -> str:
    return files("cascade.traces.page").joinpath(name).read_text("utf-8")
