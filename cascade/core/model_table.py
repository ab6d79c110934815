"""What each model costs and can do, as a dated table, and how model names are looked up in it.

Knows names, dates and limits. Knows no files: `cascade.data` reads the shipped table.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, Literal

from cascade.core.price import Price
from cascade.errors import ConfigError

__all__ = ["Logprobs", "ModelInfo", "ModelTable", "is_regional"]

Logprobs = Literal["yes", "at_effort_none", "never", "unverified"]

_LOGPROBS: tuple[Logprobs, ...] = ("yes", "at_effort_none", "never", "unverified")
_TIERS = ("standard", "batch", "flex", "priority")
MOST_FOUND = 1000
"""Names whose entries are remembered; servers may answer under any."""

_DATED = re.compile(r"(.+)-([0-9]{4}-[0-9]{2}-[0-9]{2})")
_REGIONAL = re.compile(
    r"https?://(?:[^/?#@]*@)?(?:us|eu|ae|au|in|jp)\.api\.openai\.com(?::[0-9]*)?(?:[/?#].*)?",
    re.IGNORECASE,
)
_DIGEST_CHARS = 12  # 48 bits: tells two tables apart, and still fits a log line


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of one model. `None` means not known, an empty tuple none known.

    Args:
        model: the model's name as sent to the API.
        price: what it costs, `None` where no price is known.
        context_window: tokens of input and output together.
        max_input_tokens: longest input, in tokens.
        max_output_tokens: longest output, reasoning included, in tokens.
        reasoning_efforts: values that `reasoning_effort` may take.
        default_reasoning_effort: the effort applied to a request that names none.
        logprobs: when log-probabilities come back: always, only at effort "none", never, or not
            verified by anyone.
        max_top_logprobs: most alternatives per token that may be asked for.
        shutdown_date: announced last day.
        tool_search: whether the model offers tool search.
        chat_tools_with_effort: whether Chat Completions takes function tools beside a reasoning
            effort; `False` where only the Responses API does.
        decisions_price: what the Decisions API costs with this model, `None` where it is not known.
    """

    model: str
    price: Price | None
    context_window: int | None
    max_input_tokens: int | None
    max_output_tokens: int | None
    reasoning_efforts: tuple[str, ...]
    default_reasoning_effort: str | None
    logprobs: Logprobs
    max_top_logprobs: int | None
    shutdown_date: dt.date | None
    tool_search: bool
    chat_tools_with_effort: bool | None = None
    decisions_price: Price | None = None

    def gives_logprobs(self, effort: str | None) -> bool | None:
        """Whether a request at this reasoning effort gets log-probabilities.

        Args:
            effort: the effort sent, `None` if none is sent and the model's default applies.

        Returns:
            `None` where nobody has verified it.
        """
        if self.logprobs == "unverified":
            return None
        if self.logprobs != "at_effort_none":
            return self.logprobs == "yes"
        applied = self.default_reasoning_effort if effort is None else effort
        return None if applied is None else applied == "none"

    @property
    def reasons(self) -> bool:
        """Whether it is known to reason where a request names no effort."""
        if self.default_reasoning_effort is None:
            return bool(self.reasoning_efforts) and "none" not in self.reasoning_efforts
        return self.default_reasoning_effort != "none"


