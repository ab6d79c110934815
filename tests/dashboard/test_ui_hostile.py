"""What models and callers write is text and nothing else; and what browsers are told."""

import pytest
from demo_store import HOSTILE
from reading import page

from cascade import Cascade, Price, Score, Tier
from cascade.core.chain import Chain
from cascade.dashboard.headers import POLICY
from cascade.testing import ScriptedModels, reply

EVIL = (
    "</title></style></textarea><script>document.title='ran'</script>"
    "<img src=x onerror=document.title='ran'>\"' onfocus=alert(1) autofocus x='"
)

PATH = "../../../etc/passwd%00<b>"


def evil_scorer(_draft):
    return Score(0.1, reason=EVIL)


@pytest.fixture
def poisoned(empty):
    """A store in which every name and text is hostile."""
    tiers = (
        Tier("m1", name=EVIL, scorer=evil_scorer, threshold=0.5, price=Price.of("1", "2")),
        Tier("m2", name="second", price=Price.of("3", "4")),
    )
    for place, text in enumerate((EVIL, *HOSTILE)):
        models = ScriptedModels({EVIL: reply(text), "second": reply(text, model=EVIL)})
        llm = Cascade(Chain(tiers, name=EVIL), models=models, store=empty)
        llm.complete(text or "?", tags=[EVIL, f"t{place}"], metadata={EVIL: EVIL}, parent=PATH)
    empty.flush()
    return empty


def pages(client, store):
    yield client.get("/?range=all")
    yield client.get("/", params={"range": "all", "chain": EVIL})
    yield client.get("/traces")
    for name in (
        "text",
        "chain",
        "tag",
        "parent",
        "status",
        "after",
        "min_cost_usd",
        "key",
        "since",
        "basis",
        "sort",
    ):
        yield client.get("/traces", params={name: EVIL})
    yield client.get("/chain", params={"name": EVIL, "range": "all"})
    yield client.get("/trace", params={"id": PATH})
    yield client.get("/trace", params={"id": EVIL})
    yield client.get(f"/{EVIL}")
    for row in store.list(None):
        yield client.get("/trace", params={"id": row.id})


class TestHostileText:
    def test_no_page_has_an_element_of_theirs(self, poisoned, visit):
        """No script, image, handler, style or foreign address comes from what others wrote."""
        count = 0
        for response in pages(visit(poisoned), poisoned):
            shown = page(response)
            count += "document.title='ran'" in shown.words
            for tag, attrs in shown.elements:
                assert tag not in ("script", "img", "iframe", "object", "base", "embed", "style"), (
                    response.url
                )
                for name, value in attrs.items():
                    assert not name.startswith("on"), response.url
                    assert name != "style"
                    if name in ("href", "action", "src"):
                        assert value.startswith(("/", "#"))
                        assert not value.startswith("//")
        assert count > 10

    def test_hidden_characters_are_written_out(self, poisoned, visit):
        """Switches of direction and NULs can be seen, on the page and in the list."""
        client = visit(poisoned)
        row = poisoned.list(tag="t3")[0]
        words = page(client.get("/trace", params={"id": row.id})).words
        assert "abc⟨U+202E⟩dcba" in words
        assert "⟨U+0000⟩" in words
        for response in pages(client, poisoned):
            assert not {"\u202e", "\0", "\u2066"} & set(response.text)

    def test_links_with_any_id_lead_there(self, poisoned, visit):
        """A parent whose name looks like a path is a run like any other, and is found by its link."""
        client = visit(poisoned)
        row = poisoned.list(1)[0]
        link = next(
            href
            for href in page(client.get("/trace", params={"id": row.id})).links
            if "etc" in href
        )
        response = client.get(link)
        assert response.status_code == 200
        assert PATH in page(response).words


class TestHeaders:
    @pytest.mark.parametrize(
        "path",
        ["/", "/traces", "/trace?id=x", "/nope", "/icon.svg", "/style-0.css", "/chain?name=x"],
    )
    def test_every_response_has_them(self, store, visit, path):
        """The policy, and what keeps pages out of frames, caches and other sites' sight."""
        headers = visit(store).get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        if "svg" not in path:
            assert headers["cache-control"] == "no-store"

    def test_the_policy_allows_no_script(self):
        """Nothing is allowed but our own style sheet, our own pictures and forms to ourselves."""
        parts = dict(part.strip().split(" ", 1) for part in POLICY.split(";"))
        assert parts.pop("default-src") == "'none'"
        assert set(parts.values()) <= {"'self'", "'none'"}
        assert "script-src" not in parts

    def test_the_style_sheet_is_kept(self, store, visit):
        """It is named after its content, and kept by browsers for good."""
        client = visit(store)
        (link,) = [a["href"] for a in page(client.get("/")).all("link") if a["rel"] == "stylesheet"]
        response = client.get(link)
        assert response.headers["content-type"].startswith("text/css")
        assert "immutable" in response.headers["cache-control"]
        assert "url(" not in response.text
        assert "@import" not in response.text


class TestForAll:
    @pytest.mark.parametrize(
        "path", ["/?range=all", "/traces", "/chain?name=support&range=all", "/nope"]
    )
    def test_what_a_keyboard_and_a_reader_need(self, store, visit, path):
        """A language, one heading of the first rank, a way past the menu, labels, heads of columns."""
        shown = page(visit(store).get(path))
        assert shown.all("html")[0]["lang"] == "en"
        assert len(shown.all("h1")) == 1
        assert "#content" in shown.links
        assert [a for a in shown.all("main") if a["id"] == "content"]
        assert all("scope" in attrs for attrs in shown.all("th"))
        ids = [attrs["id"] for _, attrs in shown.elements if "id" in attrs]
        assert len(ids) == len(set(ids))
        for region in (a for _, a in shown.elements if a.get("role") == "region"):
            assert region["aria-label"]
            assert region["tabindex"] == "0"

    def test_every_field_has_a_label(self, store, visit):
        """Each field and choice stands within its label."""
        text = visit(store).get("/traces").text
        outside = [part.partition("</label>")[2] for part in text.split("<label")][1:]
        before = text.split("<label")[0]
        assert not [part for part in [before, *outside] if "<input" in part or "<select" in part]


class TestLongTexts:
    def test_a_page_of_a_long_prompt_is_small(self, empty, visit):
        """A prompt of megabytes is shown in part, with the way to all of it; the store has it whole."""
        prompt = "needle " + "<" * 3_000_000
        models = ScriptedModels({"only": reply("yes")})
        llm = Cascade([Tier("only", price=Price.of("1", "2"))], models=models, store=empty)
        trace_id = llm.complete(prompt).trace.id
        empty.flush()
        client = visit(empty)
        response = client.get("/trace", params={"id": trace_id})
        assert response.status_code == 200
        assert len(response.content) < 2_000_000
        assert (
            f"[2,900,007 more characters are left out here. `cascade trace show {trace_id} --json`"
            in (page(response).words)
        )
        assert trace_id in client.get("/traces", params={"text": "needle"}).text
        assert empty.get(trace_id).request["messages"][0]["content"] == prompt
