"""Who may see and do what, and that nobody gets round it."""

import re
import socket
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from reading import page
from starlette.requests import Request
from starlette.testclient import TestClient
from ui_app import app_of

from cascade import Price, StoreError, Tier
from cascade.accounts.key import KEY_TAG
from cascade.core.chain import Chain
from cascade.dashboard import kept_secret
from cascade.dashboard.sessions import LASTS_S, Session, Sessions
from cascade.dashboard.tries import MOST, WINDOW_S, Tries

HERE = "https://gateway.example"


@pytest.fixture
def keys(accounts):
    """An administrator's key, and another, with their secrets."""
    boss, secret = accounts.create("boss", is_admin=True)
    shop, other = accounts.create("shop", budget_day_usd="5", chains=["support"])
    return {"boss": (boss, secret), "shop": (shop, other)}


@pytest.fixture
def app(store, accounts, keys):
    """Pages behind a login; some traces are the shop's."""
    tag = f"{KEY_TAG}{keys['shop'][0].id}"
    for place, row in enumerate(store.list(6)):
        trace = store.get(row.id)
        store.save(replace(trace, id=f"own-{place}", tags=(tag, *trace.tags)))
    store.flush()
    return app_of(store, accounts=accounts, secret=b"s" * 32)


def client_of(app, **options):
    return TestClient(app, base_url=HERE, follow_redirects=False, **options)


def logged_in(app, secret):
    client = client_of(app)
    token = page(client.get("/login")).token()
    response = client.post("/login", data={"token": token, "key": secret})
    assert response.status_code == 303
    return client


@pytest.fixture
def boss(app, keys):
    return logged_in(app, keys["boss"][1])


@pytest.fixture
def shop(app, keys):
    return logged_in(app, keys["shop"][1])


