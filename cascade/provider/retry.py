"""The one owner of retries: the same tier again, never another one.

The SDK's own retries are switched off: they are invisible, may bill twice, and repeat billing
stops. tenacity runs this policy for both the sync and the async client.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, Retrying, retry_if_result
from tenacity.wait import wait_random_exponential

from cascade.core.failures import RETRYABLE, CallFailure
from cascade.core.wishes import ModelCall

__all__ = ["retry_after_s", "retrying", "worth_retrying"]

Machine = TypeVar("Machine", Retrying, AsyncRetrying)


def retrying(
    machine: type[Machine], call: ModelCall, clock: Callable[[], float], sleep: Any
) -> Machine:
    """The retry policy of one call; calling it with a function returns that function's last result.

    Args:
        machine: `Retrying` or `AsyncRetrying`.
        call: whose tier says how often and how long.
        clock: seconds; compared with the call's deadline.
        sleep: how to wait; an awaitable one for `AsyncRetrying`.
    """
    policy = call.tier.retry
    backoff = wait_random_exponential(multiplier=policy.initial_s, max=policy.max_wait_s)

    def wait(state: RetryCallState) -> float:
        asked = _failure(state).retry_after_s
        return backoff(state) if asked is None else asked

    def stop(state: RetryCallState) -> bool:
        pause = wait_s(state)
        too_late = call.deadline is not None and clock() + pause >= call.deadline
        return (
            state.attempt_number >= policy.max_tries
            or pause > policy.max_wait_s
            or too_late
            or not call.may_retry()  # last: it reserves money for the try it allows
        )

    return machine(
        retry=retry_if_result(worth_retrying),
        wait=wait,
        stop=stop,
        sleep=sleep,
        retry_error_callback=_last_result,
    )


def wait_s(state: RetryCallState) -> float:
    """The pause tenacity has worked out for this state, in seconds."""
    return float(state.upcoming_sleep)


def worth_retrying(result: object) -> bool:
    """Whether another try on the same tier may help."""
    return isinstance(result, CallFailure) and result.kind in RETRYABLE


def _failure(state: RetryCallState) -> CallFailure:
    result = _last_result(state)
    return result if isinstance(result, CallFailure) else CallFailure("connection", "")


def _last_result(state: RetryCallState) -> Any:
    return state.outcome.result() if state.outcome is not None else None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the provider asks to wait: `retry-after-ms`, or `retry-after` (seconds, date)."""
    try:
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    except (KeyError, ValueError):
        pass
    value = headers.get("retry-after")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
