"""Looking at a draft while it arrives, to leave it once it is lost (`Policy.stop_early`).

A scorer that can tell has a method `hopeless(text, tokens, threshold) -> str | None`: it is given
the answer so far and says why no continuation of it can reach the threshold, or `None`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cascade.core.reply import TokenLogprob, read_tokens
from cascade.core.scoring import scorer_name
from cascade.core.tier import Tier
from cascade.core.wishes import Watch

__all__ = ["Hopeless", "watch_for"]

Hopeless = Callable[[str, Sequence[TokenLogprob], float], str | None]


def watch_for(tier: Tier) -> Watch | None:
    """What watches a tier's drafts; `None` where its scorer cannot tell before the end."""
    hopeless: Hopeless | None = getattr(tier.scorer, "hopeless", None)
    if hopeless is None:
        return None
    name, threshold = scorer_name(tier.scorer), tier.threshold

    def watch(text: str, entries: Sequence[Any]) -> str | None:
        try:
            why = hopeless(text, read_tokens(entries), threshold)
        except Exception:  # noqa: BLE001  plug-in border: the whole answer will be judged anyway
            return None
        return f"{name}: {why}" if why else None

    return watch
