"""`Cascade` and `AsyncCascade`: wiring only.

They start a request, own its ledger, let a driver run the decision loop, and close the ledger into
a trace whatever happens, cancellation included. Both never change after they are built and are safe
to share between threads and tasks.

Each is loaded when it is first used: asyncio alone takes 30 ms, and half of all programs await
nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cascade.engine.async_many import AsyncMany
    from cascade.engine.async_streams import AsyncCompletionStream
    from cascade.engine.asynchronous import AsyncCascade
    from cascade.engine.completion import Chunk, Completion
    from cascade.engine.many import Many
    from cascade.engine.replaying import replay
    from cascade.engine.results import ManyResult, Progress
    from cascade.engine.sticky import Sticky
    from cascade.engine.streams import CompletionStream
    from cascade.engine.synchronous import Cascade

__all__ = [
    "AsyncCascade",
    "AsyncCompletionStream",
    "AsyncMany",
    "Cascade",
    "Chunk",
    "Completion",
    "CompletionStream",
    "Many",
    "ManyResult",
    "Progress",
    "Sticky",
    "replay",
]

_HOMES = {
    "AsyncCascade": "asynchronous",
    "AsyncCompletionStream": "async_streams",
    "AsyncMany": "async_many",
    "Cascade": "synchronous",
    "Chunk": "completion",
    "Completion": "completion",
    "CompletionStream": "streams",
    "Many": "many",
    "ManyResult": "results",
    "Progress": "results",
    "Sticky": "sticky",
    "replay": "replaying",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'cascade.engine' has no attribute {name!r}")
    value = getattr(import_module(f"cascade.engine.{home}"), name)
    globals()[name] = value
    return value
