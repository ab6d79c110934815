"""Keys as the pages show and manage them; `cascade.accounts` keeps them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from cascade.accounts.accounts import Accounts
from cascade.accounts.key import Key, end_of_day
from cascade.accounts.keyring import Keyring
from cascade.accounts.releasing import Released
from cascade.accounts.spending import Spent
from cascade.core.budget import Budget
from cascade.errors import ConfigError, StoreError

__all__ = ["LABELS", "KeyLine", "Keys", "WrongFieldError"]

LABELS: Mapping[str, str] = {
    "name": "Name",
    "budget_day_usd": "Budget a day, USD",
    "budget_month_usd": "Budget a month, USD",
    "requests_per_minute": "Requests a minute",
    "tokens_per_minute": "Tokens a minute",
    "concurrency": "Requests at once",
    "chains": "Chains",
    "models": "Plain models",
    "expires_at": "Ends on",
}
"""What the fields of the form are called, in the form and where one is wrong."""

MOST_DIGITS = 20
"""Of a whole number; Python refuses to read thousands of them."""


class WrongFieldError(ConfigError):
    """A field of the form cannot be meant; `param` is its name."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{LABELS[field]}: {why}", param=field, why=why)


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key with what it has spent.

    Attributes:
        key: what it may do.
        spent: today and this month, in UTC, and what is held beside it.
    """

    key: Key
    spent: Spent

    @property
    def state(self) -> Literal["active", "revoked", "expired"]:
        """Whether it works."""
        if self.key.revoked_at is not None:
            return "revoked"
        return "active" if self.key.works_at(datetime.now(UTC)) else "expired"


class Keys:
    """The keys of a gateway; every call waits for their database."""

    def __init__(self, kept: Keyring) -> None:
        self._kept = kept

    def by_secret(self, secret: str) -> Key | None:
        """The key that has this secret and works; a key found by digest needs no comparing."""
        return self._kept.find(secret) if isinstance(self._kept, Accounts) else None

    def by_id(self, key_id: str) -> Key | None:
        """The key of that id; `None` where there is none."""
        try:
            found = self._kept.get(key_id)
        except StoreError:
            # Either there is none or the database is away: the list tells, by failing too.
            return next((key for key in self._kept.list() if key.id == key_id), None)
        return found if found.id == key_id else None

    def lines(self, only: str | None = None) -> Sequence[KeyLine]:
        """Every key, or the one of that id; those that work first, the newest of them first."""
        spent = self._kept.spent()
        keys = [key for key in reversed(self._kept.list()) if only in (None, key.id)]
        found = [KeyLine(key, part) for key in keys if (part := spent.get(key.id)) is not None]
        return sorted(found, key=lambda line: line.state != "active")

    def names(self) -> dict[str, str]:
        """What each key is called, by its id."""
        return {key.id: key.name for key in self._kept.list()}

    def create(self, form: Mapping[str, str], chains: Collection[str]) -> tuple[Key, str]:
        """Make a key of what a form says.

        Args:
            form: its fields.
            chains: that there are; none where that is not known.

        Returns:
            The key and its secret, which is told this once.

        Raises:
            WrongFieldError: what it says cannot be meant.
        """
        settings: dict[str, Any] = {
            "chains": _known(_names(form.get("chains", "")), chains),
            "models": _names(form.get("models", "")),
            "budget_day_usd": form.get("budget_day_usd", "").strip() or None,
            "budget_month_usd": form.get("budget_month_usd", "").strip() or None,
            "requests_per_minute": _number(form, "requests_per_minute"),
            "tokens_per_minute": _number(form, "tokens_per_minute"),
            "concurrency": _number(form, "concurrency"),
            "expires_at": self._end_of(form.get("expires_at", "").strip()),
            "is_admin": form.get("is_admin") == "yes",
        }
        try:
            return self._kept.create(form.get("name", "").strip(), **settings)
        except ConfigError as error:
            raise WrongFieldError(error.param or "name", error.why) from None

    def revoke(self, key_id: str) -> None:
        """End a key."""
        self._kept.revoke(key_id)

    def release(self, key_id: str, form: Mapping[str, str]) -> Released:
        """Give back what is held this month for calls of unknown cost, if it is what was seen.

        Raises:
            ConfigError: another amount is held by now, or what was billed cannot be.
        """
        seen = _dollars(form.get("seen", "")) or Decimal(0)
        billed = _dollars(form.get("billed_usd", "")) or Decimal(0)
        return self._kept.release(key_id, billed_usd=billed, seen_usd=seen)

    def _end_of(self, day: str) -> datetime | None:
        """The moment in which a day ends, which is still to come."""
        if not day:
            return None
        try:
            end = end_of_day(day)
        except (ValueError, OverflowError):
            raise WrongFieldError(
                "expires_at", f"{day!r} is no day; expected e.g. 2099-01-31"
            ) from None
        if end <= self._kept.now():
            raise WrongFieldError(
                "expires_at", f"{day} has passed: the key would never work; expected a day to come"
            )
        return end


def _known(names: list[str], chains: Collection[str]) -> list[str]:
    for name in names:
        if chains and name not in chains:
            raise WrongFieldError(
                "chains",
                f"there is no chain {name!r} here; expected some of "
                f"{', '.join(sorted(chains))}, or nothing for all",
            )
    return names


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _dollars(text: str) -> Decimal | None:
    """An amount; `None` where it is none or 0.

    Raises:
        ConfigError: it cannot be meant.
    """
    text = text.strip()
    return Budget(text).limit_usd if text.strip("0.") else None


def _number(form: Mapping[str, str], name: str) -> int | None:
    text = form.get(name, "").strip().replace(",", "").replace("_", "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > MOST_DIGITS:
        raise WrongFieldError(name, f"{text[:40]!r} is no whole number")
    return int(text)
