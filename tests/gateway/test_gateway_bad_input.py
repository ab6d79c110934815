"""What a gateway does with requests that are wrong, huge, slow or hostile: a defined answer each."""

from __future__ import annotations

import json
import time

import pytest
from raw_http import Raw, asked, body_of, request
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cascade.gateway.guard import ThisMachine

pytestmark = pytest.mark.loopback

JSON = [("content-type", "application/json")]
ERROR_KEYS = {"message", "type", "param", "code"}


@pytest.fixture
def port(serve):
    return serve().port


def error_of(answer):
    """The error of an answer, which must be OpenAI's in shape and have its request's name."""
    status, headers, body = answer
    error = json.loads(body)["error"]
    assert set(error) == ERROR_KEYS
    assert headers["content-type"].startswith("application/json")
    assert headers["x-request-id"].startswith("req_")
    return status, error


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "could not parse"),
        (b"{", "could not parse"),
        (b'{"model": "support", "messages": NaN}', "could not parse"),
        (b"\xff\xfe", "could not parse"),
        (b"[" * 10_000, "nested more than 200 levels deep at line 1 column 202."),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested more than 200 levels deep at line 1"),
        (b'{"a":' + b"9" * 5_000 + b"}", "number out of range at line 1 column"),
        (b'{"a":"\\ud800"}', "unexpected end of hex escape at line 1 column 13."),
        (b"[1]", "JSON object"),
        (b'"text"', "JSON object"),
        (b"{}", "you must provide a model parameter"),
        (
            b'{"model": 1}',
            "Invalid type for 'model': expected a string, but got an integer instead.",
        ),
        (b'{"model": "support"}', "Missing required parameter: 'messages'"),
        (b'{"model": "support", "messages": "x"}', "messages"),
        (b'{"model": "support", "messages": []}', "messages"),
        (b'{"model": "support", "messages": [{}]}', "role"),
        (b'{"model": "support", "messages": [1], "stream": "yes"}', "stream"),
        (b'{"model": "support", "messages": [1], "cascade": []}', "cascade"),
    ],
    ids=range(18),
)
def test_bodies_that_cannot_be_meant(port, traces, body, words):
    """A body that is no call is 400 in OpenAI's shape; nobody is asked and nothing is kept."""
    status, error = error_of(asked(port, request(body, headers=JSON)))
    assert status == 400
    assert words in error["message"]
    assert error["type"] == "invalid_request_error"
    assert traces() == []


