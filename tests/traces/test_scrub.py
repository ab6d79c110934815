"""Credentials go; everything else stays."""

import time

import pytest

from cascade.traces.scrub import scrub

SECRETS = [
    "sk-proj-abcDEF123456_-xyz",
    "sk-abcdefgh",
    "ck-u9pEfXRyZuX2-nwvBuOuXAOWpjsOZke9Md5X2jC0LjE",
    "sess-1234567890abcdef",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_abcdefghij0123456789",
    "xoxb-123456789012-abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.sflKxwRJSMeKKF2QT4",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["{}", "my key is {}, keep it", "KEY={}", "'{}'", "x\n{}\ny"])
def test_shapes(secret, around):
    """Anything shaped like a key is gone, whatever stands around it."""
    assert secret not in scrub(around.format(secret))


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc123DEF",
        "authorization: Basic dXNlcjpwYXNz",
        "bearer abcdefghijklmnopqrstuv",
        "api_key=hunter2hunter2",
        'X-API-Key: "hunter2hunter2"',
        '{"password": "hunter2hunter2"}',
        '{\\"client_secret\\": \\"hunter2hunter2\\"}',
        "refresh_token = hunter2hunter2",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc",
    ],
)
def test_announced_secrets(text):
    """What a telling name announces is gone, also inside JSON within a string."""
    clean = scrub(text)
    for part in ("abc123DEF", "dXNlcjpwYXNz", "abcdefghijklmnopqrstuv", "hunter2", "MIIEpA"):
        assert part not in clean
    assert "[secret]" in clean


@pytest.mark.parametrize(
    "text",
    [
        "bearer securities are key-value-pairs",
        "the token count was 12 and the task-list is done",
        "Is the password policy strict? The api key was lost.",
        "risk-averse, desk-bound, a key-note speech",
        "",
    ],
)
def test_ordinary_text_stays(text):
    """Ordinary words that resemble announcements are left alone, as the same object."""
    assert scrub(text) is text


def test_nested_data():
    """Credentials are found in any depth, by key name and by shape; the rest is untouched."""
    data = {
        "headers": {"Authorization": "hunter2", "x-api-key": "k", "Accept": "text"},
        "tools": [{"args": ("sk-12345678", 3)}],
        "schema": {"properties": {"password": {"type": "string"}}},
        "sk-abcdefghi": None,
    }
    clean = scrub(data)
    assert clean["headers"] == {
        "Authorization": "[secret]",
        "x-api-key": "[secret]",
        "Accept": "text",
    }
    assert clean["tools"] == [{"args": ("[secret]", 3)}]
    assert clean["schema"] is data["schema"]
    assert "[secret]" in clean
    assert data["headers"]["Authorization"] == "hunter2"


def test_clean_data_is_the_same_object():
    """Data without credentials comes back itself, so that nothing is copied in vain."""
    data = {"messages": [{"role": "user", "content": "hi"}], "n": 1, "x": None}
    assert scrub(data) is data


@pytest.mark.parametrize(
    "text",
    ["eyJ" * 100_000, "bearer " * 50_000, "sk-" * 100_000, "-----BEGIN PRIVATE KEY-----" * 20_000,
     "password" * 50_000, "api_key" + " " * 300_000, "a.b-" * 100_000 + "key-"],
)  # fmt: skip
def test_hostile_text_takes_linear_time(text):
    """A third of a megabyte made to confuse the patterns takes no more than moments."""
    begun = time.perf_counter()
    scrub(text)
    assert time.perf_counter() - begun < 2
