"""Mistakes a newcomer makes: each is refused before money flows, and the message says what to do."""

from decimal import Decimal

import numpy as np
import pytest

from cascade import (
    AsyncCascade,
    Capabilities,
    Cascade,
    ConfigError,
    Endpoint,
    Needs,
    Price,
    ReplayError,
    RequestError,
    ScorerError,
    StoreError,
    Tier,
    TraceStore,
    ask,
    load_chain,
    replay,
)
from cascade.config import chain_from_dict
from cascade.testing import ScriptedModels, failure, reply

PRICE = Price.of("1", "2")


def two(**settings):
    """A cascade of two scripted tiers; the first one's answer is always rejected."""
    models = ScriptedModels({"a": "x y", "b": "z"})
    tiers = [Tier("a", price=PRICE, scorer=lambda draft: 0.0), Tier("b", price=PRICE)]
    return Cascade(tiers, models=models, **settings)


class Wishful:
    needs = {"logprobs": True}

    def __call__(self, draft):
        return 1.0


MISTAKES = {
    "a URL for a client": (lambda: Cascade([Tier("gpt-5.5")], client="http://x"), "Endpoint"),
    "a number for a client": (lambda: Cascade([Tier("gpt-5.5")], client=42), "client is 42"),
    "a tier's client": (lambda: Cascade([Tier("gpt-5.5", client="http://x")]), "Endpoint"),
    "capabilities as words": (lambda: Capabilities(logprobs="yes"), "'yes' is not true or false"),
    "a negative length": (lambda: Capabilities(max_output_tokens=-9), "-9 is no whole number"),
    "a number for a store": (lambda: two(store=5), "store is 5"),
    "a number among observers": (lambda: two(observers=[3]), "observers holds 3"),
    "a bare observer": (lambda: two(observers=print), r"e\.g\. \[print\]"),
    "needs as a dict": (
        lambda: Tier("a", price=PRICE, scorer=Wishful()),
        r"Needs\(logprobs=True\)",
    ),
    "a model's name for a chain": (lambda: Cascade("gpt-5.5"), r"write \[Tier\('gpt-5\.5'\)\]"),
    "text for a preamble": (lambda: Tier("a", preamble="be nice"), "'role': 'system'"),
    "no path": (lambda: load_chain(None), "path of a TOML file, not None"),
    "a cascade to replay with": (lambda: replay(two().complete("?").trace, two()), "list of tiers"),
    "a password in a URL": (lambda: Endpoint("http://me:secret@host/v1"), "user or password"),
    "one bracket": (lambda: chain_from_dict({"tier": {"model": "a"}}), "with two brackets"),
    "half a price": (
        lambda: chain_from_dict({"tier": [{"model": "a", "price": {"input": "1"}}]}),
        r"tier 1 \(a\): price: output missing",
    ),
    "an inexact price": (
        lambda: chain_from_dict({"tier": [{"model": "a", "price": {"input": 0.1, "output": 1}}]}),
        r"tier 1 \(a\): price: input 0\.1",
    ),
    "a retry in words": (
        lambda: chain_from_dict({"tier": [{"model": "a", "retry": {"max_tries": "3"}}]}),
        r"tier 1 \(a\): retry: .*'3'",
    ),
    "a threshold in words": (
        lambda: chain_from_dict({"tier": [{"model": "gpt-5.5", "threshold": "0.9"}]}),
        r"tier 1 \(gpt-5\.5\): .*'0\.9'",
    ),
    "weights left out": (
        lambda: chain_from_dict(
            {"tier": [{"model": "gpt-5.5", "scorer": {"use": "weighted", "scorers": []}}]}
        ),
        "needs weights",
    ),
}