@pytest.mark.parametrize(
    ("own", "param"),
    [
        ({"start_at": "nope"}, "cascade.start_at"),
        ({"stop_at": "nope"}, "cascade.stop_at"),
        ({"start_at": "big", "stop_at": "small"}, "cascade.start_at"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_tiers_that_cannot_be_asked(port, traces, own, param, stream):
    """Where a request may begin and end is checked by the chain; the refusal says which is wrong."""
    body = body_of("x", cascade=own, stream=stream)
    status, error = error_of(asked(port, request(body, headers=JSON)))
    assert (status, error["param"]) == (400, param)
    assert traces() == []


def test_a_number_that_no_json_holds(port, upstream):
    """A number that is read as infinite is refused in the words of HTTP, and named."""
    body = body_of("x", temperature=0).replace(b'"temperature": 0', b'"temperature": 1e999')
    status, error = error_of(asked(port, request(body, headers=JSON)))
    assert (status, error["param"]) == (400, "temperature")
    assert "too large" in error["message"]
    assert not upstream.asked


def test_json_at_the_depth_that_is_taken(serve, traces):
    """What is nested as deep as the reader goes is answered, kept and read back like the rest."""
    deep = json.loads("[" * 190 + "]" * 190)
    body = body_of("x", metadata={"deep": "1"}, tools=[], extra=deep)
    status, _, _ = asked(serve().port, request(body, headers=JSON))
    assert status == 200
    assert traces()[0].request["extra"] == deep


@pytest.mark.parametrize("chunked", [False, True])
def test_fifty_megabytes(serve, traces, chunked):
    """A body over the limit is 413: on its declared length, or on its first byte too many."""
    port = serve().port
    with Raw(port) as raw:
        if chunked:
            raw.send(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
                b"content-type: application/json\r\n\r\n"
            )
            piece = b"%x\r\n" % 2**20 + b"x" * 2**20 + b"\r\n"
            try:
                for _ in range(50):
                    raw.send(piece)
            except OSError:
                pass
        else:
            raw.send(request(b"", headers=JSON, length=50_000_000))
        began = time.monotonic()
        status, error = error_of(raw.read())
        assert time.monotonic() - began < 1.5
        assert status == 413
        assert error["code"] == "request_too_large"
        assert raw.closed()


def test_fifty_megabytes_sent_all_the_same(serve):
    """A client that reads only after it has sent everything gets to read its 413."""
    body = b"x" * 50_000_000
    with Raw(serve().port) as raw:
        try:
            raw.send(request(body, headers=JSON))
        except OSError:
            pytest.fail("the connection was reset before everything was sent")
        assert raw.read()[0] == 413


def test_no_waiting_for_a_body_that_is_too_large(serve):
    """A client that asks before it sends ("Expect: 100-continue") is told no at once."""
    with Raw(serve().port) as raw:
        head = [*JSON, ("expect", "100-continue")]
        raw.send(request(b"", headers=head, length=50_000_000))
        assert raw.read()[0] == 413


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (("content-type", "text/plain"), 400, "unsupported_content_type"),
        (("content-type", "application/x-www-form-urlencoded"), 400, "unsupported_content_type"),
        (("content-type", "multipart/form-data; boundary=x"), 400, "unsupported_content_type"),
        (("content-encoding", "gzip"), 415, None),
        (("content-type", "application/json; charset=utf-8"), 200, None),
        (("content-type", "Application/JSON"), 200, None),
        (("x-empty", ""), 200, None),
    ],
)
def test_content_types(port, header, status, code):
    """Bodies are JSON as they are; whatever else they claim to be is refused with its name."""
    found = asked(port, request(body_of(), headers=[header]))
    assert found[0] == status
    if status != 200:
        assert error_of(found)[1]["code"] == code


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/v1/chat/completions", 405, "POST"),
        ("DELETE", "/v1/responses", 405, "POST"),
        ("POST", "/v1/models", 405, "GET, HEAD"),
        ("PUT", "/healthz", 405, "GET, HEAD"),
        ("POST", "/v1/embeddings", 404, None),
        ("GET", "/", 404, None),
        ("GET", "/v1/chat/completions/", 404, None),
        ("GET", "/../etc/passwd", 404, None),
        ("GET", "/v1/models/../../x", 404, None),
        ("GET", "/v1/%00", 404, None),
        ("GET", "/%0d%0aset-cookie:%20a=b", 404, None),
        ("GET", "/" + "a" * 5_000, 404, None),
    ],
)
def test_other_paths_and_methods(port, method, path, status, allow):
    """An unknown path is 404 and a wrong method 405 with `allow`, both in OpenAI's shape."""
    answer = asked(port, request(method=method, path=path))
    found, error = error_of(answer)
    assert found == status
    assert error["type"] == "invalid_request_error"
    assert answer[1].get("allow") == allow
    assert "set-cookie" not in answer[1]


@pytest.mark.parametrize(
    ("method", "path", "meant"),
    [
        ("POST", "/chat/completions", "/v1/chat/completions"),
        ("POST", "/responses", "/v1/responses"),
        ("GET", "/models", "/v1/models"),
        ("POST", "/v1/v1/chat/completions", "/v1/chat/completions"),
        ("POST", "//v1/chat/completions", "/v1/chat/completions"),
        ("POST", "/v1//responses", "/v1/responses"),
        ("POST", "/v1/chat/completions/", "/v1/chat/completions"),
        ("GET", "/v1/models/", "/v1/models"),
        ("POST", "/openai/v1/responses?api-version=preview", "/v1/responses"),
        (
            "POST",
            "/openai/deployments/small/chat/completions?api-version=2024-10-21",
            "/v1/chat/completions, with the name of the deployment as 'model'",
        ),
    ],
)
def test_a_base_url_with_another_end(port, method, path, meant):
    """Whoever forgets `/v1`, writes it twice, or asks as Azure is asked, is told."""
    status, error = error_of(asked(port, request(body_of(), method=method, path=path)))
    assert status == 404
    bare = path.partition("?")[0]
    assert error["message"] == f"Invalid URL ({method} {bare}). Did you mean {meant}?"


@pytest.mark.parametrize("path", ["/v1/embeddings", "/chat/completions/x", "/v1/xresponses"])
def test_a_url_that_is_nothing_like_ours(port, path):
    """Nothing is guessed where nothing is near."""
    _, error = error_of(asked(port, request(body_of(), path=path)))
    assert error["message"] == f"Invalid URL (POST {path})"


