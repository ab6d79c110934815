"""A package of the extra that is missing is named with the remedy."""

import pytest

from cascade.calibration.needs import needed
from cascade.errors import ConfigError


def test_what_is_missing_is_named_with_the_remedy():
    """The message says which package, and how to install it."""
    with pytest.raises(ConfigError, match=r"nosuchpackage .*frugal-cascade\[calibrate\]"):
        needed("nosuchpackage.part")
    assert needed("scipy.special").ndtri(0.5) == 0
