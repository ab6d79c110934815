"""`cascade report`: a page, its data, its pictures, and honest words where something is missing."""

import json
import webbrowser

import numpy as np
import pytest
from rich.console import Console

from cascade.calibration import (
    Plan,
    Step,
    certify,
    keyed_splits,
    write_recording,
)
from tests.calibration.builders import Scores
from tests.calibration.reporting.test_report_made import real

CHAIN = """
name = "support"
allow_unknown_prices = true

[[tier]]
name = "nano"
model = "gpt-nano"
threshold = 0.5

[[tier]]
name = "big"
model = "gpt-big"
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A recording of 600 requests in a file, and a certificate of one of its plans."""
    folder = tmp_path_factory.mktemp("report")
    made = real(600)
    write_recording(made, folder / "support.parquet")
    splits = keyed_splits(made.groups, "cascade")
    part = splits.part(made, "certify")
    plans = [Plan((Step("big"),)), Plan((Step("nano", threshold=0.6), Step("big")))]
    promised = certify(plans, part, Scores({0: part.score[:, 0]}), epsilon=0.2, splits=splits)
    promised.save(folder / "certificate.json")
    return folder


@pytest.fixture
def place(kept, tmp_path):
    for name in ("support.parquet", "certificate.json"):
        (tmp_path / name).write_bytes((kept / name).read_bytes())
    return tmp_path


def test_a_page_beside_the_recording(cli, place, monkeypatch):
    """Without options the page lies beside the recording; its path and a summary are printed."""
    monkeypatch.setattr(webbrowser, "open", lambda url: pytest.fail("a browser was opened"))
    done = cli("report", place / "support.parquet")
    assert done.exit_code == 0, done.output
    page = place / "support.html"
    assert page.read_text().startswith("<!doctype html>")
    assert "support.parquet: 600 requests, 3 tiers" in done.stdout
    assert "not certified" in done.stdout
    assert f"report written to {page}" in done.stderr.replace("\n", "")


def test_data(cli, place):
    """With --json standard output is data, and no page is written unless one is named."""
    done = cli("report", place / "support.parquet", "--json")
    data = json.loads(done.stdout)
    assert data["version"] == 1
    assert data["plan"] == "nano >= 0.5 → mini >= 0.5 → big"
    assert not (place / "support.html").exists()
    named = cli("report", place / "support.parquet", "--json", "-o", place / "x.html")
    assert json.loads(named.stdout) == data
    assert (place / "x.html").exists()


@pytest.mark.parametrize(("form", "begins"), [("svg", b"<svg"), ("png", b"\x89PNG")])
def test_pictures(cli, place, form, begins):
    """Each chart is a file in a folder that is made."""
    folder = place / "deep" / "charts"
    done = cli("report", place / "support.parquet", "--charts", folder, "--format", form)
    assert done.exit_code == 0, done.output
    names = {path.name for path in folder.iterdir()}
    assert names == {
        f"{name}.{form}" for name in ("frontier", "parts", "reliability_1", "reliability_2")
    }
    assert all(path.read_bytes().startswith(begins) for path in folder.iterdir())


def test_a_certificate(cli, place):
    """The numbers are those of the requests that the certificate was tested on."""
    data = json.loads(
        cli(
            *("report", place / "support.parquet", "--json"),
            *("--certificate", place / "certificate.json"),
        ).stdout
    )
    assert data["promise"]["holds"]
    assert data["plan"] == "nano >= 0.6 → big"
    assert "requests that the certificate was tested on" in data["notes"][0]
    size = int(data["about"].split()[0])
    assert 100 < size < 400
    other = json.loads(
        cli(
            *("report", place / "support.parquet", "--json", "--key", "other"),
            *("--certificate", place / "certificate.json"),
        ).stdout
    )
    assert "not found in this recording" in other["notes"][0]
    assert other["about"].startswith("600 requests")
    assert not other["promise"]["holds"]


def test_a_certificate_of_something_else(cli, place):
    """Of other requests nothing is certified here; of other tiers there is no report."""
    write_recording(real(600, seed=1).rows(np.arange(300)), place / "other.parquet")
    done = cli("report", place / "other.parquet", "--certificate", place / "certificate.json")
    assert done.exit_code == 0, done.output
    words = " ".join(done.stdout.split())
    assert "not certified here: The certificate speaks of other requests" in words
    assert "note: the requests that the certificate was tested on are not found" in words
    assert "Not certified here." in (place / "other.html").read_text()
    write_recording(real(60).with_tiers(["mini"]), place / "mini.parquet")
    done = cli("report", place / "mini.parquet", "--certificate", place / "certificate.json")
    assert done.exit_code == 2
    assert "speaks of other tiers" in " ".join(done.stderr.split())
    assert not (place / "mini.html").exists()


