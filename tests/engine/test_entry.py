"""A chain's entry chooses where a request begins; it may fail without harm."""

import pytest

from cascade import Cascade, Chain, ConfigError, Score, Start, Tier, replay
from cascade.config import chain_from_dict
from cascade.testing import ScriptedModels, reply

TIERS = (
    Tier("gpt-5.4-nano", scorer=lambda _draft: 1.0),
    Tier("gpt-5.4-mini", scorer=lambda _draft: Score(1.0)),
    Tier("gpt-5.5"),
)


def models():
    return ScriptedModels({tier.model: [reply(f"by {tier.name}")] * 4 for tier in TIERS})


def hard(request):
    """Sends hard questions up, in words for the trace."""
    return Start("gpt-5.5", "P(right) 0.12 < 0.40") if "hard" in str(request.payload) else None


def ask(entry, question="a hard one", **options):
    with Cascade(Chain(TIERS, entry=entry), models=models()) as llm:
        return llm.complete(question, **options)


def test_an_entry_chooses_the_first_tier_and_the_trace_says_why():
    """A request that the entry sends up skips the tiers below, with the entry's reason."""
    done = ask(hard)
    assert done.tier == "gpt-5.5"
    assert [a.verdict for a in done.trace.attempts] == ["skipped", "skipped", "accepted"]
    assert done.trace.attempts[0].reason == "P(right) 0.12 < 0.40"
    assert done.trace.start_at == "gpt-5.5"
    assert ask(hard, "an easy one").tier == "gpt-5.4-nano"


def test_an_entry_may_name_a_tier():
    """A tier's name alone will do."""
    done = ask(lambda _request: "gpt-5.4-mini")
    assert done.tier == "gpt-5.4-mini"
    assert done.trace.attempts[0].reason == "entry: 'gpt-5.4-mini'"


def test_the_caller_wins():
    """A request that is told where to begin or end is not sent elsewhere by the entry."""
    assert ask(hard, start_at="gpt-5.4-mini").tier == "gpt-5.4-mini"
    assert ask(hard, stop_at="gpt-5.4-mini").tier == "gpt-5.4-nano"


@pytest.mark.parametrize("bad", [lambda _r: 1 / 0, lambda _r: "nobody", lambda _r: 7])
def test_a_failing_entry_begins_with_the_first_tier(bad):
    """An entry that raises or names no tier costs a cheap call and nothing else."""
    assert ask(bad).tier == "gpt-5.4-nano"


def test_a_recorded_start_is_replayed():
    """A replay begins where the request began, whatever the entry would say now."""
    trace = ask(hard).trace
    assert replay(trace, Chain(TIERS, entry=hard)) == trace
    assert replay(trace, Chain(TIERS)).tier == "gpt-5.5"


def test_an_entry_is_part_of_the_chain():
    """Chains that begin elsewhere have another digest; one without an entry keeps its own."""
    plain = Chain(TIERS)
    assert Chain(TIERS, entry=hard).digest != plain.digest
    assert Chain(TIERS, entry=None).digest == plain.digest


def test_an_entry_is_a_function():
    """What cannot be called is refused when the chain is built."""
    with pytest.raises(ConfigError, match=r"entry is 'gpt-5\.5': expected a function"):
        Chain(TIERS, entry="gpt-5.5")


def test_an_unknown_entry_in_toml_is_named():
    """A chain file names an entry by the name that it is registered under."""
    data = {"tier": [{"model": "gpt-5.5"}], "entry": {"use": "nothing"}}
    with pytest.raises(ConfigError, match="use='nothing' is no registered entry"):
        chain_from_dict(data)