class TestLogin:
    @pytest.mark.parametrize(
        "path", ["/", "/traces", "/trace?id=x", "/chain?name=support", "/keys"]
    )
    def test_nothing_is_shown_before_it(self, app, path):
        """Every page leads to the login, and then back."""
        response = client_of(app).get(path)
        assert response.status_code == 303
        assert response.headers["location"].startswith("/login")
        assert response.text == ""

    def test_it_leads_back(self, app, keys):
        """After the login comes the page that was asked for."""
        client = client_of(app)
        there = client.get("/trace?id=own-1").headers["location"]
        shown = page(client.get(there))
        fields = {a["name"]: a.get("value", "") for a in shown.all("input")}
        assert fields["to"] == "trace?id=own-1"
        response = client.post("/login", data={**fields, "key": keys["boss"][1]})
        assert response.headers["location"] == "/trace?id=own-1"

    @pytest.mark.parametrize(
        "to",
        [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "login",
            "x/../..",
            "keys/new",
            "\r\nx: y",
        ],
    )
    def test_it_leads_nowhere_else(self, app, keys, to):
        """An address that is none of these pages leads to the first page."""
        client = client_of(app)
        token = page(client.get("/login")).token()
        response = client.post("/login", data={"token": token, "to": to, "key": keys["boss"][1]})
        assert response.headers["location"] == "/"

    @pytest.mark.parametrize(
        "secret", ["", "ck-wrong", "ck-" + "a" * 43, "é" * 46, "x" * 5000, "\0"]
    )
    def test_a_wrong_key(self, app, secret):
        """A key that does not work opens nothing, and is not told from one that never was."""
        client = client_of(app)
        token = page(client.get("/login")).token()
        response = client.post("/login", data={"token": token, "key": secret})
        assert response.status_code == 403
        assert "This key does not work" in page(response).words
        assert secret not in response.text or not secret.strip("\0")
        assert client.get("/").status_code == 303

    def test_a_key_that_ended(self, app, accounts, keys):
        """Revoked and expired keys open nothing, and close what they had opened."""
        client = logged_in(app, keys["shop"][1])
        assert client.get("/").status_code == 200
        accounts.revoke(keys["shop"][0].id)
        assert client.get("/").status_code == 303
        past = datetime.now(UTC) - timedelta(days=1)
        _, expired = accounts.create("expired", expires_at=past)
        token = page(client.get("/login")).token()
        assert client.post("/login", data={"token": token, "key": expired}).status_code == 403

    def test_the_cookie(self, app, keys):
        """It is out of a script's reach, of other sites' and of plain HTTP, and holds no secret."""
        client = client_of(app)
        token = page(client.get("/login")).token()
        response = client.post("/login", data={"token": token, "key": keys["boss"][1]})
        cookie = response.headers["set-cookie"]
        for part in ("HttpOnly", "SameSite=strict", "Secure", "Path=/", f"Max-Age={LASTS_S}"):
            assert part in cookie
        assert keys["boss"][1] not in cookie
        plain = TestClient(app, base_url="http://gateway.example")
        assert "Secure" not in plain.get("/login").headers["set-cookie"]
        plain.cookies.clear()
        behind = plain.get("/login", headers={"x-forwarded-proto": "https"})
        assert "Secure" in behind.headers["set-cookie"]  # a proxy ends TLS

    def test_a_login_begins_a_new_session(self, app, keys):
        """A cookie that somebody planted before the login is worth nothing after it."""
        client = client_of(app)
        client.get("/login")
        cookie = app.state.site.sessions.cookie
        planted = client.cookies[cookie]
        token = page(client.get("/login")).token()
        client.post("/login", data={"token": token, "key": keys["boss"][1]})
        assert client.cookies[cookie] != planted
        thief = client_of(app, cookies={cookie: planted})
        assert thief.get("/").status_code == 303

    def test_pages_of_another_server_on_this_host(self, app, store, accounts, keys):
        """Browsers share cookies among ports: neither page takes the other's, or ends its login."""
        client = client_of(app)
        other = client_of(app_of(store, accounts=accounts, secret=b"o" * 32))
        local = client_of(app_of(store, auth="local"))
        local.base_url = "http://127.0.0.1"
        token = page(client.get("/login")).token()
        assert not local.get("/").cookies
        for there in (client, other):
            client.cookies.update(there.get("/login").cookies)
        response = client.post("/login", data={"token": token, "key": keys["boss"][1]})
        assert response.status_code == 303
        other.cookies.update(client.cookies)
        client.cookies.update(other.get("/login").cookies)
        assert client.get("/").status_code == 200

    def test_logging_out(self, boss):
        """It takes the cookie away."""
        token = page(boss.get("/")).token()
        assert boss.post("/logout", data={"token": token}).headers["location"] == "/login"
        assert boss.get("/").status_code == 303

    def test_tries_are_limited(self, app, keys):
        """After some failures an address waits; not whoever comes from it with a right key."""
        client = client_of(app)
        token = page(client.get("/login")).token()
        for _ in range(MOST):
            assert client.post("/login", data={"token": token, "key": "ck-no"}).status_code == 403
        response = client.post("/login", data={"token": token, "key": "ck-no"})
        assert response.status_code == 429
        assert 0 < int(response.headers["retry-after"]) <= WINDOW_S
        right = client.post("/login", data={"token": token, "key": keys["shop"][1]})
        assert right.status_code == 303

    def test_whoever_is_in_goes_on(self, boss):
        """The login form is not shown to somebody who is logged in."""
        assert boss.get("/login").headers["location"] == "/"

    def test_keys_are_away(self, app, boss, monkeypatch):
        """Where keys cannot be read nobody is let in, and the page says so."""

        def gone(*_args):
            raise StoreError("gone")

        monkeypatch.setattr(app.state.site.keys, "by_id", gone)
        assert boss.get("/traces").status_code == 503

    def test_a_link_from_elsewhere(self, app):
        """Whoever comes by a link, which carries no session, is shown the way on."""
        response = client_of(app).get("/login?to=traces", headers={"sec-fetch-site": "cross-site"})
        assert "/traces" in page(response).links


