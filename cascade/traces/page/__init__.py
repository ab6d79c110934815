"""A trace as one web page: it holds all it needs, runs no script, and asks no other host.

What people wrote and models answered is shown as text, whatever it holds; see
`cascade.traces.page.frame`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment

from cascade.core.dollars import dollars, saved_or_lost
from cascade.core.trace import Attempt, Trace
from cascade.core.trace_text import ending_words, score_text
from cascade.traces.given import a_trace
from cascade.traces.page import content, waterfall
from cascade.traces.page.frame import environment, part, styled
from cascade.traces.page.tokens import tokens

__all__ = ["fitted", "shown", "trace_html"]

HERE = "cascade.traces.page"

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
    page = _environment().get_template("trace.html")
    return page.render(**styled(part(HERE, "trace.css")), **shown(trace))


def shown(trace: Trace) -> dict[str, Any]:
    """What the template `trace_body.html` shows of a trace."""
    messages = content.messages(trace.request)
    return {
        "trace": trace,
        "messages": messages,
        "first_messages": content.first_messages(messages),
        "question": content.question(trace),
        "answer": content.answer(trace),
        "chart": waterfall.chart(trace),
        "asked": sum(attempt.asked for attempt in trace.attempts),
        "skipped": sum(attempt.verdict == "skipped" for attempt in trace.attempts),
        "calls": sum(charge.made for charge in trace.charges),
        "tokens": tokens(trace),
        "retries": waterfall.retries(trace.charges),
        "opened": _opened(trace),
        "fold_charges": len(trace.charges) > MANY_CHARGES,
        "marks": [content.Mark(tag) for tag in trace.tags],
        "parent_href": "",
    }


def turn(attempt: Attempt) -> str:
    """How a tier's turn ended; a tier did not fail that was never asked."""
    return attempt.verdict if attempt.asked or attempt.verdict == "skipped" else "not asked"


def _opened(trace: Trace) -> set[int]:
    """Numbers of the attempts that are unfolded at first."""
    count = len(trace.attempts)
    if count <= MANY_ATTEMPTS:
        return set(range(1, count + 1))
    found = {n for n, attempt in enumerate(trace.attempts, 1) if attempt.tier == trace.tier}
    return found | {count}


@cache
def _environment() -> Environment:
    body = {"trace_body.html": part(HERE, "trace_body.html.j2")}
    return fitted(environment("trace.html", part(HERE, "trace.html.j2"), body))


def fitted(made: Environment) -> Environment:
    """Templates that can show a trace, among other things; they cut texts of any length."""
    made.finalize = content.shortened
    made.filters.update(
        usd=dollars,
        saved_or_lost=saved_or_lost,
        ending=ending_words,
        seconds=waterfall.seconds,
        moment=waterfall.moment,
        percent=waterfall.percent,
        pretty=content.pretty,
    )
    made.globals.update(
        score_text=score_text,
        tool=content.tool,
        kept=content.kept,
        basis=waterfall.basis_of,
        turn=turn,
    )
    return made
