"""Chains as TOML: everything a chain can say, and every mistake with its place."""

from __future__ import annotations

import json
import re
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest
from pydantic import BaseModel

from cascade import (
    Capabilities,
    ConfigError,
    Endpoint,
    Policy,
    Price,
    RetiringModelWarning,
    Retry,
    UnknownPriceError,
    load_chain,
    openai_chain,
    scorer_name,
)
from cascade import config as room
from cascade.config import chain_from_dict

EVERYTHING = """
name = "support"
allow_unknown_prices = true

[policy]
on_refusal = "accept"
on_rate_limit = "fail"
repair = true
stop_early = true

[[tier]]
model = "own-small"
name = "small"
threshold = 0.9
timeout_s = 20
scorer_timeout_s = 2.5
params = { temperature = 0, reasoning_effort = "none" }
retry = { max_tries = 2, initial_s = 0, max_wait_s = 1.5 }
price = { input = "0.20", output = "1.25", cached_input = "0.02", cache_write = "0.3" }
capabilities = { logprobs = true, max_top_logprobs = 5, max_output_tokens = 100 }
endpoint = { base_url = "http://127.0.0.1:8080/v1", api_key_env = "KEY" }
preamble = [{ role = "user", content = "1+1" }, { role = "assistant", content = "2" }]

[tier.scorer]
use = "first_reject"
scorers = [
  { use = "json_schema", schema_file = "ticket.json" },
  { use = "length_between", least = 1, most = 50, unit = "words" },
]

[[tier]]
model = "own-big"
api = "responses"
base_model = "gpt-5.4"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ticket.json").write_text('{"type": "object", "required": ["id"]}')
    (tmp_path / "broken.json").write_text("{")
    return tmp_path


def test_a_chain_can_say_everything_in_toml(folder):
    """Every setting of chains, policies, tiers and scorers has its place in the file."""
    text = EVERYTHING.replace(', least = 1, most = 50, unit = "words"', "")
    file = folder / "chain.toml"
    file.write_text(text.replace('  { use = "length_between" },\n', '  { use = "no_refusal" },\n'))
    chain = load_chain(file)
    small, big = chain.tiers
    assert (chain.name, chain.allow_unknown_prices, chain.today is None) == ("support", True, False)
    assert chain.policy == Policy(
        on_refusal="accept", on_rate_limit="fail", repair=True, stop_early=True
    )
    assert (small.name, small.model, small.threshold) == ("small", "own-small", 0.9)
    assert (small.timeout_s, small.scorer_timeout_s) == (20, 2.5)
    assert small.params == {"temperature": 0, "reasoning_effort": "none"}
    assert small.retry == Retry(2, 0, 1.5)
    assert small.price == Price.of("0.20", "1.25", cached_input="0.02", cache_write="0.3")
    assert small.capabilities == Capabilities(max_top_logprobs=5, max_output_tokens=100)
    assert small.client == Endpoint("http://127.0.0.1:8080/v1", "KEY")
    assert [message["role"] for message in small.preamble] == ["user", "assistant"]
    assert [type(part).__name__ for part in small.scorer.scorers] == ["JsonSchema", "NoRefusal"]
    assert small.scorer.scorers[0].schema == {"type": "object", "required": ["id"]}
    assert (big.name, big.scorer) == ("own-big", None)
    assert (big.api, big.base_model) == ("responses", "gpt-5.4")
    assert chain.price(big) is not None


def write(folder, text):
    file = folder / "chain.toml"
    file.write_text(text)
    return file


TIER = '[[tier]]\nmodel = "gpt-5.5"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["no [[tier]] table; a chain needs at least one: write [[tier]], and below it model ="]),
        ("tier = 5", ["no [[tier]] table"]),
        ("tier = [5]", ["tier 1: expected a table of settings, got 5"]),
        ("nmae = 'x'\n" + TIER, ["unknown key 'nmae', did you mean 'name'?", "allowed are allow_"]),
        ("name = 5\n" + TIER, ["name 5 is no text; expected e.g. name = 'support'"]),
        ("allow_unknown_prices = 'no'\n" + TIER, ["='no'; expected true or false"]),
        ("policy = 5\n" + TIER, ["policy: expected a table of settings, got 5"]),
        (TIER + "[policy]\non_refusl = 'accept'", ["policy: unknown key 'on_refusl', did you mean 'on_refusal'?"]),
        (TIER + "[policy]\non_refusal = 'stop'", ["on_refusal='stop'; expected one of"]),
        ("[[tier]]\nname = 'x'", ["tier 1: no model; expected e.g. model = 'gpt-5.4-nano'"]),
        (TIER + "treshold = 0.5", ["tier 1: unknown key 'treshold', did you mean 'threshold'?"]),
        (TIER + "api = 'chatt'", ["api 'chatt' is unknown; expected 'chat' or 'responses'"]),
        (TIER + "base_model = 5", ["base_model 5 is no model id"]),
        (TIER + "[policy]\nrepair = 1", ["toml: policy: repair=1; expected True or False"]),
        (TIER + "client = 'x'", ["tier 1: unknown key 'client'"]),
        (TIER + "threshold = 1.5", ["tier 1 (gpt-5.5): threshold 1.5 is outside [0, 1]"]),
        (TIER + "preamble = 5", ["tier 1 (gpt-5.5): preamble is 5: expected a list of messages"]),
        (TIER + "params = 5", ["params is 5: expected a mapping"]),
        (TIER + "retry = {tries = 1}", ["tier 1 (gpt-5.5): retry: unknown key 'tries'", "max_tries"]),
        (TIER + "retry = {max_tries = 'x'}", ["max_tries 'x'"]),
        (TIER + "price = {input = '1'}", ["(gpt-5.5): price: output missing", "dollars per million"]),
        (TIER + "price = {inptu = '1'}", ["price: unknown key 'inptu', did you mean 'input'?"]),
        (TIER + "price = {input = 1.5, output = '1'}", ["input 1.5 is no exact price"]),
        (TIER + "endpoint = {url = 'x'}", ["endpoint: unknown key 'url'"]),
        (TIER + "endpoint = {}", ["(gpt-5.5): endpoint needs base_url"]),
        (TIER + "endpoint = {base_url = 5}", ["(gpt-5.5): endpoint: base_url 5 is no URL"]),
        (TIER + "endpoint = {base_url = 'http://x/v1', api_key_env = 5}", ["api_key_env 5 is no name of an environment variable"]),
        (TIER + "capabilities = {log_probs = true}", ["did you mean 'logprobs'?"]),
        (TIER + "scorer = 'self_check'", ["(gpt-5.5): scorer: expected a table such as { use = 'logprob_confidence' }, got 'self_check'"]),
        (TIER + "scorer = {use = 'self_chek'}", ["use='self_chek' is no registered scorer, did you mean 'self_check'?", "there are "]),
        (TIER + "scorer = {}", ["no use; expected e.g. use ="]),
        (TIER + "scorer = {use = ['x']}", ["use=['x'] is no registered scorer"]),
        (TIER + "scorer = {use = 'logprob_confidence', agregate = 'min'}", ["scorer 'logprob_confidence': unknown key 'agregate', did you mean 'aggregate'?"]),
        (TIER + "scorer = {use = 'logprob_confidence', aggregate = 'most'}", ["(gpt-5.5): scorer 'logprob_confidence': aggregate 'most' is"]),
        (TIER + "scorer = {use = 'all_of', scorers = 5}", ["scorers is 5: expected a list of scorer tables"]),
        (TIER + "scorer = {use = 'all_of', scorers = [{use = 'matchs'}]}", ["scorer.all_of[0]", "did you mean 'matches'?"]),
        (TIER + "scorer = {use = 'json_schema', schema_file = 'gone.json'}", ["gone.json", "No such file"]),
        (TIER + "scorer = {use = 'json_schema', schema_file = 'broken.json'}", ["broken.json", "is no JSON"]),
        (TIER + "scorer = {use = 'json_schema', schema_file = 5}", ["5 is no file name"]),
        (TIER + "scorer = {use = 'json_schema'}", ["scorer 'json_schema' needs schema", "schema"]),
        ("= 5", ["chain.toml", "is no TOML"]),
        pytest.param("x = " + "9" * 5_000, ["chain.toml", "is no TOML"], id="too long"),
        pytest.param("x = " + "[" * 20_000, ["chain.toml", "is no TOML"], id="too deep"),
    ],
    ids=lambda value: value.splitlines()[-1] if isinstance(value, str) and value else None,
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(folder, text, words):
    """The message names the file, the place, the nearest word and what is allowed."""
    file = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_chain(file)
    for word in words:
        assert word in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path):
    """A missing file, a folder and other encodings are told apart."""
    step = r"; give the path of a TOML file with a \[\[tier\]\] table for each model"
    with pytest.raises(ConfigError, match=r"gone.toml' cannot be read: No such file[a-z ]+" + step):
        load_chain(tmp_path / "gone.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory" + step):
        load_chain(str(tmp_path))
    (tmp_path / "latin.toml").write_bytes(b"name = 'caf\xe9'")
    with pytest.raises(ConfigError, match=r"latin\.toml' is no UTF-8 text; save it as UTF-8"):
        load_chain(tmp_path / "latin.toml")
    with pytest.raises(ConfigError, match=r"did you mean 'latin\.toml'\?"):
        load_chain(tmp_path / "latim.toml")


def test_a_json_file_that_is_too_deep(folder):
    """A scorer's file that no parser takes is told as one that is no JSON."""
    (folder / "broken.json").write_text("[" * 200_000)
    scorer = "scorer = {use = 'json_schema', schema_file = 'broken.json'}"
    with pytest.raises(ConfigError, match=r"broken\.json' is no JSON"):
        load_chain(write(folder, TIER + scorer))


