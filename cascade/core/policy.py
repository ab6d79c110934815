"""What happens to a request when an answer is neither accepted nor rejected by its score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cascade.errors import ConfigError

__all__ = ["Policy"]

SIGNAL = ("escalate", "accept")
ANSWER = ("escalate", "score", "accept")
FAILURE = ("escalate", "fail")

OnSignal = Literal["escalate", "accept"]
OnAnswer = Literal["escalate", "score", "accept"]
OnFailure = Literal["escalate", "fail"]

ALLOWED = {
    "on_abstain": SIGNAL,
    "on_scorer_failure": SIGNAL,
    "on_refusal": ANSWER,
    "on_length": ANSWER,
    "on_content_filter": ANSWER,
    "on_empty": ANSWER,
    "on_rate_limit": FAILURE,
    "on_not_found": FAILURE,
}


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens when an answer is neither accepted nor rejected by a score.

    "escalate" asks the next tier, "accept" lets the answer stand, "score" leaves it to the tier's
    scorer like any other answer, "fail" ends the request.

    Attributes:
        on_abstain: the scorer has no signal.
        on_scorer_failure: the scorer raised, timed out or returned no score.
        on_refusal: the model declined. Small models decline too much, so the next one is asked.
        on_length: the answer was cut at the output limit.
        on_content_filter: the provider's filter cut it. The same filter serves every tier, so the
            answer stands.
        on_empty: nothing came back. Never the final answer while an earlier draft exists.
        on_rate_limit: still limited after the retries. Limits are per model; "fail" ends the
            request instead of paying a dearer tier.
        on_not_found: the model does not exist or was shut down.
        repair: show the next tier the rejected draft and why it was rejected, instead of asking it
            afresh. Cheaper to put right than to do again where the next model can tell; a bad draft
            can also lead it astray, so it is off.
        stop_early: leave a draft's stream as soon as the scorer is certain that it cannot be
            accepted, where the scorer can tell (`hopeless`). Saves output tokens; what the provider
            bills for such a stream is only estimated, so it is off.

    Raises:
        ConfigError: a value that is none of the choices.
    """

    on_abstain: OnSignal = "escalate"
    on_scorer_failure: OnSignal = "escalate"
    on_refusal: OnAnswer = "escalate"
    on_length: OnAnswer = "escalate"
    on_content_filter: OnAnswer = "accept"
    on_empty: OnAnswer = "escalate"
    on_rate_limit: OnFailure = "escalate"
    on_not_found: OnFailure = "fail"
    repair: bool = False
    stop_early: bool = False

    def __post_init__(self) -> None:
        for name, allowed in ALLOWED.items():
            value = getattr(self, name)
            if value not in allowed:
                raise ConfigError(f"Policy: {name}={value!r}; expected one of {allowed}")
        for name in ("repair", "stop_early"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"Policy: {name}={getattr(self, name)!r}; expected True or False")
