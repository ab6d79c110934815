"""A chain to record, with models and scorers that cost something and do not always agree."""

import json

from cascade import Chain, Price, Score, Tier, ask
from cascade.calibration import Example
from cascade.testing import ScriptedModels, reply

SMALL, MIDDLE, BIG, WITNESS, JUDGE = "small", "middle", "big", "witness", "gpt-5.4-mini"


def asks(draft):
    """A scorer that asks a model: its cost is booked."""
    question = draft.messages[-1]["content"]
    said = yield from ask(BIG, f"Is {draft.text!r} right? {question}", max_completion_tokens=8)
    return Score(0.9 if "yes" in said.text else 0.1, said.text)


def agrees(draft):
    """A scorer that looks at what lower tiers said."""
    return float(any(other.text == draft.text for other in draft.earlier))


def chain(**changes):
    tiers = (
        Tier(SMALL, scorer=asks, threshold=0.5, price=Price.of("0.20", "1.25")),
        Tier(MIDDLE, scorer=agrees, threshold=0.5, price=Price.of("0.75", "4.50")),
        Tier(BIG, price=Price.of("5", "30")),
    )
    return Chain(tiers, name="support", **changes)


def examples(count, **fields):
    return [Example(f"q{i}", f"what is {i}?", **fields) for i in range(count)]


def labelled(count):
    return [Example(f"q{i}", f"what is {i}?", reference=str(i)) for i in range(count)]


def number_in(call):
    """The number that a call's prompt asks for."""
    return int(call.payload["messages"][-1]["content"].split()[-1].rstrip("?"))


def draft(call):
    """The small one knows even numbers, the middle one all below 5, the big one all of them."""
    i = number_in(call)
    right = {SMALL: i % 2 == 0, MIDDLE: i < 5}.get(call.model, True)
    return reply(str(i) if right else "none", model=call.model, input_tokens=10 + i)


def opinion(call):
    """What scorers and judges are told."""
    if "impartial judge" in json.dumps(call.payload):
        return '{"c1": "yes"}'
    return "yes" if number_in(call) % 2 == 0 else "no"


def models(**more):
    script = dict.fromkeys((SMALL, MIDDLE, BIG, WITNESS), draft)
    told = {BIG: lambda call: "no" if "none" in str(call.payload) else opinion(call)}
    return ScriptedModels({**script, **more}, scorers={JUDGE: opinion, **told})


class Parallel(ScriptedModels):
    """Scripted models that are asked by many threads at once."""

    in_order = False


def made(call):
    """What tells one call of a recording from another."""
    return call.attempt, call.purpose, call.tier.name, json.dumps(call.payload, sort_keys=True)


def as_parallel():
    script = dict.fromkeys((SMALL, MIDDLE, BIG), draft)
    told = {BIG: lambda call: "no" if "none" in str(call.payload) else opinion(call)}
    return Parallel(script, scorers=told)
