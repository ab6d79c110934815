"""The gateway put together: an ASGI app over chains."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from cascade.endpoint.chains import Chains, Given, One
from cascade.engine.asynchronous import AsyncCascade
from cascade.errors import CascadeError, ConfigError, StoreError
from cascade.gateway.answering import Answering
from cascade.gateway.exchange import Exchange, Receive, Send, direct_of, named
from cascade.gateway.guard import Anyone, Guard
from cascade.gateway.health import Health, database_look
from cascade.gateway.limits import Limits
from cascade.gateway.metrics import Gauged, Metrics
from cascade.gateway.origins import Origins
from cascade.gateway.routes import HOT, Routes, routes_app
from cascade.gateway.turns import Turns

if TYPE_CHECKING:
    from cascade.telemetry import OpenTelemetry
    from cascade.traces.store import TraceStore

__all__ = ["Gateway", "create_app"]

FLUSH_S = 10.0
"""How long the last traces may take to be written."""

log = logging.getLogger("cascade")


class Background(Protocol):
    """What runs beside the requests, such as accounts that renew their leases."""

    async def start(self) -> None:
        """Begin."""
        ...

    async def close(self) -> None:
        """End, once everything is written and given back.

        Raises:
            StoreError: something could not be written; the log says what.
        """
        ...


class Gateway:
    """An ASGI app; `create_app` makes it.

    Attributes:
        turns: the requests under way.
        limits: what it takes on.
        failed: why it could not begin.
        lost: whether traces, or what was spent, could not be written at the end.
    """

    def __init__(
        self,
        *,
        made: Sequence[AsyncCascade],
        answering: Answering,
        rest: Any,
        turns: Turns,
        limits: Limits,
        store: TraceStore | None,
        background: Sequence[Background],
        allow_origins: Sequence[str] = (),
    ) -> None:
        self.turns = turns
        self.limits = limits
        self.failed: CascadeError | None = None
        self.lost = False
        self._made = made
        self._answering = answering
        self._rest = rest
        self._store = store
        self._background = background
        self._origins = Origins(self._answer, allow_origins) if allow_origins else None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request; only where a browser's page asks, something stands in between."""
        kind = scope["type"]
        if kind == "http":
            if self._origins is not None and self._origins.concerns(scope):
                await self._origins(scope, receive, send)
            else:
                await self._answer(scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request; the two endpoints without any detour."""
        direct = direct_of(scope, send)
        api = HOT.get(scope["path"])
        if api is not None and scope["method"] == "POST":
            await self._answering(api, Exchange(scope, receive, send, direct))
        else:
            await self._rest(scope, receive, named(scope, send))

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            for cascade in self._made:
                cascade.prepare()
            for item in self._background:
                await item.start()
        except CascadeError as error:
            self.failed = error
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _stop(self) -> None:
        """Write what is known: traces, then accounts; close connections."""
        for cascade in self._made:
            await cascade.close()
        for item in self._background:
            try:
                await item.close()
            except StoreError:  # it was logged where it happened
                self.lost = True
        if self._store is None:
            return
        try:
            await asyncio.to_thread(self._store.flush, FLUSH_S)
        except StoreError as error:
            self.lost = True
            log.error("traces could not be written: %s", error)  # noqa: TRY400  in words


def create_app(
    chains: Given,
    *,
    store: TraceStore | None = None,
    database: str | None = None,
    guard: Guard | None = None,
    models: Mapping[str, One] | None = None,
    limits: Limits | None = None,
    cascade_field: bool = True,
    metrics_open: bool = False,
    pages: Any = None,
    background: Sequence[Background] = (),
    telemetry: OpenTelemetry | None = None,
    join_traces: bool = True,
    allow_origins: Sequence[str] = (),
    **settings: Any,
) -> Gateway:
    """The gateway: an ASGI app that answers OpenAI's endpoints by chains.

    Args:
        chains: one chain, or several by the model name that they answer to; see `Chains`.
        store: keeps the traces; flushed at the end, and closed by whoever opened it.
        database: place of the tables, which `/readyz` looks at.
        guard: knows the callers; everybody may do everything unless given.
        models: chains of one tier by name, for plain models that may be asked for.
        limits: what it takes on.
        cascade_field: whether bodies tell what an answer cost.
        metrics_open: whether `/metrics` needs no key.
        pages: an ASGI app for `/ui`.
        background: begun and ended with the gateway.
        telemetry: makes spans and metrics of every request.
        join_traces: whether spans go on with the trace that a caller names in `traceparent`. Only
            callers that the guard knows get that far; where they are strangers, their word should
            not decide which trace a span is in, and whether it is sampled.
        allow_origins: web pages that may ask from browsers, such as "https://app.example", or "*";
            `/ui` and `/metrics` stay closed to them.
        **settings: for the cascades that are made here, as `AsyncCascade` takes them.

    Raises:
        ConfigError: a chain or a setting that cannot work, or a name that stands for two things.
    """
    limits = limits or Limits()
    guard = guard or Anyone()
    if telemetry is not None:
        settings["observers"] = [*settings.get("observers", ()), telemetry]
    own = Chains(AsyncCascade, chains, store=store, **settings)
    plain = Chains(AsyncCascade, models, store=store, **settings) if models else None
    cascades = _by_name(own, plain)
    turns = Turns(limits)
    metrics = Metrics(_gauges_of(turns, store))
    single = frozenset(plain.names if plain else ())
    answering = Answering(
        cascades,
        guard,
        turns,
        limits,
        metrics,
        shows_books=cascade_field,
        plain=single,
        telemetry=telemetry,
        joins_traces=join_traces,
    )
    routes = Routes(
        own.names,
        tuple(single),
        guard,
        turns,
        metrics,
        metrics_open=metrics_open,
        health=Health(_look_at(database, guard) if database is not None else None),
    )
    made = [*own.close_made(), *(plain.close_made() if plain else ())]
    return Gateway(
        made=made,
        answering=answering,
        rest=routes_app(routes, pages),
        turns=turns,
        limits=limits,
        store=store,
        background=background,
        allow_origins=allow_origins,
    )


def _look_at(database: str, guard: Guard) -> Callable[[], object]:
    """A look at what every request needs: the keys, or where there are none the traces."""
    return database_look(database, "cascade_keys" if guard.needs_key else "traces")


def _by_name(*several: Chains[AsyncCascade] | None) -> dict[str, AsyncCascade]:
    """Every cascade by the model name that it answers to."""
    found: dict[str, AsyncCascade] = {}
    for chains in several:
        for name in chains.names if chains else ():
            cascade = chains.find(name) if chains else None
            if name in found or cascade is None:
                raise ConfigError(f"{name!r} is a chain and a plain model; give one another name")
            found[name] = cascade
    return found


def _gauges_of(turns: Turns, store: TraceStore | None) -> dict[str, Gauged]:
    """What `/metrics` shows as it is now."""
    found: dict[str, Gauged] = {
        "in_flight": ("Requests that are answered now.", lambda: turns.in_flight),
        "waiting": ("Requests that wait for their turn.", lambda: turns.waiting),
    }
    if store is not None:
        found["traces_dropped"] = ("Traces that could not be kept.", lambda: store.dropped)
        found["traces_spooled"] = ("Traces that wait on disk.", lambda: store.spooled)
    return found
