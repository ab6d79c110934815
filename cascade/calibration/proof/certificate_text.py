"""A certificate in words: one sentence for whoever decides, and a line for every figure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cascade.calibration.comparing.findings import Estimate
from cascade.calibration.proof.advice import points
from cascade.percent import percent

if TYPE_CHECKING:
    from cascade.calibration.proof.certificate import Certificate, Counted

__all__ = ["lines_of", "sentence_of"]

AGREEMENT = "top tier"
"""How a recording says that quality is agreement with its top tier (`About.quality`)."""

TESTS = {
    "exact": "exact matched-pairs test (Tango's score, Berger and Boos)",
    "betting": "betting martingale",
}


def sentence_of(made: Certificate) -> str:
    """The promise in one plain sentence."""
    many = _many(made.requests)
    if made.units < made.requests:
        many += f" in {made.units:,} groups"
    once = "" if made.attempt else ", as the only attempt on them"
    promise = (
        f"On {many} like yours{once}, with {percent(made.confidence, None)} confidence the quality "
        f"of {_who(made)}{_mean(made)} is {_at_most(made)} {made.top}"
    )
    seen = f"({_seen(made)})"
    if made.quality_from == AGREEMENT:
        # The recording's last tier, which a certified chain may do without.
        seen += "; quality is agreement with the last tier recorded, not with what is right"
    if made.cost is None:
        return f"{promise} {seen}; what it costs is not known."
    return f"{promise} {seen}; it costs {_small(made.cost)} of always asking {made.top}."


def _mean(made: Certificate) -> str:
    """What the promised mean is over, unless over requests that count the same."""
    if made.heaviest is not None:
        return f", by weights of {made.heaviest:g} at most,"
    return " in the mean over groups" if made.units < made.requests else ""


def _seen(made: Certificate) -> str:
    words = f"{made.harm.count:,} answered worse"
    if made.unknown:
        words += f", {made.unknown:,} of them not graded"
    words += f", {made.gain.count:,} better"
    if made.dropped:
        words += f"; {made.dropped:,} not graded were left out, as if they were like these"
    return words


def _who(made: Certificate) -> str:
    return made.plan.tiers[0] if made.plan.is_constant else "the chain"


def _at_most(made: Certificate) -> str:
    if made.epsilon > 0:
        return f"at most {points(made.epsilon)} below"
    return "not below (0 points)"


def lines_of(made: Certificate) -> tuple[tuple[str, str], ...]:
    """Everything a certificate says, as terms and their words."""
    return tuple(
        (term, words)
        for part in (_promise(made), _evidence(made), _money(made), _origin(made))
        for term, words in part
        if words
    )


def _promise(made: Certificate) -> Iterator[tuple[str, str]]:
    yield "plan", f"{made.plan} (hash {made.plan_digest})"
    for tier in made.tiers:
        yield f"tier {tier.name}", _tier(tier.model, tier.params, tier.scorer)
    yield "promise", f"{_at_most(made)} {made.top} ({made.top_model})"
    yield "confidence", f"{percent(made.confidence, None)} (delta {made.delta:g})"
    yield "test", f"{TESTS[made.test]}, p = {made.p:.4f}, allowed {made.spent:.4f}"
    if made.attempt:
        yield "attempt", f"{made.attempt}, as the ledger counts (line {made.ledger})"
    else:
        yield "attempt", "not counted: valid as the only attempt on these requests"
    yield "path", f"plan {made.tested} of {made.path}, from the most careful"
    for one in made.slices:
        said = f"{_many(one.n)}, {one.harm} worse, {one.gain} better"
        yield f"slice {one.name or '-'}", f"{said}, p = {one.p:.4f}, allowed {one.spent:.4f}"


def _tier(model: str, params: object, scorer: str) -> str:
    given = dict(params) if isinstance(params, dict) else {}
    settings = ", ".join(f"{name}={value}" for name, value in given.items())
    judged = f"judged by {scorer}" if scorer else ""
    return ", ".join(part for part in (model, settings, judged) if part)


def _evidence(made: Certificate) -> Iterator[tuple[str, str]]:
    yield "requests", _requests(made)
    yield "harm", _counted(made.harm)
    yield "gain", _counted(made.gain)
    yield "net harm seen", points(made.net_harm)
    yield "mean over", _over(made)
    if made.quality is not None and made.top_quality is not None:
        yield "quality", _percent(made.quality, 1)
        yield f"quality of {made.top}", _percent(made.top_quality, 1)
    yield "quality from", made.quality_from
    if made.self_disagreement is not None:
        yield "top tier against itself", f"{percent(made.self_disagreement)} differ (d0)"


def _over(made: Certificate) -> str:
    words = "requests, each counting the same"
    if made.units < made.requests:
        words = "groups, each counting the same however many requests it holds"
    if made.heaviest is None:
        return words
    words = words.replace("counting the same", "counting by its weight")
    return f"{words}; weights above {made.heaviest:g} count as {made.heaviest:g}"


def _requests(made: Certificate) -> str:
    words = f"{made.requests:,}"
    if made.units < made.requests:
        words += f" in {made.units:,} groups"
    if made.dropped:
        words += f"; {made.dropped:,} more left out for want of labels"
    return words


def _money(made: Certificate) -> Iterator[tuple[str, str]]:
    if made.cost is not None and made.cost_usd is not None and made.top_cost_usd is not None:
        yield "cost", f"{_small(made.cost)} of always asking {made.top}"
        yield "cost per request", _usd(made.cost_usd)
        yield f"cost of {made.top}", _usd(made.top_cost_usd)
    yield "prices", made.price_table


def _origin(made: Certificate) -> Iterator[tuple[str, str]]:
    yield "recording", made.source
    yield "requests tested", f"hash {made.split}" if made.split else ""
    if made.key:
        shares = "/".join(f"{100 * share:g}" for share in made.shares)
        yield "split", f"learn/certify/monitor {shares} %, by a key of hash {made.key}"
    yield "learnt from", f"{made.learned_on:,} other requests" if made.learned_on else ""
    yield "made", made.created_at
    yield "void when", _void(made)
    for note in made.notes:
        yield "note", note


def _void(made: Certificate) -> str:
    words = "a model, prompt, parameter, scorer, threshold or policy of the chain changes"
    if made.expiry.days is not None:
        words += f"; after {made.expiry.days} days"
    if made.histograms:
        words += f"; when a step's scores shift by {made.expiry.drift:g} or more"
    return f"{words}. When prices change, search again"


def _counted(found: Counted) -> str:
    return f"{_many(found.count)}, {percent(found.share, 2)} {_ends(found, 2)}"


def _many(count: int) -> str:
    return f"{count:,} request{'' if count == 1 else 's'}"


def _percent(found: Estimate, digits: int = 0) -> str:
    return f"{percent(found.value, digits)} {_ends(found, digits)}"


def _small(found: Estimate) -> str:
    """As whole percent, with two digits that count below 10 %: what costs little is not free."""
    is_small = 0 < found.value < 0.1  # noqa: PLR2004
    return _percent(found, math.ceil(-math.log10(found.value)) - 1 if is_small else 0)


def _ends(found: Estimate | Counted, digits: int) -> str:
    """An interval in percent, rounded as the number that it is beside."""
    low, high = (percent(end, digits).removesuffix(" %") for end in (found.low, found.high))
    return f"[{low}, {high}]"


def _usd(found: Estimate) -> str:
    return f"{found.value:.4g} USD [{found.low:.4g}, {found.high:.4g}]"
