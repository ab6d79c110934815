"""Many requests at once: failures are data, progress is told, a shared budget caps all of them."""

from collections.abc import Iterator

from cascade import Budget, Cascade, Progress, Tier
from cascade.testing import ScriptedModels, failure
from scorers import LengthBetween

tiers = [
    Tier("gpt-5.4-nano", scorer=LengthBetween(min_words=3), params={"max_completion_tokens": 50}),
    Tier("gpt-5.5", params={"max_completion_tokens": 200}),
]
no_such = failure("invalid", "there is no parcel 9")
models = ScriptedModels(
    {
        "gpt-5.4-nano": ["It is on its way.", "Yes.", no_such, "It has arrived.", *["Yes."] * 4],
        "gpt-5.5": "It waits at the depot.",
    }
)
llm = Cascade(tiers, models=models)


def parcels() -> Iterator[str]:
    """Requests may come from a generator: each is taken when it can begin."""
    for number in (1, 2, 9, 3):
        yield f"Parcel {number}"


for result in llm.complete_many(parcels(), concurrency=8):
    done = result.completion
    print(result.index, f"{done.tier}: {done.text}" if done else f"failed: {result.error}")


def tell(progress: Progress) -> None:
    """Show how far it is."""
    print(f"{progress.done} of {progress.total} done, ${progress.known_cost_usd}")


shared = Budget("0.0075")
with llm.complete_many(["Parcel 2"] * 4, budget=shared, progress=tell, ordered=False) as many:
    unaccepted = sum(not result.unwrap().accepted for result in many)
print(f"accepted by none: {unaccepted}; ${shared.committed_usd} of ${shared.limit_usd}")

# 0 gpt-5.4-nano: It is on its way.
# 1 gpt-5.5: It waits at the depot.
# 2 failed: tier 'gpt-5.4-nano': invalid: there is no parcel 9 (spent $0; see .trace)
# 3 gpt-5.4-nano: It has arrived.
# 1 of 4 done, $0.00020325
# 2 of 4 done, $0.00040650
# 3 of 4 done, $0.00060975
# 4 of 4 done, $0.00061300
# accepted by none: 1; $0.000613000 of $0.0075
