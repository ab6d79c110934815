"""What the sync and the async cascade share: building, checking, starting a request, observing."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from cascade import clock as dates
from cascade.core.budget import Budget
from cascade.core.chain import Chain
from cascade.core.escalation import Decision
from cascade.core.evaluation import is_coroutine_scorer
from cascade.core.ledger import Ledger
from cascade.core.payloads import check_payloads
from cascade.core.policy import Policy
from cascade.core.request import Asked, Request
from cascade.core.route import WHOLE, Route, entered
from cascade.core.scoring import scorer_name
from cascade.core.tier import Tier, is_positive
from cascade.core.trace import Trace
from cascade.drivers import lockstep
from cascade.drivers.base import Decisions, in_order
from cascade.engine.bulk import Bulk, check_several
from cascade.engine.completion import Completion
from cascade.engine.flow import Flow
from cascade.engine.lazy import LazyModels
from cascade.engine.options import Options, OwnOptions
from cascade.engine.run import Run
from cascade.engine.sticky import Sticky
from cascade.errors import ConfigError, RequestError, RunError

if TYPE_CHECKING:
    from cascade.traces.store import TraceStore

__all__ = ["Engine", "Rounds", "chain_of"]

log = logging.getLogger("cascade")

Observer = Callable[[Trace], object]


class Engine:
    """What both cascades share."""

    is_async = False

    def __init__(
        self,
        tiers: Chain | Iterable[Tier],
        *,
        client: Any = None,
        models: Any = None,
        policy: Policy | None = None,
        budget: Budget | str | int | Decimal | None = None,
        deadline_s: float | None = None,
        store: TraceStore | str | Path | None = None,
        observers: Sequence[Observer] = (),
        sticky: Sticky | None = None,
        allow_unknown_prices: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.chain = chain_of(tiers, policy, allow_unknown_prices=allow_unknown_prices)
        Budget.of(budget)  # a bad amount is refused here, not at the first request
        self._budget = budget
        self.deadline_s = _deadline(deadline_s)
        self.clock = clock
        self._check_scorers()
        _check_clients(
            [client, *(tier.client for tier in self.chain.tiers)], is_async=self.is_async
        )
        _check_models(models, is_async=self.is_async)
        self._observers: tuple[Observer, ...] = _watchers(observers)
        self._followers = [item for item in observers if hasattr(item, "watch_request")]
        self._store, self._owns_store = _store_of(store)
        if self._store is not None:
            self._observers += (self._store,)
        if sticky is not None and not isinstance(sticky, Sticky):
            raise ConfigError(f"sticky is {sticky!r}: expected e.g. Sticky(ttl_s=900)")
        self._sticky = sticky
        self._closed = False
        self._models = self._answering(models, client)

    def _answering(self, models: Any, client: Any) -> Any:
        """Who answers model calls: what was given, else the OpenAI client."""
        raise NotImplementedError

    def _check_scorers(self) -> None:
        if self.is_async:
            return
        for tier in self.chain.tiers:
            if tier.scorer is not None and is_coroutine_scorer(tier.scorer):
                raise ConfigError(
                    f"tier {tier.name!r}: scorer {scorer_name(tier.scorer)!r} is a coroutine "
                    "function, which only AsyncCascade can await; use AsyncCascade or a plain "
                    "function"
                )

    def _begin_all(
        self,
        requests: Sequence[Asked | Request],
        params: Mapping[str, Any],
        options: Options,
    ) -> list[Run | RequestError]:
        """The runs of many requests; what concerns all of them is raised, one's own is data."""
        self._check_open()
        check_several("complete_rounds", requests)
        common = self._common(params, options)
        return [self._begun(item, params, common) for item in requests]

    def _begun(
        self, asked: Asked | Request, params: Mapping[str, Any], options: Options
    ) -> Run | RequestError:
        try:
            return self._begin(asked, params, options)
        except RequestError as error:
            return error

    def _common(self, params: Mapping[str, Any], options: Options) -> Options:
        """What is said for many requests, checked before the first of them is begun."""
        common = replace(options, tags=options.tag_list())
        common.request("a request", params)
        self._limits(common)
        self._route(common)
        return common

    def _many(
        self,
        requests: object,
        params: Mapping[str, Any],
        options: Options,
        bulk: Bulk,
    ) -> tuple[Callable[[Asked | Request | OwnOptions], Run], Flow]:
        """How each of many requests begins, and what they go through together.

        What is said for all of them is checked here, so that it is refused once, before any is
        taken from their iterable.
        """
        self._check_open()
        check_several("complete_many", requests, may_be_async=self.is_async)
        common = self._common(params, options)
        flow = bulk.flow(requests, in_order=in_order(self._models))
        return partial(self._begin, params=params, options=common), flow

    def _begin(
        self, asked: Asked | Request | OwnOptions, params: Mapping[str, Any], options: Options
    ) -> Run:
        self._check_open()
        if isinstance(asked, OwnOptions):
            options = asked.over(options)
            asked = asked.asked
        request = options.request(asked, params)
        cap, limit = self._limits(options)
        route, answered = self._route(options)
        route = entered(self.chain, request, route)
        check_payloads(self.chain, request, route)
        self.prepare()
        return Run(self, request, budget=cap, deadline_s=limit, route=route, answered=answered)

    def prepare(self) -> None:
        """Make the clients that the tiers need, so that the first request does not wait for it.

        Raises:
            ConfigError: a key is missing.
        """
        if isinstance(self._models, LazyModels):
            self._models.prepare(self.chain.tiers)

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigError("this cascade was closed; make a new one")

    def _limits(self, options: Options) -> tuple[Budget | None, float | None]:
        """A request's budget and its deadline in seconds: its own, else the cascade's."""
        limit = _deadline(options.deadline_s) if options.deadline_s is not None else self.deadline_s
        return Budget.of(options.budget if options.budget is not None else self._budget), limit

    def _route(self, options: Options) -> tuple[Route, Callable[[str], None]]:
        """Where a request starts and ends, and who is told which tier answered it."""
        talk = options.conversation
        if talk is None:
            if options.start_at is None and options.stop_at is None:
                return WHOLE, _nobody
            route = Route(options.start_at, options.stop_at)
            route.check(self.chain)
            return route, _nobody
        if self._sticky is None:
            raise RequestError(
                f"conversation={talk!r}: this cascade remembers no conversations; build it with "
                "sticky=Sticky(ttl_s=900)",
                why="no conversations are remembered here; leave conversation out",
            )
        if not isinstance(talk, str) or not talk:
            raise RequestError(f"conversation={talk!r}: expected an id, a text that is not empty")
        route = Route(options.start_at, options.stop_at)
        route.check(self.chain)
        known = self._sticky.tier(talk) if options.start_at is None else None
        if known is None or all(tier.name != known for tier in self.chain.tiers):
            return route, partial(self._sticky.remember, talk)
        later = Route(known, route.stop_at, f"conversation {talk!r} is with {known!r}")
        try:
            later.check(self.chain)
        except RequestError:  # kept below its tier this once, which says nothing of the next time
            return route, _nobody
        return later, partial(self._sticky.remember, talk)

    def watched(self, decisions: Decisions, trace_id: str, ledger: Ledger) -> Decisions:
        """The decision loop of a request that begins, as observers that follow it hand it back."""
        for observer in self._followers:
            try:
                decisions = observer.watch_request(
                    decisions, trace_id=trace_id, ledger=ledger, clock=self.clock
                )
            except Exception:
                # Plug-in border, as below.
                log.exception("an observer could not follow request %s", trace_id)
        return decisions

    def observe(self, trace: Trace) -> None:
        """Show a closed trace to the observers; one that raises is logged and passed over."""
        if log.isEnabledFor(logging.INFO):
            from cascade.traces.log import log_trace  # noqa: PLC0415  loads structlog

            log_trace(trace)
        for observer in self._observers:
            try:
                observer(trace)
            except Exception:
                # Plug-in border: the answer is paid for and goes to the caller all the same.
                log.exception("a trace observer failed on trace %s", trace.id)

    def _close_store(self) -> None:
        self._closed = True
        if self._owns_store and self._store is not None:
            self._store.close()


