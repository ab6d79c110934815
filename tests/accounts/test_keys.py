"""Keys: made once, kept hashed, found fast, changed and revoked while others serve them."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from accounts_help import eventually

from cascade import ConfigError, StoreError
from cascade.accounts import Accounts


class TestMaking:
    def test_a_key_comes_back_as_it_was_made(self, accounts, open_accounts):
        """All settings of a key are kept, to the digit, and other processes see them."""
        end = datetime(2027, 1, 31, 9, tzinfo=UTC)
        key, secret = accounts.create(
            "Åsa's app",
            chains=["support", "sales"],
            models=["gpt-5.4-nano"],
            budget_day_usd="5.10",
            budget_month_usd=Decimal("100.000000000000001"),
            requests_per_minute=60,
            tokens_per_minute=100_000,
            concurrency=3,
            expires_at=end,
            is_admin=True,
        )
        other = open_accounts(accounts._line._engine.url.render_as_string(hide_password=False))
        assert other.find(secret) == key
        assert other.list() == [key]
        assert other.get("Åsa's app") == other.get(key.id) == key
        assert (key.budget_day_usd, key.budget_month_usd) == (
            Decimal("5.1"),
            Decimal("100.000000000000001"),
        )
        assert (key.expires_at, key.is_admin, key.chains) == (end, True, ("support", "sales"))
        assert key.concurrency == 3
        assert secret.startswith(key.prefix)

    @pytest.mark.parametrize(
        ("end", "last_day", "words"),
        [
            ("2027-01-01T00:00+00:00", "2026-12-31", "2026-12-31 24:00"),
            ("2027-01-01T01:00+01:00", "2026-12-31", "2026-12-31 24:00"),
            ("2027-01-01T00:00:01+00:00", "2027-01-01", "2027-01-01 00:00"),
            ("2027-01-01T09:30+00:00", "2027-01-01", "2027-01-01 09:30"),
        ],
    )
    def test_the_last_day(self, accounts, end, last_day, words):
        """A key that ends at midnight does not work on the day that begins then."""
        key, _ = accounts.create("a", expires_at=datetime.fromisoformat(end))
        assert (str(key.last_day), key.end_words) == (last_day, words)

    def test_no_last_day(self, accounts):
        """A key without an end has no last day."""
        key, _ = accounts.create("a")
        assert (key.last_day, key.end_words) == (None, "never")

    def test_a_model_brings_its_snapshots(self, accounts):
        """A key for a model opens its listed snapshots, whose price is the same; none other."""
        key, _ = accounts.create("a", models=["gpt-5.4-mini"])
        dated, _ = accounts.create("b", models=["gpt-5.4-mini-2026-03-17"])
        names = ("gpt-5.4-mini", "gpt-5.4-mini-2026-03-17", "gpt-5.4-mini-2026-03-18")
        assert [key.may_use(name, is_chain=False) for name in names] == [True, True, False]
        assert [dated.may_use(name, is_chain=False) for name in names] == [False, True, False]
        assert not dated.may_use("nobody-knows", is_chain=False)

    def test_what_a_key_may_use(self, accounts):
        """No chain named means all chains; no model named means none, and a star all."""
        plain, _ = accounts.create("a")
        narrow, _ = accounts.create("b", chains=["support"], models=["gpt-5.4"])
        every, _ = accounts.create("c", models=["*"])
        asked = [("support", True), ("sales", True), ("gpt-5.4", False), ("gpt-5.5", False)]
        may = [
            [key.may_use(name, is_chain=kind) for name, kind in asked]
            for key in (plain, narrow, every)
        ]
        assert may == [
            [True, True, False, False],
            [True, False, True, False],
            [True, True, True, True],
        ]

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"name": ""}, "name ''"),
            ({"name": "two\nlines"}, "on one line"),
            ({"name": "x" * 101}, "at most 100"),
            ({"budget_day_usd": 0.5}, "budget_day_usd: budget 0.5: pass dollars as a string"),
            ({"budget_month_usd": "-1"}, "budget_month_usd: .*above 0"),
            ({"requests_per_minute": 0}, "requests_per_minute is 0; expected a whole number"),
            ({"tokens_per_minute": 1.5}, "tokens_per_minute is 1.5"),
            ({"requests_per_minute": True}, "requests_per_minute is True"),
            ({"chains": "support"}, r"chains is 'support'; expected a list"),
            ({"models": [""]}, "models holds ''"),
            ({"expires_at": "tomorrow"}, "expires_at is 'tomorrow'"),
        ],
    )
    def test_settings_that_cannot_be_are_refused(self, accounts, settings, words):
        """A key that makes no sense is refused with the setting named, and is not made."""
        with pytest.raises(ConfigError, match=words) as caught:
            accounts.create(**{"name": "x", **settings})
        assert caught.value.param == next(iter(settings))
        assert accounts.list() == []

    def test_what_is_wrong_is_told_without_the_setting_too(self, accounts):
        """A form names its fields itself."""
        for settings, why in (
            ({"concurrency": 0}, "0; expected a whole number above 0"),
            ({"budget_day_usd": "-1"}, "'-1' is not above 0 US dollars"),
            ({"name": "x" * 101}, "the name of a key has at most 100 characters, not 101"),
        ):
            with pytest.raises(ConfigError) as caught:
                accounts.create(**{"name": "x", **settings})
            assert caught.value.why == why

    def test_two_live_keys_do_not_share_a_name(self, accounts):
        """A name in use is refused; a revoked key's may be taken again."""
        first, _ = accounts.create("app")
        with pytest.raises(ConfigError, match="a key 'app' already; revoke it"):
            accounts.create("app")
        accounts.revoke("app")
        second, _ = accounts.create("app")
        assert accounts.get("app") == second
        assert accounts.get(first.id).revoked_at is not None
        with pytest.raises(StoreError, match="was revoked, which is for good; make a new one"):
            accounts.change(first.id, budget_day_usd="5")
        accounts.create("other")
        with pytest.raises(ConfigError, match="a key 'app' already"):
            accounts.change("other", name="app")

    def test_the_secret_is_kept_nowhere(self, sqlite, open_accounts, caplog):
        """Neither the file nor the log nor what is printed of a key holds its secret."""
        accounts = open_accounts(sqlite)
        key, secret = accounts.create("app")
        assert accounts.find(secret) == key
        accounts.close()
        held = b"".join(path.read_bytes() for path in Path(sqlite.where).parent.iterdir())
        assert secret.encode() not in held
        assert secret.encode()[11:] not in held
        assert secret not in caplog.text + repr(key) + repr(vars(accounts))

    def test_somebody_elses_table_is_refused(self, database):
        """A database whose tables of those names are not ours is refused, not changed."""
        database.sql("CREATE TABLE cascade_used (x TEXT)")
        with pytest.raises(StoreError, match="not a place for keys: another program"):
            Accounts(database.where)

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"on_database_loss": "ajar"}, "expected 'closed' or 'open'"),
            ({"lease_s": 0}, "lease_s above 0"),
            ({"cache_s": -1}, "cache_s=-1"),
        ],
    )
    def test_settings_of_accounts_are_checked(self, tmp_path, settings, words):
        """What cannot be is refused before a file is made."""
        place = tmp_path / "x.sqlite3"
        with pytest.raises(ConfigError, match=words):
            Accounts(place, **settings)
        assert not place.exists()


