"""Real clicks and keys in headless Chromium, where there is one."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ui_app import app_of

from cascade.dashboard import dashboard_app
from cascade.traces.stats import trace_stats

pytestmark = pytest.mark.loopback

PAGES = ("?range=all", "traces", "chain?name=support&range=all", "trace?id={root}", "keys", "nope")


@pytest.fixture
def keys(accounts):
    secrets = {}
    secrets["boss"] = accounts.create("boss", is_admin=True)[1]
    secrets["shop"] = accounts.create("shop", budget_day_usd="5")[1]
    accounts.create("batch", models=["*"], budget_month_usd="12.50")
    return secrets


@pytest.fixture
def address(serve, store, accounts, keys):
    """Pages behind a login, as a gateway mounts them."""
    return serve(dashboard_app(store, accounts=accounts))


def log_in(browser, address, secret, to=""):
    browser.go(address + to)
    assert browser.title == "Log in · Cascade"
    browser.click("input[name=key]", loads=False)
    browser.type(secret)
    browser.press("Enter", loads=True)


class TestClicks:
    def test_from_the_login_to_a_revoked_key(self, browser, address, accounts, keys, store):
        """Log in, filter, open a trace, make and revoke a key, log out: all by clicks and keys."""
        log_in(browser, address, "ck-wrong")
        assert "This key does not work" in browser.text
        browser.click("input[name=key]", loads=False)
        browser.type(keys["boss"])
        browser.click("main button")
        assert browser.title == "Overview · Cascade"
        browser.click(".ranges a:last-child")
        stats = trace_stats(store.iter_traces())
        assert f"${stats.cost.known_usd.normalize():f}" in browser.text
        assert browser.count("svg.chart") == 4

        browser.click("nav a[href$=traces]")
        browser.click("input[name=tag]", loads=False)
        browser.type("vip")
        browser.click(".filters button")
        assert f"{store.count(tag='vip')} trace" in browser.text
        browser.click(".traces tbody th a")
        trace_id = browser.address.partition("id=")[2]
        trace = store.get(trace_id)
        assert "vip" in trace.tags
        assert trace.attempts[-1].tier in browser.text
        browser.click("details.attempt summary", loads=False)  # folds

        browser.click("nav a[href$=keys]")
        browser.click("input[name=name]", loads=False)
        browser.type("new team")
        browser.press("Enter", loads=True)
        secret = browser.run("document.querySelector('code.secret').textContent")
        assert accounts.find(secret).name == "new team"

        browser.click('button[aria-label="Revoke new team"]')
        assert "Revoke new team?" in browser.text
        browser.click("main a")  # keep it
        assert accounts.find(secret) is not None
        browser.click('button[aria-label="Revoke new team"]')
        browser.click("main button.danger")
        assert "Key new team is revoked." in browser.text
        assert accounts.find(secret) is None

        browser.click(".who-am-i button")
        assert browser.title == "Log in · Cascade"
        browser.go(address + "traces")
        assert browser.title == "Log in · Cascade"

    def test_another_key_sees_its_own(self, browser, address, keys):
        """A key that is no administrator's finds no foreign trace and nothing to manage."""
        log_in(browser, address, keys["shop"], "traces")
        assert "No traces yet." in browser.text
        browser.click("nav a[href$=keys]")
        assert "of $5" in browser.text
        assert browser.count("button.danger") == 0
        assert "batch" not in browser.text

    def test_with_the_keyboard_alone(self, browser, serve, store):
        """The first Tab leads past the menu; what has the focus can be seen; Enter opens a trace."""
        browser.go(serve(app_of(store, auth="local")) + "traces")
        browser.press("Tab")
        assert browser.run("document.activeElement.className") == "skip"
        assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        browser.press("Enter")
        assert browser.address.endswith("#content")
        for _ in range(40):
            browser.press("Tab")
            if browser.run("document.activeElement.closest('.traces tbody th') !== null"):
                break
        assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        browser.press("Enter", loads=True)
        assert "/trace?id=" in browser.address


