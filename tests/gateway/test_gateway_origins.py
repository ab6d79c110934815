"""Browsers: pages of the origins that were allowed may ask, and no others."""

from __future__ import annotations

import httpx
import pytest
from gateways import until
from raw_http import Raw, body_of, request
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cascade import Tier
from cascade.errors import ConfigError
from cascade.gateway import create_app
from cascade.gateway.assembly import Settings, assembled
from cascade.gateway.guard import ThisMachine

pytestmark = pytest.mark.loopback

APP = "https://app.example"
ASKED = "access-control-request-"
ALLOWED = "access-control-allow-"
BODY = {"model": "support", "messages": [{"role": "user", "content": "x"}]}


def preflight(url, origin=APP, method="POST", headers="authorization,x-stainless-lang"):
    head = {"origin": origin, f"{ASKED}method": method, f"{ASKED}headers": headers}
    return httpx.options(url, headers=head)


def names(answer, header):
    return {name.strip() for name in answer.headers[header].split(",")}


def opened(answer):
    return [name for name in answer.headers if name.startswith("access-control-")]


def test_a_preflight(serve, upstream):
    """A browser that asks first is told that the page may send keys and OpenAI's own headers."""
    url = f"{serve(allow_origins=[APP]).url}/chat/completions"
    answer = preflight(url)
    assert answer.status_code == 200
    assert answer.headers[f"{ALLOWED}origin"] == APP
    assert {"GET", "POST"} <= names(answer, f"{ALLOWED}methods")
    assert {"authorization", "x-stainless-lang"} <= names(answer, f"{ALLOWED}headers")
    assert answer.headers["x-request-id"].startswith("req_")
    assert f"{ALLOWED}credentials" not in answer.headers
    refused = preflight(url, origin="https://evil.example")
    assert refused.status_code == 400
    assert f"{ALLOWED}origin" not in refused.headers
    assert not upstream.asked


@pytest.mark.parametrize("stream", [False, True])
def test_answers_and_refusals_can_be_read(serve, stream):
    """A page reads answers, errors and what their headers say; other pages read nothing."""
    url = serve(allow_origins=["https://other.example", APP.upper()]).url
    for path, status in [("/chat/completions", 200), ("/chat/completion", 404)]:
        body = {**BODY, "stream": stream}
        answer = httpx.post(url + path, json=body, headers={"origin": APP})
        assert answer.status_code == status
        assert answer.headers[f"{ALLOWED}origin"] == APP
        assert "Origin" in answer.headers["vary"]
        exposed = names(answer, "access-control-expose-headers")
        own = {name for name in answer.headers if name.startswith(("x-cascade-", "x-request"))}
        assert own <= exposed
        assert {"retry-after", "x-should-retry", "x-ratelimit-reset-tokens"} <= exposed
    answer = httpx.post(f"{url}/chat/completions", json=BODY, headers={"origin": "https://evil.x"})
    assert f"{ALLOWED}origin" not in answer.headers


def test_every_page(serve):
    """A star opens it to all, without cookies."""
    served = serve(allow_origins=["*"])
    answer = httpx.get(f"{served.url}/models", headers={"origin": "null"})
    assert answer.headers[f"{ALLOWED}origin"] == "*"
    assert f"{ALLOWED}credentials" not in answer.headers
    assert preflight(f"{served.url}/models", origin="null", method="GET").status_code == 200


def test_pages_and_metrics_stay_closed(serve):
    """What is for people who have logged in, and for the operator, is no page's."""
    pages = Starlette(routes=[Route("/", PlainTextResponse("pages"))])
    served = serve(allow_origins=["*"], pages=pages, metrics_open=True)
    root = served.url.removesuffix("/v1")
    for path in ("/ui", "/ui/", "/ui/x", "/metrics"):
        assert not opened(preflight(root + path, method="GET"))
        assert not opened(httpx.get(root + path, headers={"origin": APP}))


def test_nobody_unless_allowed(serve):
    """Without the setting no header of the kind is sent, and a preflight is a wrong method."""
    served = serve()
    answer = preflight(f"{served.url}/chat/completions")
    assert answer.status_code == 405
    assert not opened(answer)
    asked = httpx.post(f"{served.url}/chat/completions", json=BODY, headers={"origin": APP})
    assert not opened(asked)


def test_a_page_that_is_left(serve, upstream, traces):
    """A page that is closed ends the work for it, and is booked, like any client."""
    served = serve(allow_origins=[APP])
    with Raw(served.port) as raw:
        headers = [("content-type", "application/json"), ("origin", APP)]
        raw.send(request(body_of("hang"), headers=headers))
        until(lambda: upstream.under_way == 1)
    until(lambda: upstream.left == 1)
    until(lambda: len(traces()) == 1)


def test_pages_of_this_machine_without_keys(serve):
    """Without keys a page of this machine may be allowed; what is allowed beside it is refused."""
    url = f"{serve(guard=ThisMachine(), allow_origins=['*']).url}/chat/completions"
    here = httpx.post(url, json=BODY, headers={"origin": "http://localhost:3000"})
    assert here.status_code == 200
    assert httpx.post(url, json=BODY, headers={"origin": APP}).status_code == 403


@pytest.mark.parametrize("origin", [APP, "*", "https://localhost.evil.example"])
def test_no_others_without_keys(origin):
    """Allowing pages of the web to a gateway without keys is refused at its start."""
    settings = Settings(keyless=True, allow_origins=(origin,))
    with (
        pytest.raises(ConfigError, match="only pages of this machine"),
        assembled({}, {}, settings),
    ):
        pass


@pytest.mark.parametrize(
    "wrong", ["", "app.example", f"{APP}/", f"{APP}/page", "null", "https://*.example"]
)
def test_what_is_no_origin(wrong):
    """An origin that no browser sends is refused by name."""
    with pytest.raises(ConfigError, match="expected scheme and host alone"):
        create_app([Tier("gpt-5.4-nano")], allow_origins=[wrong])
