"""Which names chains answer to, in the drop-in client and in the gateway alike."""

import pytest

from cascade import Cascade, Policy, Tier
from cascade.core.chain import Chain
from cascade.endpoint.chains import Chains
from cascade.errors import ConfigError

CHAIN = Chain((Tier("gpt-5.5"),), name="support")


def test_a_single_chain_is_called_cascade_too():
    """Given as itself a chain answers to its own name and to "cascade"; they are the same."""
    for given in (CHAIN, Cascade(CHAIN)):
        found = Chains(Cascade, given)
        assert found.names == ("support", "cascade")
        assert found.find("cascade") is found.find("support")


@pytest.mark.parametrize("names", [("support",), ("support", "cheap"), ("cascade",)])
def test_chains_in_a_mapping_have_the_names_there(names):
    """In a mapping, as `cascade serve` gives it, chains answer to those names alone."""
    found = Chains(Cascade, dict.fromkeys(names, CHAIN))
    assert found.names == names
    assert (found.find("cascade") is None) is ("cascade" not in names)


@pytest.mark.parametrize("given", [CHAIN, Cascade(CHAIN), {"a": CHAIN}])
def test_settings_of_chains_need_a_chain_to_be_made(given):
    """A policy beside chains that have their own would be passed over in silence."""
    with pytest.raises(ConfigError, match="policy= goes with a list of tiers"):
        Chains(Cascade, given, policy=Policy())
    mixed = Chains(Cascade, {"a": CHAIN, "b": [Tier("gpt-5.5")]}, policy=Policy(repair=True))
    assert mixed.find("b").chain.policy.repair
