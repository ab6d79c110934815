"""What README, documentation and examples say is run, so that it stays true."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest

from cascade.config import chain_from_dict
from cascade.engine.lazy import LazyModels
from cascade.testing import ScriptedModels, no_network, reply

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page, language):
    """Code blocks of a page, in order."""
    return [code for found, code in BLOCK.findall(page.read_text()) if found == language]


def named(path):
    return str(path.relative_to(ROOT))


@pytest.fixture
def scripted_openai(monkeypatch):
    """Where a page asks OpenAI itself, a scripted model answers."""
    sure = reply("Paris", probabilities=[0.99])
    models = ScriptedModels(
        dict.fromkeys(["gpt-5.4-nano", "gpt-5.4-mini", "gpt-5.4", "gpt-5.5"], sure)
    )
    monkeypatch.setattr(LazyModels, "made", property(lambda self: models))


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=named)
def test_every_python_block_of_a_page_runs(page, tmp_path, monkeypatch, scripted_openai):
    """The Python blocks of a page run one after the other, offline, and their asserts hold."""
    monkeypatch.chdir(tmp_path)
    for toml in blocks(page, "toml"):
        if "[[tier]]" in toml:
            (tmp_path / "support.toml").write_text(toml)
    names = {"__name__": "__main__"}
    with no_network():
        for code in blocks(page, "python"):
            exec(compile(code, named(page), "exec"), names)  # noqa: S102  our own documentation
    assert len(names) > 1


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "toml")], ids=named)
def test_every_chain_in_toml_builds(page):
    """The TOML blocks of a page parse, and those that hold tiers build a chain."""
    for code in blocks(page, "toml"):
        data = tomllib.loads(code)
        assert data
        if "tier" in data:
            assert len(chain_from_dict(data)) >= 1


@pytest.mark.parametrize("example", EXAMPLES, ids=named)
def test_an_example_prints_what_its_last_comment_says(example, capsys):
    """An example runs offline and its output is the comment at its end."""
    said = re.findall(r"^# ?(.*)$", example.read_text().rpartition("\n\n")[2], re.MULTILINE)
    with no_network():
        runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out.rstrip().splitlines() == said


def test_there_are_examples_and_pages():
    """The two tests above find something to run."""
    assert len(EXAMPLES) >= 6
    assert len(PAGES) >= 10


def test_the_page_of_commands_is_what_they_say_today():
    """`docs/commands.md` is what `python docs/generate.py` writes."""
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    assert (ROOT / "docs" / "commands.md").read_text() == generate["commands_page"]()
