"""Named evidence: numbers about one answer, and about two answers to the same request.

Packages register theirs as entry points. `cascade.evidence` holds callables of a `Draft`,
`cascade.pair_evidence` callables of two; each returns a mapping or a NamedTuple of numbers, or
`None` where there is no signal. Evidence of pairs is symmetric; its numbers rise with agreement and
the first says in [0, 1] whether the two answers agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, cast

from cascade.config import registered
from cascade.core.reply import Reply
from cascade.core.scoring import Draft
from cascade.errors import ConfigError, ScorerError

__all__ = [
    "OWN_GROUP",
    "PAIR_GROUP",
    "Numbers",
    "Reading",
    "is_whole",
    "readings",
    "registered_evidence",
]

OWN_GROUP = "cascade.evidence"
PAIR_GROUP = "cascade.pair_evidence"

Numbers = tuple[float, ...]


class Reading:
    """One kind of evidence, called so that a broken plug-in cannot pass for numbers.

    Args:
        name: as registered.
        call: the callable.
        fields: names of its numbers in order; () where the first result may tell them.
    """

    __slots__ = ("_call", "_known", "fields", "name")

    def __init__(self, name: str, call: Callable[..., Any], fields: tuple[str, ...] = ()) -> None:
        self.name, self.fields = name, fields
        self._call = call
        self._known: type | None = None

    def read(self, *drafts: Draft) -> Numbers | None:
        """Its numbers, which may be infinite or NaN; `None` where there is no signal.

        Raises:
            ScorerError: it gave something else, or other fields than before.
        """
        found = self._call(*drafts)
        if found is None:
            return None
        if type(found) is self._known:  # the usual case: one and the same NamedTuple
            return cast("Numbers", found)
        names = getattr(found, "_fields", None)
        if names is not None:
            self._check(names)
            self._known = type(found)
            return tuple(found)
        if not isinstance(found, Mapping) or not found:
            raise ScorerError(
                f"evidence {self.name!r} gave {type(found).__name__} {str(found)[:60]!r}: "
                "expected a mapping or a NamedTuple of numbers, or None"
            )
        self._check(tuple(found))
        return tuple(found.values())

    def _check(self, names: tuple[str, ...]) -> None:
        if self.fields and names != self.fields:
            raise ScorerError(
                f"evidence {self.name!r} gave the fields {', '.join(map(str, names))[:120]}; "
                f"expected {', '.join(self.fields)[:120]}"
            )
        self.fields = names


@cache
def registered_evidence(group: str) -> dict[str, Callable[..., Any]]:
    """The evidence that installed packages have registered in a group, by name.

    Raises:
        ConfigError: one cannot be loaded.
    """
    found = {}
    for name, point in sorted(registered(group).items()):
        try:
            found[name] = point.load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"evidence {name!r} cannot be loaded: {error}") from error
    return found


def readings(
    names: Iterable[str] | Mapping[str, tuple[str, ...]] | None, group: str
) -> dict[str, Reading]:
    """The evidence of a group, by name; those in `names`, or all there is.

    A mapping also says which fields each has.

    Raises:
        ConfigError: a name that nobody registered.
    """
    known = registered_evidence(group)
    wanted = list(known) if names is None else list(names)
    for name in wanted:
        if name not in known:
            raise ConfigError(
                f"evidence {name!r} is not registered in the entry-point group {group!r}; there is "
                f"{', '.join(sorted(known)) or 'none'}: is the package installed that brings it?"
            )
    fields = names if isinstance(names, Mapping) else {}
    return {name: Reading(name, known[name], fields.get(name, ())) for name in wanted}


def is_whole(reply: Reply) -> bool:
    """Whether a reply is an answer that evidence can be about: not refused, empty or cut off."""
    return not (
        reply.refusal or reply.finish_reason in ("length", "content_filter") or reply.is_empty
    )
