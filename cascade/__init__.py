"""Cascade sends each request to the cheapest model that answers it well, and books every cent.

```python
from cascade import Cascade, Tier
from scorers import LogprobConfidence

llm = Cascade([
    Tier("gpt-5.4-nano", scorer=LogprobConfidence(), threshold=0.9),
    Tier("gpt-5.5"),
])
done = llm.complete("Where is my parcel?")
print(done.text, done.tier, done.cost_usd, done.saved_usd)
print(done.trace)
```

Public names are loaded when they are first used: importing the package loads neither the SDK nor
numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cascade.config import load_chain, openai_chain
    from cascade.core.budget import Budget
    from cascade.core.chain import Chain, RetiringModelWarning
    from cascade.core.evaluation import evaluate
    from cascade.core.failures import CallFailure
    from cascade.core.policy import Policy
    from cascade.core.pricing import Price
    from cascade.core.reply import Reply, TokenLogprob
    from cascade.core.request import Request
    from cascade.core.route import Start
    from cascade.core.scoring import (
        Abstained,
        Ask,
        Draft,
        Failed,
        Needs,
        Outcome,
        Score,
        Scorer,
        Scoring,
        ask,
        ask_all,
        decide,
        sample,
        scorer_name,
    )
    from cascade.core.tier import Capabilities, Endpoint, Retry, Tier
    from cascade.core.trace import Attempt, Charge, ScoreRecord, Trace
    from cascade.core.usage import Usage
    from cascade.dropin import async_openai_client, openai_client, trace_of
    from cascade.engine import (
        AsyncCascade,
        AsyncMany,
        Cascade,
        Chunk,
        Completion,
        Many,
        ManyResult,
        Progress,
        Sticky,
        replay,
    )
    from cascade.errors import (
        BillingStopped,
        BudgetExceeded,
        CallRefused,
        CascadeError,
        CertificateVoid,
        ChainExhausted,
        ConfigError,
        DeadlineExceeded,
        InvalidAnswer,
        NotCertifiable,
        RecordingError,
        ReplayError,
        RequestError,
        RunError,
        ScorerError,
        StoreError,
        StreamInterrupted,
        TraceError,
        TraceVersionError,
        UnknownPriceError,
    )
    from cascade.traces.diff import TraceDiff, diff_traces
    from cascade.traces.page import trace_html
    from cascade.traces.stats import Stats, trace_stats
    from cascade.traces.store import TraceStore
    from cascade.traces.tree import CostTree, Spent, cost_tree

__version__ = "0.1.0"

_HOMES = {
    "cascade.config": ("load_chain", "openai_chain"),
    "cascade.core.budget": ("Budget",),
    "cascade.core.chain": ("Chain", "RetiringModelWarning"),
    "cascade.core.evaluation": ("evaluate",),
    "cascade.core.failures": ("CallFailure",),
    "cascade.core.policy": ("Policy",),
    "cascade.core.pricing": ("Price",),
    "cascade.core.reply": ("Reply", "TokenLogprob"),
    "cascade.core.request": ("Request",),
    "cascade.core.route": ("Start",),
    "cascade.core.scoring": (
        "Abstained",
        "Ask",
        "Draft",
        "Failed",
        "Needs",
        "Outcome",
        "Score",
        "Scorer",
        "Scoring",
        "ask",
        "ask_all",
        "decide",
        "sample",
        "scorer_name",
    ),
    "cascade.core.tier": ("Capabilities", "Endpoint", "Retry", "Tier"),
    "cascade.core.trace": ("Attempt", "Charge", "ScoreRecord", "Trace"),
    "cascade.core.usage": ("Usage",),
    "cascade.dropin": ("async_openai_client", "openai_client", "trace_of"),
    "cascade.engine": (
        "AsyncCascade",
        "AsyncMany",
        "Cascade",
        "Chunk",
        "Completion",
        "Many",
        "ManyResult",
        "Progress",
        "Sticky",
        "replay",
    ),
    "cascade.errors": (
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
    ),
    "cascade.traces.diff": ("TraceDiff", "diff_traces"),
    "cascade.traces.page": ("trace_html",),
    "cascade.traces.stats": ("Stats", "trace_stats"),
    "cascade.traces.store": ("TraceStore",),
    "cascade.traces.tree": ("CostTree", "Spent", "cost_tree"),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Abstained",
    "Ask",
    "AsyncCascade",
    "AsyncMany",
    "Attempt",
    "BillingStopped",
    "Budget",
    "BudgetExceeded",
    "CallFailure",
    "CallRefused",
    "Capabilities",
    "Cascade",
    "CascadeError",
    "CertificateVoid",
    "Chain",
    "ChainExhausted",
    "Charge",
    "Chunk",
    "Completion",
    "ConfigError",
    "CostTree",
    "DeadlineExceeded",
    "Draft",
    "Endpoint",
    "Failed",
    "InvalidAnswer",
    "Many",
    "ManyResult",
    "Needs",
    "NotCertifiable",
    "Outcome",
    "Policy",
    "Price",
    "Progress",
    "RecordingError",
    "ReplayError",
    "Reply",
    "Request",
    "RequestError",
    "RetiringModelWarning",
    "Retry",
    "RunError",
    "Score",
    "ScoreRecord",
    "Scorer",
    "ScorerError",
    "Scoring",
    "Spent",
    "Start",
    "Stats",
    "Sticky",
    "StoreError",
    "StreamInterrupted",
    "Tier",
    "TokenLogprob",
    "Trace",
    "TraceDiff",
    "TraceError",
    "TraceStore",
    "TraceVersionError",
    "UnknownPriceError",
    "Usage",
    "ask",
    "ask_all",
    "async_openai_client",
    "cost_tree",
    "decide",
    "diff_traces",
    "evaluate",
    "load_chain",
    "openai_chain",
    "openai_client",
    "replay",
    "sample",
    "scorer_name",
    "trace_html",
    "trace_of",
    "trace_stats",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'cascade' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