@dataclass(frozen=True)
class ModelTable:
    """Models by name, as of a date.

    Args:
        as_of: ISO date at which prices and limits were checked.
        digest: short SHA-256 of the table's content, in hex; traces store it.
        models: what is known, by model name.
        snapshots: listed dated snapshots and the model name each belongs to.
    """

    as_of: str
    digest: str
    models: Mapping[str, ModelInfo]
    snapshots: Mapping[str, str] = field(default_factory=dict)

    def find(self, model: str) -> ModelInfo | None:
        """What is known of a model, by its exact name, a snapshot, or `name-YYYY-MM-DD`.

        Names are never matched by prefix: `gpt-5.4-nano` is no kind of `gpt-5`. A fine-tuned model
        (`ft:<base>:...`) has its base's abilities and no known price, since it costs more.
        """
        found = self._found
        if model not in found:
            if len(found) >= MOST_FOUND:
                found.clear()
            found[model] = self._find(model)
        return found[model]

    @cached_property
    def _found(self) -> dict[str, ModelInfo | None]:
        """What was looked up: every request asks for the same few names several times."""
        return {}

    def _find(self, model: str) -> ModelInfo | None:
        if model.startswith("ft:"):
            base = self.find(model.split(":")[1])
            if base is None:
                return None
            return replace(base, model=model, price=None, decisions_price=None)
        name = self.snapshots.get(model, model)
        if name not in self.models and (dated := _DATED.fullmatch(model)) and _is_date(dated[2]):
            name = dated[1]
        return self.models.get(name)

    def snapshots_of(self, model: str) -> tuple[str, ...]:
        """The listed dated snapshots of a model: they cost and can do what it does."""
        return tuple(dated for dated, name in self.snapshots.items() if name == model)

    def nearest(self, model: str) -> str | None:
        """The known name closest to a mistyped one, for error messages."""
        import difflib  # noqa: PLC0415  4 ms that only a mistake has to pay

        close = difflib.get_close_matches(model.lower(), self.models, n=1)
        return close[0] if close else None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelTable:
        """Read a table in the format of `cascade/data/models.json`.

        Raises:
            ConfigError: another format or currency, a model listed twice, or a broken entry.
        """
        head = {name: data.get(name) for name in ("schema_version", "currency", "unit")}
        if head != {"schema_version": 1, "currency": "USD", "unit": "per 1,000,000 tokens"}:
            raise ConfigError(f"not a model table in USD per 1,000,000 tokens, version 1: {head!r}")
        models: dict[str, ModelInfo] = {}
        snapshots: dict[str, str] = {}
        for row in data["models"]:
            try:
                info = _model(row, data["as_of"])
                dated = dict.fromkeys(row["snapshots"], info.model)
            except (KeyError, TypeError, ValueError) as error:
                name = row.get("model") if isinstance(row, Mapping) else row
                raise ConfigError(f"model table, entry {name!r}: {error!r}") from error
            if {info.model, *dated} & {*models, *snapshots}:
                raise ConfigError(
                    f"model table: {info.model!r} or a snapshot of it is listed twice"
                )
            models[info.model] = info
            snapshots |= dated
        return cls(
            data["as_of"], _digest(data), MappingProxyType(models), MappingProxyType(snapshots)
        )


@lru_cache(64)
def is_regional(base_url: str | None) -> bool:
    """Whether requests to this address go to a regional host, which may cost more.

    Only OpenAI's own regional hosts count, such as `https://eu.api.openai.com/v1`.
    """
    return base_url is not None and _REGIONAL.fullmatch(base_url.strip()) is not None


def _model(row: Mapping[str, Any], as_of: str) -> ModelInfo:
    if row["logprobs"] not in _LOGPROBS:
        raise ValueError(f"logprobs {row['logprobs']!r} is none of {', '.join(_LOGPROBS)}")
    shutdown = row["shutdown_date"]
    return ModelInfo(
        model=row["model"],
        price=None if row["prices"] is None else _price(row, as_of),
        context_window=row["context_window"],
        max_input_tokens=row["max_input_tokens"],
        max_output_tokens=row["max_output_tokens"],
        reasoning_efforts=tuple(row["reasoning_efforts"]),
        default_reasoning_effort=row["default_reasoning_effort"],
        logprobs=row["logprobs"],
        max_top_logprobs=row["max_top_logprobs"],
        shutdown_date=None if shutdown is None else dt.date.fromisoformat(shutdown),
        tool_search=row["tool_search"],
        chat_tools_with_effort=row.get("chat_tools_with_effort"),
        decisions_price=_decisions_price(row, as_of),
    )


def _decisions_price(row: Mapping[str, Any], as_of: str) -> Price | None:
    """The price of the model's decisions: one rate for every request, whatever its length."""
    rates = row.get("decisions")
    if rates is None:
        return None
    return Price.from_dict({"id": f"{row['model']}/decisions@{as_of}", "standard": rates})


def _price(row: Mapping[str, Any], as_of: str) -> Price:
    """The entry's prices; the table nests tiers and lengths, `Price` names each pair."""
    rates: dict[str, Any] = {}
    for tier in _TIERS:
        lengths = row["prices"][tier] or {}
        rates |= {tier: lengths.get("short"), f"{tier}_long": lengths.get("long")}
    return Price.from_dict(
        {
            "id": f"{row['model']}@{as_of}",
            **rates,
            "long_context_over": row["long_context_over"],
            "regional_multiplier": row["regional_multiplier"],
        }
    )


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _digest(data: Mapping[str, Any]) -> str:
    # Imported here because only reading a table needs them, not importing this module.
    import hashlib  # noqa: PLC0415
    import json  # noqa: PLC0415

    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:_DIGEST_CHARS]
