"""How much probability a model put on words, read from the alternatives of its tokens.

Models return fewer alternatives than were asked, one, or none (GPT-5.x lists only tokens with real
mass). So nothing here counts on a number of alternatives, and mass that is not listed is never
assumed to be on the side of the answer. An alternative that is not listed is no likelier than the
least likely one that is; that bounds what a label missing from the list can hold.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import exp

from cascade import TokenLogprob

__all__ = ["label_share", "margin", "normal_label", "quantile", "true_share"]

_EDGES = (
    " \t\r\n\"'`*_.,:;!?()[]{}«»“”„\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
)
"""What may stand around a label without being part of it. Not signs: "-1" and "C#" keep theirs."""


def normal_label(text: str) -> str:
    """A label without case, and without the quotes, marks and white space around it."""
    return text.strip(_EDGES).casefold()


def margin(token: TokenLogprob) -> float:
    """The lead of a token over its best rival, at least; 0 if it was not the likeliest.

    Where the top token was chosen this is p(top 1) - p(top 2). A rival that is not listed can hold
    no more than the mass left over, and is taken to hold all of it.
    """
    chosen = exp(token.logprob)
    rival = _best_rival(token)
    if rival is None:
        rival = max(0.0, 1.0 - chosen)
    return max(0.0, chosen - rival)


def quantile(ordered: Sequence[float], share: float) -> float:
    """`numpy.quantile` with its default, linear method; 20 times faster on a handful of values.

    Args:
        ordered: rising, at least one.
        share: in [0, 1].
    """
    below, part = divmod((len(ordered) - 1) * share, 1.0)
    low = ordered[int(below)]
    high = ordered[min(int(below) + 1, len(ordered) - 1)]
    return low + (high - low) * part


def _best_rival(token: TokenLogprob) -> float | None:
    top = token.top
    if not top:
        return None
    if top[0][0] == token.token:
        return exp(top[1][1]) if len(top) > 1 else None
    return exp(top[0][1])


def _options(token: TokenLogprob) -> tuple[list[tuple[str, float]], float]:
    """The alternatives with their probabilities, the chosen token first, and the unlisted mass."""
    chosen = (token.token, exp(token.logprob))
    others = [(text, exp(value)) for text, value in token.top]
    if others and (at := next((i for i, o in enumerate(others) if o[0] == token.token), -1)) >= 0:
        del others[at]
    options = [chosen, *others]
    return options, max(0.0, 1.0 - sum(mass for _, mass in options))


def label_share(
    tokens: Sequence[TokenLogprob], labels: Collection[str], chosen: str
) -> float | None:
    """Probability of the label that the tokens spell, among the allowed labels.

    Args:
        tokens: the answer's tokens.
        labels: allowed labels, normalised by `normal_label`.
        chosen: the one of them that the answer is.

    Returns:
        A number in [0, 1]. An alternative belongs to the labels that it begins. Where the chosen
        token begins several, the following tokens decide; another alternative that begins several
        is split evenly. Mass on no label is left out. Labels that no alternative begins count
        against the answer with the most they can hold: the smallest listed mass each, and the
        unlisted mass together.
        `None` where the tokens do not spell the chosen label.
    """
    possible = list(labels)
    spelled, share = "", 1.0
    # One factor per token, until a single label is possible. The evenly split rest is added on the
    # way: P = rest_1 + own_1 * (rest_2 + own_2 * ...), all divided by the mass on any label.
    gathered = 0.0
    for token in tokens:
        if not spelled and not normal_label(token.token):
            continue  # quotes and white space before the label
        options, unlisted = _options(token)
        total, rest, own = 0.0, 0.0, 0.0
        seen: set[str] = set()
        for place, (text, mass) in enumerate(options):
            begun = _begun(spelled + text, possible)
            if not begun:
                continue
            seen.update(begun)
            total += mass
            if place == 0:
                own = mass
            elif chosen in begun:
                rest += mass / len(begun)
        smallest = min(mass for _, mass in options)
        total += min(unlisted, smallest * (len(possible) - len(seen)))
        spelled += token.token
        possible = _begun(spelled, possible)
        if chosen not in possible:
            return None
        gathered += share * rest / total
        share *= own / total
        if len(possible) == 1:
            return min(1.0, gathered + share)
    return min(1.0, gathered + share / len(possible)) if spelled else None


def _begun(text: str, labels: Sequence[str]) -> list[str]:
    """The labels that a text begins. Text without content begins none."""
    head = text.lstrip(_EDGES).casefold()
    whole = head.rstrip(_EDGES)
    return [label for label in labels if label.startswith(head) or label == whole] if whole else []


def true_share(token: TokenLogprob, yes: Collection[str], no: Collection[str]) -> float | None:
    """P(yes) from a verdict's first token: mass of yes words over yes, no and unlisted mass.

    Args:
        token: the first token with content.
        yes: words for yes, normalised by `normal_label`.
        no: words for no.

    Returns:
        A number in [0, 1], or `None` when less than half of the mass says yes or no: the token is
        no verdict.
    """
    options, unlisted = _options(token)
    masses = [(normal_label(text), mass) for text, mass in options]
    for_yes = sum(mass for word, mass in masses if word in yes)
    for_no = sum(mass for word, mass in masses if word in no)
    if for_yes + for_no < 0.5:  # noqa: PLR2004
        return None
    return min(1.0, for_yes / (for_yes + for_no + unlisted))
