"""Every shipped scorer has a name in TOML, and takes its settings from there."""

import tomllib

import pytest

import scorers
from cascade import ConfigError, scorer_name
from cascade.config import chain_from_dict, registered_scorers

SETTINGS = {
    "agreement": "k = 3, by = 'fields', fields = ['a'], params = { temperature = 0.7 }",
    "agrees_with_earlier": "canonical = 'json', fields = ['a']",
    "all_of": "scorers = [{ use = 'no_refusal' }]",
    "any_of": "scorers = [{ use = 'no_refusal' }], stop_at = 0.8",
    "calibrated": "scorers = [{ use = 'logprob_confidence' }], to = [[0, 0.1], [1, 0.9]]",
    "command": "argv = ['sh', '-c', 'exit 0'], timeout_s = 2, env = { A = 'b' }, abstain_codes = [5]",
    "decision": "statements = ['Is right.'], combine = 'min', params = { safety_identifier = 'x' }",
    "first_reject": "scorers = [{ use = 'grounded' }, { use = 'agreement' }], stop_below = 0.7",
    "forbids": "texts = ['x'], patterns = ['y']",
    "grounded": "look_for = ['values'], fields = ['a'], distinct = true, roles = ['user']",
    "json_schema": "schema = { type = 'object' }",
    "judge": "model = 'big', criteria = ['Is polite.', 'Is short.'], weights = [1, 2.5]",
    "learned": "model = { format = 'cascade learned model', version = 1, about = '', tiers = [], "
    "slice_key = 'slice', evidence = {}, pair_evidence = {}, states = [], words = {} }",
    "length_between": "max_words = 3",
    "logprob_confidence": "aggregate = 'min', over = 'json_values'",
    "matches": "pattern = 'a', mode = 'full'",
    "no_refusal": "phrases = ['no']",
    "reference": "expected = { q = 'a', r = [1, 2.5] }, by = 'number', tolerance = 0.1",
    "self_check": "model = 'big'",
    "tool_calls": "required = true, tools = [{ type = 'function', function = { name = 'f' } }]",
    "weighted": "scorers = [{ use = 'no_refusal' }], weights = [2]",
}
CHAIN = """
[[tier]]
model = "gpt-5.4-mini"

[[tier]]
model = "gpt-5.4-nano"
scorer = {{ use = "{name}", {settings} }}

[[tier]]
name = "big"
model = "gpt-5.4"
"""


def built(name, settings):
    chain = chain_from_dict(tomllib.loads(CHAIN.format(name=name, settings=settings)))
    return chain.tiers[1].scorer


def shipped():
    return {n for n, point in registered_scorers().items() if point.value.startswith("scorers:")}


def test_every_shipped_scorer_is_registered():
    """What can judge a draft has a name; what feeds learned scorers or compares texts has none."""
    assert shipped() == set(SETTINGS)
    others = {"LogprobFeatures", "SurfaceFeatures", "logprob_features", "surface_features"}
    others |= {"LearnedEntry"}  # chooses where a request begins
    others |= {name for name in scorers.__all__ if name.startswith("canonical_")}
    points = {registered_scorers()[name].value for name in shipped()}
    assert points == {f"scorers:{name}" for name in set(scorers.__all__) - others}


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_a_scorer_is_built_from_toml(name):
    """It is the one that Python builds: settings arrive, parts are scorers."""
    scorer = built(name, SETTINGS[name])
    assert f"scorers:{scorer_name(scorer)}" == registered_scorers()[name].value
    assert bool(getattr(scorer, "scorers", ())) == ("scorers = " in SETTINGS[name])


def test_a_chain_in_toml_refuses_what_does_not_fit():
    """Checks against the chain are made for scorers from a file, in combinations too."""
    judge = "{ use = 'judge', model = 'gpt-5.4-nano', criteria = ['a'] }"
    with pytest.raises(ConfigError, match="its own answers"):
        built("first_reject", f"scorers = [{judge}]")
