"""Event streams: the same events wherever the bytes are cut."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cascade.wire.sse import EventDecoder

PIECES = st.sampled_from(
    [b"data: a", b"data:b", b"data", b"\n", b"\r", b"\r\n", b": note", b"event: x", b"\xc3\xa9"]
)


def decoded(pieces):
    decoder = EventDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.end()


@given(st.lists(PIECES, max_size=30), st.data())
def test_cuts_change_nothing(parts, data):
    """Bytes in one piece and bytes in many give the same events."""
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    bounds = [0, *cuts, len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(bounds)]
    assert decoded(pieces) == decoded([stream])


@given(st.lists(st.text(max_size=20), max_size=8), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_is_sent_is_what_comes(texts, end):
    """Every event comes out once, in order, whichever line end the server uses."""
    sent = [json.dumps(text).encode() for text in texts]
    stream = b"".join(b"data: " + data + end.encode() * 2 for data in sent)
    assert decoded([stream]) == sent


def test_what_stands_between_events_is_no_event():
    """Two lines of one event, a name in the middle, and more empty lines than are needed."""
    assert decoded([b"data: a\ndata: b\n\ndata: c\n\n"]) == [b"a\nb", b"c"]
    assert decoded([b"data: a\nid: 1\n\ndata: b\n\n"]) == [b"a", b"b"]
    assert decoded([b"data: a\n\n\ndata: b\n\n"]) == [b"a", b"b"]
    assert decoded([b"data: a\n\nevent: e\n\ndata: b\n\n"]) == [b"a", b"b"]


def test_lines_of_one_event_are_joined():
    """Several data lines make one event; comments, names and ids make none."""
    stream = b": hi\n\nevent: e\nid: 1\n\ndata: a\ndata:b\ndata\nretry: 5\n\ndata: last"
    assert decoded([stream]) == [b"a\nb\n", b"last"]