@pytest.mark.parametrize("path", ["/v1/chat/completions/", "/v1/models/"])
def test_a_request_is_sent_nowhere_else(serve, path):
    """No request with a key in it is redirected: behind a proxy it would leave the encryption."""
    pages = Starlette(routes=[Route("/", PlainTextResponse("pages"))])
    port = serve(pages=pages).port
    assert asked(port, request(body_of(), path=path))[0] in (404, 405)
    for place in ("/", "/ui"):  # only people who look for the pages are shown the way
        answer = asked(port, request(method="GET", path=place, host="evil"))
        assert (answer[0], answer[1]["location"]) == (307, "/ui/")


@pytest.mark.parametrize(
    ("given", "given_back"),
    [
        ("my-request-1", "my-request-1"),
        ("x" * 512, "x" * 512),
        ("x" * 513, None),
        ("two words", None),
        ("naïve", None),
        ("\x7f", None),
    ],
)
def test_a_callers_own_request_id(port, given, given_back):
    """A caller's own id comes back where it is harmless; each answer has one of ours as well."""
    head = [*JSON, ("x-client-request-id", given)]
    _, first, _ = asked(port, request(body_of(), headers=head))
    _, second, _ = asked(port, request(method="GET", path="/healthz", headers=head))
    assert first.get("x-client-request-id") == second.get("x-client-request-id") == given_back
    assert first["x-request-id"] != second["x-request-id"]


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\na: b\x00c\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        (
            b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n"
            b"content-length: 3\r\n\r\n0\r\n\r\n"
        ),
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["tls", "version", "no colon", "nul", "length", "two lengths", "both", "chunk"],
)
def test_bytes_that_are_no_http(port, data):
    """What is no HTTP, or could be read in two ways, is 400 and the end of the connection."""
    with Raw(port) as raw:
        raw.send(data)
        status, error = error_of(raw.read())
        assert status == 400
        assert error["message"].startswith("Invalid HTTP request")
        assert raw.closed()


@pytest.mark.parametrize(
    "head",
    [
        b"a: " + b"x" * 40_000 + b"\r\n",
        b"".join(b"h%d: x\r\n" % number for number in range(200)),
        b"".join(b"h%d: %s\r\n" % (number, b"x" * 1000) for number in range(50)),
    ],
    ids=["one large", "many", "many large"],
)
def test_heads_that_are_too_much(port, head):
    """Headers over the limits are 431, before anything is made of them."""
    with Raw(port) as raw:
        raw.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n")
        status, _ = error_of(raw.read())
        assert status == 431
        assert raw.closed()


def test_a_head_without_an_end(port):
    """A header or a request line that goes on and on is cut off at the limit, not kept."""
    for start in (b"GET /", b"GET / HTTP/1.1\r\na: ", b"GET / HTTP/1.1\r\na"):
        with Raw(port) as raw:
            raw.send(start)
            try:
                for _ in range(200):
                    raw.send(b"x" * 4096)
            except OSError:
                continue
            assert raw.closed()


def test_trailers_are_no_headers(port, traces):
    """Headers after a body are passed over: they could speak for somebody else."""
    body = body_of()
    with Raw(port) as raw:
        raw.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
            b"content-type: application/json\r\n\r\n"
            + b"%x\r\n%s\r\n" % (len(body), body)
            + b"0\r\nx-cascade-tags: spoofed\r\n\r\n"
        )
        assert raw.read()[0] == 200
    assert traces()[0].tags == ()


def test_pipelined_requests(port, traces):
    """Requests sent without waiting are answered in order, each of them."""
    with Raw(port) as raw:
        one = request(body_of(), headers=JSON)
        raw.send(one + request(b"{", headers=JSON) + one)
        assert [raw.read()[0] for _ in range(3)] == [200, 400, 200]
    assert len(traces()) == 2


def test_a_refused_request_leaves_the_connection_usable(port):
    """After a refusal with a small body the next request goes over the same connection."""
    with Raw(port) as raw:
        for expected in (404, 400, 200):
            body = {404: body_of(model="nobody"), 400: b"{", 200: body_of()}[expected]
            raw.send(request(body, headers=JSON))
            assert raw.read()[0] == expected


