"""The trace store: what goes in comes out, exactly, and nothing is overwritten or lost."""

import sqlite3
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import inspect
from sqlalchemy import text as sql

from cascade import StoreError, TraceStore, Usage
from cascade.errors import ConfigError, TraceError
from cascade.traces import writer
from cascade.traces.migrations import TABLES
from cascade.traces.schema import rows_of, traces
from cascade.traces.store import _weight


@pytest.fixture
def path(tmp_path):
    return tmp_path / "traces.sqlite3"


def applied(database):
    """Numbers of the migrations that a store went through, each as often as it was applied."""
    return [row[0] for row in database.sql("SELECT number FROM cascade_migrations ORDER BY 1")]


class TestKeeping:
    def test_a_trace_comes_back_as_it_was(self, store, trace):
        """Keeping a trace under policy "full" loses nothing."""
        store.save(trace)
        assert store.get(trace.id) == trace

    def test_the_store_is_an_observer(self, store, trace):
        """Calling the store with a trace keeps it."""
        store(trace)
        assert store.count() == 1

    def test_the_same_id_replaces(self, database, store, trace):
        """Saving an id twice leaves one trace with the later content and its charges only."""
        store.save(trace)
        store.flush()
        store.save(replace(trace, status="cancelled", attempts=trace.attempts[:1]))
        store.flush()
        assert store.get(trace.id).status == "cancelled"
        assert database.sql("SELECT count(*) FROM charges") == [(2,)]

    @pytest.mark.parametrize("again", [0, 1, 33])
    def test_new_traces_and_known_ones_in_one_batch(self, database, store, trace, again):
        """However many ids of a batch are there already, each stands for its last trace alone."""
        for number in range(33):
            store.save(replace(trace, id=f"t{number:02}"))
        store.flush()
        later = replace(trace, status="cancelled", attempts=trace.attempts[:1], tags=("late",))
        for number in range(33 - again, 83 - again):
            store.save(replace(later, id=f"t{number:02}"))
        store.flush()
        assert store.count() == 83 - again
        assert database.sql("SELECT count(*) FROM traces WHERE status = 'cancelled'") == [(50,)]
        assert database.sql("SELECT count(*) FROM tags WHERE tag = 'late'") == [(50,)]
        before = len(trace.charges) * (33 - again)
        assert database.sql("SELECT count(*) FROM charges") == [(before + 50 * 2,)]
        assert store.get("t40") == replace(later, id="t40")

    def test_money_is_kept_as_exact_text(self, database, store, trace):
        """Amounts in columns are decimal strings equal to the trace's own sums."""
        store.save(trace)
        store.flush()
        [(cost,)] = database.sql("SELECT cost_usd FROM traces")
        booked = [row[0] for row in database.sql("SELECT cost_usd FROM charges")]
        assert {type(amount) for amount in (cost, *booked)} == {str}
        assert Decimal(cost) == trace.cost_usd == sum(map(Decimal, booked))

    def test_an_unknown_cost_is_null(self, store, trace):
        """An unknown cost is kept as NULL and listed as `None`, never as 0."""
        first = trace.attempts[0]
        unknown = replace(first.charges[1], cost_usd=None, basis="unknown", usage=None)
        store.save(replace(trace, attempts=(replace(first, charges=(unknown,)),)))
        row = store.list()[0]
        assert (row.cost_usd, row.saved_usd, row.basis) == (None, None, "unknown")

    def test_text_that_is_not_unicode_is_kept(self, store, make_trace):
        """Half a surrogate pair in an answer and NUL characters survive the database."""
        odd = make_trace(cheap="a\x00b")
        attempt = replace(odd.attempts[0], text="broken \ud83d emoji")
        odd = replace(odd, attempts=(attempt, *odd.attempts[1:]))
        store.save(odd)
        assert store.get(odd.id) == odd

    def test_odd_names_and_numbers_do_not_take_others_along(self, store, trace, make_trace):
        """NUL and half a surrogate pair in names are kept and found; a count beyond 64 bits is not."""
        odd = replace(trace, id="a\x00b", tier="big \ud83d", chain="\x00")
        first = trace.attempts[0]
        huge = replace(first.charges[1], usage=Usage(10**25, 0))
        store.save(odd)
        store.save(replace(trace, id="huge", attempts=(replace(first, charges=(huge,)),)))
        store.save(make_trace())
        with pytest.raises(StoreError, match="1 traces could not be written"):
            store.flush()
        assert (store.count(), store.dropped) == (2, 1)
        assert store.get("a\x00b") == odd
        assert store.resolve("a\x00") == store.list(tier="big \ud83d")[0].id
        with pytest.raises(StoreError, match="no trace"):
            store.get("\udcff")

    def test_a_trace_that_is_no_json_does_not_take_others_along(self, store, trace, make_trace):
        """A trace that cannot be kept is counted and told; the rest of its batch is written."""
        store.save(replace(trace, id="bad", metadata={"x": object()}))
        store.save(make_trace())
        with pytest.raises(StoreError, match=r"1 traces could not be written: .*object"):
            store.flush()
        assert (store.count(), store.dropped) == (1, 1)

    def test_a_row_the_database_refuses_does_not_take_others_along(self, store, trace):
        """A row that breaks a rule of the tables is dropped alone."""
        for number in range(9):
            store.save(replace(trace, id=f"t{number}", status=None if number == 4 else "accepted"))
        with pytest.raises(StoreError, match=r"(?i)not.null"):
            store.flush()
        assert (store.count(), store.dropped) == (8, 1)

    def test_content_policies_are_checked(self, path):
        """A policy that does not exist is refused before a file is made."""
        with pytest.raises(ConfigError, match=r"'some'.*'hashed'"):
            TraceStore(path, content="some")
        with pytest.raises(ConfigError, match="queue_size is 0"):
            TraceStore(path, queue_size=0)
        assert not path.exists()


