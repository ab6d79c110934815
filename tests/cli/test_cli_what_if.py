"""`cascade what-if`: a chain priced on recorded answers, from the command line."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cascade.calibration import RecordedTier, Recording, Tokens, read_recording, write_recording
from cascade.calibration.fingerprint import scorer_fingerprint, tier_fingerprint
from cascade.calibration.money import PER_USD
from cascade.config import load_chain

CHAIN = """
name = "support"

[[tier]]
model = "nano"
threshold = 0.5
scorer = { use = "length_between", min_words = 3 }
price = { input = "1", output = "2" }

[[tier]]
model = "big"
price = { input = "10", output = "20" }
"""


@pytest.fixture
def files(tmp_path):
    """A chain and a recording of it: 40 requests, nano right in half of what it is sure of."""
    path = tmp_path / "support.toml"
    path.write_text(CHAIN)
    chain = load_chain(path)
    tiers = [
        RecordedTier(
            tier.name,
            tier.model,
            settings=tier_fingerprint(tier),
            scorer="LengthBetween" if tier.scorer else "",
            scorer_settings=scorer_fingerprint(tier.scorer),
            price=tier.price.to_dict(),
        )
        for tier in chain.tiers
    ]
    rows = np.arange(40)
    quality = np.column_stack([rows % 4 != 0, rows % 10 != 3]).astype(float)
    scores = np.column_stack([np.where(rows % 4 == 0, 0.2, 0.9), np.full(40, np.nan)])
    cost = np.tile([PER_USD // 1000, PER_USD // 100], (40, 1))
    tokens = Tokens(*(np.full((40, 2), value) for value in (1000.0, 0.0, 0.0, 0.0, 0.0)))

    def write(**changed):
        given = {
            "quality": quality,
            "cost_pusd": cost,
            "score": scores,
            "tokens": tokens,
            **changed,
        }
        made = Recording.build(tiers, [f"q{row}" for row in rows], **given)
        write_recording(made, tmp_path / "support.parquet")
        return tmp_path / "support.parquet", path

    return write


def test_the_tables(cli, files):
    """The plan, every baseline with its interval, the steps and the scorers' worth."""
    recording, chain = files()
    done = cli("what-if", recording, "--chain", chain, env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    for words in (
        "nano >= 0.5 → big",
        "40 requests · $0.14 in all",
        "always cheapest",
        "best single at equal quality",
        "random mixing at equal cost",
        "best pair at equal quality",
        "oracle cascade",
        "false accepts",
        "saves per 1,000",
        "35.0 %",
    ):
        assert words in done.stdout, words


def test_graded_answers_are_not_counted_as_shares(cli, files):
    """What a graded answer loses is a mean over all requests, and is called that."""
    quality = np.tile([0.25, 0.75], (40, 1))
    quality[:10] = 1.0, 0.5
    recording, chain = files(quality=quality)
    said = cli("what-if", recording, "--chain", chain).stdout
    assert "worse than big" not in said
    assert "mean loss beside big " in said
    assert ", mean gain " in said


LONG = "a-provider-of-models/a-model-with-a-long-name-8B-Instruct-Turbo"


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_long_names_stay_whole(cli, files, columns):
    """Which model each baseline is can be read at every usual width, whatever it is called."""
    recording, chain = files()
    chain.write_text(CHAIN.replace('"big"', f'"{LONG}"'))
    made = read_recording(recording)
    top = replace(made.tiers[1], name=LONG, model=LONG, settings="")
    write_recording(replace(made, tiers=(made.tiers[0], top)), recording)
    done = cli("what-if", recording, "--chain", chain, env={"COLUMNS": str(columns)})
    told = " ".join(done.stdout.split())
    assert f"always top: {LONG} alone · " in told
    assert "best single at equal cost: nano alone" in told


def test_as_data(cli, files):
    """Everything is there for a program, exact amounts as decimal strings."""
    recording, chain = files()
    done = cli("what-if", recording, "--chain", chain, "--json", "--threshold", "nano=1")
    data = json.loads(done.stdout)
    assert data["chosen"]["total_usd"] == "0.44"
    assert data["chosen"]["plan"]["steps"][0]["threshold"] == 1.0
    assert {one["name"] for one in data["baselines"]} >= {"always top", "oracle router"}
    assert data["metrics"]["cost_ratio"] == pytest.approx(1.1)
    assert data["scorers"][0]["step"] == "nano"
    assert data["reliability"][0]["bins"]
    again = cli("what-if", recording, "--chain", chain, "--json", "--threshold", "nano=1")
    assert again.stdout == done.stdout


def test_scores_that_a_file_brought(cli, tmp_path):
    """The documented columns of other tools are enough; the chain's scorer holds their place."""
    file, chain, page = (tmp_path / name for name in ("f.parquet", "chain.toml", "page.html"))
    asked = [(i, tier) for i in range(40) for tier in ("nano", "big")]
    columns = {
        "request_id": [f"q{i}" for i, _ in asked],
        "tier": [tier for _, tier in asked],
        "quality": [float(tier == "big" or i % 4 > 0) for i, tier in asked],
        "cost_usd": [0.001 if tier == "nano" else 0.01 for _, tier in asked],
        "score": [None if tier == "big" else 0.9 if i % 4 else 0.2 for i, tier in asked],
    }
    pq.write_table(pa.table(columns), file)
    chain.write_text(CHAIN)
    refused = cli("what-if", file, "--chain", chain)
    assert (refused.exit_code, "--scores recorded" in refused.stderr) == (2, True)
    done = cli("what-if", file, "--chain", chain, "--scores", "recorded", "--json")
    data = json.loads(done.stdout)
    assert data["chosen"]["total_usd"] == "0.14"
    assert "how the scores of 'nano' were made" in data["notes"][0]
    done = cli(
        "report",
        file,
        "--chain",
        chain,
        "--scores",
        "recorded",
        "--json",
        "-o",
        page,
        "--no-search",
    )
    assert (done.exit_code, "how the scores of 'nano' were made" in done.stdout) == (0, True)
    done = cli("report", file, "--scores", "recorded")
    assert (done.exit_code, "name it with --chain" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "prices",
    [
        {"nano": {"in": "2", "out": "2"}},
        {"as_of": "2026-11-22", "models": [
            {"model": "nano", "price": {"id": "x", "standard": {"input": "2", "output": "2"}}},
            {"model": "gone", "price": None},
        ]},
    ],
)  # fmt: skip
def test_other_prices(cli, files, tmp_path, prices):
    """A few models by name, or what `cascade prices --json` prints."""
    recording, chain = files()
    (tmp_path / "prices.json").write_text(json.dumps(prices))
    done = cli(
        "what-if", recording, "--chain", chain, "--json", "--prices", tmp_path / "prices.json"
    )
    assert json.loads(done.stdout)["chosen"]["total_usd"] == "0.18"


def test_a_whole_table_and_a_cached_prompt(cli, files, tmp_path):
    """The shipped table lacks these models, so that their recorded prices stay."""
    from importlib.resources import files as resources

    recording, chain = files()
    table = tmp_path / "models.json"
    table.write_text(resources("cascade.data").joinpath("models.json").read_text())
    done = cli("what-if", recording, "--chain", chain, "--json", "--prices", table)
    assert json.loads(done.stdout)["chosen"]["total_usd"] == "0.14"
    done = cli("what-if", recording, "--chain", chain, "--json", "--cached", "80%")
    chosen = json.loads(done.stdout)["chosen"]
    assert (chosen["total_usd"], chosen["prices"]) == ("0.14", "as recorded")
    assert any("no cached rate is known for 'nano' and 'big'" in n for n in chosen["notes"])


@pytest.mark.parametrize("command", ["what-if", "report"])
def test_an_unknown_cost_names_commands_that_take_prices(cli, files, command):
    """`report` has no option for prices: it sends to the commands that have one."""
    recording, chain = files(cost_pusd=np.full((40, 2), -1))
    done = cli(command, recording, "--chain", chain)
    assert done.exit_code == 2
    assert "--prices FILE of `recording import` or `what-if`" in done.stderr


def test_without_labels_there_is_a_price_and_a_reason(cli, files):
    """What the recording holds is shown; what is missing for the rest is said."""
    recording, chain = files(quality=np.full((40, 2), np.nan))
    done = cli("what-if", recording, "--chain", chain)
    assert done.exit_code == 0, done.output
    assert "$0.14 in all" in done.stdout
    assert "no baselines: the quality of 40 of 40 answers" in done.stderr
    data = json.loads(cli("what-if", recording, "--chain", chain, "--json").stdout)
    assert data["chosen"]["quality"] is None
    assert "label them" in data["no_baselines"]


def test_a_few_requests_of_which_something_is_missing(cli, files):
    """One that a tier was not asked and one without a label are left out, and both are said."""
    quality = np.column_stack([np.arange(40) % 4 != 0, np.ones(40)]).astype(float)
    answered = np.ones((40, 2), bool)
    quality[3, 1], answered[3, 1], quality[5, 0] = np.nan, False, np.nan
    recording, chain = files(quality=quality, answered=answered)
    done = cli("what-if", recording, "--chain", chain, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "best pair at equal quality" in done.stdout
    assert "note: left out: 1 of 40 requests, because not every tier was asked" in done.stdout
    assert "rests on the 38 of 39 requests" in done.stdout
    quality[:, 1] = np.nan
    recording, chain = files(quality=quality, answered=answered)
    data = json.loads(cli("what-if", recording, "--chain", chain, "--json").stdout)
    assert "1 of 40 requests" in data["chosen"]["notes"][0]
    assert "label them" in data["no_baselines"]


def test_a_recording_that_cannot_tell_ends_with_2(cli, files, tmp_path):
    """A tier that was never recorded, and a batch price that nobody knows."""
    recording, chain = files()
    other = tmp_path / "other.toml"
    other.write_text(CHAIN.replace('"nano"', '"micro"'))
    done = cli("what-if", recording, "--chain", other)
    assert done.exit_code == 2
    assert "holds no 'micro'" in done.stderr
    done = cli("what-if", recording, "--chain", chain, "--batch")
    assert done.exit_code == 2
    assert "model 'nano' has no batch rate" in done.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--threshold", "nano"), "expected TIER=VALUE"),
        (("--threshold", "nano=2"), "expected TIER=VALUE with a value from 0 to 1"),
        (("--threshold", "mini=0.5"), "no tier 'mini'"),
        (("--cached", "much"), "is no number"),
        (("--confidence", "100"), "confidence 1.0 is outside"),
        (("--prices", "nowhere.json"), "cannot be read"),
    ],
)
def test_calls_that_cannot_be_meant_end_with_2(cli, files, args, words):
    """A wrong call says what was expected."""
    recording, chain = files()
    done = cli("what-if", recording, "--chain", chain, *args)
    assert done.exit_code == 2, done.output
    assert words in done.stderr


