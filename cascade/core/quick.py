"""Frozen dataclasses that are quick to make.

A frozen dataclass sets each of its fields through `object.__setattr__`, because its own refuses;
that takes many times as long as an assignment. Every request leaves a hundred fields of such values
behind, which made it one of the dearest things that a gateway did for it.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from functools import wraps
from typing import Any, TypeVar

__all__ = ["quick"]

Value = TypeVar("Value")

INIT = """
def __init__(self, {names}):
    if self.__class__ is not KIND:
        return SLOW(self, {names})
    PUT(self, "__class__", UNFROZEN)
    {assignments}
    self.__class__ = KIND
    {checks}
"""
"""As `dataclass` writes one for a class that is not frozen. An object of a derived class, which may
have another layout, is filled as it always was. Names in capitals are never those of fields."""


def quick(kind: type[Value]) -> type[Value]:
    """The same frozen dataclass, whose `__init__` takes half the time.

    While an object is filled it belongs to a class of the same layout that is not frozen. Nobody
    else has it before it belongs to its own.

    Args:
        kind: the dataclass; every field is a parameter, none by keyword alone.
    """
    changed: Any = kind  # whose `__init__` may be set, and whose fields be asked for
    slow = changed.__init__
    layout = {"__slots__": changed.__slots__} if "__slots__" in vars(kind) else {}
    known: dict[str, Any] = {
        "KIND": kind,
        "SLOW": slow,
        "PUT": object.__setattr__,
        "UNFROZEN": type(kind.__name__, (), layout),
    }
    specs = fields(changed)
    assignments = []
    for spec in specs:
        name = spec.name
        assignments.append(f"self.{name} = {name}")
        if spec.default_factory is not MISSING:  # what stands for it where it is left out
            known[f"NO_{name}"] = slow.__defaults__[len(assignments) - len(specs) - 1]
            known[f"MAKE_{name}"] = spec.default_factory
            assignments[-1] += f" if {name} is not NO_{name} else MAKE_{name}()"
    source = INIT.format(
        names=", ".join(spec.name for spec in specs),
        assignments="\n    ".join(assignments),
        checks="self.__post_init__()" if hasattr(kind, "__post_init__") else "",
    )
    exec(source, known)  # noqa: S102  names of fields alone; `dataclass` does the same
    changed.__init__ = wraps(slow)(known["__init__"])
    changed.__init__.__defaults__ = slow.__defaults__
    return kind
