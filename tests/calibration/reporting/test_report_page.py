"""The report as a web page: everything is there, and nothing that a model wrote can act."""

import base64
import hashlib
import re
from dataclasses import replace
from functools import cache

from cascade.calibration.comparing.net_value import Alternative
from cascade.calibration.reporting.page import LONGEST, report_html
from cascade.calibration.reporting.view import Frontier, Promise, View
from cascade.traces.page.content import Words
from tests.calibration.reporting.pages import EVIL, Page
from tests.calibration.reporting.views import view

html_of = cache(report_html)


def page_of(made):
    page = Page(html_of(made))
    assert page.open == []
    return page


class TestHostileText:
    def test_it_is_text_and_nothing_else(self):
        """Tags, broken-out attributes and template marks in any field make no element or attribute."""
        tame, page = page_of(view()), page_of(view(EVIL))
        assert {tag for tag, _ in page.tags} <= {tag for tag, _ in tame.tags} | {
            "details",
            "summary",
        }
        assert not {"script", "img", "iframe", "object", "form", "base", "style "} & {
            tag for tag, _ in page.tags
        }
        for tag, attrs in page.tags:
            assert not [n for n in attrs if n.startswith("on") or n in ("style", "src")], tag
            assert attrs.get("href", "#").startswith("#")
        assert page.styles == tame.styles
        assert "<script>document.title='ran'</script>" in "".join(page.pieces)
        assert "{{ 7 * 7 }}" in "".join(page.pieces)

    def test_every_place_is_poisoned(self):
        """The hostile text stands in the page for each field that is shown."""
        words = "".join(page_of(view(EVIL)).pieces)
        assert words.count("<script>document.title='ran'</script>") > 45
        assert "⟨U+202E⟩abc⟨U+0000⟩⟨U+001B⟩[31m⟨U+D83D⟩" in words
        assert not re.search("[\x00\x1b\u202e\ud83d]", words)
        html_of(view(EVIL)).encode()

    def test_the_policy_allows_one_style_sheet(self):
        """The page's policy forbids everything but the style sheet whose digest it holds."""
        page = page_of(view(EVIL))
        (policy,) = [a["content"] for a in page.named("meta") if a.get("http-equiv")]
        digest = base64.b64encode(hashlib.sha256("".join(page.styles).encode()).digest()).decode()
        assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
        assert "unsafe" not in policy

    def test_no_other_host_is_named(self):
        """Neither the page, nor its style, nor a picture in it loads anything from anywhere."""
        html = html_of(view())
        assert re.findall(r"(?i)https?:|//[a-z]|url\(|@import|srcset|<link|<use|xlink", html) == []

    def test_in_a_browser_no_script_runs(self, browse):
        """A real browser shows the hostile page, pictures included, without running any of it."""
        dump = browse(html_of(view(EVIL)))
        page = Page(dump)
        assert "Everything compared" in page.text
        assert "<title>ran</title>" not in dump
        assert not {"script", "img", "iframe"} & {tag for tag, _ in page.tags}
        assert len(page.named("svg")) == 5

    def test_the_policy_alone_would_stop_a_script(self, browse):
        """Even where an element slipped through, a real browser would not run it."""
        slipped = "<script>document.title='ran'</script>"
        slipped += "<svg onload=\"document.title='ran'\"></svg>"
        html = html_of(view()).replace("</main>", f"{slipped}</main>")
        assert "<title>ran</title>" not in browse(html)
        unguarded = html.replace('http-equiv="Content-Security-Policy"', 'name="policy"')
        assert "<title>ran</title>" in browse(unguarded)  # or this test could not fail


