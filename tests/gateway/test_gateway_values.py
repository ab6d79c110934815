"""Bodies of many small parts: refused before anything is made of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_http import Raw, body_of, request

from cascade.gateway import values
from cascade.gateway.values import holds_more

TEXTS = st.text(st.sampled_from('a,[{"\\\n\u00e9}]:'), max_size=12)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=30,
)


def counted(data):
    """Values within, an empty list or object twice."""
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else None
    return 1 if inner is None else 1 + (sum(map(counted, inner)) or 1)


@given(data=DATA, most=st.integers(1, 40), size=st.integers(1, 9), ascii=st.booleans())
def test_values_are_counted_wherever_a_body_is_cut(data, most, size, ascii):  # noqa: A002
    """Commas and brackets within texts do not count, and no cut through an escape misleads."""
    body = json.dumps(data, ensure_ascii=ascii).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "SLICE_BYTES", size)
        assert holds_more(body, most) == (counted(data) > most)


@pytest.mark.loopback
@pytest.mark.parametrize("size", [2_000, 300_000], ids=["small", "large"])
def test_too_many_values(serve, upstream, size):
    """A body over the limit is 400, naming it; the connection goes on, and texts may be long."""
    served = serve(limits={"max_values": 1_000})
    many = json.dumps({"model": "support", "messages": [{"role": "user", "content": "a"}] * size})
    with Raw(served.port) as raw:
        raw.send(request(many.encode()))
        status, _, body = raw.read()
        error = json.loads(body)["error"]
        assert (status, error["code"]) == (400, "too_many_values")
        assert "1000" in error["message"]
        assert upstream.asked == []
        raw.send(request(body_of('{"a": [1, 2]}, ' * 60_000)))
        assert raw.read()[0] == 200