class TestForms:
    def forms(self, client):
        token = page(client.get("/keys")).token()
        return token, {"name": "new"}

    def test_a_token_of_ours_is_needed(self, boss, accounts):
        """Without the token, with another's or a made-up one, nothing is made."""
        token, form = self.forms(boss)
        for wrong in (
            {},
            {"token": ""},
            {"token": "0" * 64},
            {"token": token[:-1]},
            {"token": "é"},
        ):
            assert boss.post("/keys/new", data={**form, **wrong}).status_code == 403
        assert [key.name for key in accounts.list()] == ["boss", "shop"]
        assert boss.post("/keys/new", data={**form, "token": token}).status_code == 200

    def test_anothers_token_is_none(self, app, boss, shop, keys):
        """A token of another session does not fit."""
        token, form = self.forms(shop)
        assert boss.post("/keys/new", data={**form, "token": token}).status_code == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "https://evil.example"},
            {"origin": "https://gateway.example.evil.example"},
            {"origin": "http://[evil"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
        ],
    )
    def test_a_form_of_another_site(self, boss, accounts, headers):
        """A form that another site sends is refused, even with a token."""
        token, form = self.forms(boss)
        response = boss.post("/keys/new", data={**form, "token": token}, headers=headers)
        assert response.status_code == 403
        assert len(accounts.list()) == 2

    @pytest.mark.parametrize(
        "headers", [{"origin": HERE}, {"origin": "null", "sec-fetch-site": "same-origin"}, {}]
    )
    def test_a_form_of_ours(self, boss, headers):
        """Our own forms are taken, as browsers send them where pages send no referrer."""
        token, form = self.forms(boss)
        response = boss.post("/keys/new", data={**form, "token": token}, headers=headers)
        assert response.status_code == 200

    def test_reading_changes_nothing(self, boss, accounts, keys):
        """Addresses that change something are not opened by a link."""
        shop = keys["shop"][0].id
        for path in ("/keys/new?name=x", f"/keys/revoke?id={shop}&sure=yes", "/logout"):
            assert boss.get(path).status_code in (404, 405)
        assert [key.revoked_at for key in accounts.list()] == [None, None]

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"x" * 50_000, 413),
            (b"&".join(b"a%d=1" % n for n in range(100)), 400),
            (b"\xff\xfe=%ff", 403),
        ],
    )
    def test_a_form_that_is_none(self, boss, body, status):
        """Large forms, many fields and bytes that are no text are refused."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        assert boss.post("/keys/new", content=body, headers=headers).status_code == status

    @pytest.mark.loopback
    def test_a_form_that_never_comes(self, serve, store, monkeypatch):
        """Who begins to send a form and stops is not waited for: nobody has to log in for that."""
        monkeypatch.setattr("cascade.dashboard.app.FORM_S", 0.2)
        there = urlsplit(serve(app_of(store, auth="local")))
        with socket.create_connection((there.hostname, there.port), timeout=10) as client:
            client.sendall(
                b"POST /ui/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\nkey="
            )
            assert client.recv(100).startswith(b"HTTP/1.1 408 ")


class TestKeys:
    def test_a_secret_is_shown_once(self, boss, accounts):
        """A new key's secret stands on that one page, works, and never comes again."""
        token = page(boss.get("/keys")).token()
        form = {
            "token": token,
            "name": "team",
            "budget_day_usd": "2.50",
            "budget_month_usd": "",
            "requests_per_minute": "60",
            "concurrency": "4",
            "chains": "support, triage",
            "models": "*",
            "expires_at": "2099-01-31",
        }
        made = page(boss.post("/keys/new", data=form))
        (secret,) = re.findall(r"ck-[\w-]{43}", made.words)
        key = accounts.find(secret)
        assert (key.name, key.budget_day_usd, key.budget_month_usd) == (
            "team",
            Decimal("2.50"),
            None,
        )
        assert (key.chains, key.models) == (("support", "triage"), ("*",))
        assert key.expires_at == datetime(2099, 2, 1, tzinfo=UTC)
        assert key.concurrency == 4
        shown = page(boss.get("/keys")).words
        assert "4 at once" in shown
        assert "ends 2099-01-31" in shown
        assert not key.is_admin
        assert secret not in boss.get("/keys").text

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("name", "", "no name for a key"),
            ("name", "boss", "there is a key 'boss' already"),
            ("budget_day_usd", "-1", "Budget a day, USD: "),
            ("budget_month_usd", "a lot", "Budget a month, USD: "),
            ("requests_per_minute", "many", "Requests a minute: 'many' is no whole number"),
            ("requests_per_minute", "9" * 5_000, "is no whole number"),
            ("tokens_per_minute", "0", "Tokens a minute: 0; expected"),
            ("concurrency", "0", "Requests at once: 0; expected a whole number above 0"),
            ("expires_at", "soon", "'soon' is no day"),
            ("expires_at", "2020-01-31", "2020-01-31 has passed"),
        ],
    )
    def test_what_cannot_be_meant(self, boss, accounts, field, value, words):
        """A form that cannot be meant makes no key, says why, and keeps what was typed."""
        token = page(boss.get("/keys")).token()
        form = {"token": token, "name": "fine", field: value}
        response = boss.post("/keys/new", data=form)
        assert response.status_code == 400
        shown = page(response)
        assert words in shown.words
        (filled,) = [a for a in shown.all("input") if a.get("name") == field]
        assert filled.get("value", "") == value
        marked = [a["name"] for a in shown.all("input") if a.get("aria-invalid")]
        assert marked == [a["name"] for a in shown.all("input") if "autofocus" in a] == [field]
        assert shown.words.index(words) < shown.words.index("spent today")  # in sight at once
        assert not re.search("usd|per_|_at", shown.words.replace("USD", ""))  # its label instead
        assert len(accounts.list()) == 2

    def test_chains_that_there_are_not(self, store, accounts, keys, boss):
        """A gateway that knows its chains takes them, and those of its traces; pages that know none take any name."""
        known = {"sales": Chain((Tier("nano", price=Price.of("1", "2")),), name="sales")}
        knowing = app_of(store, accounts=accounts, secret=b"s" * 32, chains=known)
        answers = []
        for client, chains in (
            (logged_in(knowing, keys["boss"][1]), "sales, suport"),
            (logged_in(knowing, keys["boss"][1]), "sales, support"),
            (boss, "suport"),
        ):
            token = page(client.get("/keys")).token()
            form = {"token": token, "name": f"for {chains} {len(answers)}", "chains": chains}
            answers.append(client.post("/keys/new", data=form))
        assert [answer.status_code for answer in answers] == [400, 200, 200]
        told = re.findall("there is no chain 'suport' here; .*", page(answers[0]).words)
        assert len(told) == 2  # above all keys, and at the field
        assert all("sales, support" in words for words in told)

    def test_revoking_asks_first(self, boss, accounts, keys):
        """The first press asks, the second revokes."""
        token, key_id = page(boss.get("/keys")).token(), keys["shop"][0].id
        asked = boss.post("/keys/revoke", data={"token": token, "id": key_id})
        assert "Revoke shop?" in page(asked).words
        assert accounts.get(key_id).revoked_at is None
        assert [a["href"] for a in page(asked).all("a") if a.get("aria-current")] == ["/keys"]
        done = boss.post("/keys/revoke", data={"token": token, "id": key_id, "sure": "yes"})
        assert "Key shop is revoked." in page(boss.get(done.headers["location"])).words
        assert accounts.get(key_id).revoked_at is not None
        nobody = boss.post("/keys/revoke", data={"token": token, "id": "../x", "sure": "yes"})
        assert nobody.status_code == 404

    def test_what_was_spent(self, boss, accounts, keys):
        """Today's and this month's money stand beside the budget, to the digit."""
        purse = accounts.purse(keys["shop"][0])
        chain = Chain((Tier("m", price=Price.of("1", "1")),))
        from cascade import Cascade
        from cascade.testing import ScriptedModels, reply

        models = ScriptedModels({"m": reply("x", input_tokens=100, output_tokens=23)})
        Cascade(chain, models=models).complete("?", budget=purse, max_completion_tokens=50)
        accounts.close()
        words = page(boss.get("/keys")).words
        assert "$0.000123" in words
        assert "of $5" in words

    @pytest.fixture
    def held(self, accounts, keys):
        """$0.07 is held for a call of the shop's, beside $0.01 that was spent."""
        purse = accounts.purse(keys["shop"][0])
        assert purse.refill(Decimal("0.08")).result()
        purse.settle(Decimal("0.08"), Decimal("0.01"))
        assert purse.reserve(Decimal("0.07"))
        purse.settle(Decimal("0.07"), None)
        deadline = datetime.now(UTC) + timedelta(seconds=5)
        while not accounts.spent()[keys["shop"][0].id].day_held_usd:
            assert datetime.now(UTC) < deadline

    @pytest.mark.usefixtures("held")
    def test_what_is_held_is_given_back(self, boss, shop, accounts, keys):
        """It stands beside what was spent; an administrator gives back what the bill leaves of it, once."""
        key_id = keys["shop"][0].id
        for client in (boss, shop):
            shown = " ".join(page(client.get("/keys")).words.split())
            assert "$0.01 + $0.07 held for 1 of unknown costof $5" in shown
        token = page(boss.get("/keys")).token()
        form = {"token": token, "id": key_id}
        asked = boss.post("/keys/release", data=form)
        assert "Give back $0.07 to shop?" in page(asked).words
        assert "1 call of unknown cost this month" in page(asked).words
        sure = {**form, "sure": "yes", "seen": "0.07", "billed_usd": "0.02"}
        done = boss.post("/keys/release", data=sure)
        assert "$0.05 is given back to key shop; $0.02 stays spent." in page(done).words
        spent = accounts.spent()[key_id]
        assert (spent.day_usd, spent.month_held_usd) == (Decimal("0.03"), 0)
        again = boss.post("/keys/release", data=sure)
        assert (again.status_code, "$0 is held by now, not $0.07" in page(again).words) == (
            400,
            True,
        )

    @pytest.mark.usefixtures("held")
    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"seen": "0.05"}, "$0.07 is held by now, not $0.05"),
            ({"seen": "x"}, "no amount"),
            ({}, "$0.07 is held by now, not $0"),
            ({"seen": "0.07", "billed_usd": "0.071"}, "more than the $0.07 that is held"),
        ],
    )
    def test_what_cannot_be_given_back(self, boss, accounts, keys, fields, words):
        """It asks again and says why; nothing is given back that nobody saw."""
        key_id = keys["shop"][0].id
        form = {"token": page(boss.get("/keys")).token(), "id": key_id, "sure": "yes"}
        response = boss.post("/keys/release", data={**form, **fields})
        assert (response.status_code, words in page(response).words) == (400, True)
        assert accounts.spent()[key_id].day_held_usd == Decimal("0.07")
        nobody = boss.post("/keys/release", data={**form, "id": "../x"})
        assert nobody.status_code == 404

    @pytest.mark.usefixtures("held")
    def test_only_administrators_give_back(self, boss, shop, accounts, keys):
        """Neither the key itself nor another site's form gives anything back."""
        key_id = keys["shop"][0].id
        form = {"id": key_id, "sure": "yes", "seen": "0.07"}
        own = shop.post("/keys/release", data={**form, "token": page(shop.get("/keys")).token()})
        foreign = boss.post("/keys/release", data={**form, "token": "x"})
        linked = boss.get(f"/keys/release?id={key_id}&sure=yes&seen=0.07")
        assert (own.status_code, foreign.status_code, linked.status_code) == (403, 403, 404)
        assert accounts.spent()[key_id].day_held_usd == Decimal("0.07")

    def test_a_place_without_keys(self, store, visit):
        """Where there are no keys, there is no page of them."""
        client = visit(store)
        assert client.get("/keys").status_code == 404
        for path in ("/keys/new", "/keys/revoke", "/keys/release"):
            assert client.post(path, data={"name": "x"}).status_code == 404
        assert "Keys" not in page(client.get("/")).words


