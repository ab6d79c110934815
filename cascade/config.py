"""Chains as data: TOML in, `Chain` out, and the default chain of OpenAI tiers.

```toml
name = "support"

[policy]
on_refusal = "accept"

[[tier]]
model = "gpt-5.4-nano"
threshold = 0.9
scorer = { use = "logprob_confidence", aggregate = "min" }

[[tier]]
model = "local"
endpoint = { base_url = "http://127.0.0.1:8080/v1" }
price = { input = "0", output = "0" }
```

Scorers are found by name in the entry-point group `cascade.scorers`, a chain's `entry` in
`cascade.entries`; a key `scorers` holds the parts of a combinator, and a key ending in `_file` is
replaced by the JSON in that file. The values themselves are checked where they are checked for
Python chains: in `Tier` and `Chain`.
"""

from __future__ import annotations

import difflib
import inspect
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from cascade import clock
from cascade.core.chain import Chain
from cascade.core.policy import Policy
from cascade.core.pricing import Price
from cascade.core.tier import Capabilities, Endpoint, Retry, Tier
from cascade.errors import ConfigError
from cascade.forms.answer_schema import is_type, schema_of_type

__all__ = ["chain_from_dict", "load_chain", "openai_chain", "registered_scorers"]

SCORER_GROUP = "cascade.scorers"
ENTRY_GROUP = "cascade.entries"

CHAIN_KEYS = ("name", "policy", "tier", "allow_unknown_prices", "entry")

TIER_KEYS = (
    "model",
    "name",
    "scorer",
    "threshold",
    "params",
    "preamble",
    "retry",
    "timeout_s",
    "scorer_timeout_s",
    "price",
    "capabilities",
    "endpoint",
    "api",
    "base_model",
)


def load_chain(path: str | Path) -> Chain:
    """Read a chain from a TOML file.

    Raises:
        ConfigError: the file cannot be read, holds a key nobody knows (the nearest one is named),
            or describes a chain that cannot work.
    """
    if not isinstance(path, str | Path):
        raise ConfigError(f"load_chain takes the path of a TOML file, not {path!r}")
    file = Path(path)
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        near = _nearest(file.name, (other.name for other in file.parent.glob("*.toml")))
        raise ConfigError(
            f"chain file {str(file)!r} cannot be read: {error.strerror}{near}; give the path of a "
            "TOML file with a [[tier]] table for each model"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"chain file {str(file)!r} is no UTF-8 text; save it as UTF-8") from error
    except (ValueError, RecursionError) as error:  # no TOML, too long a number, too deep
        raise ConfigError(f"chain file {str(file)!r} is no TOML: {error}") from error
    return chain_from_dict(data, folder=file.parent, where=str(file))


def chain_from_dict(
    data: Mapping[str, Any], *, folder: Path | None = None, where: str = "chain"
) -> Chain:
    """Build a chain from data in the shape of the TOML; raises as `load_chain`.

    Args:
        data: the parsed TOML.
        folder: where `*_file` keys look for their files; the working directory unless given.
        where: how messages name the source.
    """
    _check_keys(data, CHAIN_KEYS, where)
    tables = data.get("tier")
    if not isinstance(tables, list) or not tables:
        hint = "with two brackets" if isinstance(tables, Mapping) else "and below it model = '...'"
        raise ConfigError(
            f"{where}: no [[tier]] table; a chain needs at least one: write [[tier]], {hint}"
        )
    name, unpriced = data.get("name", "chain"), data.get("allow_unknown_prices", False)
    if not isinstance(name, str):
        raise ConfigError(f"{where}: name {name!r} is no text; expected e.g. name = 'support'")
    if not isinstance(unpriced, bool):
        raise ConfigError(f"{where}: allow_unknown_prices={unpriced!r}; expected true or false")
    reader = _Reader(folder or Path())
    tiers = tuple(
        reader.tier(table, f"{where}: tier {number}") for number, table in enumerate(tables, 1)
    )
    policy = _build(Policy, data.get("policy", {}), f"{where}: policy")
    entry = (
        reader.plugin(data["entry"], f"{where}: entry", ENTRY_GROUP) if "entry" in data else None
    )
    try:
        return Chain(
            tiers,
            policy=policy,
            name=name,
            allow_unknown_prices=unpriced,
            today=clock.today(),
            entry=entry,
        )
    except ConfigError as error:
        raise type(error)(f"{where}: {error}") from error


