"""Foreign text that can be printed anywhere and acts on nothing."""

from dataclasses import replace

import pytest

from cascade import Cascade, Tier
from cascade.core.clean import harmless, on_one_line
from cascade.testing import ScriptedModels


@pytest.mark.parametrize(
    ("nasty", "line"),
    [
        ("a\x1b[31mb\x1b]0;title\x07c", "abc"),
        ("a\u202eb\u2066c\ud800d", "abcd"),
        ("over\rwritten\x00\x08", "over written"),
        ("one\r\ntwo\u2028three", "one two three"),
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_what_acts_is_taken_out(nasty, line):
    """Escapes, direction switches, lone surrogates and control characters go; words stay."""
    assert on_one_line(nasty) == line
    assert " ".join(harmless(nasty).split()) == line
    harmless(nasty).encode()


def test_lines_stay_lines():
    """Several lines keep their ends and tabs."""
    assert harmless("a\r\n\tb\nc") == "a\n\tb\nc"
    assert len(on_one_line("x" * 10_000)) == 2_000


def test_a_printed_trace_is_harmless():
    """Whatever a model answered or a trace was named, its text can be written and cannot act."""
    nasty = "\ud800\x1b[2Jred\u202e\rline\nend"
    done = Cascade([Tier("gpt-5.5")], models=ScriptedModels({"gpt-5.5": nasty})).complete("?")
    first = replace(done.trace.attempts[0], reason=nasty, tier=nasty)
    trace = replace(
        done.trace, reason=nasty, tags=(nasty,), parent_id=nasty, chain=nasty, attempts=(first,)
    )
    text = str(trace)
    text.encode()
    assert all(char.isprintable() or char == "\n" for char in text)
    assert len(text.splitlines()) == len(str(done.trace).splitlines()) + 2  # parent and tags
    assert "answer   red line end" in text
