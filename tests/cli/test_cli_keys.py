"""`cascade keys`: keys are made, shown, changed and revoked from the command line."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cascade.accounts import Accounts


@pytest.fixture
def place(tmp_path):
    return tmp_path / "keys.sqlite3"


@pytest.fixture
def keys(cli, place):
    """Runs a sub-command over one place."""
    return lambda *args: cli("keys", *args, "--database", place)


def test_a_secret_is_shown_once_and_alone(keys, place):
    """The secret is all there is on standard output, so that it can be piped; then it is gone."""
    done = keys("create", "app")
    secret = done.stdout.strip()
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 1)
    assert "cannot be shown again" in done.stderr
    assert secret not in done.stderr
    for command in (["list"], ["show", "app"], ["list", "--json"], ["show", "app", "--json"]):
        assert secret not in keys(*command).stdout
    with Accounts(place) as accounts:
        assert accounts.find(secret).name == "app"


def test_a_key_without_a_cap_is_said_to_have_none(keys):
    """Whoever makes one that may spend without limit is told, with the way to limit it."""
    done = keys("create", "app")
    assert "may spend without limit" in done.stderr
    found = next(word for word in done.stderr.split() if word.startswith("key_"))
    assert keys("change", found, "--budget-day", "5").exit_code == 0
    for options in (["--budget-day", "5"], ["--budget-month", "5"]):
        assert "without limit" not in keys("create", f"app{options[0]}", *options).stderr


def test_all_settings(keys, place):
    """Every option reaches the key, amounts to the last digit."""
    options = [
        *("--chain", "support", "--chain", "sales", "--model", "gpt-5.4", "--budget-day", "0.10"),
        *("--budget-month", "3.000000001", "--requests-per-minute", "60"),
        *(
            "--tokens-per-minute",
            "100000",
            "--concurrency",
            "4",
            "--expires",
            "2999-01-31",
            "--admin",
        ),
    ]
    data = json.loads(keys("create", "app", *options, "--json").stdout)
    with Accounts(place) as accounts:
        assert accounts.find(data["secret"]).id == data["key"]["id"]
    made = data["key"]
    assert (made["chains"], made["models"]) == (["support", "sales"], ["gpt-5.4"])
    assert (made["budget_day_usd"], made["budget_month_usd"]) == ("0.1", "3.000000001")
    assert (made["requests_per_minute"], made["tokens_per_minute"]) == (60, 100_000)
    assert made["concurrency"] == 4
    assert "at once" in keys("list").stdout
    assert (made["expires_at"], made["is_admin"]) == ("2999-02-01T00:00:00+00:00", True)
    shown = keys("show", "app").stdout
    for words in ("support, sales, gpt-5.4; admin", "$0 of $0.1", "60 requests, 100,000 tokens"):
        assert words in shown
    assert "on 2999-01-31 24:00" in shown


@pytest.mark.parametrize(
    ("given", "end"),
    [
        ("2999-12-31", "3000-01-01T00:00:00+00:00"),
        ("2999-12-31T00:00", "2999-12-31T00:00:00+00:00"),
        ("2999-12-31 09:30", "2999-12-31T09:30:00+00:00"),
        ("2999-12-31T09:30+02:00", "2999-12-31T07:30:00+00:00"),
    ],
)
def test_when_a_key_ends(keys, given, end):
    """A day without a time is the last one of a key, as on the dashboard; a moment is that moment."""
    made = json.loads(keys("create", "app", "--expires", given, "--json").stdout)
    assert made["key"]["expires_at"] == end


def test_chains_are_not_checked_here(keys):
    """Whoever names a chain is told who looks whether there is one; nobody else is."""
    words = "not checked here: 'suport'; `cascade serve` warns of chains that it does not know"
    assert words in keys("create", "app", "--chain", "suport").stderr
    assert words in keys("change", "app", "--chain", "suport").stderr
    for args in (["create", "other"], ["change", "app", "--chain", "*"]):
        assert "not checked here" not in keys(*args).stderr


def test_a_key_that_ends_today(keys, monkeypatch):
    """A key may be made for the rest of a day, until that is over."""
    noon = datetime(2999, 12, 31, 12, tzinfo=UTC)
    monkeypatch.setattr("cascade.accounts.keyring.Keyring.now", lambda _: noon)
    assert keys("create", "app", "--expires", "2999-12-31").exit_code == 0
    assert "has passed" in keys("create", "b", "--expires", "2999-12-30").stderr


def test_the_list_shows_what_was_spent(keys, place):
    """A key's line says what it spent today and this month, and of how much."""
    keys("create", "app", "--budget-day", "5")
    with Accounts(place) as accounts:
        accounts.purse(accounts.get("app")).settle(Decimal(0), Decimal("0.00123"))
    shown = keys("list").stdout
    assert "$0.00123 of $5" in shown
    data = json.loads(keys("list", "--json").stdout)["keys"]
    assert [(key["name"], key["spent"]["month_usd"]) for key in data] == [("app", "0.00123")]
    detail = json.loads(keys("show", "app", "--json").stdout)
    assert [entry["usd"] for entry in detail["spent"]["by_day"]] == ["0.00123"]