class TestReading:
    def test_lists_newest_first(self, store, make_trace):
        """A list begins with the newest trace and stops at the limit."""
        base = make_trace()
        for day in (3, 1, 2):
            store.save(replace(base, id=f"t{day}", started_at=f"2026-11-0{day}T10:00:00+00:00"))
        assert [row.id for row in store.list(limit=2)] == ["t3", "t2"]
        row = store.list()[0]
        assert (row.tier, row.attempts, row.cost_usd) == ("big", 2, base.cost_usd)

    def test_filters(self, store, trace, failed_trace):
        """Status, tier and time narrow a list, and time zones are compared as moments."""
        old = replace(trace, id="old", started_at="2026-11-01T12:00:00+02:00")
        for item in (replace(trace, started_at="2026-11-02T00:00:00Z"), old, failed_trace):
            store.save(item)
        assert {row.id for row in store.list(tier="big")} == {trace.id, "old"}
        assert [row.id for row in store.list(status=failed_trace.status)] == [failed_trace.id]
        assert "old" in {row.id for row in store.list(since="2026-11-01T10:00:00")}
        assert "old" not in {row.id for row in store.list(since="2026-11-01T10:00:01Z")}
        assert [t.id for t in store.iter_traces(tier="big")] == ["old", trace.id]

    def test_filters_by_what_a_request_was_made_for(self, store, trace):
        """Tags, parents and chains narrow lists, counts and reading; several parents may be named."""
        base = replace(trace, started_at="2026-11-02T00:00:00Z")
        for number, (parent, tags) in enumerate(
            [(None, ("a", "b")), ("t0", ("b", "b")), ("run", ())]
        ):
            store.save(replace(base, id=f"t{number}", parent_id=parent, tags=tags))
        store.save(replace(base, id="other", chain="other", started_at="2026-11-03T00:00:00Z"))
        assert [row.tags for row in store.list(chain="support")] == [(), ("b",), ("a", "b")]
        assert [row.id for row in store.list(tag="b")] == ["t1", "t0"]
        assert [row.id for row in store.list(parent="t0")] == ["t1"]
        assert [t.id for t in store.iter_traces(parent=["t0", "run"])] == ["t1", "t2"]
        assert [row.parent_id for row in store.list(parent="run")] == ["run"]
        assert (store.count(tag="b"), store.count(parent="nobody"), store.count()) == (2, 0, 4)
        assert store.count(until="2026-11-03T00:00:00Z") == 3
        store.save(replace(base, id="t0", tags=("c",)))
        assert (store.count(tag="a"), store.count(tag="c")) == (0, 1)
        with pytest.raises(TypeError, match=r"'teir' filters no traces; expected one of status"):
            store.list(teir="big")

    def test_orders(self, store, trace):
        """The dearest come first by cost, an unknown one with its known part; the newest by id."""
        first, last = trace.attempts

        def costing(cost, **values):
            paid = replace(last.charges[0], cost_usd=cost and Decimal(cost))
            turns = (replace(first, charges=()), replace(last, charges=(paid,)))
            return replace(trace, attempts=turns, **values)

        lost = replace(last.charges[0], cost_usd=None, call=7)
        unknown = costing("0.5", id="u", duration_s=9.0)
        paid = unknown.attempts[1].charges[0]
        unknown = replace(unknown, attempts=(replace(last, charges=(paid, lost)),))
        store.save(costing("10", id="a"))
        store.save(costing("9", id="b", duration_s=3.0))
        store.save(unknown)
        store.save(costing("0.00000001", id="c"))
        store.save(costing(None, id="n", duration_s=0.0))
        assert [row.id for row in store.list(sort="cost")] == ["a", "b", "u", "c", "n"]
        assert [row.id for row in store.list(2, sort="duration")] == ["u", "b"]
        assert [row.id for row in store.list()] == ["u", "n", "c", "b", "a"]  # of one millisecond
        assert store.resolve("last") == "u"

    def test_a_moment_that_is_none_stays(self, store, trace):
        """A trace whose time is no ISO 8601 moment is kept with it."""
        store.save(replace(trace, started_at="long ago"))
        assert store.list()[0].started_at == "long ago"

    def test_iterates_over_pages(self, store, trace, monkeypatch):
        """Reading page by page gives every trace once, oldest first, equal times included."""
        monkeypatch.setattr("cascade.traces.reader.PAGE", 3)
        for number in range(8):
            store.save(replace(trace, id=f"t{number}"))
        assert [t.id for t in store.iter_traces()] == [f"t{number}" for number in range(8)]

    def test_finds_by_the_start_of_an_id(self, store, trace):
        """A unique beginning is enough, "last" is the newest, and doubt is an error."""
        for name, day in (("abc1", 1), ("abd2", 2), ("a_c3", 3)):
            store.save(replace(trace, id=name, started_at=f"2026-01-0{day}T00:00:00Z"))
        assert store.resolve("abc") == "abc1"
        assert store.resolve("a_") == "a_c3"
        assert store.resolve("last") == "a_c3"
        with pytest.raises(StoreError, match=r"several.*abc1, abd2"):
            store.resolve("ab")
        with pytest.raises(StoreError, match="no trace begins with 'zz'"):
            store.resolve("zz")

    def test_an_empty_store_says_so(self, store):
        """Asking an empty store for a trace names what is missing."""
        with pytest.raises(StoreError, match="holds no traces"):
            store.resolve("last")
        with pytest.raises(StoreError, match="no trace 'x'"):
            store.get("x")

    def test_a_damaged_trace_names_its_id(self, database, store, trace):
        """A row whose JSON was damaged is an error that names the trace."""
        store.save(trace)
        store.flush()
        database.sql("UPDATE traces SET json = '{'")
        with pytest.raises(TraceError, match=trace.id):
            store.get(trace.id)

    def test_a_damaged_trace_can_be_passed_over(self, database, store, trace):
        """With `on_damaged` the other traces are read, and the damaged one is told by its id."""
        for name in ("a", "b", "c"):
            store.save(replace(trace, id=name))
        store.flush()
        database.sql("UPDATE traces SET json = '{', cost_usd = 'abc' WHERE id = 'b'")
        told = []

        def damaged(trace_id, error):
            told.append((trace_id, type(error)))

        assert [item.id for item in store.iter_traces(on_damaged=damaged)] == ["a", "c"]
        assert [row.id for row in store.list(on_damaged=damaged)] == ["c", "a"]
        assert told == [("b", TraceError)] * 2
        with pytest.raises(TraceError, match="trace b"):
            list(store.iter_traces())
        with pytest.raises(TraceError, match=r"trace b.*cost_usd"):
            store.list()

    def test_reading_works_after_closing(self, database, trace):
        """A closed store takes no more traces but still reads."""
        with TraceStore(database.where) as store:
            store.save(trace)
        assert store.get(trace.id) == trace
        with pytest.raises(StoreError, match="closed"):
            store.save(trace)


