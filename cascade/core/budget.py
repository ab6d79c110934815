"""A cap on money, kept by reserving before each call what that call could cost at worst.

The bound is safe, not tight: a token is at least one byte of the prompt, and the answer is as long
as its limit allows. A call whose bound does not fit is not made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, DecimalException, InvalidOperation
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import orjson

from cascade.core.chain import Chain
from cascade.core.dollars import dollars
from cascade.core.facts import Facts
from cascade.core.price import EXACT
from cascade.core.pricing import Price, Rates
from cascade.core.tier import Tier
from cascade.core.usage import MAX_COUNT, Usage
from cascade.errors import ConfigError
from cascade.forms.api import Api, api_of
from cascade.forms.reading import has_media, output_limit, prompt_of

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["Budget", "bound_usd", "worst_case_usd"]

TOKENS_PER_MESSAGE = 16
"""Room for role markers and separators around one message (OpenAI's own count is 3 to 4)."""

_encode = json.JSONEncoder(ensure_ascii=False, default=str, separators=(",", ":")).encode

WANTED = {None: "standard", "default": "standard", "standard": "standard", "flex": "flex"}
"""Service tiers that a request may name and that nothing dearer can come of."""

FINEST = Decimal("1e-40")
"""Smallest step of an amount; ten decimals finer than any price makes one."""


class Budget:
    """Money that one request, or all requests sharing the object, may spend.

    Reserving is atomic, so requests on many threads or tasks cannot pass the cap together.

    Args:
        limit_usd: the cap in US dollars, as a string, int or Decimal ("0.05"); above 0.
        on_exceeded: "return_best" gives the best draft so far, flagged, and raises only where there
            is none; "raise" always raises `BudgetExceeded` with the trace.

    Raises:
        ConfigError: the limit is a float, not a number, or not above 0.
    """

    def __init__(
        self,
        limit_usd: str | int | Decimal,
        *,
        on_exceeded: Literal["return_best", "raise"] = "return_best",
    ) -> None:
        if isinstance(limit_usd, bool | float):
            raise _wrong(
                f"{limit_usd!r}: pass dollars as a string or Decimal, e.g. '0.05', "
                "so that no cent is lost to rounding"
            )
        try:
            limit = Decimal(limit_usd)
        except (InvalidOperation, TypeError, ValueError):
            raise _wrong(
                f"{limit_usd!r} is no amount in US dollars; expected e.g. '0.05'"
            ) from None
        if not limit.is_finite() or limit <= 0:
            raise _wrong(f"{limit_usd!r} is not above 0 US dollars")
        try:  # so that adding and subtracting exact costs never rounds
            EXACT.quantize(limit, FINEST)
        except DecimalException:
            raise _wrong(
                f"{limit_usd!r} is no credible amount: expected dollars below 10**20 with "
                "at most 40 decimals"
            ) from None
        if on_exceeded not in ("return_best", "raise"):
            raise _wrong(f"on_exceeded={on_exceeded!r}; expected 'return_best' or 'raise'")
        self._limit = limit
        self.on_exceeded = on_exceeded
        self._committed = Decimal(0)
        self._lock = Lock()

    @classmethod
    def of(cls, value: Budget | str | int | Decimal | None) -> Budget | None:
        """A budget from what a caller passes: an amount, a shared budget, or nothing."""
        return value if value is None or isinstance(value, Budget) else cls(value)

    @property
    def limit_usd(self) -> Decimal:
        """The cap."""
        return self._limit

    @property
    def has_limit(self) -> bool:
        """Whether there is a cap at all; where there is none, no call needs an upper bound."""
        return True

    @property
    def committed_usd(self) -> Decimal:
        """Spent so far, calls in flight and calls of unknown cost counted at their worst case."""
        return self._committed

    @property
    def left_usd(self) -> Decimal:
        """What may still be spent."""
        return EXACT.subtract(self._limit, self._committed)

    def reserve(self, amount_usd: Decimal | None) -> bool:
        """Set an amount aside; False, and nothing changes, where it does not fit.

        An amount that nobody knows (`None`) never fits.
        """
        if amount_usd is None:
            return False
        with self._lock:
            committed = EXACT.add(self._committed, amount_usd)
            if committed > self._limit:
                return False
            self._committed = committed
            return True

    def refill(self, amount_usd: Decimal) -> Future[bool] | None:  # noqa: ARG002
        """Fetch more from elsewhere, where `reserve` has just had no room for the amount.

        Returns:
            A wait whose value says whether the amount has been reserved meanwhile; `None` where
            there is nothing to fetch from.
        """
        return None

    def room(self) -> str:
        """What is left, in words."""
        return f"{dollars(self.left_usd)} of {dollars(self.limit_usd)} is left"

    def settle(self, reserved_usd: Decimal, actual_usd: Decimal | None) -> None:
        """Replace a reservation by what was really paid; an unknown cost keeps it whole."""
        if actual_usd is not None:
            with self._lock:
                change = EXACT.subtract(actual_usd, reserved_usd)
                self._committed = EXACT.add(self._committed, change)

    def __repr__(self) -> str:
        return f"Budget({str(self.limit_usd)!r}, committed_usd={str(self._committed)!r})"


def _wrong(why: str) -> ConfigError:
    return ConfigError(f"budget {why}", param="budget", why=why)


def worst_case_usd(chain: Chain, tier: Tier, payload: Mapping[str, Any]) -> Decimal | None:
    """The most that one try of a call can cost, in US dollars.

    Prompt tokens are bounded by the prompt's bytes (images, audio and files by the model's largest
    prompt), output by the payload's limit or the model's largest answer, rates by the requested
    service tier, long context and the regional uplift.

    Returns:
        The bound, or `None` where price or lengths are unknown.
    """
    return bound_usd(chain.facts(tier), payload, api_of(payload))


def bound_usd(facts: Facts, payload: Mapping[str, Any], api: Api) -> Decimal | None:
    """As `worst_case_usd`, for a tier whose facts are at hand."""
    price = facts.price_at(api)
    if price is None:
        return None
    if price.is_free:
        return Decimal(0)
    free_answers = api == "decisions" and not price.standard.output
    tokens_out = 0 if free_answers else _answer_bound(payload, facts.max_output_tokens)
    tokens_in = _prompt_bound(payload, facts.max_input_tokens)
    if tokens_in is None or tokens_out is None:
        return None
    rate_in, rate_out = _dearest(price, payload.get("service_tier"), tokens_in)
    bound = EXACT.fma(tokens_out, rate_out, EXACT.multiply(tokens_in, rate_in))
    if price.regional_multiplier is not None:
        bound = EXACT.multiply(bound, price.regional_multiplier)
    return EXACT.scaleb(bound, -6)


def _answer_bound(payload: Mapping[str, Any], longest: int | None) -> int | None:
    asked = output_limit(payload)
    if asked is None:  # no limit, or one that no server takes
        asked = longest
    if asked is None:
        return None
    answers = payload.get("n")  # a scorer's question may want several
    times = answers if type(answers) is int and answers > 1 else 1
    return times * min(asked, longest if longest is not None else MAX_COUNT)


def _prompt_bound(payload: Mapping[str, Any], longest: int | None) -> int | None:
    if has_media(payload):
        return longest
    prompt = prompt_of(payload)
    bound = _json_size(prompt) + TOKENS_PER_MESSAGE * (len(prompt[0]) + 1)
    return min(bound, longest) if longest is not None else bound


def _json_size(data: object) -> int:
    """UTF-8 size as JSON without spaces."""
    try:
        return len(orjson.dumps(data, default=str))  # `json` takes ten times as long
    except orjson.JSONEncodeError:  # an integer above 64 bits, or what the caller put in
        return len(_encode(data).encode())


def _dearest(price: Price, service_tier: object, tokens_in: int) -> tuple[Decimal, Decimal]:
    """The most that a million tokens of prompt and of answer could cost."""
    wanted = WANTED.get(service_tier, "any") if isinstance(service_tier, str | None) else "any"
    limit = price.long_context_over
    key = (wanted, limit is not None and tokens_in > limit)
    found = price.ceilings.get(key)
    if found is None:
        rates = _dearest_rates(price, *key)
        read = (rates.input, rates.cached_input, rates.cache_write)
        found = max(rate for rate in read if rate is not None), rates.output
        price.ceilings[key] = found
    return found


def _dearest_rates(price: Price, wanted: str, is_long: bool) -> Rates:
    """The rates that could apply; a tier whose price is unknown counts as the dearest known."""
    standard = (price.standard_long if is_long else None) or price.standard
    flex = (price.flex_long if is_long else None) or price.flex or standard
    priority = (price.priority_long if is_long else None) or price.priority or standard
    if wanted == "standard":
        return standard
    if wanted == "flex":
        return flex
    return max((standard, flex, priority), key=lambda rates: (rates.output, rates.input))


def estimate_usage(payload: Mapping[str, Any], output_tokens: int) -> Usage:
    """Tokens of a call that never reported them: of the prompt's bytes, four to a token."""
    return Usage(max(1, _json_size(prompt_of(payload)) // 4), output_tokens)