@pytest.mark.parametrize("start", [b"", b"POST /v1/chat/completions HTTP/1.1\r\nhost"])
def test_half_a_head(serve, start):
    """A client that does not get to the end of its head is let go; it holds nothing up."""
    served = serve(limits={"head_timeout_s": 0.5})
    with Raw(served.port) as raw:
        raw.send(start)
        began = time.monotonic()
        if start:
            assert error_of(raw.read())[0] == 408
        assert raw.closed()
        assert time.monotonic() - began < 5


def test_half_a_body(serve, traces):
    """A body that does not come is 408; nobody is asked."""
    served = serve(limits={"body_timeout_s": 0.5})
    with Raw(served.port) as raw:
        raw.send(request(body_of(), headers=JSON, length=1_000))
        status, error = error_of(raw.read())
        assert (status, error["code"]) == (408, "request_timeout")
        assert raw.closed()
    assert served.app.turns.in_flight == 0
    assert traces() == []


def test_a_client_that_drips(serve):
    """A byte now and then does not help: the whole body has its time, not each piece."""
    served = serve(limits={"body_timeout_s": 0.5})
    with Raw(served.port) as raw:
        raw.send(request(b"", headers=JSON, length=1_000))
        began = time.monotonic()
        raw.socket.settimeout(0.05)
        answer = b""
        while not answer and time.monotonic() - began < 5:
            try:
                raw.send(b"x")
                answer = raw.socket.recv(100)
            except TimeoutError:
                pass
        assert b" 408 " in answer


def test_an_idle_connection_ends(serve):
    """A connection that nobody uses is closed after its time."""
    served = serve(limits={"keep_alive_s": 1})
    with Raw(served.port) as raw:
        raw.send(request(body_of(), headers=JSON))
        assert raw.read()[0] == 200
        assert raw.closed()


def test_one_connection_too_many(serve):
    """Beyond its number of connections a gateway says so and closes."""
    served = serve(limits={"max_connections": 2})
    with Raw(served.port), Raw(served.port), Raw(served.port) as third:
        status, _ = error_of(third.read())
        assert status == 503


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("host", "localhost:8000")], 200),
        ([("host", "[::1]:8000")], 200),
        ([("host", "127.0.0.1"), ("origin", "http://localhost:3000")], 200),
        ([("host", "127.0.0.1"), ("origin", "https://evil.example")], 403),
        ([("host", "127.0.0.1"), ("origin", "null")], 403),
        ([("host", "rebound.example:8000")], 403),
        ([("host", "localhost.evil.example")], 403),
        ([("host", "")], 403),
    ],
)
def test_pages_on_the_web(serve, upstream, headers, status):
    """Without keys no page on the web can spend money: not by another name, nor from another place."""
    port = serve(guard=ThisMachine()).port
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    body = body_of()
    head = f"POST /v1/chat/completions HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
    answer = asked(port, head.encode() + body)
    assert answer[0] == status
    assert len(upstream.asked) == (status == 200)


@pytest.mark.parametrize("kind", ["websocket", "h2c"])
def test_offers_to_speak_something_else(port, traces, kind):
    """An offer to upgrade the connection is passed over: the request is answered, body and all."""
    head = [*JSON, ("connection", "Upgrade"), ("upgrade", kind)]
    body = body_of()
    chunked = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n"
        f"upgrade: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
    ).encode()
    get = request(b"", method="GET", path="/healthz", headers=head)
    with Raw(port) as raw:
        raw.send(request(body, headers=head) + get)
        assert [raw.read()[0] for _ in range(2)] == [200, 200]
        raw.send(chunked + b"%x\r\n" % len(body) + body[:10])
        raw.send(body[10:] + b"\r\n0\r\n\r\n" + request(body, headers=head)[:-5])
        assert raw.read()[0] == 200
        raw.send(body[-5:])
        assert raw.read()[0] == 200
    assert len(traces()) == 3


@pytest.mark.parametrize("coding", ["gzip", "identity", "chunked, identity"])
def test_an_offer_with_a_body_that_has_no_end(port, coding, caplog):
    """A body framed as only the other protocol could read it is refused, without a traceback."""
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n"
        f"upgrade: h2c\r\ntransfer-encoding: {coding}\r\n\r\n"
    )
    with Raw(port) as raw:
        raw.send(head.encode() + request(method="GET", path="/smuggled"))
        assert error_of(raw.read())[0] == 400
        assert raw.closed()
    assert not caplog.records
