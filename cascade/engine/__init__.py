"""`Cascade` and `AsyncCascade`: wiring only.

They start a request, own its ledger, let a driver run the decision loop, and close the ledger into
a trace whatever happens, cancellation included. Both never change after they are built and are safe
to share between threads and tasks.
"""

from cascade.engine.async_many import AsyncMany
from cascade.engine.asynchronous import AsyncCascade
from cascade.engine.completion import Chunk, Completion
from cascade.engine.many import Many
from cascade.engine.replaying import replay
from cascade.engine.results import ManyResult, Progress
from cascade.engine.sticky import Sticky
from cascade.engine.streams import AsyncCompletionStream, CompletionStream
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
