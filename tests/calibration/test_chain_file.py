"""A certified chain is written as files that load as the chain that was certified."""

import tomllib

import pytest

from cascade import CertificateVoid, load_chain
from cascade.calibration import Gate, Plan, Step, calibrate, write_certified_chain
from cascade.calibration.chain_file import _moved, certified_data
from cascade.errors import ConfigError
from tests.calibration.builders import recording
from tests.calibration.test_calibrate import PICO, recorded

SOURCE = """
name = "support"

[policy]
on_refusal = "accept"

[[tier]]
model = "m"
name = "nano"
threshold = 0.9
scorer = { use = "json_schema", schema_file = "ticket.json" }
price = { input = "0.2", output = "1.25" }

[[tier]]
model = "m"
name = "mini"
threshold = 0.9
scorer = { use = "no_refusal" }
price = { input = "0.75", output = "4.5" }

[[tier]]
model = "m"
name = "top"
params = { reasoning_effort = "none" }
price = { input = "5", output = "30" }
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    (folder / "ticket.json").write_text('{"type": "object"}')
    path = folder / "support.toml"
    path.write_text(SOURCE)
    return path


@pytest.fixture(scope="module")
def certificate(source):
    """Of a recording that only a learned model can judge."""
    made = recorded()
    names, signals = ["nano", "mini", "top"], {"conf": made.score.copy()}
    bare = recording(made.quality, PICO, names=names, signals=signals)
    return calibrate(load_chain(source), bare, epsilon=0.05, scores="learned")


def test_a_learned_chain_comes_back(source, certificate, tmp_path):
    """Loaded again, the chain is the one of the certificate, which then holds."""
    folder = tmp_path / "production"
    folder.mkdir()
    files = write_certified_chain(certificate, source, folder / "support.toml")
    assert [file.name for file in files] == ["support.toml", "support.model.json"]
    loaded = load_chain(folder / "support.toml")
    assert [tier.name for tier in loaded.tiers] == list(certificate.plan.tiers)
    certificate.check(loaded)
    with pytest.raises(CertificateVoid, match="threshold"):
        certificate.check(loaded.with_thresholds({loaded.tiers[0].name: 0.123}))


def test_own_scorers_keep_their_files():
    """Scorers of the chain stay as they are written, with the thresholds of the plan."""
    plan = Plan((Step("nano", threshold=0.25), Step("top")))
    data = certified_data(tomllib.loads(SOURCE), plan, None)
    assert [tier["name"] for tier in data["tier"]] == ["nano", "top"]
    assert data["tier"][0]["threshold"] == 0.25
    assert data["tier"][0]["scorer"] == {"use": "json_schema", "schema_file": "ticket.json"}
    assert data["tier"][1]["params"] == {"reasoning_effort": "none"}
    assert data["policy"] == {"on_content_filter": "escalate"}


def test_a_witness_and_a_gate_are_written():
    """A witness becomes a tier that returns another's answer, a gate the chain's entry."""
    plan = Plan(
        (Step("nano", threshold=0.9), Step("peer", "nano", threshold=0.6), Step("top")),
        Gate("top", 0.3),
    )
    data = certified_data(tomllib.loads(SOURCE), plan, "support.model.json")
    assert data["tier"][1] == {
        "model": "peer",
        "threshold": 0.6,
        "scorer": {"use": "learned", "model_file": "support.model.json", "returns": "nano"},
    }
    assert data["entry"] == {
        "use": "learned_entry",
        "model_file": "support.model.json",
        "tier": "nano",
        "start_at": "top",
        "threshold": 0.3,
    }


def test_a_certificate_from_a_file_holds_no_chain(source, certificate, tmp_path):
    """Read back from JSON it speaks of a chain and has none to write."""
    certificate.save(tmp_path / "certificate.json")
    read = type(certificate).load(tmp_path / "certificate.json")
    with pytest.raises(ConfigError, match="holds no chain"):
        write_certified_chain(read, source, tmp_path / "x")


def test_files_are_found_from_the_new_folder(tmp_path):
    """What a table names beside the source is named from where the chain is written."""
    old, new = tmp_path / "a", tmp_path / "b" / "c"
    data = {"tier": [{"scorer": {"use": "first_reject", "scorers": [{"schema_file": "x.json"}]}}]}
    [tier] = _moved(data, old, new)["tier"]
    assert tier["scorer"]["scorers"] == [{"schema_file": "../../a/x.json"}]