class Rounds:
    """Many requests in lock-step: their runs, and what became of each.

    A context manager: runs without a trace get one, whatever ended the block.

    Args:
        begun: a run per request, or why it could not be sent.
    """

    def __init__(self, begun: list[Run | RequestError]) -> None:
        self._ends: list[Completion | RunError | RequestError | None] = [
            item if isinstance(item, RequestError) else None for item in begun
        ]
        self._runs = {
            lockstep.Lane(item.decisions, item.timing): (index, item)
            for index, item in enumerate(begun)
            if not isinstance(item, RequestError)
        }
        self.lanes = list(self._runs)

    def done(self, lane: lockstep.Lane) -> None:
        """Close the books of a lane that has finished."""
        index, run = self._runs[lane]
        try:
            self._ends[index] = run.finish(cast("Decision", lane.decision))
        except RunError as error:
            self._ends[index] = error

    def results(self) -> list[Completion | RunError | RequestError]:
        """One completion or error per request, in order."""
        return [end for end in self._ends if end is not None]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _, run in self._runs.values():
            run.__exit__(kind, error, trace)


def chain_of(
    tiers: Chain | Iterable[Tier], policy: Policy | None, *, allow_unknown_prices: bool
) -> Chain:
    """The chain, or a list of tiers made into one, checked against today's date."""
    if isinstance(tiers, Chain):
        if policy is not None:
            raise ConfigError("policy= goes with a list of tiers; this Chain has its own")
        return tiers if tiers.today is not None else replace(tiers, today=dates.today())
    return Chain(
        cast("tuple[Tier, ...]", tiers),  # the chain makes its tuple and checks it
        policy=policy or Policy(),
        allow_unknown_prices=allow_unknown_prices,
        today=dates.today(),
    )


