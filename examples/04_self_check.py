"""Ask the model whether its answer is right; what the check costs is in the trace."""

from cascade import Cascade, Tier
from cascade.testing import ScriptedModels, reply
from scorers import SelfCheck

sure_no = [
    {
        "token": "No",
        "logprob": -0.05,
        "bytes": None,
        "top_logprobs": [{"token": "No", "logprob": -0.05}, {"token": "Yes", "logprob": -3.0}],
    }
]

llm = Cascade(
    [
        Tier("gpt-5.4-nano", scorer=SelfCheck(), threshold=0.7),
        Tier("gpt-5.5"),
    ],
    models=ScriptedModels(
        {"gpt-5.4-nano": reply("17 * 23 = 381"), "gpt-5.5": reply("17 * 23 = 391")},
        scorers={"gpt-5.4-nano": reply("No", logprobs=sure_no, input_tokens=60)},
    ),
)

done = llm.complete("What is 17 * 23?")
print(done.trace.attempts[0].reason)
print(f"{done.text} | checks cost ${done.scoring_cost_usd} of ${done.cost_usd}")

# score 0.04974 < 0.7: P(true) = 0.04974, said 'No'
# 17 * 23 = 391 | checks cost $0.00001325 of $0.00022150