def test_prices_are_checked_as_in_python(folder):
    """A file naming an unknown model is refused like a chain in Python, with what to write there."""
    with pytest.raises(UnknownPriceError, match=r"did you mean 'gpt-5\.5'") as caught:
        load_chain(write(folder, '[[tier]]\nmodel = "gpt-5.55"'))
    told = re.search(r"in a file (price = \{.*?\})", str(caught.value))[1]
    load_chain(write(folder, f'[[tier]]\nmodel = "gpt-5.55"\n{told}'))


def test_dates_are_checked_when_a_file_is_read(folder):
    """A file naming a model that ends soon warns whoever reads it."""
    with pytest.warns(RetiringModelWarning, match="gpt-5-mini"):
        load_chain(write(folder, '[[tier]]\nmodel = "gpt-5-mini"'))


# Scorers that packages register ------------------------------------------------------------------


def length(*, words):
    return lambda draft: len(draft.text.split()) >= words


def anything(**settings):
    """Takes whatever it is given."""
    scorer = SimpleNamespace(**settings)
    return lambda draft: bool(scorer)


def strict(words):
    raise ValueError("words must be odd")


THIRD_PARTY = {
    "length": EntryPoint("length", "test_config:length", room.SCORER_GROUP),
    "anything": EntryPoint("anything", "test_config:anything", room.SCORER_GROUP),
    "strict": EntryPoint("strict", "test_config:strict", room.SCORER_GROUP),
    "gone": EntryPoint("gone", "no_such_package:x", room.SCORER_GROUP),
    "lost": EntryPoint("lost", "test_config:no_such_name", room.SCORER_GROUP),
}


