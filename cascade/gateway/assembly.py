"""A whole gateway from settings: the database, keys, pages, the app over them, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cascade.accounts import Accounts
from cascade.core.chain import Chain
from cascade.core.trace import Content
from cascade.database.place import default_place
from cascade.engine.sticky import Sticky
from cascade.errors import ConfigError, StoreError
from cascade.gateway.app import Background, Gateway, create_app
from cascade.gateway.guard import Guard, ThisMachine, is_page_here
from cascade.gateway.key_guard import KeyGuard
from cascade.gateway.limits import Limits
from cascade.gateway.uncapped import uncapped
from cascade.gateway.unserved import unserved
from cascade.telemetry import if_configured
from cascade.traces.queries import names
from cascade.traces.spool import default_spool
from cascade.traces.store import TraceStore

__all__ = ["Assembled", "Settings", "assembled"]

NEWEST = 20_000
"""Traces looked through for the names of chains."""

KEYLESS = (
    "--insecure-local: there are no keys; every program on this machine can spend your money here"
)

NO_KEYS = (
    "there is no key yet, and nothing is answered without one; make one with "
    "`cascade keys create NAME`, on the same database"
)


@dataclass(frozen=True)
class Settings:
    """How a gateway is set up; see `cascade serve`.

    Attributes:
        database: place of keys, budgets and traces.
        content: what of conversations is kept.
        spool: folder where traces wait while the database is away; `default_spool` unless given.
        keyless: everybody may do everything.
        on_database_loss: what budgets say while the database is away.
        lease_s: after so long without a sign of life, what a process holds of budgets goes back.
        limits: what it takes on.
        cascade_field: whether bodies tell what an answer cost.
        metrics_open: whether `/metrics` needs no key.
        pages: whether there are pages at `/ui`.
        recordings: files of recordings by the name of their chain, for the pages.
        sticky_s: how long a conversation stays with its tier; 0 for never.
        join_traces: whether spans go on with the traces of callers.
        allow_origins: web pages that may ask from browsers.
    """

    database: str | None = None
    content: Content = "full"
    spool: Path | None = None
    keyless: bool = False
    on_database_loss: Literal["closed", "open"] = "closed"
    lease_s: float = 60.0
    limits: Limits = field(default_factory=Limits)
    cascade_field: bool = True
    metrics_open: bool = False
    pages: bool = True
    recordings: Mapping[str, str] = field(default_factory=dict)
    sticky_s: float = 900.0
    join_traces: bool = True
    allow_origins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assembled:
    """A gateway that is ready to be served.

    Attributes:
        app: of ASGI.
        names: that it answers to.
        place: of the database, without a password.
        warnings: what whoever starts it should know.
    """

    app: Gateway
    names: tuple[str, ...]
    place: str
    warnings: tuple[str, ...] = ()
    has_pages: bool = False


@contextmanager
def assembled(
    chains: Mapping[str, Chain], models: Mapping[str, Chain], settings: Settings
) -> Iterator[Assembled]:
    """Open the database and put a gateway together; everything is written when the block ends.

    Args:
        chains: by the name that callers use.
        models: chains of one tier, for plain models.
        settings: the rest.

    Raises:
        ConfigError: a setting that cannot work, or a database that cannot be opened.
    """
    place = settings.database or default_place()
    if settings.keyless:
        _check_pages_here(settings.allow_origins)
    with ExitStack() as stack:
        try:
            spool = settings.spool or default_spool()
            store = stack.enter_context(TraceStore(place, content=settings.content, spool=spool))
            accounts = None if settings.keyless else stack.enter_context(_accounts(place, settings))
            warnings = _warnings(accounts, store, chains, models)
        except StoreError as error:
            raise ConfigError(f"--database: {error}") from error
        guard: Guard = ThisMachine()
        background: list[Background] = []
        if accounts is not None:
            refuses = settings.on_database_loss == "closed"
            found = KeyGuard(accounts, refuses_without_database=refuses)
            guard = found
            background.append(found)
        telemetry = if_configured()
        if telemetry is not None:
            stack.callback(telemetry.flush)
        pages = _pages(place, store, accounts, chains, settings) if settings.pages else None
        if pages is not None:
            background.append(Pages(pages))
        app = create_app(
            chains,
            models=models,
            store=store,
            database=place,
            guard=guard,
            limits=settings.limits,
            cascade_field=settings.cascade_field,
            metrics_open=settings.metrics_open,
            pages=pages,
            background=background,
            sticky=Sticky(settings.sticky_s) if settings.sticky_s else None,
            telemetry=telemetry,
            join_traces=settings.join_traces,
            allow_origins=settings.allow_origins,
        )
        yield Assembled(app, (*chains, *models), store.where, warnings, settings.pages)


class Pages:
    """The end of the pages' own helpers: a mounted app is not told of it.

    Args:
        app: of the dashboard.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def start(self) -> None:
        """Nothing: they begin with the first page."""

    async def close(self) -> None:
        """End the process that draws charts."""
        await asyncio.to_thread(self._app.state.site.draughtsman.close)


def _check_pages_here(origins: Sequence[str]) -> None:
    """Without keys whoever may ask can spend money, and a page on the web is read by anybody."""
    for origin in origins:
        if not is_page_here(origin.encode()):
            raise ConfigError(
                f"--allow-origin {origin}: with --insecure-local only pages of this machine are "
                "answered, such as http://localhost:3000; leave --insecure-local out and make keys "
                "with `cascade keys create`"
            )


def _warnings(
    accounts: Accounts | None,
    store: TraceStore,
    chains: Mapping[str, Chain],
    models: Mapping[str, Chain],
) -> tuple[str, ...]:
    """What whoever starts it should know of its keys."""
    if accounts is None:
        return (KEYLESS,)
    keys, now = accounts.list(), accounts.now()
    if not keys:
        return (NO_KEYS,)
    working = [key for key in keys if key.works_at(now)]
    found = (
        uncapped(chains, models, working),
        unserved(chains, _answered_by(store), working),
    )
    return tuple(words for words in found if words is not None)


def _answered_by(store: TraceStore) -> list[str]:
    """Chains in the newest traces; other gateways may share the database."""
    with store.reading() as connection:
        return names(connection, "chain", [], NEWEST)


def _accounts(place: str, settings: Settings) -> Accounts:
    return Accounts(place, on_database_loss=settings.on_database_loss, lease_s=settings.lease_s)


def _pages(
    place: str,
    store: TraceStore,
    accounts: Accounts | None,
    chains: Mapping[str, Chain],
    settings: Settings,
) -> Any:
    from cascade.dashboard import dashboard_app, kept_secret  # noqa: PLC0415  loads templates

    login: dict[str, Any] = {"auth": "local"}
    if accounts is not None:
        login = {"accounts": accounts, "secret": kept_secret(place)}
    return dashboard_app(store, chains=chains, recordings=settings.recordings, **login)