class TestLooks:
    @pytest.mark.parametrize(("width", "dark"), [(1280, False), (720, True), (400, False)])
    def test_no_page_is_wider_than_its_window(  # noqa: PLR0917  fixtures
        self, browser, address, keys, demo, width, dark, tmp_path
    ):
        """On a desk and on a telephone pages fit, and the browser complains of nothing."""
        log_in(browser, address, keys["boss"])
        folder = Path(os.environ.get("CASCADE_TEST_PICTURES", tmp_path))
        for place, path in enumerate(PAGES):
            browser.size(width, 900, dark=dark, telephone=width < 500)
            browser.go(address + path.format(root=demo[1]))
            if path != "nope":  # the browser says that it got a 404
                assert not browser.complaints, browser.complaints
            assert browser.overflow <= 0, path
            assert browser.run("innerWidth") == width, path
            file = folder / f"{place}-{width}-{'dark' if dark else 'light'}.png"
            browser.whole_picture(file, width, dark=dark)
            assert file.stat().st_size > 5_000

    def test_long_names_leave_numbers_in_sight(self, browser, serve, store, demo):
        """The longest names of chains and tiers wrap; no table has to be scrolled for its numbers."""
        trace = store.get(demo[1])
        turns = tuple(replace(one, tier="t" * 42) for one in trace.attempts)
        named = replace(trace, id="long", chain="c" * 76, tier="t" * 42, attempts=turns)
        store.save(named)
        store.flush()
        address = serve(app_of(store, auth="local"))
        browser.size(1280, 900)
        for path in ("?range=all", f"chain?name={named.chain}&range=all"):
            browser.go(address + path)
            assert browser.count(".scroll") > 0
            assert browser.run(WIDER) == [], path

    def test_names_stay_whole_on_a_telephone(self, browser, serve, store, demo):
        """A table that is scrolled there breaks no name of a scorer, and no trace's id, in pieces."""
        address = serve(app_of(store, auth="local"))
        browser.size(390, 900, telephone=True)
        for path in ("chain?name=support&range=all", f"trace?id={demo[1]}"):
            browser.go(address + path)
            assert browser.run(BROKEN) == [], path

    def test_the_first_card_is_like_the_others(self, browser, address, keys):
        """On a telephone rows are cards, all alike; what stands at their right ends there."""
        log_in(browser, address, keys["boss"])
        browser.size(390, 900, telephone=True)
        for path, table in (("traces", ".traces"), ("keys", ".keys")):
            browser.go(address + path)
            cards = browser.run(CARDS.replace("TABLE", table))
            assert len(cards) == 2
            assert cards[0] == cards[1]
        browser.go(address + "traces")
        assert len(browser.run(ENDS)) == 1

    def test_what_is_wrong_is_in_sight(self, browser, address, accounts, keys):
        """Below many keys the field that is wrong has the focus, and says why."""
        for place in range(35):
            accounts.create(f"team {place}")
        log_in(browser, address, keys["boss"], "keys")
        browser.click("input[name=name]", loads=False)
        browser.type("new")
        browser.click("input[name=budget_day_usd]", loads=False)
        browser.type("a lot")
        browser.press("Enter", loads=True)
        end = time.monotonic() + 5.0  # the focus is set with the first drawing, after loading
        while browser.run("document.activeElement.name") != "budget_day_usd":
            assert time.monotonic() < end
        place = browser.run("document.querySelector('.wrong').getBoundingClientRect().bottom")
        assert 0 < place < 900

    def test_words_can_be_read(self, browser, serve, store):
        """Text stands out from its ground by 4.5 to 1 or more, in light and in dark."""
        address = serve(app_of(store, auth="local"))
        for dark in (False, True):
            browser.size(1280, 900, dark=dark)
            for path in ("?range=all", "traces", "chain?name=support&range=all"):
                browser.go(address + path)
                assert not browser.run(FAINT), (dark, path)


BROKEN = """[...document.querySelectorAll('.rows tbody th')].filter(one => {
  const words = one.textContent.trim(), all = document.createRange();
  all.selectNodeContents(one);
  const lines = new Set([...all.getClientRects()].map(line => Math.round(line.bottom)));
  return /^\\w+$/.test(words) && lines.size > 1;
}).map(one => one.textContent.trim())"""

WIDER = """[...document.querySelectorAll('.scroll')]
  .filter(e => e.scrollWidth > e.clientWidth).map(e => [e.ariaLabel, e.scrollWidth - e.clientWidth])"""

CARDS = """[...document.querySelectorAll('TABLE tbody tr')].slice(0, 2)
  .map(row => [...row.children].map(cell => getComputedStyle(cell).padding))"""

ENDS = """[...new Set([...document.querySelectorAll('.traces tbody .verdict .word')]
  .map(e => Math.round(e.getBoundingClientRect().right)))]"""

FAINT = """
(() => {
  const light = c => { const v = c.map(x => x / 255).map(x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
    return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
  const numbers = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const ground = e => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  const found = [];
  for (const e of document.querySelectorAll('main *, header *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.getClientRects().length || e.closest('.unseen, .skip, option')) continue;
    const style = getComputedStyle(e);
    const ink = e.closest('svg') ? numbers(style.fill) : numbers(style.color);
    const [a, b] = [light(ink.slice(0, 3)), light(ground(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) found.push(e.tagName + ' ' + e.className + ' ' + e.textContent.slice(0, 40));
  }
  return found.join(' | ');
})()
"""


class TestHostileTexts:
    def test_nothing_of_them_runs(self, browser, serve, store, demo):
        """A script in an answer never runs, and no request leaves for another host."""
        from demo_store import HOSTILE

        trace = store.get(demo[1])
        for place, text in enumerate(HOSTILE):
            attempts = tuple(replace(one, text=text) for one in trace.attempts)
            store.save(replace(trace, id=f"evil-{place}", attempts=attempts, tags=(text[:200],)))
        store.flush()
        address = serve(app_of(store, auth="local", pictures=True))
        for place in range(len(HOSTILE)):
            browser.go(address + f"trace?id=evil-{place}")
            assert browser.title.startswith("Trace evil-")
            assert browser.overflow <= 0
            assert not browser.complaints
            asked = [
                event["params"]["request"]["url"]
                for event in browser.events
                if event.get("method") == "Network.requestWillBeSent"
            ]
            assert asked
            assert all(url.startswith(address) for url in asked)
        browser.go(address + "traces")
        assert browser.title == "Traces · Cascade"
        assert browser.overflow <= 0
