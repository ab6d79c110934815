"""The benchmarks of the gateway run, and their bookkeeping notices what is wrong."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

pytest.importorskip("uvloop", reason="the gateway's extra is not installed")
pytest.importorskip("httptools", reason="the gateway's extra is not installed")

from benchmarks import soak
from benchmarks.callgrind import counts_in
from benchmarks.gateway import clients
from benchmarks.gateways import Gateway
from benchmarks.overhead import provider

ROOT = Path(__file__).parents[2]

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def run(module, *options):
    command = [sys.executable, "-m", module, *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@linux
@pytest.mark.loopback
def test_gateways_are_measured():
    """A few requests go through every gateway, and the tables come out."""
    done = run("benchmarks.gateway", "--quick")
    assert done.returncode == 0, done.stderr
    assert "litellm proxy: left out" in done.stdout
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| cascade ")]
    assert len(rows) == 4, "calls, calls on equal replies, streams, memory"
    assert all(float(row[2].split()[0]) > 0 for row in rows), done.stdout


def test_counts_of_a_file_of_callgrind():
    """Counts are found by the name of their event, which depends on the caches simulated."""
    text = "# callgrind\nevents: Ir DLmr DLmw\nfn=a\n1 2 3\n\ntotals: 70 5 2\n"
    assert counts_in(text) == {"Ir": 70, "DLmr": 5, "DLmw": 2}


@linux
@pytest.mark.loopback
def test_a_soak_adds_up():
    """After a second of load the books of clients, traces, key and upstream agree to the digit."""
    done = run("benchmarks.soak", "--minutes", "0.02", "--rate", "40")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "differs" not in done.stdout
    assert "growth after the first quarter" in done.stdout


@pytest.mark.loopback
def test_a_soak_that_does_not_add_up(tmp_path, capsys):
    """Answers without a trace, and calls that no trace shows, are told apart from a good end."""
    from cascade.accounts import Accounts

    database = tmp_path / "gateway.db"
    with Accounts(str(database)) as accounts:
        accounts.create("team", budget_day_usd="1")
    told = soak.Told(answers=1, cost_usd=Decimal("0.5"), traces={"a"})
    assert not soak.compare(told, 2, 3, database)
    assert capsys.readouterr().out.count("differs") == 5


@pytest.mark.loopback
@pytest.mark.parametrize("stream", [False, True])
def test_clients_look_at_every_answer(stream):
    """Whole answers count; a gateway that gives others ends the benchmark, in words."""
    with provider() as port, clients() as client:
        good = Gateway("upstream", (), port)
        client.ask(good, 1, 1, stream=stream, logprobs=True)
        found = client.ask(good, 20, 4, stream=stream)
        assert (found["count"], found["wrong"]) == (20, {})
        assert 0 < found["first_p50_ms"] <= found["p50_ms"] <= found["p99_ms"]

    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 No\r\ncontent-length: 4\r\n\r\nbusy")
        await writer.drain()
        writer.close()

    import asyncio
    import threading

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(refuse, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        bad = Gateway("bad", (), server.sockets[0].getsockname()[1])
        with clients() as client, pytest.raises(RuntimeError, match=r"bad: .*status 503: b'busy'"):
            client.ask(bad, 1, 1, stream=stream)
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