class TestOpening:
    def test_reopening_keeps_what_was_there(self, database, trace):
        """Opening a store again applies no migration twice and finds the traces."""
        with TraceStore(database.where) as first:
            first.save(trace)
        with TraceStore(database.where) as second:
            assert second.count() == 1
        assert applied(database) == list(range(1, len(TABLES.steps) + 1))

    def test_sqlite_writes_ahead(self, path):
        """A file is switched to write-ahead logging for good: readers never wait for writers."""
        TraceStore(path).close()
        db = sqlite3.connect(path)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        db.close()

    def test_later_migrations_are_applied_once_in_order(self, database, trace, monkeypatch):
        """A store of an older version is brought up to date and keeps its traces."""
        with TraceStore(database.where) as store:
            store.save(trace)
        steps = (*TABLES.steps, ("ALTER TABLE traces ADD COLUMN extra TEXT",))
        monkeypatch.setattr("cascade.traces.store.TABLES", replace(TABLES, steps=steps))
        for _ in range(2):
            with TraceStore(database.where) as store:
                assert store.count() == 1
        assert applied(database) == list(range(1, len(steps) + 1))

    def test_a_store_without_parents_and_tags(self, database, trace, monkeypatch):
        """A store of the first version is brought up to date: its trace has no tags, new ones may."""
        text = trace.to_json().replace('"tags": [], "parent_id": null, ', "")
        assert "parent_id" not in text
        with monkeypatch.context() as older:
            older.setattr("cascade.traces.store.TABLES", replace(TABLES, steps=TABLES.steps[:1]))
            TraceStore(database.where).close()
        row = {**dict(zip(traces.c.keys(), rows_of(trace).trace, strict=True)), "json": text}
        del row["parent_id"]
        with database.engine.begin() as connection:
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(sql(f"INSERT INTO traces ({names}) VALUES ({values})"), row)  # noqa: S608
        with TraceStore(database.where) as store:
            assert store.get(trace.id) == trace
            assert [(row.tags, row.parent_id) for row in store.list()] == [((), None)]
            store.save(replace(trace, id="new", tags=("x",), parent_id=trace.id))
            assert [row.id for row in store.list(tag="x", parent=trace.id)] == ["new"]

    @pytest.mark.parametrize("version", range(1, len(TABLES.steps) + 1))
    def test_every_version_gets_the_indexes_of_today(self, database, monkeypatch, version):
        """Whichever version a store begins at: lists are looked up in one index, children too."""
        steps = TABLES.steps[:version]
        with monkeypatch.context() as older:
            older.setattr("cascade.traces.store.TABLES", replace(TABLES, steps=steps))
            TraceStore(database.where).close()
        TraceStore(database.where).close()
        found = inspect(database.engine)
        assert {
            index["name"]: index["column_names"]
            for table in ("traces", "charges", "tags")
            for index in found.get_indexes(table)
        } == {
            "traces_by_time": ["started_at", "id", "status", "tier", "attempts"],
            "traces_by_parent": ["parent_id", "started_at"],
            "tags_by_tag": ["tag", "trace_id"],
        }

    def test_a_failed_migration_changes_nothing(self, database, monkeypatch):
        """A step that fails takes the whole transaction back."""
        TraceStore(database.where).close()
        steps = (*TABLES.steps, ("CREATE TABLE extra (x TEXT)", "ALTER TABLE nothing"))
        monkeypatch.setattr("cascade.traces.store.TABLES", replace(TABLES, steps=steps))
        with pytest.raises(StoreError):
            TraceStore(database.where)
        database.sql("CREATE TABLE extra (x TEXT)")  # would fail where there is one

    def test_a_newer_store_is_refused(self, database):
        """A store written by a newer version is refused with both versions named."""
        TraceStore(database.where).close()
        database.sql("INSERT INTO cascade_migrations VALUES (99, 'x')")
        with pytest.raises(
            StoreError, match=rf"schema version 99.*up to {len(TABLES.steps)}; upgrade"
        ):
            TraceStore(database.where)

    def test_somebody_elses_table_is_refused(self, database):
        """A database whose table `traces` is not ours is refused, not changed."""
        database.sql("CREATE TABLE traces (x TEXT)")
        with pytest.raises(StoreError, match="another program"):
            TraceStore(database.where)

    def test_a_damaged_file_is_never_overwritten(self, path):
        """A file that is no database is refused and stays byte for byte as it was."""
        path.write_bytes(b"not a database, but somebody's diary" * 100)
        before = path.read_bytes()
        with pytest.raises(StoreError, match=r"traces.sqlite3 is no database of.*move it away"):
            TraceStore(path)
        assert path.read_bytes() == before

    def test_a_deleted_file_is_noticed(self, path, trace, caplog):
        """A file deleted or replaced in use is reported, and what follows is kept in a new one."""
        with TraceStore(path) as store:
            store.save(trace)
            store.flush()
            path.unlink()  # while the writer still has it open
            store.save(replace(trace, id="second"))
            store.flush()
            assert [row.id for row in store.list()] == ["second"]
            assert "was deleted while in use" in caplog.text
            path.unlink()
            assert store.count() == 0  # noticed by whoever comes first
            other = path.with_name("other.sqlite3")
            TraceStore(other).close()
            other.replace(path)
            store.save(replace(trace, id="third"))
            store.flush()
            assert "was replaced while in use" in caplog.text
            assert (store.count(), store.dropped) == (1, 0)
        with TraceStore(path) as store:
            assert [row.id for row in store.list()] == ["third"]

    def test_a_relative_path_stays_where_it_was(self, tmp_path, trace, monkeypatch):
        """A process that changes its folder keeps its file."""
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path)
        with TraceStore("t.sqlite3") as store:
            monkeypatch.chdir(tmp_path / "elsewhere")
            store.save(trace)
        assert store.where == "t.sqlite3"
        assert list((tmp_path / "elsewhere").iterdir()) == []
        with TraceStore(tmp_path / "t.sqlite3") as store:
            assert store.count() == 1

    def test_a_missing_folder_is_named(self, tmp_path):
        """A path in a folder that does not exist says which folder to make."""
        with pytest.raises(StoreError, match=r"there is no folder '.*nowhere'; make it"):
            TraceStore(tmp_path / "nowhere" / "traces.sqlite3")

    def test_a_place_that_cannot_be_written_is_refused(self, tmp_path, path):
        """A folder in place of a file and a read-only database are refused when opened."""
        with pytest.raises(StoreError, match=r"is a folder; name a file in it, e.g. '.*sqlite3'"):
            TraceStore(tmp_path)
        TraceStore(path).close()
        with pytest.raises(StoreError, match=r"readonly|read-only"):
            TraceStore(f"sqlite:///file:{path}?mode=ro&uri=true")

    @pytest.mark.parametrize("where", [":memory:", "", "sqlite://", "sqlite:///:memory:"])
    def test_memory_is_refused(self, where):
        """A database that lives in one connection's memory cannot be a store."""
        with pytest.raises(StoreError, match="file"):
            TraceStore(where)

    @pytest.mark.parametrize(
        "where",
        [
            *("nosuch://x/y", "://", "postgresql+nodriver://u:hunter2@h/d"),
            "mysql://u:hunter2@h/d",
        ],
    )
    def test_bad_urls_are_named(self, where):
        """A URL that names no database is refused, without its password."""
        with pytest.raises(StoreError) as caught:
            TraceStore(where)
        assert "hunter2" not in str(caught.value)

    def test_a_url_works(self, tmp_path, trace):
        """A SQLAlchemy URL names a store as well as a path does."""
        with TraceStore(f"sqlite:///{tmp_path}/x.db") as store:
            store.save(trace)
            assert store.count() == 1
        assert "x.db" in repr(store)

    def test_damage_found_while_reading_is_told(self, database, store, trace):
        """A table that has gone is a StoreError with advice, not a database exception."""
        for table in ("charges", "tags", "traces"):
            database.sql(f"DROP TABLE {table}")
        with pytest.raises(StoreError, match=r"damaged|not Cascade's"):
            store.list()