@pytest.mark.parametrize("command", ["what-if", "certify", "report", "recording show"])
def test_a_misspelt_recording_is_told_first(cli, command):
    """The name is told before options that are missing beside it, and what to do."""
    done = cli(*command.split(), "nowhere.parquet")
    assert done.exit_code == 2
    assert "there is no recording 'nowhere.parquet'; check the name" in done.stderr
    assert "--chain" not in done.stderr


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"nano": 3}', '{"nano": {"in": "x", "out": 1}}', '{"models": [3]}']
)
def test_files_that_hold_no_prices(cli, files, tmp_path, text):
    """What is expected of a file of prices is said with every mistake in one."""
    recording, chain = files()
    path = tmp_path / "prices.json"
    path.write_text(text)
    done = cli("what-if", recording, "--chain", chain, "--prices", path)
    assert done.exit_code == 2
    assert "USD per 1,000,000 tokens" in done.stderr


def test_times_and_worth_are_shown_where_they_are_known(cli, files):
    """Latency in words; a scorer that costs more than it saves is shown in dollars."""
    seconds = np.tile([1.0, 3.0], (40, 1))
    recording, chain = files(latency_s=seconds)
    args = ("what-if", recording, "--chain", chain, "--threshold", "nano=0.1")
    done = cli(*args, env={"COLUMNS": "160"})
    assert "1.00 s on average, 95 % within 1.00 s; 0.0 % of requests ask more" in done.stdout
    assert "$0.00" in done.stdout or "$0" in done.stdout
    single = chain.with_name("single.toml")
    single.write_text(
        CHAIN.split("[[tier]]", maxsplit=1)[0] + "[[tier]]" + CHAIN.split("[[tier]]")[2]
    )
    done = cli("what-if", recording, "--chain", single)
    assert done.exit_code == 0, done.output
    assert "saves per 1,000" not in done.stdout
