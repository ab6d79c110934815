"""Traces that wait on the disk while their place cannot be written: none is lost, none stays."""

import json
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from cascade import StoreError, TraceStore
from cascade.traces import relay
from cascade.traces import spool as spools
from cascade.traces.spool import Spool, default_spool
from cascade.traces.spool_file import SpoolFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "traces.sqlite3"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def quick(monkeypatch):
    """Locks are given up, and places tried again, without much waiting."""
    monkeypatch.setattr("cascade.database.place.BUSY_TIMEOUT_MS", 100)
    monkeypatch.setattr(relay, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(relay, "LONGEST_WAIT_S", 0.05)
    monkeypatch.setattr(spools, "LOOK_S", 0.05)
    monkeypatch.setattr(relay, "LOOK_S", 0.05)


@contextmanager
def locked(path):
    """Another program keeps the file to itself."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def until(ready, timeout_s=15.0):
    end = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def files(folder):
    return sorted(folder.glob("*.jsonl"))


class TestFile:
    def test_lines_come_back_in_order_until_they_are_passed(self, tmp_path):
        """What was appended is given out in order, the same again until it is taken care of."""
        file = SpoolFile.create(tmp_path / "a.jsonl")
        assert file.append([b"1", b"2", b"3"]) == 3
        assert (file.first(2), file.first(2)) == ([b"1", b"2"], [b"1", b"2"])
        file.passed()
        assert (file.first(9), file.count) == ([b"3"], 1)
        file.append([b"4"])
        assert file.first(9) == [b"3", b"4"]
        file.passed()
        assert (file.first(9), file.count) == ([], 0)
        file.remove()
        assert not (tmp_path / "a.jsonl").exists()

    def test_long_lines_are_read_whole(self, tmp_path, monkeypatch):
        """A line longer than what is read at once comes whole, and a chunk is bounded in bytes."""
        monkeypatch.setattr("cascade.traces.spool_file.BLOCK", 7)
        monkeypatch.setattr("cascade.traces.spool_file.MOST", 40)
        lines = [bytes([65 + number]) * 30 for number in range(5)]
        file = SpoolFile.create(tmp_path / "a.jsonl")
        file.append(lines)
        found = []
        while some := file.first(10):
            assert len(some) <= 2
            found += some
            file.passed()
        assert found == lines
        file.close()

    def test_a_line_that_was_cut_off_is_the_last(self, tmp_path):
        """What a process had not finished to write comes as it is, after all that it had."""
        (tmp_path / "a.jsonl").write_bytes(b'{"a": 1}\n{"b": ')
        file = SpoolFile.adopt(tmp_path / "a.jsonl")
        assert file.count == 2
        assert file.first(10) == [b'{"a": 1}', b'{"b": ']
        file.passed()
        assert file.count == 0
        file.close()

    def test_a_file_is_held_by_one(self, tmp_path):
        """Nobody adopts a file that is held, or one that its holder has deleted."""
        path = tmp_path / "a.jsonl"
        file = SpoolFile.create(path)
        assert SpoolFile.adopt(path) is None
        file.close()
        mine = SpoolFile.adopt(path)
        assert mine is not None
        mine.remove()
        assert SpoolFile.adopt(path) is None

    def test_what_does_not_fit_leaves_whole_lines(self, run_python, tmp_path):
        """Where the system takes no more bytes, what came in whole stays and the rest is refused."""
        code = """
            import resource, sys
            from pathlib import Path
            from cascade.traces.spool_file import SpoolFile
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            file = SpoolFile.create(Path(sys.argv[1]))
            print(file.append([b"x" * 299] * 5), file.size, file.count)
            try:
                file.append([b"y" * 299])
            except OSError as error:
                print(error.strerror)
            print(file.append([b"z" * 50]), file.first(9)[-1][:3])
        """
        done = run_python(code, tmp_path / "a.jsonl")
        assert done.stdout.splitlines() == ["3 900 3", "File too large", "1 b'zzz'"], done.stderr


class TestSpool:
    def test_it_is_for_this_user_alone(self, folder):
        """Other users of the machine read nothing of what waits."""
        spool = Spool(folder, "here")
        spool.append(["{}"])
        assert folder.stat().st_mode & 0o777 == 0o700
        assert files(folder)[0].stat().st_mode & 0o777 == 0o600
        spool.close()

    def test_places_are_kept_apart(self, folder):
        """A folder may serve several places; none gets what waits for another."""
        one, other = Spool(folder, "one"), Spool(folder, "other")
        one.append(["1"])
        one.close()
        assert other.first(10) == []
        again = Spool(folder, "one")
        assert again.first(10) == [b"1"]
        again.close()

    def test_its_own_come_before_those_of_others(self, folder):
        """What this process added goes out before what another left behind, and then that."""
        gone = Spool(folder, "one")
        gone.append(["old"])
        gone.close()
        mine = Spool(folder, "one")
        mine.append(["new"])
        assert mine.first(10) == [b"new"]
        mine.passed()
        assert mine.first(10) == [b"old"]
        assert mine.count == 1
        mine.passed()
        assert (mine.count, files(folder)) == (0, [])

    def test_a_full_spool_says_so_once(self, folder, caplog):
        """What does not fit is refused with an error for each, and one line in the log."""
        spool = Spool(folder, "here", 100)
        assert spool.append(["x" * 40, "y" * 40, "z" * 40])[0].args[0].endswith("bytes wait in it")
        assert len(spool.append(["x" * 40])) == 1
        assert spool.count == 2
        assert caplog.text.count("traces are being dropped until there is room") == 1
        spool.first(10)
        spool.passed()
        assert spool.append(["x" * 40]) == []
        spool.close()

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path):
        """The error says which folder, and what to do."""
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreError, match=r"file/spool cannot be used.*name another folder"):
            Spool(tmp_path / "file" / "spool", "here")

    def test_the_default_folder(self, monkeypatch):
        """It is the environment's, else in the user's state."""
        monkeypatch.setenv("XDG_STATE_HOME", "/state")
        monkeypatch.delenv("CASCADE_SPOOL", raising=False)
        assert default_spool() == Path("/state/cascade/spool")
        monkeypatch.setenv("CASCADE_SPOOL", "/var/spool/cascade")
        assert default_spool() == Path("/var/spool/cascade")


@pytest.mark.usefixtures("quick")
class TestLockedFile:
    def test_traces_wait_and_are_delivered(self, path, folder, trace, caplog):
        """While the place is locked traces wait; when it is free they are kept, and no file stays."""
        with TraceStore(path, spool=folder) as store:
            with locked(path):
                for number in range(20):
                    store.save(replace(trace, id=f"t{number:02}"))
                store.flush()
                assert (store.spooled, store.is_away, store.dropped) == (20, True, 0)
            until(lambda: not store.spooled)
            assert store.count() == 20
            assert store.get("t07") == replace(trace, id="t07")
            assert (store.is_away, files(folder)) == (False, [])
        assert "traces wait in" in caplog.text
        assert "20 traces that waited are being delivered" in caplog.text

    def test_the_last_of_an_id_counts(self, path, folder, trace):
        """A trace that is kept again while its older form waits is not put back by that."""
        with TraceStore(path, spool=folder) as store:
            with locked(path):
                store.save(replace(trace, reason="old"))
                store.flush()
                store.save(replace(trace, reason="new"))
                store.flush()
            store.save(replace(trace, reason="newest"))
            until(lambda: not store.spooled)
            store.flush()
            assert store.get(trace.id).reason == "newest"

    def test_what_is_left_is_for_the_next_process(self, path, folder, trace):
        """A store that ends while its place is away leaves its traces, and the next one delivers."""
        store = TraceStore(path, spool=folder)
        with locked(path):
            store.save(trace)
            store.close()
        assert len(files(folder)) == 1
        with TraceStore(path, spool=folder) as store:
            until(lambda: not files(folder))
            assert store.get(trace.id) == trace

    def test_a_locked_file_can_be_opened_later(self, path, folder, trace):
        """With a spool a store opens although its file is locked, and makes its tables later."""
        path.touch()
        with locked(path):
            with pytest.raises(StoreError, match="locked"):
                TraceStore(path)
            store = TraceStore(path, spool=folder)
            store.save(trace)
            store.flush()
            assert store.spooled == 1
        until(lambda: not store.spooled)
        assert store.get(trace.id) == trace
        store.close()

    def test_a_damaged_line_is_told_and_passed_over(self, path, folder, trace, caplog):
        """A line cut off by the end of its process costs none of the others."""
        with TraceStore(path, spool=folder) as store, locked(path):
            for name in ("a", "b"):
                store.save(replace(trace, id=name))
            store.close()
        (file,) = files(folder)
        file.write_bytes(file.read_bytes()[:-200])
        with TraceStore(path, spool=folder) as store:
            until(lambda: not files(folder))
            assert [row.id for row in store.list()] == ["a"]
        assert "is passed over: this is no JSON" in caplog.text

    def test_traces_of_a_newer_version_are_left_to_it(self, path, folder, trace, caplog):
        """A file that this version cannot read stays for one that can."""
        with TraceStore(path, spool=folder) as store, locked(path):
            store.save(trace)
            store.close()
        (file,) = files(folder)
        file.write_text(json.dumps({**json.loads(file.read_text()), "version": 99}) + "\n")
        with TraceStore(path, spool=folder) as store:
            until(lambda: "newer version" in caplog.text)
            assert store.count() == 0
        assert files(folder) == [file]

    def test_the_content_policy_holds_on_the_disk(self, path, folder, make_trace):
        """What a store does not keep is not on its spool either."""
        with TraceStore(path, spool=folder, content="hashed") as store, locked(path):
            store.save(make_trace("Where is Zanzibar?", cheap="In Zanzibar."))
            store.close()
        assert "Zanzibar" not in files(folder)[0].read_text()
        assert "sha256" in files(folder)[0].read_text()

    def test_a_full_spool_drops_and_counts(self, path, folder, trace):
        """What finds no room is dropped, counted and told, and what had room is kept."""
        size = len(trace.to_json()) * 3
        store = TraceStore(path, spool=folder, spool_bytes=size)
        with locked(path):
            for number in range(10):
                store.save(replace(trace, id=f"t{number}"))
            with pytest.raises(StoreError, match=r"bytes wait in it"):
                store.flush()
            waiting = store.spooled
            assert store.dropped == 10 - waiting
            assert 1 <= waiting <= 3
        until(lambda: not store.spooled)
        assert store.count() == waiting
        store.close()

    def test_a_forked_child_leaves_it_to_its_parent(self, path, folder, run_python):
        """What waits when a process forks is delivered once, by the parent; the child has its own."""
        code = """
            import os, sqlite3, sys, time
            from dataclasses import replace
            from conftest import build_trace
            from cascade import TraceStore
            from cascade.database import place
            from cascade.traces import relay, spool
            place.BUSY_TIMEOUT_MS, relay.FIRST_WAIT_S = 100, 0.3
            relay.LOOK_S = spool.LOOK_S = 0.1
            path, folder = sys.argv[1:]
            store = TraceStore(path, spool=folder)
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            store.save(replace(build_trace(), id="parent"))
            store.flush()
            child = os.fork()
            if child == 0:
                store.save(replace(build_trace(), id="child"))
                store.close()
                os._exit(0)
            os.waitpid(child, 0)
            print(store.spooled, len(os.listdir(folder)))
            other.execute("ROLLBACK")
            while store.spooled or os.listdir(folder):
                time.sleep(0.01)
            print(sorted(row.id for row in store.list()))
            store.close()
        """
        done = run_python(code, path, folder)
        assert done.stdout.splitlines() == ["1 2", "['child', 'parent']"], done.stderr


SPOOLING = """
    import sys, time
    from dataclasses import replace
    from conftest import build_trace
    from cascade import TraceStore
    from cascade.database import place
    from cascade.traces import relay
    place.BUSY_TIMEOUT_MS = 10
    where, folder = sys.argv[1:]
    store = TraceStore(where, spool=folder)
    trace, number = build_trace(), 0
    while True:
        for _ in range(50):
            store.save(replace(trace, id=f"t{number:06}"))
            number += 1
        store.flush()
        print(number, store.spooled, flush=True)
"""


@pytest.fixture
def spooling(run_python, tmp_path):
    """Starts a process that keeps traces until it is killed, and says how many were taken on."""
    started = []

    def start(where, folder):
        script = tmp_path / "spooling.py"
        script.write_text(textwrap.dedent(SPOOLING))
        process = subprocess.Popen(
            [sys.executable, script, str(where), str(folder)],
            env=run_python.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def taken_on(process, until_count):
    """Read what a process says until so many traces were taken on; then kill it at once."""
    number = 0
    for line in process.stdout:
        number = int(line.split()[0])
        if number >= until_count:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    return max([number, *(int(line.split()[0]) for line in process.stdout)])


@pytest.mark.usefixtures("quick")
def test_a_killed_process_loses_nothing_that_it_took_on(path, folder, spooling):
    """After SIGKILL while spooling, every trace that `flush` had promised is delivered by the next."""
    TraceStore(path).close()
    with locked(path):
        number = taken_on(spooling(path, folder), 2_000)
    assert len(files(folder)) == 1
    with TraceStore(path, spool=folder) as store:
        until(lambda: not files(folder), 60)
    ids = {row.id for row in store.list(limit=None)}
    assert {f"t{place:06}" for place in range(number)} <= ids


@pytest.mark.usefixtures("quick")
def test_two_processes_deliver_what_many_left(path, folder, trace, run_python):
    """Files of dead processes are shared between the living, and each trace is kept once."""
    TraceStore(path).close()
    with locked(path):
        for number in range(6):
            with TraceStore(path, spool=folder) as store:
                store.save(replace(trace, id=f"t{number}"))
    assert len(files(folder)) == 6
    code = """
        import os, sys, time
        from cascade import TraceStore
        from cascade.traces import relay, spool
        relay.LOOK_S = spool.LOOK_S = 0.1
        with TraceStore(sys.argv[1], spool=sys.argv[2]) as store:
            end = time.monotonic() + 20
            while os.listdir(sys.argv[2]) and time.monotonic() < end:
                time.sleep(0.01)
        print(store.dropped)
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda _: run_python(code, path, folder), range(2)))
    assert [item.stdout.strip() for item in ended] == ["0", "0"], [item.stderr for item in ended]
    assert files(folder) == []
    assert TraceStore(path).count() == 6


