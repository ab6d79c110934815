"""What is allowed in a chain and rarely meant is said once, on standard error."""

from typer.testing import CliRunner

from cascade import Cascade
from cascade.cli import app
from cascade.testing import ScriptedModels

CHAIN = """
[[tier]]
model = "gpt-5.4-mini"

[[tier]]
model = "gpt-5.5"
scorer = { use = "no_refusal" }
"""


def test_a_tier_without_scorer_and_a_scorer_without_effect_are_noted(tmp_path, monkeypatch):
    """Both build and run; standard error says what they mean, standard output stays the answer."""
    file = tmp_path / "chain.toml"
    file.write_text(CHAIN)
    models = ScriptedModels({"gpt-5.4-mini": "Paris"})
    monkeypatch.setattr(Cascade, "_answering", lambda self, given, client: models)
    result = CliRunner().invoke(app, ["run", "--chain", str(file), "Capital of France?"])
    assert result.exit_code == 0
    assert result.stdout.strip() == "Paris"
    noted = " ".join(result.stderr.split())
    assert "tier 'gpt-5.4-mini' has no scorer" in noted
    assert "tier 'gpt-5.5' is last: its scorer is recorded and changes nothing" in noted