@pytest.fixture
def held(keys, place):
    """A key for which $0.07 is held, of $5 a day, beside $0.00123 that was spent."""
    keys("create", "app", "--budget-day", "5")
    with Accounts(place) as accounts:
        purse = accounts.purse(accounts.get("app"))
        assert purse.refill(Decimal("0.07")).result()
        purse.settle(Decimal("0.07"), None)
        purse.settle(Decimal(0), Decimal("0.00123"))


@pytest.mark.usefixtures("held")
def test_what_is_held_is_shown_apart(keys):
    """A worst case is no amount that was spent: lists say which is which, and what to do."""
    for command in (["list"], ["show", "app"]):
        done = keys(*command)
        assert "$0.00123 + $0.07" in done.stdout
        assert "held of $5" in done.stdout
        assert "1 call of unknown cost this month, held at the worst case" in done.stderr
        assert "`cascade keys release NAME`" in done.stderr
    (listed,) = json.loads(keys("list", "--json").stdout)["keys"]
    spent = listed["spent"]
    assert (spent["day_usd"], spent["day_held_usd"]) == ("0.00123", "0.07")
    assert (spent["month_held_usd"], spent["month_unknown_calls"]) == ("0.07", 1)
    (day,) = json.loads(keys("show", "app", "--json").stdout)["spent"]["by_day"]
    assert (day["usd"], day["held_usd"], day["unknown_calls"]) == ("0.00123", "0.07", 1)


def test_unknown_is_not_nothing(keys, place):
    """A key without a budget holds nothing, and its list says that there is something unknown."""
    keys("create", "app")
    with Accounts(place) as accounts:
        accounts.purse(accounts.get("app")).settle(Decimal(0), None)
    done = keys("list")
    assert "$0 + 1 unknown" in " ".join(done.stdout.split())
    assert "1 call of unknown cost this month: more may have been spent" in done.stderr
    assert "given back" in keys("release", "app").stderr
    assert "unknown" not in keys("list").stdout


@pytest.mark.usefixtures("held")
def test_what_is_held_is_given_back(keys):
    """The command says how much, what stays spent, and that nothing is left."""
    done = keys("release", "app", "--billed", "0.01")
    assert (done.exit_code, done.stdout) == (0, "")
    month = f"{datetime.now(UTC):%Y-%m}"
    words = "$0.06 is given back to key 'app', for 1 call of unknown cost in"
    assert f"{words} {month}; $0.01 stays spent" in done.stderr
    assert "$0.01123 of $5" in keys("list").stdout
    assert f"nothing is held for key 'app' in {month}" in keys("release", "app").stderr


@pytest.mark.usefixtures("held")
def test_what_was_given_back_as_data(keys):
    """It has all that was held."""
    data = json.loads(keys("release", "app", "--billed", "0", "--json").stdout)
    released = data["released"]
    assert (released["usd"], released["held_usd"], released["calls"]) == ("0.07", "0.07", 1)
    assert data["key"]["name"] == "app"


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--period", "today"], "--period: 'today' is no day or month"),
        (["--billed", "0.08"], "--billed: $0.08 is more than the $0.07 that is held"),
        (["--billed", "much"], "--billed: "),
    ],
)
def test_what_cannot_be_given_back(keys, args, words):
    """It is told by the option, and nothing happens."""
    done = keys("release", "app", *args)
    assert (done.exit_code, words in done.stderr) == (2, True)
    assert "$0.07 held of $5" in keys("show", "app").stdout


def test_revoked_keys_are_shown_when_asked_for(keys, place):
    """A revoked key ends, and leaves the list but for --all."""
    secret = keys("create", "app").stdout.strip()
    done = keys("revoke", "app")
    assert (done.exit_code, "is revoked" in done.stderr) == (0, True)
    with Accounts(place) as accounts:
        assert accounts.find(secret) is None
    assert "app" not in keys("list").stdout
    assert "no keys; make one" in keys("list").stderr
    assert "revoked 2" in keys("list", "--all").stdout


