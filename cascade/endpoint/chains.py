"""Which cascade a model name stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from cascade.core.chain import Chain
from cascade.core.tier import Tier
from cascade.engine.asynchronous import AsyncCascade
from cascade.engine.synchronous import Cascade
from cascade.errors import ConfigError

__all__ = ["ALIAS", "OF_CHAINS", "Chains", "Given"]

Engine = TypeVar("Engine", bound=Cascade | AsyncCascade)

One = Chain | Iterable[Tier] | Cascade | AsyncCascade
Given = One | Mapping[str, One]

ALIAS = "cascade"
"""A single chain, given as itself, answers to this name as well as to its own.

Chains in a mapping answer to the names that they have there alone. `cascade serve` always gives a
mapping: its keys, budgets and pages go by those names, and what strangers call "cascade" would
become another chain, or none, with the second one that is served.
"""

OF_CHAINS = ("policy", "allow_unknown_prices")
"""Settings of the chains that are made of lists of tiers."""


class Chains(Generic[Engine]):
    """Cascades by the model name that they answer to.

    Args:
        kind: `Cascade` or `AsyncCascade`.
        given: one chain, which answers to its own name and to "cascade"; or chains by name. Each is
            a `Chain`, a list of tiers, or a cascade of that kind.
        **settings: for the cascades that are made here, as `Cascade` takes them. A path of a store
            is opened once for all of them.

    Raises:
        ConfigError: a chain or a setting that cannot work, a setting of chains where none is made,
            or a cascade of the other kind.
    """

    def __init__(self, kind: type[Engine], given: Given, **settings: Any) -> None:
        self._kind = kind
        self._store: Any = None
        self._made: list[Engine] = []
        if isinstance(settings.get("store"), str | Path):
            from cascade.traces.store import TraceStore  # noqa: PLC0415  loads SQLAlchemy

            self._store = settings["store"] = TraceStore(settings["store"])
        self._making = {key: settings.pop(key) for key in OF_CHAINS if key in settings}
        self._settings = settings
        those = given.values() if isinstance(given, Mapping) else (given,)
        if self._making and all(isinstance(one, Chain | Cascade | AsyncCascade) for one in those):
            raise ConfigError(
                f"{min(self._making)}= goes with a list of tiers; a Chain has its own"
            )
        if isinstance(given, Mapping):
            found = {_checked(name): self._cascade(one, name) for name, one in given.items()}
            if not found:
                raise ConfigError("there is no chain in {}; expected e.g. {'support': chain}")
        else:
            only = self._cascade(given, None)
            found = {only.chain.name: only, ALIAS: only}
        self._found: Mapping[str, Engine] = found

    @property
    def names(self) -> tuple[str, ...]:
        """The names that chains answer to."""
        return tuple(self._found)

    def find(self, model: str) -> Engine | None:
        """The cascade that a model name stands for; `None` for a plain model."""
        return self._found.get(model)

    def close_made(self) -> tuple[Engine, ...]:
        """The cascades that were made here, to be closed; then comes `close_store`."""
        return tuple(self._made)

    def made_by_name(self) -> Iterator[tuple[str, Engine]]:
        """Those that were made here, each by a name that it answers to."""
        for name, engine in self._found.items():
            if any(engine is made for made in self._made):
                yield name, engine

    def close_store(self) -> None:
        """Close the store that was opened here, once it holds everything."""
        if self._store is not None:
            self._store.close()

    def _cascade(self, one: One, name: str | None) -> Engine:
        if isinstance(one, self._kind):
            return one
        if isinstance(one, Cascade | AsyncCascade):
            wanted = "an AsyncCascade" if self._kind is AsyncCascade else "a Cascade"
            raise ConfigError(
                f"{name or one.chain.name!r} is {type(one).__name__}: expected {wanted}, a Chain "
                "or a list of tiers"
            )
        made = self._kind(_chain(one, name, self._making), **self._settings)
        self._made.append(made)
        return made


def _chain(one: Any, name: str | None, settings: Mapping[str, Any]) -> Chain:
    if isinstance(one, Chain):
        return one
    if isinstance(one, str | bytes) or not isinstance(one, Iterable):
        what = f"Tier({one.model!r})" if isinstance(one, Tier) else repr(one)
        raise ConfigError(
            f"{name or 'the chain'} is {what}: expected a Chain, a list of tiers or a cascade, "
            "e.g. [Tier('gpt-5.4-nano'), Tier('gpt-5.5')] or load_chain('support.toml')"
        )
    tiers = cast("tuple[Tier, ...]", tuple(one))
    named = {"name": name} if name else {}
    return Chain(tiers, **{**settings, **named})


def _checked(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"a chain is named {name!r}: expected a text that is not empty")
    return name
