"""Start higher, stop lower, and let a conversation stay with the tier that answered it."""

from cascade import Cascade, Sticky, Tier
from cascade.testing import ManualClock, ScriptedModels
from scorers import LengthBetween

clock = ManualClock()
models = ScriptedModels(
    {"gpt-5.4-nano": "Hm.", "gpt-5.4": "It may well be void.", "gpt-5.5": "Yes, by section 4."}
)
tiers = [
    Tier("gpt-5.4-nano", scorer=LengthBetween(min_words=3)),
    Tier("gpt-5.4", scorer=LengthBetween(min_words=3)),
    Tier("gpt-5.5"),
]
llm = Cascade(tiers, models=models, sticky=Sticky(ttl_s=900, clock=clock))

for options in ({}, {"start_at": "gpt-5.5"}, {"stop_at": "gpt-5.4-nano"}):
    done = llm.complete("Is this contract void?", **options)
    path = [f"{attempt.tier} {attempt.verdict}" for attempt in done.trace.attempts]
    print(options, path, f"${done.cost_usd}")

for minutes in (0, 5, 20):
    clock.now_s = minutes * 60
    done = llm.complete("And that clause?", conversation="case 7")
    first = done.trace.attempts[0]
    print(f"after {minutes} min: {first.tier} {first.verdict} ({first.reason}), {done.tier}")

# {} ['gpt-5.4-nano escalated', 'gpt-5.4 accepted'] $0.00010325
# {'start_at': 'gpt-5.5'} ['gpt-5.4-nano skipped', 'gpt-5.4 skipped', 'gpt-5.5 accepted'] $0.00017
# {'stop_at': 'gpt-5.4-nano'} ['gpt-5.4-nano accepted'] $0.00000325
# after 0 min: gpt-5.4-nano escalated (score 0 < 0.5: 1 words, at least 3 wanted), gpt-5.4
# after 5 min: gpt-5.4-nano skipped (conversation 'case 7' is with 'gpt-5.4'), gpt-5.4
# after 20 min: gpt-5.4-nano escalated (score 0 < 0.5: 1 words, at least 3 wanted), gpt-5.4