class TestNothingIsLost:
    def test_many_processes_begin_at_once(self, database, run_python):
        """Tables are made once, and an id that several write at a time is kept once."""
        code = """
            import sys
            from dataclasses import replace
            from conftest import build_trace
            from cascade import TraceStore
            trace = build_trace()
            with TraceStore(sys.argv[1]) as store:
                for number in range(100):
                    store.save(replace(trace, id=f"shared-{number * int(sys.argv[2]) % 101}"))
                    store.save(replace(trace, id=f"{sys.argv[2]}-{number}"))
                store.flush()
                assert store.dropped == 0
        """
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(run_python, code, database.where, name) for name in range(1, 5)]
        assert [(job.result().returncode, job.result().stderr) for job in jobs] == [(0, "")] * 4
        assert applied(database) == list(range(1, len(TABLES.steps) + 1))
        with TraceStore(database.where) as store:
            ids = {trace.id for trace in store.iter_traces()}
            shared = {f"shared-{n * m % 101}" for n in range(100) for m in range(1, 5)}
            assert ids == shared | {f"{m}-{n}" for n in range(100) for m in range(1, 5)}
            charges = sum(len(trace.charges) for trace in store.iter_traces())
        assert database.sql("SELECT count(*) FROM charges") == [(charges,)]

    def test_many_threads(self, store, trace):
        """Traces saved from many threads at once are all kept."""

        def work(name):
            for number in range(50):
                store.save(replace(trace, id=f"{name}-{number}"))

        threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (store.count(), store.dropped) == (400, 0)

    @pytest.mark.parametrize(
        "end", ["", "raise ValueError('boom')", "raise SystemExit(3)", "import sys; sys.exit('x')"]
    )
    def test_an_exit_right_after_saving(self, database, end, run_python):
        """2,000 traces saved by a program that ends at once, in any ordinary way, are all kept."""
        code = f"""
            import sys
            from dataclasses import replace
            from conftest import build_trace
            from cascade import TraceStore
            store = TraceStore(sys.argv[1])
            trace = build_trace()
            for number in range(2000):
                store.save(replace(trace, id=f"t{{number}}"))
            {end}
        """
        done = run_python(code, database.where)
        assert (done.returncode == 0) == (end == "")
        assert "Exception ignored" not in done.stderr
        with TraceStore(database.where) as store:
            assert store.count() == 2000

    def test_a_save_during_exit(self, database, run_python):
        """A trace saved by an exit handler, when no thread can be started, is kept."""
        code = """
            import atexit, sys
            from conftest import build_trace
            from cascade import TraceStore
            store = TraceStore(sys.argv[1])
            trace = build_trace()
            atexit.register(lambda: store.save(trace))
        """
        done = run_python(code, database.where)
        assert (done.returncode, done.stderr) == (0, "")
        with TraceStore(database.where) as store:
            assert store.count() == 1

    @pytest.mark.parametrize("leave", ["os._exit(0)", "raise SystemExit"])
    def test_a_forked_child(self, database, leave, run_python):
        """A child writes its own traces, never its parent's, and does not disturb the parent."""
        code = f"""
            import os, sys, warnings
            warnings.simplefilter("ignore", DeprecationWarning)
            from dataclasses import replace
            from conftest import build_trace
            from cascade import TraceStore
            store = TraceStore(sys.argv[1])
            trace = build_trace()
            for number in range(300):
                store.save(replace(trace, id=f"parent-{{number}}"))
            pid = os.fork()
            if pid == 0:
                for number in range(300):
                    store.save(replace(trace, id=f"child-{{number}}"))
                if "_exit" in {leave!r}:
                    store.close()
                {leave}
            for number in range(300, 600):
                store.save(replace(trace, id=f"parent-{{number}}"))
            os.waitpid(pid, 0)
        """
        done = run_python(code, database.where)
        assert (done.returncode, done.stderr) == (0, "")
        with TraceStore(database.where) as store:
            ids = {row.id for row in store.list(limit=None)}
        assert len(ids) == 900

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_a_child_of_multiprocessing(self, database, tmp_path, method, run_python):
        """Children of multiprocessing, which leave past the exit handlers, lose nothing either."""
        script = tmp_path / "children.py"
        script.write_text(
            textwrap.dedent("""
                import multiprocessing, sys, warnings
                from dataclasses import replace
                from conftest import build_trace
                from cascade import TraceStore

                def work(where, name):
                    store = TraceStore(where)
                    trace = build_trace()
                    for number in range(200):
                        store.save(replace(trace, id=f"{name}-{number}"))

                if __name__ == "__main__":
                    warnings.simplefilter("ignore", DeprecationWarning)
                    context = multiprocessing.get_context(sys.argv[2])
                    jobs = [context.Process(target=work, args=(sys.argv[1], n)) for n in "ab"]
                    for job in jobs: job.start()
                    for job in jobs: job.join()
            """)
        )
        done = run_python(script, database.where, method)
        assert (done.returncode, done.stderr) == (0, "")
        with TraceStore(database.where) as store:
            assert store.count() == 400


