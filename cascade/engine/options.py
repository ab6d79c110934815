"""What a caller may say about one request besides what is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cascade.core.budget import Budget
from cascade.core.request import Asked, Request
from cascade.core.trace import Trace

if TYPE_CHECKING:
    from cascade.engine.completion import Completion

__all__ = ["NO_OPTIONS", "Options", "OwnOptions"]


@dataclass(slots=True)
class Options:
    """The keywords of `complete` and its like that are no wire parameters; see `Cascade.complete`.

    Attributes:
        budget: dollars for this request, or a shared `Budget`.
        deadline_s: seconds for this request.
        start_at: name of the first tier to ask.
        stop_at: name of the last tier that may be asked.
        conversation: id under which the tier that answers is remembered.
        tags: marks of the trace.
        metadata: labels of the trace.
        parent: the trace or run that this request is made for.
    """

    budget: Budget | str | int | Decimal | None = None
    deadline_s: float | None = None
    start_at: str | None = None
    stop_at: str | None = None
    conversation: str | None = None
    tags: Iterable[str] = ()
    metadata: Mapping[str, Any] | None = None
    parent: str | Trace | Completion | None = None

    def request(self, asked: Asked | Request, params: Mapping[str, Any]) -> Request:
        """The request, with its labels; raises `RequestError` where it cannot be sent."""
        if isinstance(asked, Request):
            request = asked.extended(params, metadata=self.metadata)
        else:
            request = Request.build(asked, params, metadata=self.metadata)
        return request.marked(self.tags, self.parent)

    def tag_list(self) -> Iterable[str]:
        """The tags, to be read more than once; what is no list of tags stays as it is."""
        is_list = isinstance(self.tags, Iterable) and not isinstance(self.tags, str)
        return tuple(self.tags) if is_list else self.tags


@dataclass(frozen=True, slots=True)
class OwnOptions:
    """One of many requests, with what is said for it alone.

    Attributes:
        asked: the request.
        keywords: fields of `Options`; they win over what is said for all, tags are added to those
            of all.
    """

    asked: Asked | Request
    keywords: Mapping[str, Any]

    def over(self, common: Options) -> Options:
        """The options of all requests with this one's own laid over."""
        own = replace(common, **self.keywords)
        return replace(own, tags=(*common.tags, *self.keywords.get("tags", ())))


NO_OPTIONS = Options()
"""Nothing said."""
