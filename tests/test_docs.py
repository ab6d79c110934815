"""What README, documentation and examples say is run, so that it stays true."""

import inspect
import re
import runpy
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cascade
import scorers
from cascade import (
    Cascade,
    Policy,
    Tier,
    accounts,
    calibration,
    dashboard,
    errors,
    gateway,
    telemetry,
    testing,
)
from cascade.cli import app
from cascade.config import chain_from_dict
from cascade.engine.lazy import LazyModels
from cascade.testing import ScriptedModels, no_network, reply

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
PACKAGES = (cascade, accounts, calibration, dashboard, gateway, scorers, telemetry)
REFERENCE = sorted((DOCS / "reference").glob("*.md"))
GUIDES = [page for page in PAGES if page.parent.name in ("tutorial", "how-to", "concepts")]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")
PROMPT = "$ "


def blocks(page, *languages):
    """Code blocks of a page, in order, as (language, code)."""
    return [found for found in BLOCK.findall(page.read_text()) if found[0] in languages]


def named(path):
    return str(path.relative_to(ROOT))


def runnable(page):
    return blocks(page, "python", "console")


@pytest.fixture
def scripted_openai(monkeypatch):
    """Where a page asks OpenAI itself, with the reader's key, a scripted model answers."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-reader")
    sure = reply("Paris", probabilities=[0.99])
    models = ScriptedModels(
        dict.fromkeys(["gpt-5.4-nano", "gpt-5.4-mini", "gpt-5.4", "gpt-5.5"], sure)
    )
    monkeypatch.setattr(LazyModels, "made", property(lambda self: models))


def run_console(code):
    """Run the commands of a block; what it shows of their output must come, in this order."""
    for step in re.split(rf"^{re.escape(PROMPT)}", code, flags=re.MULTILINE)[1:]:
        command, _, shown = step.partition("\n")
        program, *args = shlex.split(command)
        assert program == "cascade", command
        result = CliRunner().invoke(app, args, env={"COLUMNS": "100"})
        assert result.exit_code == 0, result.output
        printed = iter(line.rstrip() for line in result.output.splitlines())
        for line in shown.splitlines():
            if line.strip() not in ("", "..."):
                assert line.rstrip() in printed, f"{line!r} is not in\n{result.output}"


@pytest.mark.parametrize("page", [p for p in PAGES if runnable(p)], ids=named)
def test_every_block_of_a_page_runs(page, tmp_path, monkeypatch, scripted_openai):
    """Python and commands of a page run one after the other, offline, and their asserts hold."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for _, toml in blocks(page, "toml"):
        if "[[tier]]" in toml:
            (tmp_path / "support.toml").write_text(toml)
    names = {"__name__": "__main__"}
    with no_network():
        for language, code in runnable(page):
            if language == "console":
                run_console(code)
            else:
                exec(compile(code, named(page), "exec"), names)  # noqa: S102  our own documentation


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "toml")], ids=named)
def test_every_chain_in_toml_builds(page):
    """The TOML blocks of a page parse, and those that hold tiers build a chain."""
    for _, code in blocks(page, "toml"):
        data = tomllib.loads(code)
        assert data
        if "tier" in data:
            assert len(chain_from_dict(data)) >= 1


@pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning")  # of frameworks,
@pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning")  # not of ours
@pytest.mark.parametrize("example", EXAMPLES, ids=named)
def test_an_example_prints_what_its_last_comment_says(example, capsys):
    """An example runs offline and its output is the comment at its end."""
    said = re.findall(r"^# ?(.*)$", example.read_text().rpartition("\n\n")[2], re.MULTILINE)
    with no_network():
        runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out.rstrip().splitlines() == said


def test_there_are_examples_and_pages():
    """The tests above find something to run."""
    assert len(EXAMPLES) >= 14
    assert len(PAGES) >= 40
    assert any(blocks(page, "console") for page in PAGES)