class TestOthersKeys:
    def test_tags_lead_to_all_that_have_them(self, boss, shop, store, keys):
        """On a trace's page a key has its name for administrators, and each tag is a link."""
        key_id, plain = keys["shop"][0].id, store.get("own-0").tags[1]
        all_see, own_sees = (page(client.get("/trace?id=own-0")) for client in (boss, shop))
        assert "key shop" in all_see.words
        assert f"/traces?key={key_id}" in all_see.links
        assert f"key {key_id}" in own_sees.words
        assert not [link for link in own_sees.links if "key=" in link]
        for shown in (all_see, own_sees):
            assert f"/traces?tag={plain}" in shown.links
            assert not [link for link in shown.links if "tag=key" in link]

    def test_a_key_sees_its_own_traces(self, shop, boss):
        """Lists, sums, chains and filters hold the viewer's own traces and no other."""
        assert "6 traces" in page(shop.get("/traces")).words
        # Behind the count may stand how some of them ended: "1 refused".
        assert re.search(r"Requests\s*6(?=\D|\d+ [a-z])", page(shop.get("/?range=all")).words)
        assert "306 traces" in page(boss.get("/traces")).words
        shown = page(shop.get("/traces"))
        ids = {link.partition("id=")[2] for link in shown.links if link.startswith("/trace?")}
        assert ids == {f"own-{place}" for place in range(6)}
        assert "6 traces" in page(shop.get("/traces?key=somebody")).words

    def test_a_foreign_trace_is_not_there(self, shop, store):
        """Another's trace is not found, by id, as a parent or by its chain."""
        foreign = next(row for row in store.list(None) if not row.id.startswith("own"))
        assert shop.get(f"/trace?id={foreign.id}").status_code == 404
        assert shop.get("/trace?id=own-0").status_code == 200
        own = store.get("own-0")
        store.save(replace(own, id="child", parent_id="own-0", tags=("else",)))
        store.flush()
        assert "child" not in page(shop.get("/trace?id=own-0")).words
        assert shop.get("/chain?name=nobody").status_code == 404

    def test_it_sees_its_own_key_and_manages_none(self, shop, accounts, keys):
        """It sees its budget and no other key, and cannot make or revoke any."""
        shown = page(shop.get("/keys"))
        assert "shop" in shown.words
        assert "boss" not in shown.words
        token, key_id = shown.token(), keys["boss"][0].id
        assert shop.post("/keys/new", data={"token": token, "name": "x"}).status_code == 403
        form = {"token": token, "id": key_id, "sure": "yes"}
        assert shop.post("/keys/revoke", data=form).status_code == 403
        assert len(accounts.list()) == 2
        assert accounts.get(key_id).revoked_at is None

    def test_what_is_remembered_is_not_shared(self, app, boss, shop):
        """Sums that are kept for a while are kept for one viewer."""
        object.__setattr__(app.state.site.remembered, "_now", iter(range(10_000)).__next__)
        many = page(boss.get("/?range=all")).words
        few = page(shop.get("/?range=all")).words
        assert re.search(r"Requests\s*306", many)
        assert not re.search(r"Requests\s*306", few)


