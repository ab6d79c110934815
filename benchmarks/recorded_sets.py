"""The recorded sets that plans are measured on, each model priced as the tier it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cascade.calibration import Recording, import_long_form, import_wide

__all__ = ["PRESETS", "PRICES", "Preset", "read_set"]

PRICES: Mapping[str, Mapping[str, float]] = {
    "nano": {"in": 0.20, "out": 1.25},
    "mini": {"in": 0.75, "out": 4.50},
    "large": {"in": 2.50, "out": 15.0},
    "top": {"in": 5.00, "out": 30.0},
}
"""USD per million tokens: gpt-5.4-nano, gpt-5.4-mini, gpt-5.4, gpt-5.5."""


@dataclass(frozen=True)
class Preset:
    """A set with its tiers.

    Attributes:
        folder: beside the other sets.
        tiers: model of each tier by the name of its price.
        witnesses: models that are asked to compare, priced as `nano`.
        effort: the top tier's output is taken to be so many times as long: reasoning tokens that
            were not recorded.
        wide: a row per request, with columns per model.
    """

    folder: str
    tiers: Mapping[str, str]
    witnesses: Sequence[str] = ()
    effort: float = 1.0
    wide: bool = False


_BFCL = {
    "nano": "gpt-3.5-turbo-0125-FC",
    "mini": "gpt-4o-mini-2024-07-18-FC",
    "top": "gpt-4o-2024-08-06-FC",
}
_ZEROEVAL = {
    "nano": "Meta-Llama-3.1-8B-Instruct",
    "mini": "gpt-4o-mini-2024-07-18",
    "top": "gpt-4o-2024-08-06",
}
_LADDER = {
    "nano": "gemma-2-2b-it",
    "mini": "Meta-Llama-3.1-8B-Instruct",
    "large": "gpt-4o-mini-2024-07-18",
    "top": "gpt-4o-2024-08-06",
}
_OTHERS = ("Qwen2-7B-Instruct", "gemma-2-9b-it", "gpt-3.5-turbo-0125")

PRESETS: Mapping[str, Preset] = {
    "bfcl": Preset("bfcl-2024-08", _BFCL, ("open-mistral-nemo-2407-FC-Any",)),
    "zeroeval": Preset("zeroeval", _ZEROEVAL, _OTHERS, effort=4),
    "zeroeval-rf1": Preset("zeroeval", _ZEROEVAL, _OTHERS),
    "zeroeval-4": Preset("zeroeval", _LADDER, _OTHERS, effort=4),
    "zeroeval-4-rf1": Preset("zeroeval", _LADDER, _OTHERS),
    "routellm": Preset(
        "routellm/gsm8k.parquet", {"nano": "mixtral_8x7b", "top": "gpt4_1106"}, wide=True
    ),
}


def read_set(data: Path, preset: Preset) -> Recording:
    """The recording of a preset.

    Args:
        data: the folder that holds the sets.
        preset: which one.
    """
    names = {name: dict(PRICES[name]) for name in preset.tiers}
    top = next(reversed(names))
    names[top]["out"] *= preset.effort
    prices = {**names, **{model: dict(PRICES["nano"]) for model in preset.witnesses}}
    read = import_wide if preset.wide else import_long_form
    return read(
        data / preset.folder,
        tiers=dict(preset.tiers),
        witnesses=list(preset.witnesses),
        prices=prices,
        **({"tokens": "estimate"} if preset.wide else {}),
    )
