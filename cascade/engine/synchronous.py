"""The cascade that blocks until it has the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Self, cast

from cascade.core.budget import Budget
from cascade.core.request import Asked, Request
from cascade.core.trace import Trace
from cascade.drivers import lockstep, sync
from cascade.drivers.base import Models
from cascade.engine.base import Engine, Rounds
from cascade.engine.bulk import CONCURRENCY, Bulk
from cascade.engine.completion import Completion
from cascade.engine.flow import ProgressCallback
from cascade.engine.lazy import LazyModels
from cascade.engine.many import Many
from cascade.engine.options import Options
from cascade.engine.streams import CompletionStream
from cascade.errors import RequestError, RunError

__all__ = ["Cascade"]


class Cascade(Engine):
    """Answers requests through a chain of tiers, synchronously.

    Args:
        tiers: a list of `Tier`, or a `Chain`.
        client: an `openai.OpenAI`, an `Endpoint`, or `None` for the SDK's environment variables.
            Tiers with a client of their own use theirs.
        models: answers model calls instead of a client (`cascade.testing.ScriptedModels`).
        policy: for answers without a verdict; only with a list of tiers.
        budget: dollars that each request may cost, as a string or Decimal; or a shared `Budget`.
        deadline_s: seconds that each request may take.
        store: a `TraceStore` or a path for one; gets every trace.
        observers: called with every trace; what they raise is logged, never raised.
        sticky: remembers conversations, see `Sticky`.
        allow_unknown_prices: build although a model has no price.
        clock: seconds, monotonic.

    Raises:
        ConfigError: the chain or a setting cannot work.
        StoreError: the store's path cannot be written.
    """

    _models: Models

    def _answering(self, models: Models | None, client: Any) -> Models:
        return models or cast("Models", LazyModels("OpenAIModels", client, self.clock))

    def complete(
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
        """Answer a request.

        Args:
            asked: a prompt, messages, or a payload of Chat Completions or Responses.
            budget: dollars for this request, or a shared `Budget`; over the cascade's own.
            deadline_s: seconds for this request; over the cascade's own.
            start_at: name of the first tier to ask; lower ones are skipped.
            stop_at: name of the last tier that may be asked; its answer stands.
            conversation: its further requests start at the tier that answered this one; needs
                `sticky=`.
            tags: marks to find traces by, e.g. the agent that asks; kept in every trace, so they
                hold no secrets.
            metadata: labels for the trace.
            parent: the trace or run that this request is made for: an id, a trace, a completion.
            **params: wire parameters, passed on as they are; `None` is left out.

        Returns:
            The answer. `accepted` is False where it is only the best draft.

        Raises:
            RequestError: the request cannot be sent, or names a tier that the chain lacks.
            RunError: there is no answer; its subclasses say why, `.trace` holds what was spent.
        """
        options = Options(
            budget, deadline_s, start_at, stop_at, conversation, tags, metadata, parent
        )
        with self._begin(asked, params, options) as run:
            return run.finish(sync.drive(run.decisions, self._models, run.timing))

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
    ) -> CompletionStream:
        """Answer a request in chunks; arguments and errors as `complete`.

        Drafts that may be rejected are held back, so no chunk is ever retracted. The answer that
        will stand in any case is passed on as it comes.
        """
        options = Options(
            budget, deadline_s, start_at, stop_at, conversation, tags, metadata, parent
        )
        run = self._begin(asked, params, options)
        return CompletionStream(run, self._models)

    def complete_many(
        self,
        requests: Iterable[Asked | Request],
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
    ) -> Many:
        """Answer many requests at once, on threads; a failed one is a result like the others.

        ```python
        for result in llm.complete_many(prompts):
            print(result.completion.text if result.completion else result.error)
        ```

        Args:
            requests: prompts, messages, payloads or `Request`s, taken from the iterable as they can
                begin: it may be a generator of any length. Where it raises, finished results are
                handed out first.
            concurrency: requests under way at once, from 1. Models that answer from a list
                (`in_order`) are asked for one request at a time.
            ordered: hand results out in the order of the requests; else as they are ready. At most
                `4 * concurrency` requests have begun and were not handed out.
            progress: told a `Progress` after each end, on the consumer's thread. If it raises, that
                is logged and it is not called again.
            budget: dollars for each request, or a shared `Budget` for all of them together.
            deadline_s: seconds for each request.
            start_at: as in `complete`, for each request, and so are the further ones.
            stop_at: as in `complete`.
            conversation: as in `complete`.
            tags: as in `complete`.
            metadata: as in `complete`.
            parent: as in `complete`.
            **params: as in `complete`.

        Returns:
            An iterator of `ManyResult`, also a context manager; see `Many` for how to stop early.

        Raises:
            ConfigError: a setting that cannot work, here or in the iteration: such as a missing
                key, which no request could do without.
            RequestError: a single request, or a keyword that no request could be sent with.
        """
        options = Options(
            budget, deadline_s, start_at, stop_at, conversation, tags, metadata, parent
        )
        begin, flow = self._many(requests, params, options, Bulk(concurrency, ordered, progress))
        return Many(requests, begin, self._models, flow)

    def complete_rounds(
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
        **params: Any,
    ) -> list[Completion | RunError | RequestError]:
        """Answer many requests in lock-step: all on the first tier, then the rest on the next.

        The keywords are those of `complete` and apply to each request.

        Returns:
            One completion or error per request, in order: a `RunError` with what was spent, or a
            `RequestError` where it could not be sent.

        Raises:
            RequestError: a single request, or a keyword that no request could be sent with.
        """
        options = Options(
            budget, deadline_s, start_at, stop_at, conversation, tags, metadata, parent
        )
        runs = self._begin_all(requests, params, options)
        with Rounds(runs) as rounds:
            lockstep.drive(rounds.lanes, self._models, rounds.done)
        return rounds.results()

    def close(self) -> None:
        """Close what this cascade made: connections, and a store once it holds everything."""
        if isinstance(self._models, LazyModels):
            self._models.close()
        self._close_store()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
