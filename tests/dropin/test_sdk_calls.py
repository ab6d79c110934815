"""What a call says goes where it belongs: to the tiers, to the cascade, or to the real API."""

from __future__ import annotations

import json

import fake_openai as fake
import openai
import pytest
from sdk_faces import ASKED, FakeApi, not_hm, plain_client, scripted, two_tiers

from cascade import Endpoint, Sticky, Tier, TraceStore, cost_tree, openai_client, trace_of
from cascade.core.pricing import Price
from cascade.dropin import rule
from cascade.dropin.rule import credentials_of

SECRET = "Bearer sk-of-somebody-else-0123"


def test_headers_and_query_reach_the_tiers(sdk):
    """`extra_headers`, `extra_query` and the client's defaults go to the tiers; our own do not."""
    api = FakeApi(fake.answer(fake.completion("Paris.")))
    used = sdk(
        two_tiers(), api=api, default_headers={"x-team": "blue"}, default_query={"v": "1"},
        organization="org-mine",
    )  # fmt: skip
    used.create(
        extra_headers={"x-shop": "7", "x-cascade-tags": "a"},
        extra_query={"debug": "yes"},
        extra_body={"cascade": {"tags": ["b"]}, "seed": 5},
    )
    (request,) = api.sent
    assert request.headers["x-team"] == "blue"
    assert request.headers["x-shop"] == "7"
    assert request.headers["authorization"] == f"Bearer {fake.KEY}"
    assert request.headers["openai-organization"] == "org-mine"
    assert dict(request.url.params) == {"v": "1", "debug": "yes"}
    assert request.url.path == "/v1/chat/completions"
    assert not [name for name in request.headers if name.startswith("x-cascade-")]
    body = json.loads(request.content)
    assert body["seed"] == 5
    assert "cascade" not in body
    assert used.traces[0].tags == ("a", "b")


@pytest.mark.parametrize("store", [None, True, False])
def test_responses_are_kept_as_the_api_documents(sdk, store):
    """Whoever says nothing may name the answer next (`previous_response_id`), as with the SDK."""
    api = FakeApi(fake.answer(fake.response("Paris.")), fake.answer(fake.response("Paris.")))
    used = sdk(two_tiers(), api=api)
    first = used.respond(**({} if store is None else {"store": store}))
    used.respond(previous_response_id=first.id)
    asked, following = (json.loads(request.content) for request in api.sent)
    assert asked["store"] is (store is not False)
    assert (following["previous_response_id"], following["store"]) == (first.id, True)


def test_a_chat_tier_is_not_told_to_keep_what_responses_would(sdk):
    """What Responses does unless told otherwise is not asked of Chat, which keeps nothing."""
    api = FakeApi(fake.answer(fake.completion("Paris.")))
    used = sdk([Tier("gpt-5.4-mini", api="chat")], api=api)
    assert used.respond().store is False
    assert "store" not in json.loads(api.sent[0].content)


def test_keys_are_neither_passed_on_nor_stored(sdk, tmp_path):
    """A key given for one call stays away from the tiers, and from the store."""
    api = FakeApi(fake.answer(fake.completion("Paris.")))
    used = sdk(two_tiers(), api=api, store=tmp_path / "traces.db")
    used.create(extra_headers={"Authorization": SECRET, "Cookie": "id=private-1234"})
    assert api.sent[0].headers["authorization"] == f"Bearer {fake.KEY}"
    assert "cookie" not in api.sent[0].headers
    used.run(used.client.close())
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"Capital of France" in kept
    for secret in (SECRET, fake.KEY, "private-1234"):
        assert secret.removeprefix("Bearer ").encode() not in kept


SECRET_HEADERS = {
    "X-Api-Key": "0123-plain",
    "Ocp-Apim-Subscription-Key": "4567-plain",
    "Proxy-Auth": SECRET,
    "x-session-token": "89ab-plain",
    "x-note": SECRET,  # named like nothing, and looks like one
}


def test_credentials_of_a_client_go_to_its_own_server_alone(sdk, tmp_path):
    """Credentials in a client's defaults go where its key goes: no other tier, no store, no log."""
    other = FakeApi(fake.answer(fake.completion("Hm.")))
    api = FakeApi(fake.answer(fake.completion("Paris.")))
    used = sdk(
        [Tier("gpt-5.4-nano", scorer=not_hm, client=plain_client(sdk.kind, other)), Tier("gpt-5.5")],
        api=api, store=tmp_path / "traces.db",
        default_headers={**SECRET_HEADERS, "x-team": "blue"},
        default_query={"api-version": "7", "key": "cdef-plain"},
    )  # fmt: skip
    used.create(extra_headers={"x-admin-token": "only-once-1", "x-shop": "7"})
    (mine,), (others,) = api.sent, other.sent
    for name, value in SECRET_HEADERS.items():
        assert mine.headers[name] == value
        assert name not in others.headers
    assert dict(mine.url.params) == {"api-version": "7", "key": "cdef-plain"}
    assert dict(others.url.params) == {"api-version": "7"}
    for request in (mine, others):
        assert (request.headers["x-team"], request.headers["x-shop"]) == ("blue", "7")
        assert "x-admin-token" not in request.headers
    used.run(used.client.close())
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"Capital of France" in kept
    secrets = (*SECRET_HEADERS.values(), "cdef-plain", "only-once-1")
    assert not [secret for secret in secrets if secret.encode() in kept]


