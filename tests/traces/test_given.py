"""What stands in place of a trace by mistake is told."""

import pytest

from cascade import TraceStore, cost_tree, diff_traces, trace_html, trace_stats


def test_a_path_is_no_trace(trace, tmp_path):
    """A path, an id or a store in place of traces is named, with the way to them."""
    path = tmp_path / "t.sqlite3"
    with TraceStore(path) as store:
        for call in (
            lambda: trace_stats(str(path)),
            lambda: trace_stats(path),
            lambda: trace_stats(store),
            lambda: trace_stats([trace, "x"]),
            lambda: trace_stats(trace),
            lambda: cost_tree(str(path), "last"),
            lambda: cost_tree(path, "last"),
            lambda: cost_tree([trace.id], "last"),
            lambda: diff_traces("a", trace),
            lambda: diff_traces(trace, None),
            lambda: trace_html("a"),
        ):
            with pytest.raises(
                TypeError, match=r"\(\) expected (a Trace|traces), not .*TraceStore"
            ):
                call()