class TestWhatIsThere:
    def test_every_part(self):
        """Sentence, promise, pictures, tables with captions, cases, method, prices, limits."""
        page = page_of(view())
        for words in (
            *("What each part does", "Can the scores be believed?", "The certificate"),
            *("Harm and gain", "Everything compared", "How it was measured", "Prices"),
            *("What this does not say", "✓ Certified.", "Not in the plan", "Further measures"),
            *("100 answers with known quality", "3.1 points", "2.0 points to 5.0 points"),
            *("accepted with score 0.912", "AUROC 0.810", "$9.85 per 1,000 at 73.1 % quality"),
        ):
            assert words in page.text, words
        assert len(page.named("caption")) == len(page.named("table")) - len(page.named("details"))
        assert all(cell.get("scope") for cell in page.named("th"))

    def test_pictures_say_what_they_show(self):
        """Each picture is an image with a title and a description, under ids of its own."""
        page = page_of(view())
        pictures = page.named("svg")
        assert len(pictures) == 5  # two for wide and narrow screens, one bin chart
        ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
        assert len(set(ids)) == len(ids)
        for picture in pictures:
            assert picture["role"] == "img"
            assert set(picture["aria-labelledby"].split()) <= set(ids)
        assert "chosen plan: $4.40 per 1,000 requests at 72.5 % quality" in page.text
        assert "mid: $1.52 per 1,000 requests" in page.text

    def test_links_lead_somewhere(self):
        """Every link of the contents names a part of the page, also where parts are missing."""
        for made in (view(), bare()):
            page = page_of(made)
            ids = {attrs.get("id") for _, attrs in page.tags}
            assert page.named("a")
            assert {link["href"][1:] for link in page.named("a")} <= ids

    def test_the_same_report_is_the_same_page(self):
        """Nothing in it depends on when or how often it is made."""
        assert report_html(view()) == html_of(view())

    def test_next_to_nothing(self):
        """A recording without labels, plan and certificate still gives a page that says so."""
        page = page_of(bare())
        assert "○ Not certified. no label is known label 200 requests" in page.text
        assert page.named("svg") == []
        assert "Everything compared" not in page.text

    def test_long_texts_are_folded_and_cut(self):
        """A long text shows its beginning, is whole in a fold, and is cut where it is huge."""
        made = view()
        long = replace(made.cases[0], answer=Words("ab" * 1000), request=Words("x" * 30_000))
        html = report_html(replace(made, cases=(long,)))
        assert "all 2,000 characters" in html
        assert "ab" * 1000 in html
        assert "x" * LONGEST + " … (cut here)" in html
        assert "x" * (LONGEST + 1) not in html

    def test_scorers_without_alternative(self):
        """What cannot be had without a scorer, or cannot be told, is said in words."""
        made = view()
        scorer = replace(
            made.scorers[0],
            net_usd=None,
            alternatives=(Alternative("drop nano", None, None, "no such answers"),),
        )
        page = page_of(replace(made, scorers=(scorer, replace(scorer, net_usd=-0.001))))
        assert "not to be had without it" in page.text
        assert "drop nano: no such answers" in page.text
        assert "\N{MINUS SIGN}$1.00" in page.text

    def test_unknown_is_no_number(self):
        """Counts that nobody knows are not shown as 0."""
        page = page_of(view(harms=None, gains=None, cases=()))
        assert page.text.count("unknown unknown") >= 2


def bare():
    return View(
        title="r.parquet",
        headline="Only big is recorded",
        about="5 requests",
        promise=Promise(False, "no label is known", "label 200 requests"),
        frontier=Frontier(),
    )


class TestWords:
    def test_names_stay_whole_and_commands_look_like_code(self):
        """Names with hyphens are not broken, commands stand as code, and neither lets markup in."""
        promise = Promise(
            holds=False, sentence="ask `cascade certify` <b>", next_step="odd ` one <i>"
        )
        html = report_html(view(headline="as gpt-5.5 <b-x> " + "a-" * 30, promise=promise))
        assert '<span class="whole">gpt-5.5</span>' in html
        assert '<span class="whole">&lt;b-x&gt;</span>' in html
        assert "as <" in html.replace('as <span class="whole">', "as <")
        assert f" {'a-' * 30}</h1>" in html
        assert "ask <code>cascade certify</code> &lt;b&gt;" in html
        assert "odd ` one &lt;i&gt;" in html