@pytest.fixture
def third_party(monkeypatch):
    monkeypatch.setattr(room, "registered", lambda _group: THIRD_PARTY)


def built(**scorer):
    return chain_from_dict({"tier": [{"model": "m", "scorer": scorer, "price": {"input": "0", "output": "0"}}]})  # fmt: skip


@pytest.mark.usefixtures("third_party")
def test_registered_scorers_are_found_by_name():
    """Whatever a package registers can be named, with its own settings."""
    assert callable(built(use="length", words=3).top.scorer)
    assert callable(built(use="anything", brand_new=[1]).top.scorer)


@pytest.mark.usefixtures("third_party")
@pytest.mark.parametrize(
    ("scorer", "words"),
    [
        ({"use": "length", "word": 3}, "unknown key 'word', did you mean 'words'?"),
        ({"use": "length"}, "scorer 'length' needs words as well"),
        ({"use": "strict", "words": 2}, "scorer 'strict': words must be odd"),
        ({"use": "gone"}, "scorer 'gone' cannot be loaded: No module named 'no_such_package'"),
        ({"use": "lost"}, "scorer 'lost' cannot be loaded"),
    ],
)
def test_registered_scorers_that_do_not_work(scorer, words):
    """A scorer that is not there, or does not take its settings, is named with its place."""
    with pytest.raises(ConfigError) as caught:
        built(**scorer)
    assert words in str(caught.value)
    assert "chain: tier 1 (m): scorer" in str(caught.value)