class TestTrouble:
    def test_a_full_queue_drops_and_says_so(self, database, trace, caplog, monkeypatch):
        """Overload never blocks the caller: traces are dropped, counted, and logged once a burst."""
        gate = threading.Event()
        store = TraceStore(database.where, queue_size=5)
        real = store._writer._do_write
        monkeypatch.setattr(
            store._writer, "_do_write", lambda batch: (gate.wait(10), real(batch))[1]
        )
        store.save(replace(trace, id="first"))
        while store._writer._items:
            time.sleep(0.001)
        for number in range(20):
            store.save(replace(trace, id=f"t{number}"))
        assert store.dropped == 15
        gate.set()
        store.flush()
        store.close()
        messages = [record.getMessage() for record in caplog.records]
        assert [m for m in messages if "cannot keep up" in m] == [messages[0]]
        assert any("caught up: 15" in m for m in messages)
        assert any("15 traces were dropped in all" in m for m in messages)
        assert store.count() == 6

    def test_a_burst_of_huge_traces_is_bounded_in_bytes(
        self, database, make_trace, caplog, monkeypatch
    ):
        """Where a few traces are as much as may wait, further ones are dropped as from a full queue."""
        monkeypatch.setattr("cascade.traces.store.QUEUE_BYTES", 10_000_000)
        gate = threading.Event()
        store = TraceStore(database.where)
        real = store._writer._do_write
        monkeypatch.setattr(
            store._writer, "_do_write", lambda batch: (gate.wait(10), real(batch))[1]
        )
        small, huge = make_trace(), make_trace("x" * 3_000_000)
        store.save(replace(huge, id="first"))
        while store._writer._items:
            time.sleep(0.001)
        for number in range(20):  # beside the one that is being written
            store.save(replace(huge, id=f"t{number}"))
        assert store.dropped == 18
        store.save(small)  # there is room for it
        assert store.dropped == 18
        gate.set()
        store.flush()
        assert store.count() == 4
        for name in ("one", "two", "three"):
            store.save(replace(huge, id=name))
        store.close()
        assert (store.count(), store.dropped) == (7, 18)
        assert "queue is full with 2 traces (about 9 MB" in caplog.text
        assert "caught up: 18" in caplog.text

    def test_a_trace_larger_than_the_queue_is_kept(self, database, make_trace, monkeypatch):
        """What nothing waits beside is taken on, whatever it weighs."""
        monkeypatch.setattr("cascade.traces.store.QUEUE_BYTES", 1000)
        with TraceStore(database.where) as store:
            for number in range(2):
                store.save(replace(make_trace("x" * 100_000), id=str(number)))
                store.flush()
            assert (store.count(), store.dropped) == (2, 0)

    @pytest.mark.parametrize("request_", [None, {"a": "\ud800" * 500}, {"a": {b"x": object}}])
    def test_any_trace_can_be_weighed(self, trace, request_):
        """A trace without a request, or one that was made by hand, weighs something too."""
        assert _weight(replace(trace, request=request_)) > 1000

    def test_an_answer_weighs_by_its_tokens(self, trace):
        """A long answer is not in the request; its tokens say how long it was."""
        first = trace.attempts[0]
        charge = replace(first.charges[0], usage=Usage(5, 100_000))
        long = replace(trace, attempts=(replace(first, charges=(charge,)),))
        assert _weight(long) > 10_000_000

    def test_a_lock_that_passes_costs_nothing(self, path, trace, monkeypatch):
        """A write that fails because the file is locked is tried again and succeeds."""
        monkeypatch.setattr("cascade.database.place.BUSY_TIMEOUT_MS", 10)
        with TraceStore(path) as store:
            other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            other.execute("BEGIN IMMEDIATE")
            store.save(trace)
            time.sleep(0.1)
            other.execute("ROLLBACK")
            other.close()
            store.flush()
            assert (store.count(), store.dropped) == (1, 0)

    def test_a_lock_that_stays_is_told(self, path, trace, monkeypatch, caplog):
        """After a bounded number of tries traces count as dropped, and flush and close say why."""
        monkeypatch.setattr("cascade.database.place.BUSY_TIMEOUT_MS", 10)
        monkeypatch.setattr(writer, "RETRY_WAIT_S", 0.01)
        store = TraceStore(path)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        store.save(trace)
        with pytest.raises(StoreError, match=r"1 traces could not be written: .*locked"):
            store.flush()
        store.flush()  # told once
        store.save(replace(trace, id="again"))
        with pytest.raises(StoreError, match="locked"):
            store.close()
        store.close()
        assert store.dropped == 2
        assert "could not be written" in caplog.text
        with pytest.raises(StoreError, match="another program is writing"):
            TraceStore(path)
        other.close()

    def test_trouble_at_exit_is_a_warning(self, path, run_python):
        """What cannot be written when the program ends is logged; the exit code stays."""
        code = """
            import sqlite3, sys
            from conftest import build_trace
            from cascade import TraceStore
            from cascade.database import place
            place.BUSY_TIMEOUT_MS = 10
            store = TraceStore(sys.argv[1])
            other = sqlite3.connect(sys.argv[1], isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            store.save(build_trace())
        """
        done = run_python(code, path)
        assert done.returncode == 0
        assert "1 traces could not be written: database is locked" in done.stderr

    def test_a_flush_that_takes_too_long(self, database, trace, monkeypatch):
        """A flush with a time limit says how much is still waiting."""
        gate = threading.Event()
        store = TraceStore(database.where)
        real = store._writer._do_write
        monkeypatch.setattr(
            store._writer, "_do_write", lambda batch: (gate.wait(10), real(batch))[1]
        )
        store.save(trace)
        with pytest.raises(StoreError, match="1 traces are not yet written"):
            store.flush(0.01)
        gate.set()
        store.close()
        assert store.count() == 1

    def test_an_idle_store_holds_no_connection(self, path, trace, monkeypatch):
        """When there is no work the file is complete by itself: no write-ahead log beside it."""
        monkeypatch.setattr(writer, "IDLE_S", 0.01)
        store = TraceStore(path)
        store.save(trace)
        store.flush()
        end = time.monotonic() + 5
        while path.with_name("traces.sqlite3-wal").exists() and time.monotonic() < end:
            time.sleep(0.01)
        assert not path.with_name("traces.sqlite3-wal").exists()
        assert b"parcel" in path.read_bytes()
        store.close()

    def test_errors_of_the_database_show_no_content(self, store, trace, caplog, run_python):
        """What a refused row holds appears neither in the error nor in the log."""
        store.save(replace(trace, status=None, tier="parcel"))
        with pytest.raises(StoreError) as caught:
            store.flush()
        error, told = caught.value, caplog.text
        while error is not None:
            told, error = told + str(error), error.__cause__ or error.__context__
        assert "parcel" not in told
        assert "status" in told


def test_importing_the_package_loads_no_database(run_python):
    """`import cascade` loads neither SQLAlchemy nor structlog nor rich."""
    code = """
        import sys, cascade
        print([name for name in ("sqlalchemy", "structlog", "rich", "sqlite3") if name in sys.modules])
    """
    assert run_python(code).stdout.strip() == "[]"
