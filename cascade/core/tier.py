"""One tier of a chain: a model, how to ask it, and what its answers must show to be accepted."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from cascade.core.plain_json import as_json
from cascade.core.pricing import Price
from cascade.core.request import Message, check_messages
from cascade.core.scoring import Scorer, needs_of, parts_of, scorer_name
from cascade.errors import ConfigError, RequestError
from cascade.forms.answer_schema import BadFormat, with_schema_in_params
from cascade.forms.api import Api
from cascade.forms.convert import preamble_for
from cascade.forms.equivalent import NoEquivalent
from cascade.forms.overlay import lay_over

__all__ = ["Capabilities", "Endpoint", "Retry", "Tier", "is_positive"]

DEFAULT_THRESHOLD = 0.5
"""A scorer that says yes or no scores 1 or 0; half separates the two. Choose others from data."""

DEFAULT_TIMEOUT_S = 600.0
"""The SDK's own; a reasoning model may think for minutes."""

DEFAULT_SCORER_TIMEOUT_S = 30.0
"""A scorer that has said nothing by then has failed: the answer it holds back is already paid."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often one call is tried on its own tier, and how long it waits in between.

    Attributes:
        max_tries: tries in all, 1 to 20; 1 means no retry.
        initial_s: first wait in seconds, doubled each time, with jitter.
        max_wait_s: longest single wait. Where the provider asks for more (`retry-after`), the tier
            gives up at once instead of sleeping: the next tier may have room.
    """

    max_tries: int = 3
    initial_s: float = 0.5
    max_wait_s: float = 30.0

    def __post_init__(self) -> None:
        tries: object = self.max_tries
        if type(tries) is not int or not 1 <= tries <= 20:  # noqa: PLR2004  as documented
            raise ConfigError(f"Retry: max_tries {tries!r} is no whole number from 1 to 20")
        for name in ("initial_s", "max_wait_s"):
            value = getattr(self, name)
            if value != 0 and not is_positive(value):
                raise ConfigError(f"Retry: {name} {value!r} is not a number of seconds >= 0")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible server for one tier, as data (a TOML chain can hold it).

    Attributes:
        base_url: e.g. "http://127.0.0.1:8080/v1".
        api_key_env: name of the environment variable with the key; the key itself is never kept.
            `None` sends a placeholder, which local servers accept.
    """

    base_url: str
    api_key_env: str | None = None

    def __post_init__(self) -> None:
        host = str(self.base_url).partition("://")[2].partition("/")[0]
        if "@" in host:
            raise ConfigError(
                "Endpoint: base_url holds a user or password, which traces and logs would show; "
                "put the key into an environment variable and name it with api_key_env="
            )
        if not str(self.base_url).startswith(("http://", "https://")):
            raise ConfigError(
                f"Endpoint: base_url {self.base_url!r} is no URL; expected http(s)://host/v1"
            )
        variable: object = self.api_key_env
        if variable is not None and (not isinstance(variable, str) or not variable):
            raise ConfigError(
                f"Endpoint: api_key_env {variable!r} is no name of an environment variable; "
                "expected e.g. 'OPENAI_API_KEY'"
            )


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model that is not in the table can do.

    Attributes:
        logprobs: whether it returns token log-probabilities.
        max_top_logprobs: how many alternatives per token at most.
        max_output_tokens: longest answer; needed for a budget where a request sets no limit.
        max_input_tokens: longest prompt.
    """

    logprobs: bool = True
    max_top_logprobs: int = 20
    max_output_tokens: int | None = None
    max_input_tokens: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.logprobs, bool):
            raise ConfigError(f"Capabilities: logprobs {self.logprobs!r} is not true or false")
        least = {"max_top_logprobs": 0, "max_output_tokens": 0, "max_input_tokens": 0}
        for name, lowest in least.items():
            value = getattr(self, name)
            missing = value is None and name != "max_top_logprobs"
            if not missing and (type(value) is not int or value < lowest):
                raise ConfigError(
                    f"Capabilities: {name} {value!r} is no whole number from {lowest}"
                )