def test_the_page_of_commands_is_what_they_say_today():
    """`docs/reference/commands.md` is what `python docs/generate.py` writes, for every command."""
    generate = runpy.run_path(str(DOCS / "generate.py"))
    page = (DOCS / "reference" / "commands.md").read_text()
    assert page == generate["commands_page"]()
    listed = set(re.findall(r"^## `cascade ?(.*)`$", page, re.MULTILINE))
    assert listed == {"", *every_command()}


def every_command(*above):
    """The names of all commands, as their help lists them."""
    text = CliRunner().invoke(app, [*above, "--help"]).output
    names = re.findall(r"^  ([\w-]+) +\S", text.partition("Commands:")[2], re.MULTILINE)
    return [
        " ".join(found)
        for name in names
        for found in [(*above, name), *(c.split() for c in every_command(*above, name))]
    ]


def commands_shown():
    shown = re.compile(r"^(?=cascade )(.+)$|`(?=cascade )(.+?)`", re.MULTILINE)
    for page in PAGES:
        if page.name != "commands.md":
            for line, inline in shown.findall(page.read_text()):
                code = (line or inline).partition("  #")[0]
                yield pytest.param(code, id=f"{named(page)}: {code}")


@pytest.mark.parametrize("line", list(commands_shown()))
def test_commands_shown_exist(line):
    """A command line in the documentation names a command and options that there are."""
    result = CliRunner().invoke(app, [*shlex.split(line)[1:], "--help"])
    assert result.exit_code == 0, result.output


# Completeness ------------------------------------------------------------------------------------


def referenced():
    text = "\n".join(page.read_text() for page in REFERENCE)
    return set(re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE))


def test_the_reference_holds_every_public_name_and_nothing_else():
    """Every public name is on a page of the reference, once."""
    public = {
        f"{package.__name__}.{name}"
        for package in PACKAGES
        for name in package.__all__
        if not hasattr(errors, name)
    }
    assert referenced() == public | {errors.__name__, testing.__name__}


def guides():
    return "\n".join(page.read_text() for page in GUIDES)


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            *(name for package in PACKAGES for name in package.__all__),
            *(*errors.__all__, *testing.__all__),
        }
    ),
)
def test_every_public_name_is_met_in_a_guide(name):
    """Tutorial, how-to and concept pages name every public name."""
    assert re.search(rf"\b{name}\b", guides())


def keywords():
    for method in (Cascade.__init__, Cascade.complete, Cascade.complete_many):
        for name, parameter in inspect.signature(method).parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY:
                yield name
    for kind in (Policy, Tier):
        yield from (field.name for field in fields(kind))


@pytest.mark.parametrize("name", sorted(set(keywords())))
def test_every_keyword_is_met_in_a_guide(name):
    """The keywords of a cascade, its methods, a tier and a policy are in the guides."""
    assert re.search(rf"`{name}\b|\b{name}=", guides())


def test_every_example_is_shown():
    """The page of examples shows each of them."""
    shown = re.findall(r'^--8<-- "(.+)"$', (DOCS / "examples.md").read_text(), re.MULTILINE)
    assert shown == [named(example) for example in EXAMPLES]


def test_every_page_is_in_the_navigation():
    """No page can be reached by search alone, and the navigation names only pages there are."""
    nav = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]

    def listed(entry):
        if isinstance(entry, str):
            return [entry]
        children = entry.values() if isinstance(entry, dict) else entry
        return [page for child in children for page in listed(child)]

    pages = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")]
    assert sorted(listed(nav)) == sorted(pages)


def anchors(page):
    """The anchors of a page's headings and of the objects on it."""
    text = BLOCK.sub("", page.read_text())
    slugs = {
        re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower())
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    return slugs | set(re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    """Links within the documentation name a file, and a heading of it, that there is."""
    for link in LINK.findall(BLOCK.sub("", page.read_text())):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
