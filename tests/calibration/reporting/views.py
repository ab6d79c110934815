"""Reports made by hand, for tests of how they look."""

from decimal import Decimal

from cascade.calibration.comparing.findings import Estimate
from cascade.calibration.comparing.net_value import Alternative, NetValue
from cascade.calibration.comparing.reliability import Bin, Reliability
from cascade.calibration.reporting.view import (
    Case,
    Dropped,
    Fact,
    FoundPlan,
    Frontier,
    Line,
    PolicyLine,
    PriceLine,
    Promise,
    Spot,
    TierLine,
    View,
)
from cascade.traces.page.content import Words


def frontier(name="nano", top="big"):
    """Four models, a pair, an oracle, five plans, one of them chosen."""
    singles = [
        Spot(name, "cheapest", 0.41, 0.612),
        Spot("mid", "single", 1.52, 0.683),
        Spot(top, "top", 9.85, 0.731),
    ]
    others = [Spot("pair", "pair", 5.9, 0.727), Spot("oracle cascade", "oracle", 1.7, 0.80)]
    found = [Spot(f"p{n}", "found", 0.41 + n, 0.612 + 0.03 * n**0.7) for n in range(5)]
    oracle = [Spot("", "oracle", 0.41, 0.612), Spot("", "oracle", 1.7, 0.80)]
    chosen = Spot("chosen plan", "chosen", 4.4, 0.7245, (4.2, 4.6), (0.705, 0.744))
    return Frontier(
        (*singles, *others), tuple(found), tuple(singles), tuple(oracle), chosen, floor=0.711
    )


def reliability(tier="nano", threshold=0.8):
    """Five bins of an honest scorer."""
    bins = [
        Bin(n / 5, (n + 1) / 5, 20, n / 5 + 0.1, Estimate(n / 5 + 0.1, n / 5, n / 5 + 0.2))
        for n in range(5)
    ]
    ece = Estimate(0.031, 0.02, 0.05)
    numbers = {"auroc": 0.81, "auroc_pooled": 0.84, "aurc": 0.1, "brier": 0.2, "log_loss": 0.4}
    return Reliability(tier, tier, threshold, 100, 3, tuple(bins), ece, 0.02, 0.015, **numbers)


def view(word="nano", **changes):
    """A whole report; `word` stands in every place that a recording fills with foreign text."""
    alternative = Alternative(f"drop {word}", 0.00985, 0.731)
    worth = NetValue(
        word, word, word, 100, 41, Decimal("0.002"), 30.0, 12.0, 5.5, (alternative,), 0.0078, 0.003
    )
    case = Case(
        "harm",
        word,
        word,
        word,
        Words(word),
        Words(word),
        Words(word),
        Words(word),
        quality=0.0,
        top_quality=1.0,
        score=0.912,
    )
    line = Line(word, word, word, word)
    given = {
        "title": word,
        "headline": word,
        "about": word,
        "promise": Promise(
            holds=True, sentence=word, next_step=word, lines=(line,), expires=(word,)
        ),
        "facts": (line,),
        "simpler": word,
        "plan": word,
        "gate": word,
        "top": word,
        "frontier": frontier(word, word),
        "policies": (
            PolicyLine(word, word, 4.4, 0.72, 0.45, (4.2, 4.6), (0.70, 0.74), is_chosen=True),
            PolicyLine(word, word, reason=word),
        ),
        "tiers": (
            TierLine(word, word, asked=1.0, answered=0.41, spent=0.1, cost=0.44, quality=0.9),
            TierLine("big", "big", False, 0.59, 0.59, 0.9, 3.96, 0.6, 2, 3),
        ),
        "scorers": (worth,),
        "dropped": (Dropped(word, word),),
        "searched": FoundPlan(word, "own", word, 4.1, 0.72, 0.71, 0.98, (Dropped(word, word),)),
        "reliability": (reliability(word),),
        "cases": (case,),
        "harms": 7,
        "gains": 4,
        "measures": (line,),
        "method": (Fact(word, word),),
        "gaps": (word,),
        "prices": (PriceLine(word, word, word, word, word, word),),
        "price_table": word,
        "notes": (word,),
        "limits": (word,),
    }
    return View(**{**given, **changes})
