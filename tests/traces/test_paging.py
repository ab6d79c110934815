"""Lists page by page, and the search for words."""

import base64
import json
import sys
from dataclasses import replace

import pytest

from cascade import ConfigError
from cascade.traces import paging, queries
from cascade.traces.paging import trace_page
from cascade.traces.search import holds

SORTS = ["time", "cost", "duration"]


def several(store, make_trace, count=23):
    """Traces of which many begin at the same moment, cost and take the same, or cost nobody knows."""
    trace = make_trace()
    for place in range(count):
        charges = trace.attempts[1].charges
        if place % 5 == 0:
            charges = tuple(replace(charge, cost_usd=None, basis="unknown") for charge in charges)
        store.save(
            replace(
                trace,
                id=f"id-{place:03d}",
                started_at=f"2026-11-2{place % 4}T10:00:00.000+00:00",
                duration_s=0.1 * (place % 3) + 1 / 3,
                attempts=(trace.attempts[0], replace(trace.attempts[1], charges=charges)),
            )
        )
    store.flush()


def all_pages(store, **asked):
    after, found = None, []
    for _ in range(100):
        page = trace_page(store, after=after, **asked)
        found += [row.id for row in page.rows]
        after = page.after
        if after is None:
            return found
    raise AssertionError("the pages never end")


class TestPages:
    @pytest.mark.parametrize("sort", SORTS)
    @pytest.mark.parametrize("size", [1, 4, 23, 50])
    def test_together_they_are_the_list(self, store, make_trace, sort, size):
        """Page by page, every trace comes once, in the order of the whole list, on any database."""
        several(store, make_trace)
        whole = [row.id for row in store.list(None, sort=sort)]
        assert all_pages(store, sort=sort, size=size) == whole

    @pytest.mark.parametrize("sort", SORTS)
    def test_what_comes_in_moves_nothing(self, store, make_trace, sort):
        """A trace that is kept between two pages shifts no other onto the next page or off it."""
        several(store, make_trace, 10)
        first = trace_page(store, sort=sort, size=5)
        rest = [row.id for row in store.list(None, sort=sort)][5:]
        dear = make_trace("much more to say " * 200)
        store.save(replace(dear, id="new", started_at="2026-12-01T00:00:00+00:00", duration_s=9.0))
        store.flush()
        after = trace_page(store, sort=sort, size=50, after=first.after)
        assert [row.id for row in after.rows] == rest

    def test_filters_hold_on_every_page(self, store, make_trace):
        """Filters narrow all pages, and the last page has no next one."""
        several(store, make_trace)
        found = all_pages(store, size=3, since="2026-11-22", max_duration_s=0.4)
        assert found
        assert set(found) == {
            row.id
            for row in store.list(None)
            if row.started_at >= "2026-11-22" and row.duration_s <= 0.4
        }

    @pytest.mark.parametrize(
        "after",
        [
            "x",
            "../../etc/passwd",
            "é",
            base64.urlsafe_b64encode(b"[]").decode(),
            base64.urlsafe_b64encode(json.dumps(["cost", 1, "a", "b"]).encode()).decode(),
            base64.urlsafe_b64encode(json.dumps(["time", 1, 2]).encode()).decode(),
            base64.urlsafe_b64encode(json.dumps({"time": 1}).encode()).decode(),
        ],
    )
    def test_a_cursor_that_is_none(self, sqlite, after):
        """Cursors that somebody made up are refused with the next step."""
        from cascade import TraceStore

        with TraceStore(sqlite.where) as store, pytest.raises(ConfigError, match="first page"):
            trace_page(store, after=after)

    def test_a_damaged_row_is_named(self, sqlite, make_trace):
        """A row that cannot be read does not take its page with it."""
        from cascade import TraceStore

        with TraceStore(sqlite.where) as store:
            several(store, make_trace, 4)
            sqlite.sql("UPDATE traces SET cost_usd = 'much' WHERE id = 'id-002'")
            page = trace_page(store, sort="time")
            assert page.damaged == ("id-002",)
            assert len(page.rows) == 3