def _check_clients(clients: Iterable[Any], *, is_async: bool) -> None:
    for client in clients:
        if isinstance(client, str | bytes | int | float | list | tuple | Mapping):
            raise ConfigError(
                f"client is {client!r}: expected an openai client or an Endpoint, "
                "e.g. Endpoint('http://127.0.0.1:8080/v1')"
            )
        for name in (kind.__name__ for kind in type(client).__mro__):
            if is_async and name in ("OpenAI", "AzureOpenAI"):
                raise ConfigError(
                    f"AsyncCascade got a sync client ({name}); pass openai.Async{name}"
                )
            if not is_async and name in ("AsyncOpenAI", "AsyncAzureOpenAI"):
                raise ConfigError(f"Cascade got an async client ({name}); pass openai.{name[5:]}")


def _check_models(models: Any, *, is_async: bool) -> None:
    if models is None:
        return
    call = getattr(models, "call", None)
    if not callable(call):
        raise ConfigError(
            f"models={models!r} cannot answer calls: expected an object with the methods call and "
            "stream, e.g. cascade.testing.ScriptedModels"
        )
    if not is_async and inspect.iscoroutinefunction(call):
        raise ConfigError(
            f"Cascade got asynchronous models ({type(models).__name__}); use AsyncCascade"
        )


def _nobody(_tier: str) -> None:
    """Nobody is told which tier answered."""


def _deadline(value: float | None) -> float | None:
    if value is not None and not is_positive(value):
        raise ConfigError(
            f"deadline_s {value!r} is not a number of seconds above 0; leave it out for no limit"
        )
    return value


def _store_of(store: Any) -> tuple[Any, bool]:
    """The store, and whether it was made here."""
    if store is not None and not callable(store) and not isinstance(store, str | Path):
        raise ConfigError(f"store is {store!r}: expected a TraceStore, or a path for one")
    if isinstance(store, str | Path):
        from cascade.traces.store import TraceStore  # noqa: PLC0415  loads SQLAlchemy

        return TraceStore(store), True
    return store, False


def _watchers(observers: object) -> tuple[Observer, ...]:
    if not isinstance(observers, list | tuple):
        raise ConfigError(f"observers is {observers!r}: expected a list, e.g. [print]")
    for observer in observers:
        if not callable(observer):
            raise ConfigError(f"observers holds {observer!r}: expected functions of a trace")
    return tuple(observers)