@pytest.mark.parametrize("name", ["x-cache-control", "x-author", "x-keyboard", "x-tokens-left"])
def test_names_that_only_sound_like_credentials(name):
    """A header is a credential by a whole word of its name."""
    assert credentials_of({name: "plain"}) == {}


def test_tiers_of_other_servers_get_no_key_of_openais(httpx2_mock):
    """A tier with an endpoint of its own is asked with its own key alone."""
    url = "http://127.0.0.1:9/v1/chat/completions"
    route = httpx2_mock.post(url)
    route.return_value = fake.answer(fake.completion("Paris."))
    place = Endpoint("http://127.0.0.1:9/v1")
    tiers = [Tier("local", price=Price.of("0", "0"), client=place)]
    with openai_client(tiers, api_key=fake.KEY) as client:
        client.chat.completions.create(model="cascade", messages=ASKED)
    assert route.calls.last.request.headers["authorization"] == "Bearer no-key-needed"


def test_what_is_said_to_the_cascade(sdk):
    """Budget, route, tags, labels and parent ride in `extra_body={"cascade": ...}`."""
    used = sdk(two_tiers(), models=scripted())
    done = used.create(
        extra_body={
            "cascade": {
                "budget": "0.5",
                "deadline_s": 30,
                "start_at": "gpt-5.5",
                "tags": ["planner"],
                "parent": "run-1",
                "metadata": {"ticket": 7},
            }
        },
        max_completion_tokens=50,
        metadata={"for": "openai"},
    )
    (trace,) = used.traces
    assert trace_of(done) is trace
    assert str(trace.budget_usd) == "0.5"
    assert trace.start_at == "gpt-5.5"
    assert (trace.tags, trace.parent_id) == (("planner",), "run-1")
    assert trace.metadata == {"ticket": 7}
    assert trace.request["metadata"] == {"for": "openai"}
    assert "cascade" not in trace.request


def test_the_same_in_headers(sdk):
    """Headers say the same, e.g. once for a whole client; the body wins."""
    headers = {
        "X-Cascade-Budget": "0.5",
        "x-cascade-deadline-s": "30",
        "x-cascade-stop-at": "gpt-5.4-nano",
        "x-cascade-tags": "planner, autumn",
        "x-cascade-parent": "run-1",
        "x-cascade-metadata": '{"ticket": 7}',
    }
    used = sdk(two_tiers(), models=scripted(), default_headers=headers)
    used.create(extra_body={"cascade": {"parent": "run-2"}}, max_completion_tokens=50)
    (trace,) = used.traces
    assert str(trace.budget_usd) == "0.5"
    assert trace.stop_at == "gpt-5.4-nano"
    assert trace.tags == ("planner", "autumn")
    assert trace.parent_id == "run-2"
    assert trace.metadata == {"ticket": 7}


def test_a_run_is_added_up(sdk, tmp_path):
    """Calls with the id of a run as their parent are summed up from the store."""
    used = sdk(two_tiers(), models=scripted(), store=tmp_path / "traces.db")
    run = used.client.with_options(default_headers={"x-cascade-parent": "run-9"})
    for tag in ("planner", "writer"):
        headers = {"x-cascade-tags": tag}
        used.run(
            run.chat.completions.create(model="cascade", messages=ASKED, extra_headers=headers)
        )
    used.run(used.client.close())
    with TraceStore(tmp_path / "traces.db") as store:
        tree = cost_tree(store, "run-9")
    assert tree.total.requests == 2
    assert set(tree.by_tag) == {"planner", "writer"}


def test_conversations(sdk):
    """A conversation stays with the tier that answered it, where the client remembers them."""
    used = sdk(two_tiers(), models=scripted(), sticky=Sticky(ttl_s=60))
    for _ in range(2):
        used.create(extra_body={"cascade": {"conversation": "c1"}})
    first, second = used.traces
    assert [a.verdict for a in first.attempts] == ["escalated", "accepted"]
    assert [a.verdict for a in second.attempts] == ["skipped", "accepted"]