def test_a_full_disk_costs_what_does_not_fit(path, folder, run_python):
    """Where file and spool are full, what fits is kept, the rest is counted, and nothing breaks."""
    code = """
        import resource, sys
        from dataclasses import replace
        from conftest import build_trace
        from cascade import StoreError, TraceStore
        path, folder = sys.argv[1:]
        store = TraceStore(path, spool=folder)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        trace, told = build_trace(), 0
        for number in range(2000):
            store.save(replace(trace, id=f"t{number:04}"))
        try:
            store.flush()
        except StoreError as error:
            told = "takes no more" in str(error)
        print(told, store.dropped > 0, store.spooled > 0)
        print(store.count() + store.spooled + store.dropped)
        try:
            store.close()
        except StoreError:
            pass
    """
    done = run_python(code, path, folder)
    assert done.stdout.splitlines() == ["True True True", "2000"], done.stderr
    with TraceStore(path, spool=folder) as store:  # there is room again
        until(lambda: not files(folder))
        assert store.count() > 0


# A server ---------------------------------------------------------------------------------------


@pytest.fixture
def far(wire, postgres):
    """The URL of a PostgreSQL behind a wire that can be cut."""
    url = make_url(postgres.where).set(host="127.0.0.1", port=wire.port)
    return url.render_as_string(hide_password=False)


