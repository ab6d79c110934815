"""The cascade that awaits its answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Self, cast

from cascade.core.budget import Budget
from cascade.core.request import Asked, Request
from cascade.core.trace import Trace
from cascade.drivers import async_lockstep, asynchronous
from cascade.drivers.base import AsyncModels, Models, as_async
from cascade.engine.async_many import AsyncMany
from cascade.engine.async_streams import AsyncCompletionStream, leave_all
from cascade.engine.base import Engine, Rounds
from cascade.engine.bulk import CONCURRENCY, Bulk, check_concurrency
from cascade.engine.completion import Completion
from cascade.engine.flow import ProgressCallback
from cascade.engine.lazy import LazyAsyncModels
from cascade.engine.options import Options
from cascade.errors import RequestError, RunError

__all__ = ["AsyncCascade"]


class AsyncCascade(Engine):
    """As `Cascade`, asynchronously; takes coroutine scorers and an `openai.AsyncOpenAI`."""

    is_async = True
    _models: AsyncModels

    def _answering(self, models: Models | AsyncModels | None, client: Any) -> AsyncModels:
        if models is not None:
            return as_async(models)
        return cast("AsyncModels", LazyAsyncModels("AsyncOpenAIModels", client, self.clock))

    async def complete(
        self,
        asked: Asked | Request,
        *,
        budget: Budget | str | int | Decimal | None = None,
        deadline_s: float | None = None,
        start_at: str | None = None,
        stop_at: str | None = None,
        conversation: str | None = None,
        tags: Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        parent: str | Trace | Completion | None = None,
        **params: Any,
    ) -> Completion:
        """Answer a request; see `Cascade.complete`."""
        options = Options(
            budget, deadline_s, start_at, stop_at, conversation, tags, metadata, parent
        )
        with self._begin(asked, params, options) as run:
            return run.finish(await asynchronous.drive(run.decisions, self._models, run.timing))

    def stream(
        self,
        asked: Asked | Request,
        *,
        budget: Budget | str | int | Decimal | None = None,
        deadline_s: float | None = None,
        start_at: str | None = None,
        stop_at: str | None = None,
        conversation: str | None = None,
        tags: Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        parent: str | Trace | Completion | None = None,
        **params: Any,
    ) -> AsyncCompletionStream:
        """Answer a request in chunks; see `Cascade.stream`."""
        options = Options(
            budget, deadline_s, start_at, stop_at, conversation, tags, metadata, parent
        )
        run = self._begin(asked, params, options)
        return AsyncCompletionStream(run, self._models)

    def complete_many(
        self,
        requests: Iterable[Asked | Request] | AsyncIterable[Asked | Request],
        *,
        concurrency: int = CONCURRENCY,
        ordered: bool = True,
        progress: ProgressCallback | None = None,
        budget: Budget | str | int | Decimal | None = None,
        deadline_s: float | None = None,
        start_at: str | None = None,
        stop_at: str | None = None,
        conversation: str | None = None,
        tags: Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        parent: str | Trace | Completion | None = None,
        **params: Any,
    ) -> AsyncMany:
        """Answer many requests at once, in tasks; see `Cascade.complete_many`.

        Returns:
            An async iterator of `ManyResult`, also an async context manager.
        """
        options = Options(
            budget, deadline_s, start_at, stop_at, conversation, tags, metadata, parent
        )
        begin, flow = self._many(requests, params, options, Bulk(concurrency, ordered, progress))
        return AsyncMany(requests, begin, self._models, flow)

    async def complete_rounds(
        self,
        requests: Sequence[Asked | Request],
        *,
        budget: Budget | str | int | Decimal | None = None,
        deadline_s: float | None = None,
        start_at: str | None = None,
        stop_at: str | None = None,
        conversation: str | None = None,
        tags: Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        parent: str | Trace | Completion | None = None,
        concurrency: int = CONCURRENCY,
        **params: Any,
    ) -> list[Completion | RunError | RequestError]:
        """Answer many requests in lock-step; the calls of a round run at once.

        Raises:
            ConfigError: `concurrency` is no whole number from 1 up.
        """
        check_concurrency(concurrency)
        options = Options(
            budget, deadline_s, start_at, stop_at, conversation, tags, metadata, parent
        )
        runs = self._begin_all(requests, params, options)
        gate = asyncio.Semaphore(concurrency)

        async def bounded(begin: Callable[[], Awaitable[None]]) -> None:
            async with gate:
                await begin()

        async def gather(calls: list[Callable[[], Awaitable[None]]]) -> None:
            await asynchronous.together([bounded(begin) for begin in calls])

        with Rounds(runs) as rounds:
            await async_lockstep.drive(rounds.lanes, self._models, gather, rounds.done)
        return rounds.results()

    async def close(self) -> None:
        """Close what this cascade made: connections, and a store once it holds everything."""
        if isinstance(self._models, LazyAsyncModels):
            await self._models.close()
        if self._owns_store:
            leave_all(self)
        await asyncio.to_thread(self._close_store)

    aclose = close
    """The name that asynchronous clients and `contextlib.aclosing` use."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()
