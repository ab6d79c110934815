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
    from cascade.calibration.calibrating import Calibration, calibrate, prepare
    from cascade.calibration.chain_file import write_certified_chain
    from cascade.calibration.comparing.baselines import Baseline
    from cascade.calibration.comparing.comparison import Comparison, compare
    from cascade.calibration.comparing.findings import Estimate, Latency, TierShare, WhatIf
    from cascade.calibration.comparing.net_value import NetValue
    from cascade.calibration.comparing.points import Point
    from cascade.calibration.comparing.recorded_scores import RecordedScores
    from cascade.calibration.comparing.reliability import Reliability
    from cascade.calibration.comparing.repricing import reprice
    from cascade.calibration.comparing.whatif import what_if
    from cascade.calibration.files.datasets import Example, read_examples
    from cascade.calibration.files.parquet import read_recording, write_recording
    from cascade.calibration.imports.importers import import_long_form, import_traces, import_wide
    from cascade.calibration.learning.learn import Learning, learn
    from cascade.calibration.learning.learned import LearnedModel
    from cascade.calibration.learning.recalibrating import recalibrated
    from cascade.calibration.plan import Gate, Outcomes, Plan, ScoreSource, Step, simulate
    from cascade.calibration.proof.attempts import Attempt, read_attempts
    from cascade.calibration.proof.certificate import Certificate
    from cascade.calibration.proof.certified_path import certify_path
    from cascade.calibration.proof.certified_point import CertifiedPoint
    from cascade.calibration.proof.certifying import certificate_of, certify
    from cascade.calibration.proof.labels import LabelPlan, plan_labels
    from cascade.calibration.proof.splits import Splits, keyed_splits, own_splits
    from cascade.calibration.recorder.quality.metric import Metric
    from cascade.calibration.recorder.quality.named import metric_of
    from cascade.calibration.recorder.record import IncompleteRecordingWarning, record
    from cascade.calibration.recorder.recording_run import Recorder, Standing
    from cascade.calibration.recording import About, Charges, RecordedTier, Recording, Tokens
    from cascade.calibration.reporting.made import Report, report
    from cascade.calibration.search.plan_path import Dropped, PlanPath, PlanPoint
    from cascade.calibration.search.searching import search_plans
    from cascade.calibration.unasked import gaps

_HOMES = {
    "cascade.calibration.proof.attempts": ("Attempt", "read_attempts"),
    "cascade.calibration.comparing.baselines": ("Baseline",),
    "cascade.calibration.calibrating": ("Calibration", "calibrate", "prepare"),
    "cascade.calibration.proof.certificate": ("Certificate",),
    "cascade.calibration.proof.certified_path": ("certify_path",),
    "cascade.calibration.proof.certified_point": ("CertifiedPoint",),
    "cascade.calibration.proof.certifying": ("certificate_of", "certify"),
    "cascade.calibration.chain_file": ("write_certified_chain",),
    "cascade.calibration.comparing.comparison": ("Comparison", "Point", "compare"),
    "cascade.calibration.files.datasets": ("Example", "read_examples"),
    "cascade.calibration.comparing.findings": ("Estimate", "Latency", "TierShare", "WhatIf"),
    "cascade.calibration.imports.importers": ("import_long_form", "import_traces", "import_wide"),
    "cascade.calibration.proof.labels": ("LabelPlan", "plan_labels"),
    "cascade.calibration.learning.learned": ("LearnedModel",),
    "cascade.calibration.learning.learn": ("Learning", "learn"),
    "cascade.calibration.comparing.net_value": ("NetValue",),
    "cascade.calibration.files.parquet": ("read_recording", "write_recording"),
    "cascade.calibration.plan": ("Gate", "Outcomes", "Plan", "ScoreSource", "Step", "simulate"),
    "cascade.calibration.search.plan_path": ("Dropped", "PlanPath", "PlanPoint"),
    "cascade.calibration.recorder.quality.metric": ("Metric",),
    "cascade.calibration.recorder.quality.named": ("metric_of",),
    "cascade.calibration.learning.recalibrating": ("recalibrated",),
    "cascade.calibration.comparing.recorded_scores": ("RecordedScores",),
    "cascade.calibration.recorder.record": ("IncompleteRecordingWarning", "record"),
    "cascade.calibration.recording": ("About", "Charges", "RecordedTier", "Recording", "Tokens"),
    "cascade.calibration.recorder.recording_run": ("Recorder", "Standing"),
    "cascade.calibration.comparing.reliability": ("Reliability",),
    "cascade.calibration.reporting.made": ("Report", "report"),
    "cascade.calibration.comparing.repricing": ("reprice",),
    "cascade.calibration.search.searching": ("search_plans",),
    "cascade.calibration.proof.splits": ("Splits", "keyed_splits", "own_splits"),
    "cascade.calibration.unasked": ("gaps",),
    "cascade.calibration.comparing.whatif": ("what_if",),
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