@dataclass(frozen=True, slots=True)
class Tier:
    """A model, its scorer and the threshold its score must reach.

    Attributes:
        model: model id as the API knows it.
        name: name within the chain; the model id unless given. Two tiers may share a model when
            their names differ.
        scorer: judges each draft of this tier; without one every usable answer is accepted. On the
            last tier it is recorded and changes nothing: that answer stands.
        threshold: accepted means score >= threshold; in [0, 1].
        params: wire parameters of this tier, laid over the request's own; `None` removes one. They
            may have either API's names: `reasoning_effort` becomes `reasoning.effort` where this
            tier is asked through the Responses API. `text` and `reasoning` are laid over part by
            part: a verbosity leaves the request's schema alone.
        preamble: messages put before the request's own (after its leading system messages), e.g.
            worked examples for a small model.
        retry: tries on this tier.
        timeout_s: longest wait for one try, in seconds.
        scorer_timeout_s: longest time one step of a scorer of yours may take, in seconds; `None`
            waits for ever and runs it on the calling thread.
        price: overrides the price table; needed for models it does not hold.
        capabilities: overrides what the table knows of the model.
        client: an `openai` client or an `Endpoint`, where this tier lives elsewhere.
        api: "chat" or "responses": where this tier is asked, whatever form the request came in;
            `None` asks it where the request was meant for.
        base_model: the model of the price table that `model` stands for, where it is a deployment
            name (Azure) or an alias: its price, limits and abilities apply.

    Raises:
        ConfigError: a value outside its range; the message names tier and value.
    """

    model: str
    name: str = ""
    scorer: Scorer | None = None
    threshold: float = DEFAULT_THRESHOLD
    params: Mapping[str, Any] = field(default_factory=dict)
    preamble: tuple[Message, ...] = ()
    retry: Retry = field(default_factory=Retry)
    timeout_s: float = DEFAULT_TIMEOUT_S
    scorer_timeout_s: float | None = DEFAULT_SCORER_TIMEOUT_S
    price: Price | None = None
    capabilities: Capabilities | None = None
    client: Any = None  # an SDK client: the core does not know its type
    api: Api | None = None
    base_model: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model.strip():
            raise ConfigError(f"a tier's model is {self.model!r}: expected a model id")
        if not isinstance(self.name, str):
            raise ConfigError(f"tier {self.model!r}: name {self.name!r} is no text")
        if not self.name:
            object.__setattr__(self, "name", self.model)
        self._check_values()
        if isinstance(self.params, Mapping):  # a copy: what is checked here cannot change later
            object.__setattr__(self, "params", deepcopy(dict(self.params)))
        self._check_threshold()
        self._check_scorer()
        self._check_place()
        self._check_params()
        self._check_preamble()
        self._check_timeouts()

    def _check_values(self) -> None:
        for label, kind, example in (
            ("price", Price, "Price.of('0.20', '1.25')"),
            ("retry", Retry, "Retry(max_tries=1)"),
            ("capabilities", Capabilities, "Capabilities(logprobs=False)"),
        ):
            value = getattr(self, label)
            if not isinstance(value, kind) and (value is not None or label == "retry"):
                raise ConfigError(
                    f"tier {self.name!r}: {label} is {value!r}: expected e.g. {example}"
                )

    def _check_place(self) -> None:
        if self.api not in (None, "chat", "responses"):
            raise ConfigError(
                f"tier {self.name!r}: api {self.api!r} is unknown; expected 'chat' or 'responses', "
                "or leave it out to ask where the request was meant for"
            )
        base: object = self.base_model
        if base is not None and (not isinstance(base, str) or not base.strip()):
            raise ConfigError(f"tier {self.name!r}: base_model {base!r} is no model id")

    def _check_timeouts(self) -> None:
        for label in ("timeout_s", "scorer_timeout_s"):
            value = getattr(self, label)
            without = label == "scorer_timeout_s" and value is None
            if not without and not is_positive(value):
                raise ConfigError(
                    f"tier {self.name!r}: {label} {value!r} is not a number of seconds above 0"
                )

    def _check_threshold(self) -> None:
        value = self.threshold
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"tier {self.name!r}: threshold {value!r} is not a number in [0, 1]")
        if math.isnan(value) or not 0 <= value <= 1:
            raise ConfigError(f"tier {self.name!r}: threshold {value!r} is outside [0, 1]")

    def _check_scorer(self) -> None:
        if self.scorer is None or callable(self.scorer):
            if isinstance(self.scorer, type):
                raise ConfigError(
                    f"tier {self.name!r}: scorer {self.scorer.__name__} is a class; "
                    f"make one: {self.scorer.__name__}(...)"
                )
            for part in (self.scorer, *parts_of(self.scorer)):
                needs_of(part)  # raises where it is declared wrongly
                self._check_signature(part)
            return
        raise ConfigError(
            f"tier {self.name!r}: scorer {self.scorer!r} is not callable; "
            "expected a function of a draft or an object like LogprobConfidence()"
        )

    def _check_signature(self, scorer: Any) -> None:
        """Refuse a scorer that cannot be called with a draft alone: it would fail every time."""
        try:
            signature = inspect.signature(scorer)
        except (TypeError, ValueError):  # some built-in functions do not tell
            return
        try:
            signature.bind(None)
        except TypeError as error:
            raise ConfigError(
                f"tier {self.name!r}: scorer {scorer_name(scorer)!r} takes {signature}; it is "
                "called with one argument, the draft"
            ) from error

    def _check_params(self) -> None:
        if not isinstance(self.params, Mapping):
            raise ConfigError(
                f"tier {self.name!r}: params is {self.params!r}: expected a mapping, "
                "e.g. {'reasoning_effort': 'none'}"
            )
        n = self.params.get("n")
        if n is not None and n != 1:
            raise ConfigError(f"tier {self.name!r}: params n={n!r}; a tier gives one answer")
        for key in ("model", "messages", "input", "stream", "background"):
            if key in self.params and (key != "background" or self.params[key]):
                raise ConfigError(
                    f"tier {self.name!r}: params cannot set {key!r}; "
                    "use model=, preamble= or .stream()"
                )
        for key in ("extra_body", "extra_headers", "extra_query"):
            if key in self.params:  # keywords of the SDK; here they would be sent as they stand
                raise ConfigError(
                    f"tier {self.name!r}: params cannot set {key!r}; put keys of the body into "
                    "params themselves, give headers and query to the client"
                )
        try:
            as_json(dict(self.params), "params")
            object.__setattr__(self, "params", with_schema_in_params(self.params))
            if self.api is not None:
                lay_over({}, self.params, self.api)
        except (RequestError, NoEquivalent, BadFormat) as error:
            raise ConfigError(f"tier {self.name!r}: params: {error}") from error

    def _check_preamble(self) -> None:
        if not self.preamble:
            object.__setattr__(self, "preamble", ())
            return
        given: object = self.preamble
        if not isinstance(given, list | tuple):
            text = given if isinstance(given, str) else "..."
            raise ConfigError(
                f"tier {self.name!r}: preamble is {given!r:.60}: expected a list of messages, e.g. "
                f"[{{'role': 'system', 'content': {text[:40]!r}}}]"
            )
        try:
            check_messages(list(self.preamble), "preamble")
            as_json(list(self.preamble), "preamble")
            if self.api is not None:
                preamble_for(tuple(self.preamble), self.api)
        except RequestError as error:
            raise ConfigError(f"tier {self.name!r}: {error}") from error
        except NoEquivalent as error:
            other = "responses" if self.api == "chat" else "chat"
            raise ConfigError(
                f"tier {self.name!r}: {error}; say it otherwise, or give the tier api={other!r}"
            ) from error
        object.__setattr__(self, "preamble", tuple(self.preamble))


def is_positive(value: object) -> bool:
    """Whether a value is a finite number above 0; a bool or text is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value > 0
