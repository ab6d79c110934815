"""Everything Cascade raises.

```
CascadeError
├── ConfigError (also ValueError)      a chain, tier or setting that cannot work
│   └── UnknownPriceError              a model has no price and none was given
├── RequestError (also ValueError)     a request that cannot be sent; before money flows
├── ScorerError                        a scorer's model call failed, or its answer is no score
├── RunError                           no answer; `.trace` holds what was spent
│   ├── ChainExhausted                 every tier failed and none left an answer
│   ├── BudgetExceeded                 the next call could break the cap
│   ├── DeadlineExceeded               time ran out before any answer
│   ├── BillingStopped                 the account cannot pay: credit, spend or usage limit
│   ├── CallRefused                    the provider refuses it on any try (400, 401, 403, 404)
│   └── StreamInterrupted              a stream broke after text had been shown
├── InvalidAnswer                      `Completion.parsed`: the answer does not fit its schema
├── ReplayError                        a recording does not hold a call that the replay asks for
├── RecordingError (also ValueError)   recorded data that cannot be read, or cannot tell
├── NotCertifiable                     the labels do not carry the promise; says what they do carry
├── CertificateVoid                    the chain is not the one that was certified any more
├── TraceError (also ValueError)       a trace that cannot be read
│   └── TraceVersionError              written by a newer version
└── StoreError                         a trace store that cannot be opened, read or written
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cascade.core.failures import CallFailure
    from cascade.core.trace import Trace
    from cascade.engine.completion import Completion

__all__ = [
    "BillingStopped",
    "BudgetExceeded",
    "CallRefused",
    "CascadeError",
    "CertificateVoid",
    "ChainExhausted",
    "ConfigError",
    "DeadlineExceeded",
    "InvalidAnswer",
    "NotCertifiable",
    "RecordingError",
    "ReplayError",
    "RequestError",
    "RunError",
    "ScorerError",
    "StoreError",
    "StreamInterrupted",
    "TraceError",
    "TraceVersionError",
    "UnknownPriceError",
]


class CascadeError(Exception):
    """Base of everything raised here."""


class ConfigError(CascadeError, ValueError):
    """A chain, tier, policy or setting that cannot work; raised before money flows.

    Attributes:
        param: the setting that it is about, where whoever catches it needs to know.
        why: what is wrong, for a form that names the setting itself; else the whole message.
    """

    def __init__(
        self, message: str = "", *, param: str | None = None, why: str | None = None
    ) -> None:
        super().__init__(message)
        self.param = param
        self.why = message if why is None else why


class UnknownPriceError(ConfigError):
    """A model has no price in the table and none was given."""


class RequestError(CascadeError, ValueError):
    """A request that cannot be sent; raised before money flows.

    Attributes:
        param: the part of the request that it is about, where that is one.
        code: OpenAI's code for it, where it has one.
        why: what is wrong, and what helps, for a caller who did not set up the chain; else the
            whole message.
    """

    def __init__(
        self,
        message: str = "",
        *,
        param: str | None = None,
        code: str | None = None,
        why: str | None = None,
    ) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.why = message if why is None else why


class ScorerError(CascadeError):
    """A scorer's model call failed, or what the scorer returned is no score."""


class RunError(CascadeError):
    """A request ended without an answer.

    Attributes:
        trace: everything that happened and was paid until then.
        failure: the call that ended it, where one failed.
    """

    def __init__(self, message: str, trace: Trace) -> None:
        super().__init__(message)
        self.trace = trace
        self.failure: CallFailure | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*self.args, self.trace), self.__dict__  # for copies and processes


class ChainExhausted(RunError):  # noqa: N818  the names of outcomes read better without "Error"
    """Every tier failed and none left an answer."""


class BudgetExceeded(RunError):  # noqa: N818
    """The next call could break the budget, and there is no answer yet or the budget says raise."""


class DeadlineExceeded(RunError):  # noqa: N818
    """Time ran out before there was any answer."""


class BillingStopped(RunError):  # noqa: N818
    """The account cannot pay (credit, spend or usage limit); no retry and no other tier helps."""


class CallRefused(RunError):  # noqa: N818
    """The provider refuses this request on every try: invalid, not allowed, or no such model."""


class StreamInterrupted(RunError):  # noqa: N818
    """A stream broke after text had been shown; `.trace` says what is known of its cost."""


class InvalidAnswer(CascadeError):  # noqa: N818
    """The answer does not fit the structure that was asked for; it is paid for and kept.

    Attributes:
        completion: the answer with its trace and cost.
        path: JSON path of the first place that does not fit, `None` where there is no JSON.
    """

    def __init__(self, message: str, completion: Completion, path: str | None = None) -> None:
        super().__init__(message)
        self.completion = completion
        self.path = path

    @property
    def trace(self) -> Trace:
        """Everything that happened and was paid."""
        return self.completion.trace

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*self.args, self.completion, self.path), self.__dict__


class ReplayError(CascadeError):
    """A recording does not hold a call that the replay asks for."""


class RecordingError(CascadeError, ValueError):
    """Recorded data that cannot be read, or that cannot answer what is asked of it."""


class NotCertifiable(CascadeError):  # noqa: N818
    """The labels do not carry the promise that was asked for.

    Attributes:
        certifiable: the smallest epsilon that they do carry now, as a share; `None` for none.
        labels_needed: about how many labels the promise needs in all; `None` where no number would
            do.
    """

    def __init__(
        self, message: str, *, certifiable: float | None = None, labels_needed: int | None = None
    ) -> None:
        super().__init__(message)
        self.certifiable = certifiable
        self.labels_needed = labels_needed

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, self.__dict__


class CertificateVoid(CascadeError):  # noqa: N818
    """A certificate does not speak of this chain any more: a model, prompt or plan has changed."""


class TraceError(CascadeError, ValueError):
    """A trace that cannot be read."""


class TraceVersionError(TraceError):
    """A trace written by a newer version of Cascade."""


class StoreError(CascadeError):
    """A trace store that cannot be opened, read or written."""