def test_without_any_registered_scorer_the_message_asks(monkeypatch):
    """Where nothing is registered, the package itself is probably not installed."""
    monkeypatch.setattr(room, "registered", lambda _group: {})
    with pytest.raises(ConfigError, match="none: is the package installed"):
        built(use="length")


def test_files_are_found_beside_the_data(folder):
    """`*_file` keys are read from the given folder, and hold JSON."""
    scorer = {"use": "json_schema", "schema_file": "ticket.json"}
    chain = chain_from_dict({"tier": [{"model": "gpt-5.5", "scorer": scorer}]}, folder=folder)
    assert chain.top.scorer.schema == json.loads((folder / "ticket.json").read_text())


@pytest.mark.filterwarnings("ignore::cascade.RetiringModelWarning")
@pytest.mark.parametrize("schema", [None, {"type": "object"}])
def test_the_default_chain(schema):
    """Four OpenAI tiers, the first three scored, a schema checked first where there is one."""
    chain = openai_chain(schema)
    assert [tier.model for tier in chain] == ["gpt-5.4-nano", "gpt-5.4-mini", "gpt-5.4", "gpt-5.5"]
    names = {scorer_name(tier.scorer) for tier in chain.tiers[:3]}
    assert len(names) == 1
    assert chain.top.scorer is None
    assert bool(getattr(chain.tiers[0].scorer, "scorers", ())) == (schema is not None)


def test_a_byte_order_mark_is_passed_over(folder):
    """Editors on Windows write one in front of UTF-8."""
    file = folder / "chain.toml"
    file.write_bytes(b"\xef\xbb\xbf" + TIER.encode())
    assert load_chain(file).top.model == "gpt-5.5"


@pytest.mark.parametrize(
    ("scorer", "words"),
    [
        ("{ use = 'json_schema' }", "'json_schema' needs schema as well"),
        ("{ use = 'matches' }", "'matches' needs pattern as well"),
        ("{ use = 'calibrated' }", "'calibrated' needs scorers"),
        ("{ aggregate = 'min' }", "no use; expected e.g. use = 'logprob_confidence'"),
        ("{ use = 'all_of', scorer = { use = 'no_refusal' } }", "scorers = [{ ... }]"),
        ("{ use = 'no_refusal', scorers = [{ use = 'no_refusal' }] }", "holds no other scorers"),
    ],
)
def test_a_scorer_in_toml_is_refused_in_plain_words(folder, scorer, words):
    """What is missing or too much is named as it is written in the file."""
    text = f"[[tier]]\nmodel = 'gpt-5.4'\nscorer = {scorer}\n{TIER}"
    with pytest.raises(ConfigError) as caught:
        load_chain(write(folder, text))
    assert words in str(caught.value)


def test_the_file_is_named_where_tiers_contradict_each_other(folder):
    """Two tiers of one name are found by the chain; the message still says which file."""
    with pytest.raises(ConfigError, match=r"chain\.toml: two tiers are named"):
        load_chain(write(folder, TIER + TIER))


def test_the_default_chain_takes_a_class():
    """A pydantic class stands for its schema; what is neither is refused."""

    class Order(BaseModel):
        id: int

    first = openai_chain(Order).tiers[0].scorer.scorers[0]
    assert first.schema["required"] == ["id"]
    with pytest.raises(ConfigError, match="schema is 'x': expected a JSON Schema"):
        openai_chain("x")