@pytest.mark.database
@pytest.mark.loopback
@pytest.mark.usefixtures("quick")
class TestServer:
    def test_a_server_away_for_seconds_costs_nothing(self, far, wire, folder, trace, caplog):
        """Under steady traffic, saving stays quick while the server is away, and all is kept."""
        slowest, number = 0.0, 0
        with TraceStore(far, spool=folder) as store:
            begun = time.monotonic()
            while (passed := time.monotonic() - begun) < 5.0:
                wire.is_cut = 1.0 < passed < 4.0
                before = time.monotonic()
                store.save(replace(trace, id=f"t{number:05}"))
                slowest, number = max(slowest, time.monotonic() - before), number + 1
                time.sleep(0.005)
            until(lambda: not store.spooled, 30)
            store.flush()
            assert (store.count(), store.dropped) == (number, 0)
        assert slowest < 0.5
        assert files(folder) == []
        assert "can be written again after" in caplog.text

    def test_a_server_away_at_the_start(self, far, wire, folder, trace):
        """With a spool the store opens, takes traces, and makes its tables when the server is there."""
        wire.is_cut = True
        with pytest.raises(StoreError, match="cannot be used"):
            TraceStore(far)
        with TraceStore(far, spool=folder) as store:
            store.save(trace)
            store.flush()
            assert (store.spooled, store.is_away) == (1, True)
            with pytest.raises(StoreError, match="cannot be used"):
                store.get(trace.id)
            wire.is_cut = False
            until(lambda: not store.spooled)
            assert store.get(trace.id) == trace

    def test_a_server_that_is_back_is_noticed_without_traffic(self, far, wire, folder):
        """A store that nobody uses still finds out that its server is there again."""
        wire.is_cut = True
        with TraceStore(far, spool=folder) as store:
            assert store.is_away
            wire.is_cut = False
            until(lambda: not store.is_away)
            assert store.count() == 0

    def test_a_server_that_falls_silent_is_given_up(self, far, wire, folder, trace, monkeypatch):
        """A server that keeps the line and says nothing holds traces up for a bounded time."""
        monkeypatch.setattr("cascade.traces.store.SILENT_S", 0.3)
        with TraceStore(f"{far}&connect_timeout=2", spool=folder) as store:
            store.save(replace(trace, id="before"))
            store.flush()
            wire.is_silent = True
            store.save(trace)
            store.flush(6)
            assert (store.spooled, store.is_away) == (1, True)
            wire.is_silent = False
            until(lambda: not store.spooled)
            assert store.get(trace.id) == trace

    @pytest.mark.parametrize(
        ("change", "why"),
        [({"database": "nobody_made_it"}, "does not exist"), ({"username": "nobody"}, "nobody")],
    )
    def test_a_mistake_is_told_at_once(self, postgres, folder, change, why):
        """What no waiting mends is an error, spool or not."""
        url = make_url(postgres.where).set(**change)
        with pytest.raises(StoreError, match=why):
            TraceStore(url.render_as_string(hide_password=False), spool=folder)

    def test_a_killed_process_is_taken_over(self, far, wire, folder, spooling, postgres):
        """What a killed process had spooled is delivered by the next one, with another password."""
        TraceStore(far).close()
        process = spooling(far, folder)
        for line in process.stdout:
            if int(line.split()[0]) >= 200:
                break
        wire.is_cut = True
        number = taken_on(process, 1_000)
        wire.is_cut = False
        url = make_url(far).set(password="another")  # nosec
        with TraceStore(url.render_as_string(hide_password=False), spool=folder) as store:
            until(lambda: not files(folder), 60)
        ids = {row.id for row in store.list(limit=None)}
        assert {f"t{place:06}" for place in range(number)} <= ids
