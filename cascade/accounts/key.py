"""A key: what its holder may do. Its secret is shown once and kept as a digest."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from cascade.core.budget import Budget
from cascade.core.price import tidy
from cascade.core.pricing import model_table
from cascade.errors import ConfigError

__all__ = [
    "EVERY",
    "KEY_TAG",
    "Key",
    "Secret",
    "digest_of",
    "end_of_day",
    "looks_like_a_secret",
    "new_secret",
]

EVERY = "*"
"""In `Key.models`: every model."""

KEY_TAG = "key:"
"""What the id of a key stands behind in the tags of traces; callers cannot set such tags."""

PREFIX = "ck-"

SHOWN = 8
"""Characters of a secret that are kept to tell keys apart; 30 bits of 256."""

SECRET = re.compile(r"ck-[A-Za-z0-9_-]{43}")

LONGEST_NAME = 100

Secret = str


@dataclass(frozen=True, slots=True)
class Key:
    """What the holder of a secret may do.

    Attributes:
        id: names the key in traces, logs and commands; no secret.
        name: what people call it; no two live keys share one.
        prefix: how its secret begins.
        created_at: when it was made.
        chains: names of the chains it may use; empty for all.
        models: plain models it may use beside them, each with its dated snapshots; empty for none,
            "*" for every one.
        budget_day_usd: most dollars a day (UTC); `None` for no limit.
        budget_month_usd: most dollars a month (UTC).
        requests_per_minute: most requests in a minute of the clock.
        tokens_per_minute: most tokens in a minute of the clock.
        concurrency: most requests in flight at once, in each process that serves it.
        expires_at: from then on it does not work.
        revoked_at: since then it does not work.
        is_admin: may see what all keys do, and manage them.

    Raises:
        ConfigError: a name, amount or count that cannot be.
    """

    id: str
    name: str
    prefix: str
    created_at: datetime
    chains: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    budget_day_usd: Decimal | None = None
    budget_month_usd: Decimal | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    is_admin: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name)
        for field in ("chains", "models"):
            object.__setattr__(self, field, _names(field, getattr(self, field)))
        for field in ("budget_day_usd", "budget_month_usd"):
            object.__setattr__(self, field, _amount(field, getattr(self, field)))
        for field in ("requests_per_minute", "tokens_per_minute", "concurrency"):
            _check_count(field, getattr(self, field))
        if self.expires_at is not None:
            object.__setattr__(self, "expires_at", _moment(self.expires_at))

    @property
    def has_budget(self) -> bool:
        """Whether what it spends is limited."""
        return self.budget_day_usd is not None or self.budget_month_usd is not None

    def may_use(self, model: str, *, is_chain: bool) -> bool:
        """Whether a chain, or a plain model, is open to it.

        Who may use a model may use its listed snapshots, at the same price; not the other way
        round, since the name may go over to another snapshot.
        """
        if is_chain:
            return not self.chains or model in self.chains
        return any(
            name in self.models for name in (model, EVERY, model_table().snapshots.get(model))
        )

    @property
    def last_day(self) -> date | None:
        """The last day (UTC) on which it works; `None` without an end.

        A key that ends at midnight ends with the day before, not on the day that begins then.
        """
        if self.expires_at is None:
            return None
        return (self.expires_at.astimezone(UTC) - timedelta(microseconds=1)).date()

    @property
    def end_words(self) -> str:
        """When it ends (UTC), told on its last day: "2026-12-31 24:00"; "never" without an end."""
        if self.expires_at is None:
            return "never"
        end = self.expires_at.astimezone(UTC)
        clock = f"{end:%H:%M}" if end.date() == self.last_day else "24:00"
        return f"{self.last_day} {clock}"

    def works_at(self, moment: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


def end_of_day(words: str) -> datetime:
    """The moment in which a day is over (UTC): a key that ends on a day works through it.

    Args:
        words: the day in ISO 8601, without a time: "2026-12-31".

    Raises:
        ValueError: it is none.
        OverflowError: there is no day after it.
    """
    return datetime.combine(date.fromisoformat(words), time(), UTC) + timedelta(days=1)


def new_secret() -> Secret:
    """A secret of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def looks_like_a_secret(text: str) -> bool:
    """Whether it could be one of ours; nothing else is looked up."""
    return SECRET.fullmatch(text) is not None


def digest_of(secret: Secret) -> str:
    """What is kept of a secret. It is random through and through: one round cannot be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def shown_part(secret: Secret) -> str:
    """How a secret begins."""
    return secret[:SHOWN]


def _wrong(field: str, why: str) -> ConfigError:
    return ConfigError(f"{field} is {why}", param=field, why=why)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        words = f"name {name!r} is no name for a key; expected a word or two, on one line"
        raise ConfigError(words, param="name")
    if len(name) > LONGEST_NAME:
        words = f"the name of a key has at most {LONGEST_NAME} characters, not {len(name)}"
        raise ConfigError(words, param="name")


def _names(field: str, names: object) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, list | tuple | set | frozenset):
        raise _wrong(field, f"{names!r}; expected a list of names, e.g. ['support']")
    for name in names:
        if not isinstance(name, str) or not name:
            words = f"{field} holds {name!r}; expected names that are not empty"
            raise ConfigError(words, param=field)
    return tuple(dict.fromkeys(names))


def _amount(field: str, value: Decimal | None) -> Decimal | None:
    if value is None:
        return None
    try:
        return tidy(Budget(value).limit_usd)
    except ConfigError as error:
        raise ConfigError(f"{field}: {error}", param=field, why=error.why) from None


def _check_count(field: str, value: object) -> None:
    if value is not None and (type(value) is not int or not 0 < value < 2**53):
        raise _wrong(field, f"{value!r}; expected a whole number above 0")


def _moment(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise _wrong("expires_at", f"{value!r}; expected a datetime")
    return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).astimezone(UTC)