class TestWords:
    @pytest.fixture
    def spoken(self, store, make_trace):
        for place, (question, answer) in enumerate(
            [
                ("Where is my parcel?", "In Köln, at the depot."),
                ("Заказ не пришёл", "Мы проверим."),
                ("订单的退款什么时候到账", "三天。"),
                ('say "100%_sure" \\ now', "ok\nthen"),
                ("half a pair", "Straße \ud83d"),
            ]
        ):
            trace = make_trace(question, answer, answer)
            store.save(
                replace(trace, id=f"w{place}", started_at=f"2026-11-2{place}T00:00:00+00:00")
            )
        store.flush()
        return store

    @pytest.mark.parametrize(
        ("words", "ids"),
        [
            ("PARCEL", ["w0"]),
            ("köln", ["w0"]),
            ("depot.", ["w0"]),
            ("ЗАКАЗ НЕ", ["w1"]),  # noqa: RUF001  Cyrillic, as it is meant
            ("退款", ["w2"]),
            ('"100%_SURE" \\', ["w3"]),
            ("ok\nthen", ["w3"]),
            ("%", ["w3"]),
            ("half", ["w4"]),
            ("STRAßE", ["w4"]),
            ("escalated", []),
            ("usage", []),
            ("nano", []),
        ],
    )
    def test_found_in_any_case_and_nowhere_else(self, spoken, words, ids):
        """Words are found in questions and answers alone, whatever their letters and marks."""
        assert [row.id for row in trace_page(spoken, text=words).rows] == ids

    def test_words_not_kept_are_not_found(self, database, make_trace):
        """Traces whose words were not kept hold none."""
        from cascade import TraceStore

        with TraceStore(database.where, content="hashed") as store:
            store.save(make_trace("Where is my parcel?"))
            store.flush()
            assert trace_page(store, text="parcel").rows == ()

    def test_a_long_search_goes_on_later(self, sqlite, monkeypatch, make_trace):
        """After some thousand candidates a page says how far it looked, and the next one goes on."""
        from cascade import TraceStore

        monkeypatch.setattr("cascade.traces.paging.LOOKED_THROUGH", 200)
        trace = make_trace()
        with TraceStore(sqlite.where) as store:
            for place in range(450):
                store.save(
                    replace(
                        trace,
                        id=f"{place:04d}",
                        started_at=f"2026-11-22T00:{place // 60:02d}:{place % 60:02d}+00:00",
                    )
                )
            store.save(replace(make_trace("%%%"), id="old", started_at="2026-11-01T00:00:00+00:00"))
            store.flush()
            page = trace_page(store, text="%%%")
            assert page.rows == ()
            assert page.looked_to == "2026-11-22T00:04:10.000000+00:00"
            assert all_pages(store, text="%%%") == ["old"]

    @pytest.fixture
    def reads(self, store, make_trace, monkeypatch):
        """A store of 120 traces, and how many were read at a time."""
        several(store, make_trace, 120)
        counts, find_many = [], queries.find_many

        def find(connection, ids):
            counts.append(len(ids))
            return find_many(connection, ids)

        monkeypatch.setattr(queries, "find_many", find)
        return store, counts

    @pytest.mark.parametrize(
        ("chars", "rows", "portions"),
        [(10**9, 50, [50, 50, 20]), (10**9, 1, [1] * 120), (1, 50, [1] * 120)],
        ids=["many", "few rows", "few characters"],
    )
    def test_their_json_is_read_in_portions(self, reads, monkeypatch, chars, rows, portions):
        """However large traces are, a bounded part is read at a time, and none is passed over."""
        store, read = reads
        monkeypatch.setattr(paging, "PORTION_CHARS", chars)
        monkeypatch.setattr(paging, "PORTION_ROWS", rows)
        found = trace_page(store, text="parcel", size=200)
        assert [row.id for row in found.rows] == [row.id for row in store.list(None)]
        assert read == portions

    def test_a_full_page_reads_no_further(self, reads):
        """Once a page is full, and it is known that another follows, nothing more is read."""
        store, read = reads
        assert len(trace_page(store, text="parcel", size=10).rows) == 10
        assert read == [50]
        assert all_pages(store, text="parcel", size=7) == [row.id for row in store.list(None)]

    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
    def test_a_search_among_large_traces_takes_little_memory(self, tmp_path, run_python):
        """Searching 20 traces of 8 MB each takes the memory of a few, not of all."""
        done = run_python(
            """
            import resource, sys
            from dataclasses import replace
            from conftest import build_trace
            from cascade import TraceStore
            from cascade.traces.paging import trace_page

            def peak():
                return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

            with TraceStore(sys.argv[1]) as store:
                long = replace(build_trace("needle " + "word " * 1_600_000), attempts=())
                for place in range(20):
                    store.save(replace(long, id=f"{place:02d}"))
                    store.flush()
                del long
                before = peak()
                assert len(trace_page(store, text="needle").rows) == 20
                print(peak() - before)
            """,
            tmp_path / "large.sqlite3",
        )
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) < 100

    @pytest.mark.parametrize("text", [None, "", "no json", "[]", '{"request": {"a": ["find me"]}}'])
    def test_whatever_stands_there(self, text):
        """A record that is none holds nothing, and a request is looked through to its depth."""
        assert holds(text, "find me") is (text is not None and "find me" in text)
