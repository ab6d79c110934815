"""Prove it: record every tier once, search the cheapest plan, certify it, compare it honestly.

```python
from cascade.calibration import calibrate, read_recording, what_if

recording = read_recording("support.parquet")
certificate = calibrate(chain, recording, target=0.98)
print(certificate)
print(what_if(certificate.chain, recording))
```

Needs the extra `calibrate`. Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cascade.calibration.plan import Gate, Outcomes, Plan, ScoreSource, Step, simulate
    from cascade.calibration.recording import About, Charges, RecordedTier, Recording, Tokens

_HOMES = {
    "cascade.calibration.plan": ("Gate", "Outcomes", "Plan", "ScoreSource", "Step", "simulate"),
    "cascade.calibration.recording": ("About", "Charges", "RecordedTier", "Recording", "Tokens"),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "About",
    "Charges",
    "Gate",
    "Outcomes",
    "Plan",
    "RecordedTier",
    "Recording",
    "ScoreSource",
    "Step",
    "Tokens",
    "simulate",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'cascade.calibration' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