def openai_chain(schema: Mapping[str, Any] | type | None = None) -> Chain:
    """The four-tier default: gpt-5.4-nano, gpt-5.4-mini, gpt-5.4, gpt-5.5.

    A starting point, not a recommendation: thresholds are unmeasured on your data, and a shorter
    chain is often cheaper.

    Args:
        schema: a JSON schema that answers must satisfy, or a pydantic class; it is checked first,
            for free.

    Raises:
        ConfigError: the schema is neither.
    """
    sure: dict[str, Any] = {"use": "logprob_confidence", "aggregate": "mean"}
    if schema is not None:
        made = schema_of_type(schema) if is_type(schema) else schema
        if not isinstance(made, Mapping):
            raise ConfigError(
                f"openai_chain: schema is {schema!r}: expected a JSON Schema such as "
                "{'type': 'object', ...}, or a pydantic class"
            )
        valid = {"use": "json_schema", "schema": dict(made)}
        sure["over"] = "json_values"
        sure = {"use": "first_reject", "scorers": [valid, sure]}
    reader = _Reader(Path())
    thresholds = {"gpt-5.4-nano": 0.9, "gpt-5.4-mini": 0.85, "gpt-5.4": 0.8}
    tiers = [
        Tier(model, scorer=reader.scorer(sure, "openai_chain"), threshold=threshold)
        for model, threshold in thresholds.items()
    ]
    return Chain((*tiers, Tier("gpt-5.5")), name="openai", today=clock.today())


def registered_scorers() -> dict[str, EntryPoint]:
    """Scorers that installed packages have registered, by name."""
    return registered(SCORER_GROUP)


@cache
def registered(group: str) -> dict[str, EntryPoint]:
    """What installed packages have registered in a group of entry points, by name."""
    return {point.name: point for point in entry_points(group=group)}