# The real API -------------------------------------------------------------------------------------

EMBEDDING = {"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}
EMBEDDINGS = {
    "object": "list",
    "model": "text-embedding-3-small",
    "data": [EMBEDDING],
    "usage": {"prompt_tokens": 1, "total_tokens": 1},
}


def test_other_endpoints_go_to_the_api(sdk):
    """Embeddings, files, models and stored responses are the API's; nothing is booked."""
    models = {"object": "list", "data": []}
    file = {
        "id": "f-1", "object": "file", "bytes": 2, "created_at": 1, "filename": "a.txt",
        "purpose": "batch", "status": "processed",
    }  # fmt: skip
    bodies = [EMBEDDINGS, models, file, fake.response("stored"), fake.response("cancelled")]
    api = FakeApi(*[fake.answer(body, headers={"x-custom": "kept"}) for body in bodies])
    used = sdk(two_tiers(), api=api)
    client = used.client
    made = used.run(client.embeddings.create(model="cascade", input="x"))
    assert made.data[0].embedding == [0.5, 1.0]
    assert used.run(client.models.with_raw_response.list()).headers["x-custom"] == "kept"
    assert used.run(client.files.create(file=("a.txt", b"{}"), purpose="batch")).id == "f-1"
    assert used.run(client.responses.retrieve("resp_1")).output_text == "stored"
    assert used.run(client.responses.cancel("resp_1")).output_text == "cancelled"
    assert [(r.method, r.url.path) for r in api.sent] == [
        ("POST", "/v1/embeddings"),
        ("GET", "/v1/models"),
        ("POST", "/v1/files"),
        ("GET", "/v1/responses/resp_1"),
        ("POST", "/v1/responses/resp_1/cancel"),
    ]
    assert b'filename="a.txt"' in api.sent[2].content
    assert not used.traces


def test_plain_model_names_go_to_the_api(sdk):
    """A model name that no chain has is asked itself, whole and streamed, untouched."""
    api = FakeApi(
        fake.answer(fake.completion("Straight.")),
        fake.events(fake.text_chunks("Straight", " on.")),
        fake.answer(fake.response("Straight, too.")),
    )
    used = sdk(two_tiers(), api=api)
    done = used.create("gpt-4o", extra_headers={"authorization": SECRET})
    assert done.choices[0].message.content == "Straight."
    assert not hasattr(done, "cascade")
    assert trace_of(done) is None
    chunks = used.read(used.create("gpt-4o", stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Straight on."
    assert used.respond("gpt-4o").output_text == "Straight, too."
    assert api.bodies()[0] == {"model": "gpt-4o", "messages": ASKED}
    assert api.sent[0].headers["authorization"] == SECRET
    assert "service_tier" not in api.bodies()[2]
    assert not used.traces


def test_a_mistyped_chain_is_told(sdk, caplog):
    """A name that is nearly a chain's goes to the API as any other, with a warning, once."""
    rule._warn_of_mistake.cache_clear()
    api = FakeApi(*[fake.answer(fake.completion("Straight."))] * 4)
    used = sdk({"support": two_tiers(), "gpt-5.4-min": two_tiers()}, api=api)
    for name in ("suport", "suport", "gpt-5.4-mini", "something else"):
        used.create(name)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "cascade"]
    assert said.startswith("no chain is called 'suport' (one is called 'support')")
    assert [body["model"] for body in api.bodies()][::3] == ["suport", "something else"]


def test_errors_of_the_api_itself(sdk):
    """A refused pass-through is the SDK's error as ever, without a trace."""
    used = sdk(two_tiers(), api=FakeApi(fake.limited()))
    with pytest.raises(openai.RateLimitError) as caught:
        used.create("gpt-4o")
    assert trace_of(caught.value) is None


def test_without_a_key_the_api_is_not_asked(sdk):
    """A client for chains alone needs no key; what would go to OpenAI says that it does."""
    used = sdk(two_tiers(), models=scripted())
    with pytest.raises(openai.AuthenticationError, match="Chains are 'chain', 'cascade'"):
        used.create("gpt-4o")


def test_the_environments_key(sdk, monkeypatch):
    """`OPENAI_API_KEY` serves, as it does for the SDK itself."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    used = sdk(two_tiers(), models=scripted())
    assert used.client.api_key == "sk-from-the-environment"


def test_another_base_url(sdk):
    """`base_url` is where tiers and everything else are asked."""
    api = FakeApi(fake.answer(fake.completion("Paris.")))
    used = sdk(two_tiers(), api=api, base_url="http://gateway.example/openai/v9")
    used.create()
    used.create("gpt-4o")
    assert [str(r.url) for r in api.sent] == [
        "http://gateway.example/openai/v9/chat/completions"
    ] * 2
