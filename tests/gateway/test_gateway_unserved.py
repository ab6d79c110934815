"""Where a key names a chain that nobody knows, whoever starts a gateway is warned."""

from datetime import UTC, datetime

from cascade.accounts.key import Key
from cascade.gateway.unserved import unserved


def key(name, *chains):
    made = datetime(2026, 11, 27, tzinfo=UTC)
    return Key(id=name, name=name, prefix="ck-x", created_at=made, chains=chains)


def test_a_misspelt_chain_is_named_with_its_key():
    """And with the chain that was probably meant."""
    words = unserved(
        ["support", "sales"], [], [key("a", "suport", "sales"), key("b", "zz"), key("c")]
    )
    assert words.startswith(
        "key 'a' names 'suport' (did you mean 'support'?) and key 'b' names 'zz': no chain of "
    )


def test_many():
    """Three are named, and how many more there are."""
    words = unserved(["support"], [], [key(name, "x") for name in "abcdef"])
    assert "key 'c' names 'x' and 3 more: no chain" in words


def test_what_another_gateway_serves_is_known():
    """A chain in the traces of the shared database is none that nobody knows."""
    assert unserved(["support"], ["sales"], [key("a", "sales", "support"), key("b")]) is None