def test_a_chain(cli, place):
    """With --chain the report is about that chain; one that was not recorded is an error."""
    path = place / "chain.toml"
    path.write_text(CHAIN)
    data = json.loads(cli("report", place / "support.parquet", "--json", "--chain", path).stdout)
    assert data["plan"] == "nano >= 0 → big"
    path.write_text(CHAIN.replace('"gpt-nano"', '"gpt-other"'))
    done = cli("report", place / "support.parquet", "--chain", path)
    assert done.exit_code == 2
    assert "gpt-other" in done.stderr
    assert not (place / "support.html").exists()


def test_a_search(cli, place):
    """Without a certificate plans are searched; not with one, and not with --no-search."""
    data = json.loads(cli("report", place / "support.parquet", "--json").stdout)
    found = data["searched"]
    assert found["cost"] > 0
    assert {line["name"] for line in data["policies"]} >= {"what a search finds"}
    for tier in found["dropped"]:
        assert tier["reason"]
    words = " ".join(cli("report", place / "support.parquet").stdout.split())
    assert " ".join(found["sentence"].split()) in words
    assert "What a search finds" in (place / "support.html").read_text()
    for more in (["--no-search"], ["--certificate", place / "certificate.json"]):
        other = json.loads(cli("report", place / "support.parquet", "--json", *more).stdout)
        assert other["searched"] is None
    write_recording(real(60), place / "small.parquet")
    done = cli("report", place / "small.parquet")
    assert done.exit_code == 0
    assert "note: no plans were searched: that takes 100" in " ".join(done.stdout.split())
    assert (place / "small.html").exists()


def test_a_terminal_shows_what_is_being_done(cli, place, monkeypatch):
    """While it lasts a line on standard error says so; data stays data."""
    monkeypatch.setattr(Console, "is_terminal", True)
    done = cli("report", place / "support.parquet", "--json")
    assert done.exit_code == 0
    assert "comparing" in done.stderr
    assert json.loads(done.stdout)["searched"]


def test_it_opens_a_browser_when_asked(cli, place, monkeypatch):
    """--open shows the page; where no browser starts, that is said."""
    shown = []
    monkeypatch.setattr(webbrowser, "open", lambda url: shown.append(url) or len(shown) == 1)
    assert cli("report", place / "support.parquet", "--open").exit_code == 0
    assert shown == [(place / "support.html").as_uri()]
    assert "no web browser" in cli("report", place / "support.parquet", "--open").stderr


@pytest.mark.parametrize(
    ("args", "ends"),
    [
        (("nowhere.parquet",), (2, "there is no recording 'nowhere.parquet")),
        (("support.parquet", "-o", "support.parquet"), (2, "RECORDING")),
        (("support.parquet", "-o", "no/such/folder.html"), (2, "there is no folder 'no/such'")),
        (("support.parquet", "--charts", "support.parquet/x"), (2, "cannot be made")),
        (("support.parquet", "--certificate", "support.parquet"), (2, "certificate")),
        (("support.parquet", "--json", "--open"), (2, "--open")),
        (("page.html",), (2, "is a page already")),
        ((".",), (2, "is a folder")),
        ((".", "--json"), (2, "is a folder")),
    ],
)
def test_what_cannot_work(cli, place, monkeypatch, args, ends):
    """Wrong files and options end with one line that names them, and leave the recording alone."""
    monkeypatch.chdir(place)
    code, words = ends
    (place / "page.html").touch()
    before = (place / "support.parquet").read_bytes()
    done = cli("report", *args)
    assert done.exit_code == code, done.output
    assert words in done.stderr
    assert "Traceback" not in done.output
    assert (place / "support.parquet").read_bytes() == before


def test_truncated(cli, place):
    """A torn recording is an error that says so."""
    file = place / "support.parquet"
    file.write_bytes(file.read_bytes()[:-500])
    done = cli("report", file)
    assert done.exit_code == 2
    assert "support.parquet" in done.stderr.replace("\n", "")


def test_no_labels(cli, tmp_path):
    """A recording without labels still gives its page."""
    made = real(50)
    made.quality[:] = np.nan
    write_recording(made, tmp_path / "bare.parquet")
    done = cli("report", tmp_path / "bare.parquet")
    assert done.exit_code == 0, done.output
    assert "its quality is unknown" in done.stdout.replace("\n", " ")
    assert (tmp_path / "bare.html").exists()
