"""Fixtures of the drop-in's tests: clients of both kinds, OpenAI's API faked below the SDK."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "wire"))  # what OpenAI's replies look like

from sdk_faces import Sdk


@pytest.fixture(params=["sync", "async"])
def sdk(request):
    """Makes clients of a kind: `sdk(chains, **settings)`; `sdk.kind` is "sync" or "async"."""
    made = []

    def make(chains, **settings):
        made.append(Sdk(request.param, chains, **settings))
        return made[-1]

    make.kind = request.param
    yield make
    for item in made:
        item.close()
