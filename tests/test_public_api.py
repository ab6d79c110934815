"""The public names: sorted, real, documented."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import cascade
import scorers
from cascade import accounts, calibration, dashboard, gateway, telemetry

PACKAGES = (cascade, accounts, calibration, dashboard, gateway, scorers, telemetry)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_all_is_sorted_and_real(package):
    """`__all__` is sorted, holds no name twice, and every name can be had."""
    names = package.__all__
    assert list(names) == sorted(names)
    assert len(set(names)) == len(names)
    assert all(getattr(package, name) is not None for name in names)
    assert set(names) <= set(dir(package))


def test_all_is_complete():
    """What the package loads by name is what it lists, and nothing else can be had."""
    assert sorted(cascade._HOME_OF) == list(cascade.__all__)
    assert list(dir(cascade)) == list(cascade.__all__)
    with pytest.raises(AttributeError, match="module 'cascade' has no attribute 'Casacde'"):
        _ = cascade.Casacde


def test_scorers_lists_what_it_holds():
    """Every public function and class of `scorers` is listed."""
    assert all(hasattr(scorers, name) for name in scorers.__all__)  # loads them
    found = {
        name
        for name, value in vars(scorers).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("scorers.")
    }
    assert found == set(scorers.__all__)


DOCUMENTED = [
    (package.__name__, name)
    for package in PACKAGES
    for name in package.__all__
    if inspect.isclass(getattr(package, name)) or inspect.isfunction(getattr(package, name))
]  # type aliases cannot carry a docstring; theirs stands below them in the source


@pytest.mark.parametrize(("package", "name"), DOCUMENTED)
def test_every_public_object_is_documented(package, name):
    """Every public object has a docstring of its own, and so have its public methods."""
    value = getattr(importlib.import_module(package), name)
    assert inspect.getdoc(value)
    if not inspect.isclass(value) or issubclass(value, BaseException):
        return
    for member, found in vars(value).items():
        if member.startswith("_") or not (inspect.isfunction(found) or isinstance(found, property)):
            continue
        assert inspect.getdoc(found), f"{name}.{member} has no docstring"


def test_rooms_say_what_they_are_for():
    """Every module opens with a docstring, and lists only names that it has."""
    for package in (cascade, scorers):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith("__main__"):
                continue
            module = importlib.import_module(found.name)
            assert module.__doc__, found.name
            for name in getattr(module, "__all__", ()):
                assert hasattr(module, name), f"{found.name}.{name}"
