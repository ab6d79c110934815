"""A tier that is asked only to judge an earlier answer again."""

from __future__ import annotations

from dataclasses import dataclass

from cascade import Cascade, Score, Tier
from cascade.testing import ScriptedModels, reply


@dataclass(frozen=True)
class OnEarlier:
    """Judges the first draft, and returns it."""

    value: float

    def __call__(self, draft):
        return Score(self.value, reply=draft.earlier[0].reply)


def test_later_scorers_see_what_the_witness_said_itself():
    """A rejected witness stays evidence; its answer is not overwritten by the one it judged."""
    seen = []

    def look(draft):
        seen.append([one.text for one in draft.earlier])
        return 0.0

    tiers = [
        Tier("gpt-5.4-nano", name="small", scorer=lambda draft: 0.2, threshold=0.9),
        Tier("gpt-5.4-nano", name="witness", scorer=OnEarlier(0.4), threshold=0.9),
        Tier("gpt-5.4-mini", name="middle", scorer=look, threshold=0.9),
        Tier("gpt-5.5", name="top"),
    ]
    models = ScriptedModels(
        {
            "small": reply("Paris"),
            "witness": reply("Lyon"),
            "middle": reply("Nice"),
            "top": reply("Lille"),
        }
    )
    done = Cascade(tiers, models=models).complete("?")
    assert seen == [["Paris", "Lyon"]]
    assert done.text == "Lille"


def test_an_accepting_witness_returns_the_answer_it_judged():
    """The answer is the earlier one."""
    tiers = [
        Tier("gpt-5.4-nano", name="small", scorer=lambda draft: 0.2, threshold=0.9),
        Tier("gpt-5.4-nano", name="witness", scorer=OnEarlier(0.95), threshold=0.9),
        Tier("gpt-5.5", name="top"),
    ]
    models = ScriptedModels({"small": reply("Paris"), "witness": reply("Lyon"), "top": reply("x")})
    done = Cascade(tiers, models=models).complete("?")
    assert (done.text, done.tier) == ("Paris", "witness")
