"""Any recording, for properties, and whether two are the same."""

from dataclasses import fields

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cascade.calibration import About, Charges, RecordedTier, Recording, Tokens
from cascade.calibration.money import UNKNOWN
from cascade.calibration.recording import SCORE_KINDS

TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
NAME = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=6)
MONEY = st.one_of(st.just(UNKNOWN), st.integers(0, 10**18 - 1))
NUMBER = st.one_of(st.just(np.nan), st.floats(0, 1e6, width=64))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(TEXT, inner, max_size=2)),
    max_leaves=4,
)
REQUEST = st.one_of(
    st.none(), TEXT, st.dictionaries(TEXT, JSON, max_size=2), st.lists(JSON, max_size=2)
)
SIGNAL = st.one_of(st.just(np.nan), st.just(-np.inf), st.just(np.inf), st.floats(allow_nan=False))


def objects(values):
    """Values, or rows of values, as an array of objects."""
    rows = bool(len(values)) and isinstance(values[0], tuple)
    made = np.empty((len(values), len(values[0])) if rows else len(values), object)
    for place, value in enumerate(values):
        made[place] = value
    return made


def grid(draw, shape, values, kind):
    return draw(arrays.arrays(kind, shape, elements=values))


@st.composite
def charges(draw, n, k):
    count = draw(st.integers(0, 5))
    cells = sorted(draw(st.lists(st.integers(0, n * k - 1), min_size=count, max_size=count)))

    def texts(values):
        return objects(draw(st.lists(values, min_size=count, max_size=count)))

    return Charges(
        request=np.array([cell // k for cell in cells], np.int64),
        tier=np.array([cell % k for cell in cells], np.int64),
        purpose=texts(st.sampled_from(["draft", "scorer"])),
        model=texts(TEXT),
        service_tier=texts(TEXT),
        batch=grid(draw, count, st.booleans(), bool),
        regional=grid(draw, count, st.booleans(), bool),
        tokens=grid(draw, (count, 5), NUMBER, float),
        cost_pusd=grid(draw, count, MONEY, np.int64),
    )


@st.composite
def tiers(draw):
    names = draw(st.lists(NAME, min_size=1, max_size=3, unique=True))
    return tuple(
        RecordedTier(
            name,
            draw(NAME),
            "tier" if place == 0 else draw(st.sampled_from(["tier", "witness"])),
            settings=draw(TEXT),
            scorer=draw(TEXT),
            threshold=draw(st.none() | st.floats(0, 1)),
            scorer_reads_earlier=draw(st.booleans()),
            price=draw(st.none() | st.just({"id": "x", "standard": {"input": "1"}})),
        )
        for place, name in enumerate(names)
    )


@st.composite
def any_recordings(draw):
    """A recording of 1 to 4 requests and 1 to 3 tiers with everything in it."""
    ids = draw(st.lists(NAME, min_size=1, max_size=4, unique=True))
    made = draw(tiers())
    n, k = len(ids), len(made)
    shape = (n, k)

    def row(values):
        return objects(draw(st.lists(values, min_size=n, max_size=n)))

    def cells(values):
        return objects([tuple(draw(values) for _ in range(k)) for _ in range(n)])

    kind = grid(draw, shape, st.integers(0, len(SCORE_KINDS) - 1), np.int8)
    shares = st.floats(0, 1)
    return Recording(
        tiers=made,
        ids=objects(ids),
        groups=row(NAME),
        slices=row(TEXT),
        splits=row(TEXT),
        weights=grid(draw, n, st.floats(0.01, 100), float),
        requests=row(REQUEST),
        references=row(st.none() | TEXT),
        answered=grid(draw, shape, st.booleans(), bool),
        usable=grid(draw, shape, st.booleans(), bool),
        quality=grid(draw, shape, shares | st.just(np.nan), float),
        cost_pusd=grid(draw, shape, MONEY, np.int64),
        score=np.where(kind == 1, grid(draw, shape, shares, float), np.nan),
        score_kind=kind,
        score_cost_pusd=grid(draw, shape, MONEY, np.int64),
        latency_s=grid(draw, shape, NUMBER, float),
        tokens=Tokens(*(grid(draw, shape, NUMBER, float) for _ in fields(Tokens))),
        texts=cells(st.none() | TEXT),
        replies=cells(st.none() | TEXT),
        signals={
            name: grid(draw, shape, SIGNAL, float) for name in draw(st.sets(NAME, max_size=2))
        },
        charges=draw(charges(n, k)),
        about=About(
            draw(TEXT), quality=draw(TEXT), self_disagreement=draw(st.none() | st.floats(0, 1))
        ),
    )


def assert_same(one, other):
    """Every array, text and number of two recordings is the same; NaN equals NaN."""
    for name, value in parts_of(one).items():
        np.testing.assert_array_equal(value, parts_of(other)[name], err_msg=name, strict=True)
    assert one.tiers == other.tiers
    assert one.about == other.about
    assert list(one.signals) == list(other.signals)


def parts_of(recording):
    """All arrays of a recording by name."""
    found = {spec.name: getattr(recording, spec.name) for spec in fields(recording)}
    for name in ("tokens", "charges"):
        part = found.pop(name)
        found |= {f"{name}.{spec.name}": getattr(part, spec.name) for spec in fields(part)}
    found |= {f"signal.{name}": value for name, value in found.pop("signals").items()}
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
