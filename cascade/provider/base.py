"""What the sync and the async client share: the SDK's clients, and the memory of downgrades."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from cascade.core.failures import CallFailure
from cascade.core.reply import Reply
from cascade.core.tier import Endpoint, Tier
from cascade.core.wishes import ModelCall, Try
from cascade.errors import ConfigError
from cascade.provider.downgrades import Downgrades
from cascade.provider.exchange import Exchange, Way, base_url_of

__all__ = ["ClientSettings", "ModelsBase", "Place", "StreamedCall"]

PLACEHOLDER_KEY = "no-key-needed"
"""Sent to endpoints without `api_key_env`: the SDK insists on a key, local servers do not."""


ALIVE: WeakSet[ModelsBase] = WeakSet()
"""Whoever may hold connections when the process forks."""


STEADY = frozenset(
    {"api_key", "base_url", "default_headers", "default_query", "max_retries", "organization"}
    | {"project"}
)
"""Settings that make every request of a client alike."""


@dataclass(frozen=True, eq=False)
class ClientSettings:
    """What SDK clients are made with, one in each place where connections can be used.

    Attributes:
        values: arguments of the SDK's class.
    """

    values: Mapping[str, Any] = field(repr=False)  # there is a key among them

    @property
    def are_steady(self) -> bool:
        """Whether nothing is asked anew for a request, such as a key that changes."""
        return self.values.keys() <= STEADY and isinstance(self.values.get("api_key", ""), str)


Place = Endpoint | ClientSettings | None
"""Where a client made here sends; `None` where the environment says."""


class ModelsBase:
    """SDK clients, one per endpoint, and what models were found not to accept."""

    sdk_class = "OpenAI"

    def __init__(
        self, client: Any = None, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._default = client
        self._clock = clock
        self._memory = Downgrades()
        self._made: dict[Any, dict[Place, Any]] = {}
        self._ways: WeakKeyDictionary[Any, Way] = WeakKeyDictionary()
        self._lock = Lock()
        self._ready: tuple[Any, Any] | None = None
        self._inherited: list[Any] = []
        ALIVE.add(self)

    def begin_anew(self) -> None:
        """Leave the clients to the process that this one was forked from.

        Over a shared connection one would read the answers of the other. They are kept and not
        closed: an event loop that closes connections here lets go of them in the parent as well.
        """
        self._inherited.append(self._made)
        self._made, self._ready, self._lock = {}, None, Lock()

    def prepare(self, tiers: Iterable[Tier]) -> None:
        """Make the clients of all tiers, so that a missing key is found before money flows.

        Raises:
            ConfigError: a key is missing.
        """
        try:
            ready = (self._home(), tiers)
        except RuntimeError:
            return  # no event loop runs yet: its clients are made with the first call
        if self._ready == ready:
            return
        for tier in tiers:
            self._find(tier)
        self._ready = ready

    def _client(self, call: ModelCall) -> Any:
        """The SDK client for a call; without one, the call is written down as not sent.

        Returns:
            The client, or a failure where a scorer asks a model that nobody has a key for.

        Raises:
            ConfigError: a tier's own key is missing.
        """
        try:
            return self._find(call.tier)
        except ConfigError as error:
            failure = CallFailure("unreachable", str(error))
            call.tries.append(Try("unreachable", self._clock(), 0.0, failure=failure))
            if call.purpose == "scorer":
                return failure
            raise

    def _find(self, tier: Tier) -> Any:
        """A tier's own client, its endpoint's, or the chain's."""
        place = tier.client if tier.client is not None else self._default
        if place is not None and not isinstance(place, Endpoint | ClientSettings):
            return place
        home = self._home()
        found = self._made.get(home, {}).get(place)
        if found is not None:
            return found
        with self._lock:
            made = self._made.setdefault(home, {})
            if place not in made:
                made[place] = self._make(place)
            return made[place]

    def _home(self) -> Any:
        """Where connections can be used: anywhere (`None`), or in one event loop."""
        return None

    def _make(self, place: Place) -> Any:
        return self._sdk_client(place)

    def _sdk_client(self, place: Place, http: Any = None) -> Any:
        """A new client of the SDK; `http` is what it sends with, `None` for its own."""
        import openai  # noqa: PLC0415  takes 0.8 s: with the first call, not with the package

        sdk = getattr(openai, self.sdk_class)
        settings = {"max_retries": 0, "http_client": http}
        try:
            if isinstance(place, ClientSettings):
                return sdk(**{**place.values, **settings})
            if place is None:
                return sdk(**settings)
            return sdk(base_url=place.base_url, api_key=_key(place), **settings)
        except openai.OpenAIError as error:
            raise ConfigError(
                f"the OpenAI client cannot be made: {error} Set OPENAI_API_KEY, pass client=, "
                "or give the tier an Endpoint(...)"
            ) from error

    def _exchange(self, call: ModelCall, client: Any, *, stream: bool = False) -> Exchange:
        return Exchange(
            call, client, self._memory, self._clock, stream=stream, way=self._way(client)
        )

    def _way(self, client: Any) -> Way:
        """How a client's calls go out; made anew where somebody points it elsewhere."""
        try:
            way = self._ways.get(client)
            if way is None or way.base_url is not base_url_of(client):
                way = self._ways[client] = Way.of(client, way and way.short)
        except TypeError:  # a client of the user's, of a class that cannot be looked up
            return Way.of(client)
        return way

    def _forget(self) -> list[Any]:
        """The clients made here, to be closed; the next call makes new ones."""
        with self._lock:
            self._ready = None
            return list(self._made.pop(self._home(), {}).values())


class StreamedCall:
    """A final answer as it arrives: iterate its chunks, then read `outcome`.

    Attributes:
        outcome: the reply or the failure, once the chunks are exhausted.
    """

    def __init__(self) -> None:
        self.outcome: Reply | CallFailure | None = None


def _key(endpoint: Endpoint) -> str:
    if endpoint.api_key_env is None:
        return PLACEHOLDER_KEY
    key = os.environ.get(endpoint.api_key_env)
    if not key:
        raise ConfigError(
            f"endpoint {endpoint.base_url}: environment variable {endpoint.api_key_env} is not "
            "set; export it, or leave api_key_env out for a server that needs no key"
        )
    return key


def _in_child() -> None:
    for models in tuple(ALIVE):
        models.begin_anew()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_in_child)
