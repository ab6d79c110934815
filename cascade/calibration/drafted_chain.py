"""The file of a chain for a recording that came from tables, as a place to begin."""

from __future__ import annotations

from collections.abc import Mapping

from cascade.calibration.drafts import Drafts
from cascade.calibration.needs import needed
from cascade.calibration.recording import RecordedTier, Recording
from cascade.core.pricing import model_table
from cascade.core.tier import DEFAULT_THRESHOLD
from cascade.errors import RecordingError

__all__ = ["chain_text"]

PLACEHOLDER = f'scorer = {{ use = "no_refusal" }}\nthreshold = {DEFAULT_THRESHOLD}\n'
"""A scorer that is free, needs no settings and knows little: it holds the place of a better one."""

HEAD = """\
# A chain of the recorded models, in the recording's order; the last one's answer stands. Choose
# tiers, scorers and thresholds. `no_refusal` only holds the place of a scorer of yours (or of the
# recorded scores, with --scores recorded); a tier without a scorer accepts every answer.
# `cascade certify` learns scores from the recording instead.

"""

UNPRICED = """\
# Some models have no price: recorded costs are kept, and none is told of further calls. Give each
# price = { input = "0.20", output = "1.25" }, in USD per 1,000,000 tokens, and drop the next line.
"""


def chain_text(recording: Recording, name: str) -> str:
    """TOML of a chain that asks the recorded models, for `load_chain`.

    Args:
        recording: of a table of answers, or a file of another tool.
        name: of the chain.

    Raises:
        RecordingError: it was recorded with a chain, whose file says more than the recording.
        ConfigError: the package that writes TOML is missing.
    """
    if recording.about.chain:
        raise RecordingError(
            f"it was recorded with chain {recording.about.chain!r}: its parameters are not in the "
            "recording; use that chain's file"
        )
    *judged, last = recording.ladder
    tiers = [_tier(recording.tiers[at]) + _scorer(recording, at) for at in judged]
    tiers.append(_tier(recording.tiers[last]))
    priced = all(map(_has_price, (recording.tiers[at] for at in recording.ladder)))
    lead = "" if priced else f"{UNPRICED}allow_unknown_prices = true\n"
    return "\n".join([f"{HEAD}{lead}{_line('name', name)}", *tiers])


def _tier(recorded: RecordedTier) -> str:
    name = "" if recorded.name == recorded.model else _line("name", recorded.name)
    rates = ", ".join(f'{key} = "{value}"' for key, value in _rates(recorded).items())
    price = f"price = {{ {rates} }}\n" if rates else ""
    return f"[[tier]]\n{_line('model', recorded.model)}{name}{price}"


def _line(key: str, text: str) -> str:
    made: str = needed("tomli_w").dumps({key: text})
    return made


def _rates(recorded: RecordedTier) -> Mapping[str, str]:
    """A recorded price as a file says it; empty where it cannot say all of it."""
    price = recorded.price or {}
    return price["standard"] if set(price) == {"id", "standard"} else {}


def _scorer(recording: Recording, at: int) -> str:
    """A scorer that can judge what was recorded; none where there is nothing that it could read."""
    brought = (recording.score_kind[:, at] != 0).any()
    return PLACEHOLDER if brought or Drafts(recording).why_not([at]) is None else ""


def _has_price(recorded: RecordedTier) -> bool:
    info = model_table().find(recorded.model)
    return bool(_rates(recorded)) or (info is not None and info.price is not None)
