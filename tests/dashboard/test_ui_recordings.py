"""Whether a recording is one of the chain that it was given for, and what is said where it is not."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from cascade import Chain, Price, Score, Tier
from cascade.calibration import RecordedTier, Recording
from cascade.calibration.fingerprint import scorer_fingerprint, tier_fingerprint
from cascade.calibration.money import PER_USD
from cascade.dashboard.recorded import Recordings
from cascade.traces.series import Span
from cascade.traces.sums import Amount, Times


def sure(draft):
    return Score(0.9)


LOW, TOP, ABOVE = (Price.of(price, price) for price in ("1", "10", "100"))
CHAIN = Chain((Tier("nano", scorer=sure, threshold=0.5, price=LOW), Tier("top", price=TOP)))
MORE = (
    *CHAIN.tiers[:1],
    replace(CHAIN.top, scorer=sure, threshold=0.5),
    Tier("above", price=ABOVE),
)


def recorded(tiers=MORE):
    """Two requests, which any tier answers rightly at ten times what the one before takes."""
    columns = [
        RecordedTier(
            tier.name,
            tier.model,
            settings=tier_fingerprint(tier),
            scorer="sure" if tier.scorer else "",
            scorer_settings=scorer_fingerprint(tier.scorer),
            threshold=tier.threshold if tier.scorer else None,
            price=tier.price.to_dict(),
        )
        for tier in tiers
    ]
    costs = [10**place * PER_USD for place in range(len(tiers))]
    scores = [0.9 if tier.scorer else np.nan for tier in tiers]
    return Recording.build(
        columns,
        ["a", "b"],
        quality=[[1] * len(tiers)] * 2,
        cost_pusd=[costs] * 2,
        score=[scores] * 2,
    )


def span_of(*answered):
    """Requests that these tiers answered, one each: $1 spent, $9 saved."""
    spent, saved = (Amount(Decimal(usd), Decimal(usd), 0) for usd in (1, 9))
    answers = dict.fromkeys(answered, 1)
    return Span(len(answered), answers, {}, 0, spent, saved, Decimal(10), Times(None, None))


@pytest.mark.parametrize(
    ("tiers", "top"),
    [
        (["nano", "other"], "above"),
        (["nano"], "other"),
        (
            ["nano", "top"],
            "top",
        ),  # what things cost at "above" is no measure of what they cost there
    ],
)
def test_traces_of_another_chain(tiers, top):
    """Every tier that traces name must have been recorded, and their last as the last."""
    known = Recordings({"support": recorded()}, {}).of("support", tiers, top)
    assert known.best_ratio is None
    assert "its tiers are nano, top, above, those of the chain nano" in known.reason


def test_a_chain_of_some_recorded_tiers():
    """A chain may have fewer tiers than were recorded; its own last one is what it saves against."""
    known = Recordings({"support": recorded()}, {"support": CHAIN}).of("support")
    assert (known.reason, known.best, known.best_ratio) == ("", "nano", 0.1)
    assert float(known.saved_against_best(span_of("nano", "top"))) == pytest.approx(0)


def test_a_chain_with_a_tier_that_was_not_recorded():
    """A chain is not that of a recording which lacks one of its tiers."""
    recordings = Recordings({"support": recorded(CHAIN.tiers)}, {"support": Chain(MORE)})
    assert "of another chain" in recordings.of("support").reason


def test_requests_of_a_chain_that_had_other_tiers():
    """A recording may be the chain's, and still say nothing of requests to what the chain was before."""
    known = Recordings({"support": recorded()}, {"support": CHAIN}).of("support", ["old"], "old")
    assert (known.reason, known.why_untold("support", span_of("nano", ""))) == ("", "")
    assert known.saved_against_best(span_of("nano", "old")) is None
    assert "answers of old, and the recording has none" in known.why_untold(
        "support", span_of("nano", "old")
    )
