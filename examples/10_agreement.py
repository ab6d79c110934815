"""Agreement: ask the cheap model three times; the majority's answer is returned if it is large."""

from cascade import Cascade, Tier
from cascade.testing import ScriptedModels
from scorers import Agreement, Grounded, first_reject

ORDER = "Please send 12 lamps to Ann Miller, 14 Elm Street, before Friday. The old 7 were too dark."

models = ScriptedModels(
    {
        "gpt-5.4-nano": [
            # One number: the draft is outvoted by the two samples.
            "17 * 23 = 381",
            "17 * 23 = 391",
            "The answer is 391.",
            # A record: each field is voted on, and the fittest of the three is returned.
            '{"name": "Ann Miller", "lamps": 7, "street": "14 Elm Street"}',
            '{"name": "Ann Miller", "lamps": 12, "street": "14 Elm Street"}',
            '{"name": "Ann Miller", "lamps": 12, "street": "14 Elm St"}',
            # All differ: the share is one of three, and the next tier is asked.
            "It was 1789.",
            "It was 1792.",
            "It was 1793.",
        ],
        "gpt-5.5": "1792",
    }
)


def ask(question: str, scorer: object) -> None:
    """Ask a chain with this scorer on its first tier, and show why it was believed."""
    tiers = [Tier("gpt-5.4-nano", scorer=scorer, threshold=0.6), Tier("gpt-5.5")]
    done = Cascade(tiers, models=models).complete(question)
    print(f"{done.text} | {done.tier}, scorers cost ${done.scoring_cost_usd}")
    print(f"  {done.trace.attempts[0].reason}")


different = {"temperature": 0.7}
ask("What is 17 * 23?", Agreement(k=3, by="number", params=different))
ask(ORDER, first_reject(Agreement(k=3, by="fields", params=different), Grounded()))
ask("When did France first become a republic?", Agreement(k=3, by="number", params=different))

# 17 * 23 = 391 | gpt-5.4-nano, scorers cost $0.00001525
#   score 0.6667 >= 0.6: 2 of 3 answers agree, the draft does not
# {"name": "Ann Miller", "lamps": 12, "street": "14 Elm Street"} | gpt-5.4-nano, scorers cost $0.00002650
#   score 0.7778 >= 0.6: Agreement: 3 fields of 3 answers; least agreed: 'lamps', by 2
# 1792 | gpt-5.5, scorers cost $0.00001150
#   score 0.3333 < 0.6: all answers differ
