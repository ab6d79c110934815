"""Memory and files: how much of both a gateway takes is bounded, and goes with each request."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

import pytest
from gateways import until
from raw_http import Raw, asked, body_of, request

from cascade.core.request import Request

pytestmark = pytest.mark.loopback

LARGE = "x" * 60_000


def code_of(answer):
    status, _headers, body = answer
    return status, json.loads(body).get("error", {}).get("code")


def test_bodies_share_a_room(serve, upstream):
    """A body is refused while those of other requests leave no room for it, and taken after."""
    served = serve(limits={"max_held_bytes": 100_000, "max_body_bytes": 80_000})
    with Raw(served.port) as first:
        first.send(request(body_of(f"{LARGE} hold")))
        until(lambda: upstream.under_way == 1)
        assert code_of(asked(served.port, request(body_of(LARGE)))) == (503, "server_is_overloaded")
        assert asked(served.port, request(body_of("small")))[0] == 200
        upstream.release()
        assert first.read()[0] == 200
    assert asked(served.port, request(body_of(LARGE)))[0] == 200


def test_a_body_in_chunks_takes_its_share_as_it_comes(serve, upstream):
    """A length that nobody declared counts, too; so does one that was declared and never came."""
    served = serve(limits={"max_held_bytes": 100_000, "max_body_bytes": 80_000})
    body = body_of(LARGE)
    chunked = request(b"", headers=[("transfer-encoding", "chunked")]).replace(
        b"content-length: 0\r\n", b""
    )
    chunked += b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    with Raw(served.port) as first:
        first.send(request(b"{", length=80_000))
        until(lambda: served.app.turns.in_flight == 1)
        assert code_of(asked(served.port, chunked)) == (503, "server_is_overloaded")
    until(lambda: served.app.turns.in_flight == 0)
    assert asked(served.port, chunked)[0] == 200


def test_one_body_always_has_room(serve):
    """A room smaller than the largest body is made as large."""
    served = serve(limits={"max_held_bytes": 10, "max_body_bytes": 80_000})
    assert asked(served.port, request(body_of(LARGE)))[0] == 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("words", ["500 hard", "400", "x", "x" * 1_100_000], ids=str.__len__)
def test_nothing_is_left_of_a_request(serve, words, stream):
    """A request that failed is freed at once, like one that was answered; no collector is needed.

    The collector looks seldom while a gateway serves, and each body may have megabytes.
    """
    served = serve()
    gc.collect()
    before = _kept()
    gc.disable()
    try:
        asked(
            served.port, request(body_of(words, stream=stream), headers=[("connection", "close")])
        )
        until(lambda: _kept() == before, within_s=5)
    finally:
        gc.enable()


def _kept():
    return sum(isinstance(item, Request) for item in gc.get_objects())


ALLOWED = """
import resource
from cascade.gateway import Limits
from cascade.gateway.server import connections, files_allowed
files = files_allowed(Limits())
print(files, connections(Limits(), files), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of open files")
@pytest.mark.parametrize(
    ("ulimit", "found"),
    [("-n 1024", "1024 384 1024"), ("-n 300", "300 22 300"), ("-n 100", "100 1 100")],
)
def test_silent_connections_leave_files_to_the_rest(ulimit, found):
    """Where the system allows few open files there are fewer connections: databases need some."""
    shell = f"ulimit {ulimit}; exec '{sys.executable}' -c '{ALLOWED}'"
    assert subprocess.check_output(["/bin/sh", "-c", shell], text=True).strip() == found


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of open files")
def test_more_files_are_asked_for():
    """What a process may have for the asking it asks for."""
    shell = f"ulimit -Sn 256; exec '{sys.executable}' -c '{ALLOWED}'"
    files, clients, soft = subprocess.check_output(["/bin/sh", "-c", shell], text=True).split()
    assert int(soft) == int(files) > 256
    assert int(clients) > 1
