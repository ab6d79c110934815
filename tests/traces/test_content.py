"""Content policies: what people wrote and models answered, kept, fingerprinted or dropped."""

from dataclasses import replace

import pytest

from cascade import ScoreRecord, Trace, TraceStore
from cascade.traces.content import redact

PROMPT = "my diagnosis is zebrafish-17"
CHEAP = "the cheap answer is walrus-42"
TOP = "the dear answer is ocelot-99"
LABEL = "customer pangolin-5"
FRAGMENTS = (b"zebrafish", b"walrus", b"ocelot", b"pangolin", b"tapir")
SECRET = "sk-proj-abcdefghijklmnop1234"


@pytest.fixture
def talk(make_trace):
    """A trace with telling words in every place that holds words."""
    made = make_trace(PROMPT, CHEAP, TOP, metadata={"who": LABEL}, user="tapir-1")
    first = replace(
        made.attempts[0],
        tool_calls=({"id": "call_1", "function": {"name": "f", "arguments": '{"a": "tapir-2"}'}},),
        finish_reason="walrus said so",
        score=ScoreRecord(
            "both", "score", 0.3, "because walrus", (ScoreRecord("x", "failed", None, "ocelot!"),)
        ),
        charges=tuple(
            replace(charge, code="a tapir code", notes=("unknown finish_reason 'walrus said so'",))
            for charge in made.attempts[0].charges
        ),
    )
    return replace(made, attempts=(first, *made.attempts[1:]), requested_model="tapir of choice")


def numbers(trace):
    """All that a policy must keep."""
    return [
        (a.tier, a.model, a.verdict, a.threshold, [(s.scorer, s.kind, s.value) for s in a.scores],
         [(c.cost_usd, c.usage, c.outcome, c.latency_s, c.purpose, c.status) for c in a.charges])
        for a in trace.attempts
    ]  # fmt: skip


@pytest.mark.parametrize("content", ["hashed", "none"])
def test_no_word_reaches_the_file(talk, tmp_path, content):
    """Under "hashed" and "none" no fragment of a conversation is in the database, log included."""
    path = tmp_path / "traces.sqlite3"
    with TraceStore(path, content=content) as store:
        store.save(talk)
        store.flush()
        raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert len(list(tmp_path.iterdir())) > 1  # the write-ahead log is one of them
    raw += path.read_bytes()
    assert talk.id.encode() in raw
    for fragment in FRAGMENTS:
        assert fragment not in raw
    assert store.get(talk.id).content == content


def test_no_secret_reaches_the_file(make_trace, tmp_path):
    """Under "full" credentials are scrubbed wherever they stand, and the words around them stay."""
    trace = make_trace(
        f"use {SECRET} please",
        f"I used {SECRET}",
        metadata={"api_key": "hunter2"},
        extra_body={"auth": {"Authorization": "Bearer abcdef123456"}},
    )
    with TraceStore(tmp_path / "t.db", content="full") as store:
        store.save(trace)
        store.flush()
        raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in (b"sk-proj", b"abcdefghijklmnop", b"hunter2", b"abcdef123456"):
        assert secret not in raw
    assert store.get(trace.id).request["messages"][0]["content"] == "use [secret] please"


def test_a_secret_spelled_in_tokens_goes_with_its_logprobs(talk):
    """Log-probabilities are dropped where the answer they spell held a credential, else kept."""

    def with_answer(text):
        message = {"role": "assistant", "content": text}
        entries = [{"token": part, "logprob": -0.1} for part in ("sk-", "abc")]
        choice = {"index": 0, "message": message, "logprobs": {"content": entries}}
        charge = replace(talk.charges[0], reply={"id": "x", "choices": [choice, "odd"]})
        attempt = replace(talk.attempts[0], charges=(charge,))
        return redact(replace(talk, attempts=(attempt,)), "full").charges[0].reply["choices"][0]

    assert with_answer(f"it is {SECRET}")["logprobs"] is None
    assert with_answer("it is secret")["logprobs"]["content"][0]["token"] == "sk-"


@pytest.mark.parametrize("content", ["full", "hashed", "none"])
def test_numbers_and_names_stay(talk, content):
    """Under every policy verdicts, scores, tokens, costs and names stay as they were."""
    kept = redact(talk, content, key="k")
    assert numbers(kept) == numbers(talk)
    assert (kept.cost_usd, kept.saved_usd, kept.tier) == (talk.cost_usd, talk.saved_usd, talk.tier)
    assert (kept.content, kept.id) == (content, talk.id)
    assert Trace.from_json(kept.to_json()) == kept


def test_full_keeps_every_word(talk):
    """A trace without credentials goes through "full" unchanged."""
    assert redact(talk, "full") == talk


def test_equal_contents_can_be_joined(make_trace):
    """Hashes of equal texts are equal, of different texts different, also across requests."""
    one, two = (
        redact(make_trace("a", "b", "c"), "hashed"),
        redact(make_trace("a", "b", "x"), "hashed"),
    )
    assert one.request == two.request
    assert set(one.request) == {"sha256"}
    assert one.attempts[0].text == two.attempts[0].text
    assert one.attempts[0].text.startswith("sha256:")
    assert one.attempts[1].text != two.attempts[1].text
    assert all(charge.reply is None for charge in one.charges)