class TestSessions:
    def request(self, sessions, cookie):
        header = [(b"cookie", f"{sessions.cookie}={cookie}".encode())]
        return Request({"type": "http", "headers": header, "method": "GET", "path": "/"})

    def cookie(self, sessions, session):
        from starlette.responses import Response

        made = Response()
        sessions.keep(made, session, path="/", secure=False)
        return made.headers["set-cookie"].split(";")[0].partition("=")[2]

    def test_an_end(self):
        """A session ends after its time."""
        now = [1000.0]
        sessions = Sessions(b"k" * 32, now=lambda: now[0])
        cookie = self.cookie(sessions, sessions.new("key_1"))
        assert sessions.of(self.request(sessions, cookie)).key_id == "key_1"
        now[0] += LASTS_S + 1
        assert sessions.of(self.request(sessions, cookie)) is None

    def test_whoever_changes_it(self):
        """A cookie that was changed, cut, or signed with another secret proves nothing."""
        sessions, other = Sessions(b"k" * 32), Sessions(b"o" * 32)
        cookie = self.cookie(sessions, sessions.new("key_1"))
        for wrong in (cookie[:-1], "x" + cookie, "", "a.b", self.cookie(other, other.new("key_1"))):
            assert sessions.of(self.request(sessions, wrong)) is None
        strange = sessions._signer.dumps({"not": "a session"})
        assert sessions.of(self.request(sessions, strange)) is None

    def test_the_kept_secret(self, tmp_path):
        """All processes of one place get the same secret, whoever asks first; each place its own."""
        place, found = tmp_path / "a.sqlite3", []
        threads = [
            threading.Thread(target=lambda: found.append(kept_secret(place))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(found)) == 1
        assert len(found[0]) == 32
        assert kept_secret(tmp_path / "b.sqlite3") != found[0]
        with pytest.raises(StoreError):
            kept_secret(tmp_path / "none" / "c.sqlite3")

    def test_tokens_differ_by_session(self):
        """Each session has a token of its own."""
        sessions = Sessions(b"k" * 32)
        one, two = Session("a", None, 9), Session("b", None, 9)
        assert sessions.is_own(one, sessions.token(one))
        assert not sessions.is_own(two, sessions.token(one))


class TestTries:
    def test_time_heals(self):
        """After the window an address may try again; others never waited."""
        now = [0.0]
        tries = Tries(now=lambda: now[0])
        for _ in range(MOST):
            tries.failed("a")
        assert tries.wait_s("a") == WINDOW_S
        assert tries.wait_s("b") == 0
        now[0] = WINDOW_S + 0.1
        assert tries.wait_s("a") == 0

    def test_memory_has_an_end(self, monkeypatch):
        """Whoever tries from many addresses does not fill the memory."""
        monkeypatch.setattr("cascade.dashboard.tries.ADDRESSES", 10)
        tries = Tries()
        for place in range(100):
            tries.failed(str(place))
        assert len(tries._failed) == 10


class TestThisMachine:
    def test_keys_are_shown_and_not_managed(self, store, accounts, keys, visit):
        """Every user of a machine reaches its loopback: without a login nobody makes or ends a key."""
        client, shop = visit(store, accounts=accounts), keys["shop"][0]
        shown = page(client.get("/keys"))
        assert "boss" in shown.words
        assert "of $5" in shown.words
        assert "cascade keys create" in shown.words
        assert not shown.all("form")
        made = client.post("/keys/new", data={"name": "x", "is_admin": "yes"})
        ended = client.post("/keys/revoke", data={"id": shop.id, "sure": "yes"})
        assert (made.status_code, ended.status_code) == (403, 403)
        assert "cascade keys" in page(made).words
        assert [key.revoked_at for key in accounts.list()] == [None, None]

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("127.0.0.1:8484", 200),
            ("localhost", 200),
            ("[::1]:80", 200),
            ("evil.example", 421),
            ("127.0.0.1.evil.example", 421),
            ("localhost.evil.example", 421),
            ("10.0.0.1", 421),
            ("[::1", 421),
            ("", 421),
        ],
    )
    def test_other_names_are_not_answered(self, store, visit, host, status):
        """Without a login only names of this machine are answered: a name that points here is not."""
        assert visit(store).get("/traces", headers={"host": host}).status_code == status
