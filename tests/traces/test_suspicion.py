"""One search of a trace's JSON says whether there may be a credential to take out."""

import json
import time
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from test_scrub import SECRETS

from cascade import Trace, TraceStore
from cascade.traces.content import redact
from cascade.traces.schema import rows_of
from cascade.traces.scrub import NAMES, scrub
from cascade.traces.suspicion import may_hold_secret

PIECES = [
    *SECRETS,
    *("bearer ", "Bearer\n", "bEaRer\x1f", "authorization: Basic ", "AUTHOR\u0130ZATION=", "author\u0131zation="),
    *("api key: ", "aP\u0131-key=", "api_\u212aey=", 'x-api-key\\": \\"', "access_token=", "refreshToken: "),
    *("auth-token='", "secret_token=", "client-secret:", "cl\u0130ent_secret=", "secretkey = ", "passwd="),
    *("password:", "Pa\u017fsword: token ", "-----BEGIN RSA PRIVATE KEY-----\n", "sk-", "rk-", "sess-"),
    *("key-abc-DEF-ghi-JKL-mno", "eyJ", ".", "-", "_", "*", " ", "\n", "\t", "\\", '"', "/", "\0"),
    *("\x0b", "\u2028", "é", "7", "Z", "hunter2hunter2", "abcdefghijklmnopqrstuvwxyz", "\ud800", "u00"),
]  # fmt: skip
TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=6).map("".join)


@st.composite
def keys(draw):
    """Names that announce a credential, spelled in every way that counts."""
    name = draw(st.sampled_from(sorted(NAMES)))
    between = st.sampled_from(
        ["", "", "", "-", "_", " ", "\n", "\0", '"', "\\", "é", "\u017f", "1"]
    )
    letters = {"i": "iI\u0130", "k": "kK\u212a"}
    spelled = [draw(st.sampled_from(letters.get(c, c + c.upper()))) for c in name]
    return "".join(draw(between) + letter for letter in spelled) + draw(between)


DATA = st.recursive(
    TEXT | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys() | TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(DATA)
@example({"sk-abcdefgh": None})
@example({"PASS\nWORD": "x"})
@example({"Coo\u212aİe": "x"})
@example(["\nsk-abcdefgh", "x\x01sk-abcdefgh"])
def test_it_suspects_all_that_scrubbing_would_change(data):
    """Where the walk through the data takes something out, the search of the JSON says so."""
    trace = Trace("t", "accepted", "c", "d", "p", "2026-11-22", 1.0, request={"messages": data})
    if scrub(data) is not data:
        assert may_hold_secret(rows_of(trace).json)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["{}", "my key is {}, keep it", "KEY={}", "'{}'", "x\n{}\ny"])
def test_every_shape_is_suspicious(secret, around):
    """Each kind of key is found wherever it stands."""
    assert may_hold_secret(json.dumps({"content": around.format(secret)}))


@pytest.mark.parametrize(
    "text",
    [
        "risk-averse, desk-bound, a task-list and a key-value store",
        "the token count was 12; access and refresh it",
        "this secret stays between author and authority",
        "Where is the key? Under the mat.",
    ],
)
def test_ordinary_traces_are_not_suspicious(make_trace, text):
    """Names of the trace's own fields and ordinary words cause no walk through the data."""
    trace = replace(make_trace(text, text, text, max_tokens=5), tags=("key:key_43d50cf91289",))
    assert not may_hold_secret(rows_of(trace).json)


@pytest.mark.parametrize("policy", ["full", "hashed", "none"])
def test_a_store_keeps_what_redacting_leaves(database, make_trace, policy):
    """With and without a credential in it, a trace is kept as `redact` gives it back."""
    clean = make_trace(metadata={"who": "Ann"})
    leaky = replace(
        make_trace(f"use {SECRETS[0]}", f"I used {SECRETS[0]}", metadata={"Cookie": "x"}),
        id="leaky",
    )
    with TraceStore(database.where, content=policy) as store:
        for trace in (clean, leaky):
            store.save(trace)
            assert store.get(trace.id) == redact(trace, policy)
            assert SECRETS[0] not in store.get(trace.id).to_json()


@pytest.mark.parametrize(
    "text",
    ["eyJ" * 100_000, "bearer " * 50_000, "sk-" * 100_000, "-----BEGIN PRIVATE KEY-----" * 20_000,
     "passwor" * 50_000, "api" + " " * 300_000, "a.b-" * 100_000 + "key-", "eyJaaaaaaaaaa." * 20_000,
     '"p\\n' * 100_000, "ck-" + "a-" * 150_000, "é" * 300_000],
)  # fmt: skip
def test_hostile_text_takes_linear_time(text):
    """A third of a megabyte made to confuse the search takes no more than moments."""
    begun = time.perf_counter()
    may_hold_secret(json.dumps(text, ensure_ascii=False))
    assert time.perf_counter() - begun < 2