class TestFinding:
    def test_only_whole_secrets_are_found(self, accounts):
        """Nothing but the secret itself is a key: no part, no other case, no key of another kind."""
        _, secret = accounts.create("app")
        changed = secret[:-1] + ("A" if secret[-1] != "A" else "B")
        for wrong in (
            "",
            "ck-",
            secret[:-1],
            secret + "A",
            secret.upper(),
            changed,
            "sk-proj-1",
            "ü",
        ):
            assert accounts.find(wrong) is None
        assert accounts.find(secret) is not None

    def test_a_known_key_asks_no_database(self, accounts, monkeypatch):
        """Within the cache's seconds a key is found without a question to the database."""
        key, secret = accounts.create("app")
        accounts.find(secret)
        monkeypatch.setattr(accounts._worker, "look_up", None)
        assert accounts.find(secret) == key
        assert asyncio.run(accounts.authenticate(secret)) == key

    def test_guessing_fills_no_memory(self, accounts, monkeypatch):
        """Secrets that nobody has are remembered, but only so many of them."""
        monkeypatch.setattr("cascade.accounts.accounts.UNKNOWN_KEPT", 3)
        for number in range(8):
            assert accounts.find(f"ck-{number:043}") is None
        assert 0 < len(accounts._unknown) <= 3

    def test_many_at_once_share_a_question(self, accounts, monkeypatch):
        """A hundred requests with a secret not seen of late are answered by few transactions."""
        key, secret = accounts.create("app")
        real, asked = accounts._worker._look_up, []
        monkeypatch.setattr(
            accounts._worker,
            "_look_up",
            lambda line, digests: asked.append(digests) or real(line, digests),
        )

        async def main():
            return await asyncio.gather(*(accounts.authenticate(secret) for _ in range(100)))

        assert asyncio.run(main()) == [key] * 100
        assert len(asked) < 10
        assert {len(digests) for digests in asked} == {1}

    def test_a_revoked_key_ends_within_the_cache_seconds(self, accounts, open_accounts, database):
        """A process that has just served a key refuses it soon after another has revoked it."""
        key, secret = accounts.create("app")
        serving = open_accounts(database, cache_s=0.3)
        assert serving.find(secret) == key
        accounts.revoke("app")
        assert serving.find(secret) == key
        begun = time.monotonic()
        eventually(lambda: serving.find(secret) is None, 1.0)
        assert time.monotonic() - begun < 0.6

    def test_a_changed_key_is_seen_within_the_cache_seconds(
        self, accounts, open_accounts, database
    ):
        """New settings reach processes that have just served the key."""
        key, secret = accounts.create("app", chains=["support"])
        serving = open_accounts(database, cache_s=0.2)
        assert serving.find(secret) == key
        changed = accounts.change("app", chains=["sales"], budget_day_usd="1")
        eventually(lambda: serving.find(secret) == changed, 1.0)

    def test_a_key_expires_in_the_middle_of_the_cache_seconds(self, accounts):
        """An expired key ends when it should, however long keys are remembered."""
        soon = accounts.now() + timedelta(seconds=0.6)
        _, secret = accounts.create("app", expires_at=soon)
        assert accounts.find(secret) is not None
        eventually(lambda: accounts.find(secret) is None, 1.0)

    def test_keys_expire_by_the_databases_clock(self, accounts, set_clock):
        """What this machine takes for the time does not matter."""
        end = datetime(2027, 1, 31, tzinfo=UTC)
        _, secret = accounts.create("app", expires_at=end)
        set_clock(end - timedelta(seconds=30))
        assert accounts.find(secret) is not None
        accounts._known.clear()
        set_clock(end + timedelta(seconds=1))
        assert accounts.find(secret) is None

    def test_unknown_keys_are_named(self, accounts):
        """Commands on a key that there is not say how to find those that there are."""
        for act in (accounts.get, accounts.revoke, accounts.change):
            with pytest.raises(StoreError, match=r"no key 'app' in .*cascade keys list"):
                act("app")
        accounts.create("app")
        with pytest.raises(
            ConfigError, match="no setting 'budget' to change; expected one of budget_day"
        ):
            accounts.change("app", budget="5")
        with pytest.raises(ConfigError, match="no setting 'id'"):
            accounts.change("app", id="key_1")

    def test_an_id_is_its_keys_though_another_be_called_so(self, accounts):
        """A key whose name is the id of another neither hides that one nor ends in its place."""
        key, _ = accounts.create("app")
        other, _ = accounts.create(key.id)
        assert accounts.get(key.id) == key
        assert accounts.revoke(key.id).id == key.id
        assert accounts.get(key.id).revoked_at is not None
        assert accounts.get(other.id).revoked_at is None

    def test_closed_accounts_answer_nobody(self, accounts):
        """After closing nothing is granted and nobody waits, and the reason is told."""
        key, secret = accounts.create("app", budget_day_usd="1")
        accounts.close()
        accounts.close()
        with pytest.raises(StoreError, match="these accounts were closed"):
            accounts.find(secret)
        purse = accounts.purse(key)
        assert purse.refill(Decimal("0.01")).result(1) is False
        assert "were closed" in purse.unavailable
