"""A quick frozen dataclass is the same class in all but its pace."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from functools import cached_property

import pytest

from cascade.core.quick import quick


@dataclass(frozen=True, slots=True)
class Plain:
    """Made as `dataclass` makes it."""

    name: str
    count: int = 3
    found: dict[str, int] = field(default_factory=dict)
    hidden: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"negative: {self!r}")
        if not self.hidden:
            object.__setattr__(self, "hidden", "none")


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    """The same, quick."""

    name: str
    count: int = 3
    found: dict[str, int] = field(default_factory=dict)
    hidden: str = field(default="", repr=False, compare=False)

    __post_init__ = Plain.__post_init__


@quick
@dataclass(frozen=True)
class Open:
    """One without slots."""

    first: int
    second: int = 2
    kind: str = "slow"

    @cached_property
    def both(self) -> int:
        """Their sum."""
        return self.first + self.second


class Derived(Quick):
    """A class of somebody else's, with another layout."""

    extra = 1


def _sent(made: Quick) -> Quick:
    return pickle.loads(pickle.dumps(made))  # noqa: S301  what was just written


def values(one: object) -> list[object]:
    return [getattr(one, spec.name) for spec in fields(one)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("a",), {}),
        (("a", 4, {"b": 1}), {"hidden": "h"}),
        ((), {"found": {}, "name": "a"}),
    ],
)
def test_it_is_filled_as_a_dataclass_is(given, named):
    """Fields by position, by name, left out."""
    made = Quick(*given, **named)
    assert type(made) is Quick
    assert values(made) == values(Plain(*given, **named))
    assert repr(made) == repr(Plain(*given, **named)).replace("Plain", "Quick")


def test_what_is_left_out_is_made_anew():
    """Two values do not share what a factory makes for them."""
    assert Quick("a").found is not Quick("a").found


@pytest.mark.parametrize("named", [{}, {"name": "a", "other": 1}])
def test_what_does_not_fit_is_refused(named):
    """Fields that are missing, and others that there are not."""
    with pytest.raises(TypeError, match=r"__init__\(\) (missing|got an unexpected)"):
        Quick(**named)


def test_it_is_frozen():
    """Fields can neither be set nor deleted."""
    for made in (Quick("a"), Open(1), Derived("a")):
        with pytest.raises(FrozenInstanceError):
            made.name = "b"
        with pytest.raises(FrozenInstanceError):
            del made.name


def test_it_is_checked_as_it_was():
    """`__post_init__` sees the value as everybody does."""
    with pytest.raises(ValueError, match="negative: Quick"):
        Quick("a", -1)
    assert Quick("a").hidden == "none"


def test_it_is_one_value():
    """It equals its like, and can be copied, sent and replaced."""
    made = Quick("a", 1)
    assert made == Quick("a", 1, hidden="other")
    for like in (copy.copy(made), copy.deepcopy(made), _sent(made)):
        assert like == made
        assert like is not made
    assert replace(made, count=2) == Quick("a", 2)
    assert hash(Open(1)) == hash(Open(1, 2, "slow"))
    assert Open(1).both == 3


def test_derived_classes_stay_themselves():
    """An object of a class derived from it is one, and may hold more."""
    made = Derived("a", 1)
    assert type(made) is Derived
    assert values(made) == values(Quick("a", 1))


def test_its_parameters_can_be_read():
    """Names, types and defaults."""
    shown = str(inspect.signature(Quick))
    assert shown == str(inspect.signature(Plain))