def test_a_key_makes_guessing_useless(make_trace):
    """With a key the digests differ from those without and from those of another key."""
    trace = make_trace()
    found = {redact(trace, "hashed", key).request["sha256"] for key in (None, "a", b"b")}
    assert len(found) == 3
    assert redact(trace, "hashed", "a") == redact(trace, "hashed", b"a")


def test_none_drops(talk):
    """Under "none" texts are `None`, reasons empty and metadata gone."""
    kept = redact(talk, "none")
    assert (kept.request, kept.reason, kept.metadata, kept.requested_model) == (None, "", {}, None)
    first = kept.attempts[0]
    assert (first.text, first.reason, first.tool_calls, first.finish_reason) == (None, "", (), None)
    assert {score.reason for score in first.scores} == {None}
    assert {charge.message for charge in first.charges} == {None}


def test_a_policy_never_loosens(talk):
    """A trace that was hashed is not hashed again, and what was dropped does not come back."""
    hashed = redact(talk, "hashed")
    assert redact(hashed, "hashed") is hashed
    assert redact(hashed, "full") is hashed
    assert redact(redact(hashed, "none"), "hashed").content == "none"


@pytest.mark.parametrize("content", ["full", "hashed", "none"])
def test_tags_and_parents_stay(talk, content):
    """What a request was made for and its tags are names and stay; a credential in them does not."""
    kept = redact(replace(talk, tags=("agent:a", SECRET), parent_id="run-7"), content)
    assert (kept.tags, kept.parent_id) == (("agent:a", "[secret]"), "run-7")
    assert redact(replace(talk, parent_id=SECRET), content).parent_id == "[secret]"


@pytest.mark.parametrize("content", ["hashed", "none"])
def test_the_reason_of_a_skipped_tier_is_a_reason(talk, content):
    """Why a tier was not asked may quote, so it is kept like every other reason."""
    skipped = replace(talk.attempts[0], verdict="skipped", reason="walrus too long", charges=())
    kept = redact(replace(talk, attempts=(skipped,)), content)
    assert (kept.attempts[0].verdict, "walrus" in kept.to_json()) == ("skipped", False)


def test_a_trace_without_an_attempt(failed_trace):
    """A request that nobody answered goes through every policy."""
    for content in ("full", "hashed", "none"):
        assert redact(failed_trace, content).status == failed_trace.status


@pytest.mark.parametrize("content", ["hashed", "none"])
def test_a_quoting_note_leaks_no_part_of_its_quote(make_trace, content):
    """What a note quotes goes as a whole, quote marks of its own included."""
    trace = make_trace()
    foreign = "say 'the words' and \"more\" words"
    noted = f"unknown finish_reason {foreign!r}"
    attempt = trace.attempts[0]
    charges = tuple(replace(charge, notes=(noted,)) for charge in attempt.charges)
    kept = redact(replace(trace, attempts=(replace(attempt, charges=charges),)), content)
    assert kept.charges[0].notes == ("unknown finish_reason '\u2026'",)


RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "output": [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "walrus"}],
        },
        {
            "type": "message",
            "content": [
                {
                    "type": "output_text",
                    "text": SECRET,
                    "logprobs": [{"token": "sk", "logprob": 0}],
                },
                {
                    "type": "output_text",
                    "text": "ocelot",
                    "logprobs": [{"token": "o", "logprob": 0}],
                },
            ],
        },
        {"type": "function_call", "name": "f", "arguments": f'{{"key": "{SECRET}"}}'},
    ],
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


@pytest.fixture
def response_talk(talk):
    """The same request and answer in the shapes of the Responses API."""
    asked = {
        "instructions": PROMPT,
        "input": [{"role": "user", "content": LABEL}, {"type": "reasoning", "summary": "tapir"}],
    }
    first = replace(
        talk.attempts[0],
        charges=tuple(replace(charge, reply=RESPONSE) for charge in talk.attempts[0].charges),
    )
    return replace(talk, request=asked, attempts=(first, *talk.attempts[1:]))


@pytest.mark.parametrize("content", ["hashed", "none"])
def test_no_word_of_a_response_is_left(response_talk, content):
    """Input items and output items go as a whole, whatever is in them."""
    kept = redact(response_talk, content).to_json().encode()
    assert not [fragment for fragment in (*FRAGMENTS, b"sk-proj") if fragment in kept]
    assert redact(response_talk, content).charges[0].usage == response_talk.charges[0].usage


def test_a_responses_secrets_go_with_their_logprobs(response_talk):
    """Each part has its own log-probabilities: they go where its text held a credential."""
    kept = redact(response_talk, "full").attempts[0].charges[0].reply
    _, message, call = kept["output"]
    first, second = message["content"]
    assert (first["text"], first["logprobs"]) == ("[secret]", None)
    assert second["logprobs"] == [{"token": "o", "logprob": 0}]
    assert "sk-proj" not in call["arguments"]
    assert list(kept) == list(RESPONSE)
