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
    from cascade.calibration.attempts import Attempt, read_attempts
    from cascade.calibration.baselines import Baseline
    from cascade.calibration.calibrating import Calibration, calibrate, prepare
    from cascade.calibration.certificate import Certificate
    from cascade.calibration.certified_path import certify_path
    from cascade.calibration.certified_point import CertifiedPoint
    from cascade.calibration.certifying import certificate_of, certify
    from cascade.calibration.chain_file import write_certified_chain
    from cascade.calibration.comparison import Comparison, Point, compare
    from cascade.calibration.datasets import Example, read_examples
    from cascade.calibration.findings import Estimate, Latency, TierShare, WhatIf
    from cascade.calibration.importers import import_long_form, import_traces, import_wide
    from cascade.calibration.labels import LabelPlan, plan_labels
    from cascade.calibration.learned import LearnedModel
    from cascade.calibration.learning import Learning, learn
    from cascade.calibration.net_value import NetValue
    from cascade.calibration.parquet import read_recording, write_recording
    from cascade.calibration.plan import Gate, Outcomes, Plan, ScoreSource, Step, simulate
    from cascade.calibration.plan_path import Dropped, PlanPath, PlanPoint
    from cascade.calibration.quality.metric import Metric
    from cascade.calibration.quality.named import metric_of
    from cascade.calibration.recalibrating import recalibrated
    from cascade.calibration.recorded_scores import RecordedScores
    from cascade.calibration.recorder import IncompleteRecordingWarning, record
    from cascade.calibration.recording import About, Charges, RecordedTier, Recording, Tokens
    from cascade.calibration.recording_run import Recorder, Standing
    from cascade.calibration.reliability import Reliability
    from cascade.calibration.reporting.made import Report, report
    from cascade.calibration.repricing import reprice
    from cascade.calibration.search import search_plans
    from cascade.calibration.splits import Splits, keyed_splits, own_splits
    from cascade.calibration.unasked import gaps
    from cascade.calibration.whatif import what_if

_HOMES = {
    "cascade.calibration.attempts": ("Attempt", "read_attempts"),
    "cascade.calibration.baselines": ("Baseline",),
    "cascade.calibration.calibrating": ("Calibration", "calibrate", "prepare"),
    "cascade.calibration.certificate": ("Certificate",),
    "cascade.calibration.certified_path": ("certify_path",),
    "cascade.calibration.certified_point": ("CertifiedPoint",),
    "cascade.calibration.certifying": ("certificate_of", "certify"),
    "cascade.calibration.chain_file": ("write_certified_chain",),
    "cascade.calibration.comparison": ("Comparison", "Point", "compare"),
    "cascade.calibration.datasets": ("Example", "read_examples"),
    "cascade.calibration.findings": ("Estimate", "Latency", "TierShare", "WhatIf"),
    "cascade.calibration.importers": ("import_long_form", "import_traces", "import_wide"),
    "cascade.calibration.labels": ("LabelPlan", "plan_labels"),
    "cascade.calibration.learned": ("LearnedModel",),
    "cascade.calibration.learning": ("Learning", "learn"),
    "cascade.calibration.net_value": ("NetValue",),
    "cascade.calibration.parquet": ("read_recording", "write_recording"),
    "cascade.calibration.plan": ("Gate", "Outcomes", "Plan", "ScoreSource", "Step", "simulate"),
    "cascade.calibration.plan_path": ("Dropped", "PlanPath", "PlanPoint"),
    "cascade.calibration.quality.metric": ("Metric",),
    "cascade.calibration.quality.named": ("metric_of",),
    "cascade.calibration.recalibrating": ("recalibrated",),
    "cascade.calibration.recorded_scores": ("RecordedScores",),
    "cascade.calibration.recorder": ("IncompleteRecordingWarning", "record"),
    "cascade.calibration.recording": ("About", "Charges", "RecordedTier", "Recording", "Tokens"),
    "cascade.calibration.recording_run": ("Recorder", "Standing"),
    "cascade.calibration.reliability": ("Reliability",),
    "cascade.calibration.reporting.made": ("Report", "report"),
    "cascade.calibration.repricing": ("reprice",),
    "cascade.calibration.search": ("search_plans",),
    "cascade.calibration.splits": ("Splits", "keyed_splits", "own_splits"),
    "cascade.calibration.unasked": ("gaps",),
    "cascade.calibration.whatif": ("what_if",),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "About",
    "Attempt",
    "Baseline",
    "Calibration",
    "Certificate",
    "CertifiedPoint",
    "Charges",
    "Comparison",
    "Dropped",
    "Estimate",
    "Example",
    "Gate",
    "IncompleteRecordingWarning",
    "LabelPlan",
    "Latency",
    "LearnedModel",
    "Learning",
    "Metric",
    "NetValue",
    "Outcomes",
    "Plan",
    "PlanPath",
    "PlanPoint",
    "Point",
    "RecordedScores",
    "RecordedTier",
    "Recorder",
    "Recording",
    "Reliability",
    "Report",
    "ScoreSource",
    "Splits",
    "Standing",
    "Step",
    "TierShare",
    "Tokens",
    "WhatIf",
    "calibrate",
    "certificate_of",
    "certify",
    "certify_path",
    "compare",
    "gaps",
    "import_long_form",
    "import_traces",
    "import_wide",
    "keyed_splits",
    "learn",
    "metric_of",
    "own_splits",
    "plan_labels",
    "prepare",
    "read_attempts",
    "read_examples",
    "read_recording",
    "recalibrated",
    "record",
    "report",
    "reprice",
    "search_plans",
    "simulate",
    "what_if",
    "write_certified_chain",
    "write_recording",
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
