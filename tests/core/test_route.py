"""Which tiers a request may use, and which it passes over."""

from __future__ import annotations

import pytest

from cascade import Capabilities, Chain, Price, Request, RequestError, Tier
from cascade.core.route import WHOLE, Route
from cascade.core.window import PIECES, prompt_tokens_at_least

FREE = Price.free()


def chain(*windows):
    """A chain whose tiers take so many tokens."""
    return Chain(
        tuple(
            Tier(
                f"t{place}",
                price=FREE,
                capabilities=Capabilities(max_input_tokens=window) if window else None,
            )
            for place, window in enumerate(windows)
        )
    )


def walk(route, tiers, prompt="hi"):
    """The tiers' names: "-" before the skipped, "!" behind the one whose answer stands."""
    request = Request.build(prompt)
    return [
        f"{'-' if leg.skipped else ''}{leg.tier.name}{'!' if leg.final else ''}"
        for leg in route.legs(tiers, request.payload, request.size_bytes)
    ]


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (WHOLE, ["t0", "t1", "t2!"]),
        (Route(start_at="t1"), ["-t0", "t1", "t2!"]),
        (Route(stop_at="t1"), ["t0", "t1!"]),
        (Route(start_at="t1", stop_at="t1"), ["-t0", "t1!"]),
        (Route(start_at="t2"), ["-t0", "-t1", "t2!"]),
    ],
)
def test_a_route_is_a_part_of_the_chain(route, expected):
    """The last tier that may be asked is final, whichever it is."""
    route.check(chain(None, None, None))
    assert walk(route, chain(None, None, None)) == expected


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (Route(start_at="t9"), r"start_at='t9': no tier 't9' in chain 'chain'; it has 't0', 't1'"),
        (Route(stop_at="t9"), r"stop_at='t9': no tier 't9'"),
        (Route(start_at=3), r"start_at=3: no tier '3'"),
        (Route(start_at="t1", stop_at="t0"), r"start_at='t1' comes after stop_at='t0'"),
    ],
)
def test_a_route_that_cannot_be(route, words):
    """A name that is no tier, or an order that leaves none, is named."""
    with pytest.raises(RequestError, match=words):
        route.check(chain(None, None))


def test_a_long_prompt_starts_where_it_fits():
    """Tiers whose window is too small are passed over, and the reason says by how much."""
    request = Request.build("word " * 300)
    legs = list(WHOLE.legs(chain(100, 200, 1000), request.payload, request.size_bytes))
    assert [bool(leg.skipped) for leg in legs] == [True, True, False]
    assert legs[0].skipped == "the prompt holds 301 tokens or more; t0 takes 100 at most"


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ((100, 200), ["t0", "t1!"]),  # none holds it: the models say so themselves, for nothing
        ((100, None), ["-t0", "t1!"]),  # nobody knows how much the second takes
        ((None, 100), ["t0", "t1!"]),
        ((1000, 100, 1000), ["t0", "-t1", "t2!"]),
    ],
)
def test_a_tier_is_passed_over_only_for_one_that_can(windows, expected):
    """The last tier is never skipped, and no tier for the sake of one that is as small."""
    assert walk(WHOLE, chain(*windows), "word " * 300) == expected


def test_the_tier_that_a_route_ends_with_counts_as_last():
    """A larger window beyond stop_at is out of reach, so the tier before it is asked."""
    assert walk(Route(stop_at="t0"), chain(100, 1000), "word " * 300) == ["t0!"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("word " * 300, 301),
        ("don't stop", 3),
        ("1234567 8", 5),
        ("a" * 8000, 1000),
        ("日" * 800, 300),
        ("word" + " " * 8000, 1),
    ],
)
def test_tokens_are_counted_low(text, tokens):
    """Words and digit groups, or bytes by eight, whichever is more."""
    payload = {"messages": [{"role": "user", "content": text}]}
    assert abs(prompt_tokens_at_least(payload) - tokens) <= 1


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("हिन्दी", 1),
        ("தமிழ்", 1),
        ("cafe\u0301s", 1),
        ("so-called it's", 3),
        ("a1b", 3),
        ("日本語", 1),
    ],
)
def test_a_sign_on_a_letter_ends_no_word(text, pieces):
    """Vowel signs and accents of their own are no letters to `re`; a token reaches over them."""
    assert len(PIECES.findall(text)) == pieces


def test_a_deeply_nested_prompt_is_counted():
    """As deep as JSON itself allows, whatever else is on the stack."""
    nested = "word " * 300
    for _ in range(100_000):
        nested = [nested]
    assert prompt_tokens_at_least({"input": nested}) == 300


def test_a_prompt_is_counted_once(monkeypatch):
    """A long one takes a while: not again for each tier."""
    counted = []
    monkeypatch.setattr(
        "cascade.core.route.prompt_tokens_at_least",
        lambda payload, enough: counted.append(enough) or 5000,
    )
    assert walk(WHOLE, chain(100, 200, 300, None), "word " * 300) == ["-t0", "-t1", "-t2", "t3!"]
    assert counted == [300]


def test_a_prompt_beyond_every_window_is_not_counted_out(monkeypatch):
    """Its bytes say enough; its words, of which there may be millions, are not counted."""
    text = "word " * 1000
    exact = prompt_tokens_at_least({"input": text})
    assert exact == 1000
    monkeypatch.setattr("cascade.core.window.PIECES", None)
    assert prompt_tokens_at_least({"input": text}, enough=300) == len(text.strip()) // 8
    assert walk(WHOLE, chain(100, 200, 300, None), text) == ["-t0", "-t1", "-t2", "t3!"]


def test_media_count_nothing():
    """The bytes of an image say nothing about its tokens."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 90_000}}
    content = [{"type": "text", "text": "what is this?"}, image]
    assert prompt_tokens_at_least({"messages": [{"role": "user", "content": content}]}) < 20