@pytest.mark.parametrize(("mistake", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_wrong_setting_is_refused_with_the_next_step(mistake, words):
    """A wrong setting is a `ConfigError` whose message names it."""
    with pytest.raises(ConfigError, match=words):
        mistake()


REQUESTS = {
    "timeout": ({"timeout": 5}, "deadline_s"),
    "deadline": ({"deadline": 5}, "did you mean deadline_s"),
    "retries": ({"max_retries": 1}, "Retry"),
    "concurrency": ({"concurrency": 4}, "AsyncCascade.complete_rounds"),
    "headers in words": ({"extra_headers": "x"}, "extra_headers is 'x'"),
}


@pytest.mark.parametrize(("params", "words"), REQUESTS.values(), ids=REQUESTS)
def test_keywords_that_are_not_the_apis_are_not_sent(params, words):
    """The SDK's own keywords and near misses of ours are refused before anything is asked."""
    llm = two()
    with pytest.raises(RequestError, match=words):
        llm.complete("?", **params)


async def test_rounds_take_a_list():
    """A single text is not taken for a list of one-letter requests."""
    with pytest.raises(RequestError, match="takes a list of requests"):
        two().complete_rounds("abc")
    with pytest.raises(RequestError, match="takes a list of requests"):
        await AsyncCascade([Tier("gpt-5.5")]).complete_rounds({"messages": []})


def test_bytes_are_no_request():
    """A prompt is text; bytes are named as what they are."""
    with pytest.raises(RequestError, match="not bytes b'x'"):
        two().complete(b"x")


@pytest.mark.parametrize("value", [np.bool_(True), np.float32(1), np.array(1.0), Decimal(1)])
def test_numbers_of_other_libraries_are_scores(value):
    """A numpy scalar and a Decimal count as the numbers they are."""
    models = ScriptedModels({"a": "x", "b": "y"})
    tiers = [Tier("a", price=PRICE, scorer=lambda draft: value), Tier("b", price=PRICE)]
    assert Cascade(tiers, models=models).complete("?").tier == "a"


def test_a_missing_key_of_a_later_tier_is_found_before_the_first_is_paid():
    """No tier is asked while another one's key is missing, and no trace says otherwise."""
    traces = []
    llm = Cascade(
        [
            Tier("a", price=PRICE, client=Endpoint("http://127.0.0.1:9/v1"), scorer=len),
            Tier("b", price=PRICE, client=Endpoint("http://127.0.0.1:9/v1", api_key_env="NO_KEY")),
        ],
        observers=[traces.append],
    )
    with pytest.raises(ConfigError, match="NO_KEY is not set"):
        llm.complete("?")
    assert traces == []


@pytest.mark.loopback
def test_a_question_to_a_model_without_a_key_fails_its_scorer_only(httpserver_reply):
    """A scorer that asks a model nobody has a key for gets an error it can handle."""
    seen = []

    def curious(draft):
        try:
            yield from ask("unknown-model", "?")
        except ScorerError as error:
            seen.append(str(error))
            return 0.9
        return 0.0

    with Cascade(
        [
            Tier("a", price=PRICE, client=httpserver_reply, scorer=curious),
            Tier("b", price=PRICE, client=httpserver_reply),
        ]
    ) as llm:
        done = llm.complete("?")
    assert done.tier == "a"
    assert "OPENAI_API_KEY" in seen[0]
    assert done.cost_usd == done.trace.charges[0].cost_usd


@pytest.fixture
def httpserver_reply():
    """An endpoint on this machine that always answers the same."""
    import json
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    body = json.dumps(dict(reply("hello").wire)).encode()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Endpoint(f"http://127.0.0.1:{server.server_port}/v1")
    server.shutdown()
    server.server_close()


def test_a_closed_cascade_asks_nobody():
    """After `close` a request is refused before anything is paid."""
    llm = two()
    llm.close()
    with pytest.raises(ConfigError, match="was closed"):
        llm.complete("?")


def test_a_replay_does_not_replace_what_happened(tmp_path):
    """A store refuses a replay; the trace of the real request stays as it was."""
    with TraceStore(tmp_path / "traces.sqlite3") as store:
        real = two(store=store).complete("?").trace
        again = replay(real, [Tier("a", price=PRICE)])
        assert again.replayed
        with pytest.raises(StoreError, match="is a replay"):
            store.save(again)
        store.flush()
        assert store.get(real.id) == real
    with pytest.raises(ReplayError, match="not str 'x'"):
        replay("x", [Tier("a", price=PRICE)])


def test_an_image_is_named_as_the_reason_of_its_bound():
    """A budget that an image breaks says so; shortening the answer would not help."""
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}
    llm = Cascade([Tier("gpt-5.5")], models=ScriptedModels({"gpt-5.5": "x"}), budget="1")
    with pytest.raises(Exception, match="holds images or files"):
        llm.complete([{"role": "user", "content": [picture]}], max_completion_tokens=10)


def test_a_failure_names_its_tier():
    """The error of a request that nobody answered names the tier that failed last."""
    models = ScriptedModels({"a": failure("invalid", "no such thing", status=400)})
    with pytest.raises(Exception, match="tier 'a': invalid"):
        Cascade([Tier("a", price=PRICE)], models=models).complete("?")


def test_scripts_are_checked():
    """A misspelt failure or an impossible probability is a mistake in the test itself."""
    with pytest.raises(ValueError, match="'timout' is no kind of failure"):
        failure("timout")
    with pytest.raises(ValueError, match="probability 2"):
        reply("x", probabilities=[2])
    assert Needs(logprobs=True).top_logprobs == 0


def test_a_tier_keeps_its_own_copy_of_its_parameters():
    """What the caller does to a mapping afterwards does not reach the tier."""
    params = {"stop": ["x"]}
    tier = Tier("gpt-5.5", params=params)
    params["stop"].append("y")
    params["n"] = 3
    assert tier.params == {"stop": ["x"]}


def test_a_number_beyond_json_is_written_as_none():
    """A server's 1e999 does not make a trace that other readers refuse."""
    odd = reply("z")
    odd.wire["load"] = float("inf")
    models = ScriptedModels({"a": odd})
    trace = Cascade([Tier("a", price=PRICE)], models=models).complete("?").trace
    text = trace.to_json()
    assert "Infinity" not in text
    assert '"load": null' in text
