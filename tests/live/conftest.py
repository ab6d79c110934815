"""Real language models, served on this machine for the whole session."""

import os

import pytest

from cascade.demo.servers import local_models, missing_parts


@pytest.fixture(scope="session")
def models():
    """Running local models; skipped by name where they are not installed, unless they are required."""
    missing = missing_parts()
    if missing:
        message = f"local models are not installed: {'; '.join(missing)}"
        if os.environ.get("CASCADE_REQUIRE_LIVE"):
            pytest.fail(message)
        pytest.skip(message)
    with local_models() as running:
        yield running
