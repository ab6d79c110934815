"""Fixtures of the wire tests: a face for each client, OpenAI's endpoint faked."""

from __future__ import annotations

import pytest
import respx
from faces import Face
from fake_openai import RESPONSES_URL, URL


@pytest.fixture(params=["sync", "async"])
def kind(request):
    return request.param


@pytest.fixture
def face(kind):
    """Makes faces: `face(tiers, **settings)`."""
    made = []

    def make(tiers, **settings):
        made.append(Face(kind, tiers, **settings))
        return made[-1]

    yield make
    for item in made:
        item.close()


@pytest.fixture
def openai_api():
    """OpenAI's endpoint, faked at the transport: set `.side_effect` or `.return_value`.

    respx counts a call only once it has returned, so calls that are cut off are not insisted on.
    """
    with respx.mock(using="httpcore2", assert_all_called=False) as router:
        yield router.post(URL)


@pytest.fixture
def responses_api():
    """The same for the Responses API."""
    with respx.mock(using="httpcore2", assert_all_called=False) as router:
        yield router.post(RESPONSES_URL)


@pytest.fixture
def both_apis():
    """Chat Completions and Responses."""
    with respx.mock(using="httpcore2", assert_all_called=False) as router:
        yield router.post(URL), router.post(RESPONSES_URL)