def test_changes(keys, place):
    """What is given is changed and nothing else; "none" takes a limit away."""
    keys("create", "app", "--budget-day", "5", "--chain", "support", "--expires", "30d")
    done = keys(
        "change", "app", "--budget-day", "none", "--chain", "*", "--model", "*", "--name", "b"
    )
    assert done.exit_code == 0
    with Accounts(place) as accounts:
        key = accounts.get("b")
    assert (key.budget_day_usd, key.chains, key.models, key.is_admin) == (None, (), ("*",), False)
    left = key.expires_at - datetime.now(UTC)
    assert timedelta(days=29) < left < timedelta(days=31)
    keys(
        "change",
        "b",
        "--expires",
        "none",
        "--model",
        "none",
        "--admin",
        "--requests-per-minute",
        "7",
    )
    with Accounts(place) as accounts:
        key = accounts.get("b")
    assert (key.expires_at, key.models, key.is_admin, key.requests_per_minute) == (
        None,
        (),
        True,
        7,
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["create", "app"], "there is a key 'app' already; revoke it, or take another name"),
        (["create", "x", "--budget-day", "five"], "--budget-day: budget 'five' is no amount"),
        (["create", "x", "--budget-month", "0"], "--budget-month: budget '0' is not above 0"),
        (
            ["create", "x", "--requests-per-minute", "1.5"],
            "--requests-per-minute '1.5' is no whole number above 0",
        ),
        (["create", "x", "--tokens-per-minute", "0"], "--tokens-per-minute '0' is no whole"),
        (["create", "x", "--expires", "soon"], "--expires 'soon' is no moment; expected e.g. 30d"),
        (["create", "x", "--expires", "2020-01-01"], "has passed; `cascade keys revoke`"),
        (["create", "x", "--expires", "999999w"], "is no moment"),
        (["create", "x", "--expires", "9999-12-31"], "is no moment"),
        (["create", " "], "is no name for a key"),
        (["change", "app"], "nothing to change in key 'app'"),
        (["change", "app", "--chain", "none"], "--chain none: a key without any chain cannot be"),
        (["create", "x", "--chain", "none"], "give --chain '*' for all of them"),
        (["change", "app", "--chain", "*", "--chain", "a"], "--chain '*' stands alone"),
        (["change", "app", "--model", "a", "--model", "none"], "--model 'none' stands alone"),
        (["change", "app", "--concurrency", "0"], "--concurrency '0' is no whole number above 0"),
    ],
)
def test_calls_that_cannot_work(keys, args, words):
    """A bad call ends with 2, says what was expected, and makes nothing."""
    keys("create", "app")
    done = keys(*args)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())
    assert [key["name"] for key in json.loads(keys("list", "--all", "--json").stdout)["keys"]] == [
        "app"
    ]


@pytest.mark.parametrize(
    "option",
    [
        ("--budget-day=-1",),
        ("--requests-per-minute", "0"),
        ("--concurrency", "many"),
        ("--expires", "soon"),
    ],
)
def test_none_is_explained_where_there_may_be_a_limit(keys, option):
    """A new key has no limit that "none" could take away; one that is changed may have."""
    keys("create", "app")
    assert "none" not in keys("create", "x", *option).stderr
    assert "none" in keys("change", "app", *option).stderr


def test_words_that_stand_for_names(keys, place):
    """A star is all chains and every model, "none" is no model, in both commands."""
    keys("create", "app", "--chain", "*", "--model", "none")
    keys("create", "b", "--chain", "support", "--model", "*")
    with Accounts(place) as accounts:
        assert [(key.chains, key.models) for key in accounts.list()] == [
            ((), ()),
            (("support",), ("*",)),
        ]


def test_places_and_keys_that_there_are_not(keys, place, cli):
    """Looking makes no file; a key that there is not is named with the way to those there are."""
    done = keys("list")
    assert (done.exit_code, place.exists()) == (2, False)
    assert "make one with `cascade keys create`" in " ".join(done.stderr.split())
    keys("create", "app")
    for command in ("show", "revoke"):
        done = keys(command, "zed")
        assert done.exit_code == 1
        assert "no key 'zed'" in done.stderr
    data = json.loads(keys("show", "zed", "--json").stdout)
    assert "no key 'zed'" in data["error"]


def test_the_environment_names_the_place(cli, place, monkeypatch):
    """CASCADE_DATABASE_URL is where keys are kept unless a place is given."""
    monkeypatch.setenv("CASCADE_DATABASE_URL", f"sqlite:///{place}")
    cli("keys", "create", "app")
    assert place.exists()
    assert "app" in cli("keys", "list").stdout