class _Reader:
    """Turns tables into values."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tier(self, table: object, where: str) -> Tier:
        settings = dict(_mapping(table, where))
        _check_keys(settings, TIER_KEYS, where)
        if "model" not in settings:
            raise ConfigError(f"{where}: no model; expected e.g. model = 'gpt-5.4-nano'")
        name = settings.get("name", settings["model"])
        where = f"{where} ({name})"
        builders = {
            "scorer": self.scorer,
            "retry": lambda value, place: _build(Retry, value, place),
            "capabilities": lambda value, place: _build(Capabilities, value, place),
            "price": _price,
        }
        for key, build in builders.items():
            if key in settings:
                settings[key] = build(settings[key], f"{where}: {key}")
        if "endpoint" in settings:
            endpoint = settings.pop("endpoint")
            settings["client"] = _build(Endpoint, endpoint, f"{where}: endpoint")
        try:
            return Tier(**settings)
        except ConfigError as error:
            raise type(error)(_placed(error, where, f"tier {name!r}")) from error

    def scorer(self, table: object, where: str) -> Any:
        return self.plugin(table, where, SCORER_GROUP)

    def plugin(self, table: object, where: str, group: str) -> Any:
        """A scorer, or an entry, from its table."""
        settings = dict(_mapping(table, where, f" such as {{ use = {_example(group)!r} }}"))
        if "use" not in settings:
            raise ConfigError(f"{where}: no use; expected e.g. use = {_example(group)!r}")
        name = settings.pop("use")
        build, place = _registered(name, where, group), f"{where} {name!r}"
        parts = self._parts(settings, f"{where}.{name}", place)
        settings = {
            key.removesuffix("_file"): self._json(value, where) if key.endswith("_file") else value
            for key, value in settings.items()
        }
        _check_signature(build, settings, place, has_parts=bool(parts))
        try:
            return build(*parts, **settings)
        except (TypeError, ValueError) as error:
            raise ConfigError(_placed(error, place, getattr(build, "__name__", ""))) from error

    def _parts(self, settings: dict[str, Any], name: str, place: str) -> list[Any]:
        """The scorers that a combinator holds, taken out of its settings."""
        tables = settings.pop("scorers", [])
        if not isinstance(tables, list):
            raise ConfigError(f"{place}: scorers is {tables!r}: expected a list of scorer tables")
        if isinstance(settings.get("scorer"), Mapping | list):
            raise ConfigError(f"{place} holds others in scorers = [{{ ... }}]")
        return [self.scorer(part, f"{name}[{index}]") for index, part in enumerate(tables)]

    def _json(self, name: object, where: str) -> Any:
        if not isinstance(name, str):
            raise ConfigError(f"{where}: {name!r} is no file name")
        file = self._folder / name
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{where}: file {str(file)!r}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{where}: file {str(file)!r} is no JSON: {error}") from error


def _check_signature(
    build: Any, settings: Mapping[str, Any], place: str, *, has_parts: bool
) -> None:
    """See that what builds a scorer or an entry can be called so; parts come by position."""
    parameters = inspect.signature(build).parameters.values()
    rest = {p.kind for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    named = {p.name: p for p in parameters if p.kind not in rest}
    if inspect.Parameter.VAR_KEYWORD not in rest:
        _check_keys(settings, named, place)
    if has_parts and not (
        inspect.Parameter.VAR_POSITIONAL in rest or any("scorer" in name for name in named)
    ):
        raise ConfigError(f"{place} holds no other scorers; leave scorers out")
    known = {*settings, *(("scorer", "scorers") if has_parts else ())}
    missing = [
        "scorers" if name == "scorer" else name  # as the table calls it
        for name, parameter in named.items()
        if parameter.default is parameter.empty and name not in known
    ]
    if missing:
        raise ConfigError(f"{place} needs {', '.join(missing)} as well")


def _registered(name: object, where: str, group: str) -> Any:
    known = registered(group)
    if not isinstance(name, str) or name not in known:
        raise ConfigError(
            f"{where}: use={name!r} is no registered {_kind(group)}{_nearest(str(name), known)}; "
            f"there are {', '.join(sorted(known)) or 'none: is the package installed?'}"
        )
    try:
        return known[name].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{where} {name!r} cannot be loaded: {error}") from error


def _kind(group: str) -> str:
    return "scorer" if group == SCORER_GROUP else "entry"


def _example(group: str) -> str:
    return "logprob_confidence" if group == SCORER_GROUP else "learned_entry"


def _price(table: object, where: str) -> Price:
    settings = dict(_mapping(table, where))
    _check_keys(settings, ("input", "output", "cached_input", "cache_write"), where)
    missing = [name for name in ("input", "output") if name not in settings]
    if missing:
        raise ConfigError(
            f"{where}: {' and '.join(missing)} missing; expected dollars per million tokens, e.g. "
            "price = { input = '0.20', output = '1.25' }"
        )
    try:
        return Price.of(**settings)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _build(kind: Any, table: object, where: str) -> Any:
    settings = _mapping(table, where)
    _check_keys(settings, [spec.name for spec in fields(kind)], where)
    needed = [spec.name for spec in fields(kind) if spec.default is spec.default_factory]
    missing = [name for name in needed if name not in settings]
    if missing:
        raise ConfigError(f"{where} needs {', '.join(missing)}")
    try:
        return kind(**settings)
    except (ConfigError, TypeError) as error:
        raise ConfigError(_placed(error, where, kind.__name__)) from error


def _placed(error: Exception, where: str, said: str) -> str:
    """What is wrong after its place in the file, without the name that the place says already."""
    return f"{where}: {str(error).removeprefix(f'{said}: ')}"


def _mapping(table: object, where: str, example: str = " of settings") -> Mapping[str, Any]:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: expected a table{example}, got {table!r}")
    return table


def _check_keys(table: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    known = list(allowed)
    for key in table:
        if key not in known:
            raise ConfigError(
                f"{where}: unknown key {key!r}{_nearest(key, known)}; "
                f"allowed are {', '.join(sorted(known))}"
            )


def _nearest(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
