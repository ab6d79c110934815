"""Run by `.ci/run` with the built wheel alone: is everything in it, and does it work?"""

from importlib.resources import files

import cascade
import scorers
from cascade import Cascade, Chain, ConfigError, Price, Tier, Trace
from cascade.calibration import LearnedModel, read_recording
from cascade.config import registered, registered_scorers
from cascade.data import model_table
from cascade.testing import ScriptedModels

for package in (cascade, scorers):
    assert (files(package.__name__) / "py.typed").is_file(), f"{package.__name__} ships no py.typed"
for name in ("models.json", "trace.schema.json"):
    assert (files("cascade.data") / name).is_file(), f"{name} is missing"
assert model_table().find("gpt-5.4-nano") is not None
assert set(scorers.__all__) >= {"JsonSchema", "LogprobConfidence", "SelfCheck"}
assert registered_scorers()["json_schema"].load() is scorers.JsonSchema
assert "site-packages" in str(cascade.__file__), f"not the installed wheel: {cascade.__file__}"

assert "entry" in Chain.__dataclass_fields__
assert registered("cascade.evidence").keys() >= {"surface", "logprobs"}
assert scorers.Learned.__init__, "a learned scorer needs more than the wheel brings"
assert LearnedModel.load, "a learned model needs more than the wheel brings"
for name in ("report.html.j2", "report.css"):
    assert (files("cascade.calibration.reporting") / name).is_file(), f"{name} is missing"
refused = ""
try:
    read_recording("nothing.parquet")
except ConfigError as error:
    refused = str(error)
assert "pip install frugal-cascade[calibrate]" in refused, refused or "it needs the extra"

price = Price.of("1", "2")
llm = Cascade(
    [
        Tier("small", scorer=lambda draft: draft.text == "yes", price=price),
        Tier("big", price=price),
    ],
    models=ScriptedModels({"small": "no", "big": "yes"}),
)
done = llm.complete("Does the wheel work?")
assert done.tier == "big"
assert Trace.from_json(done.trace.to_json()) == done.trace
assert "does the wheel work?" in done.trace.to_html().lower()
print(f"wheel of cascade {cascade.__version__}: {done.text}")
