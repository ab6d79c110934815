"""A trace as a web page: everything is there, and nothing that a model wrote can act."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from cascade import ScoreRecord, Usage, trace_html
from cascade.traces.content import redact
from cascade.traces.page import content, waterfall

EVIL = (
    "</style></title></script></pre><script>document.title='ran'</script>"
    "<img src=x onerror=\"document.title='ran'\">\" onmouseover=\"x\" style='' x='{{ 7 * 7 }}"
    "\u202eabc\x00\x1b[31m\ud83d"
)

VOID = ("meta", "br")


class Page(HTMLParser):
    """A page taken apart: its tags with their attributes, its text, and what is left open."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.styles = [], [], []
        self.pieces = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["style"]:
            self.styles.append(data)
        else:
            self.pieces.append(data)

    @property
    def words(self):
        return "".join(self.pieces)

    @property
    def text(self):
        return " ".join(" ".join(self.pieces).split())

    def with_class(self, name):
        return [attrs for _, attrs in self.tags if name in attrs.get("class", "").split()]


def page_of(trace):
    page = Page(trace_html(trace))
    assert page.open == []
    return page


def poisoned(trace):
    """The trace with hostile text in every place that holds text."""
    part = ScoreRecord(EVIL, "failed", None, EVIL)
    attempts = tuple(
        replace(
            attempt,
            tier=EVIL,
            model=EVIL,
            reason=EVIL,
            text=EVIL,
            finish_reason=EVIL,
            score=ScoreRecord(EVIL, "score", 0.4, EVIL, (part,)),
            tool_calls=({"function": {"name": EVIL, "arguments": EVIL}}, {EVIL: EVIL}),
            charges=tuple(
                replace(
                    charge,
                    tier=EVIL,
                    model=EVIL,
                    scorer=EVIL,
                    outcome=EVIL,
                    message=EVIL,
                    code=EVIL,
                    service_tier=EVIL,
                    price_id=EVIL,
                    request_id=EVIL,
                    notes=(EVIL,),
                )
                for charge in attempt.charges
            ),
        )
        for attempt in trace.attempts
    )
    parts = [{"type": EVIL}, {"type": "text", "text": EVIL}]
    names = ("id", "chain", "chain_digest", "price_table", "reason", "requested_model", "top_tier")
    names += ("tier", "parent_id", "started_at", "start_at", "stop_at", "status")
    return replace(
        trace,
        **dict.fromkeys(names, EVIL),
        tags=(EVIL,),
        metadata={EVIL: EVIL, "deep": {EVIL: EVIL}},
        request={EVIL: EVIL, "messages": [{"role": EVIL, "content": EVIL}, {"content": parts}]},
        attempts=attempts,
    )


@pytest.fixture
def browse(tmp_path):
    """Opens a page in a real browser, where there is one, and gives what became of it."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine")

    def load(html):
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")
        options = "headless no-sandbox disable-gpu no-first-run disable-background-networking"
        options += " disable-component-update disable-sync dump-dom"
        done = subprocess.run(
            [
                chromium,
                *(f"--{option}" for option in options.split()),
                f"--user-data-dir={tmp_path / 'profile'}",
                file.as_uri(),
            ],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    return load


class TestHostileText:
    def test_it_is_text_and_nothing_else(self, trace):
        """Tags, broken-out attributes and template marks in any field make no element or attribute."""
        tame, page = page_of(trace), page_of(poisoned(trace))
        allowed = {tag for tag, _ in tame.tags} | {"h3", "ul", "li", "code", "span", "small"}
        assert {tag for tag, _ in page.tags} <= allowed
        assert not {"script", "img", "iframe", "object", "form", "base", "a "} & {
            t for t, _ in page.tags
        }
        for tag, attrs in page.tags:
            assert not [
                name for name in attrs if name.startswith("on") or name in ("style", "src")
            ], tag
            assert attrs.get("href", "#").startswith("#")
        assert page.styles == tame.styles
        assert "</style></title></script></pre><script>document.title='ran'</script>" in page.words
        assert "{{ 7 * 7 }}" in page.words

    def test_every_place_is_poisoned(self, trace):
        """The hostile text stands in the page for each field that is shown."""
        count = page_of(poisoned(trace)).words.count("document.title='ran'</script>")
        assert count > 60

    def test_hidden_characters_are_written_out(self, make_trace):
        """What hides or reorders text can be seen; line breaks, tabs and joined emoji stay."""
        words = page_of(
            make_trace(top="a\u202eb\x00c\u200bd\ud83d e\tf\ng 👩\u200d🚀 \U000e0041")
        ).words
        assert "a⟨U+202E⟩b⟨U+0000⟩c⟨U+200B⟩d⟨U+D83D⟩ e\tf\ng 👩\u200d🚀 ⟨U+E0041⟩" in words
        trace_html(make_trace(top="\ud83d")).encode()

    def test_the_policy_allows_one_style_sheet(self, trace):
        """The page's policy forbids everything but the style sheet whose digest it holds."""
        page = page_of(poisoned(trace))
        (policy,) = [a["content"] for t, a in page.tags if a.get("http-equiv")]
        digest = base64.b64encode(hashlib.sha256("".join(page.styles).encode()).digest()).decode()
        assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
        assert "unsafe" not in policy
        assert [tag for tag, _ in page.tags].index("meta") < [t for t, _ in page.tags].index(
            "style"
        )

    def test_no_other_host_is_named(self, trace):
        """Neither the page nor its style loads anything from anywhere."""
        html = trace_html(trace)
        assert re.findall(r"(?i)https?:|//[a-z]|url\(|@import|srcset|<link", html) == []

    def test_in_a_browser_no_script_runs(self, trace, browse):
        """A real browser shows the hostile page without running any of it."""
        dump = browse(trace_html(poisoned(trace)))
        page = Page(dump)
        assert "Calls in time" in page.words
        assert "<title>ran</title>" not in dump
        assert not {"script", "img"} & {tag for tag, _ in page.tags}

    def test_the_policy_alone_would_stop_a_script(self, trace, browse):
        """Even where an element slipped through, a real browser would not run it."""
        slipped = (
            "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
        )
        html = trace_html(trace).replace("</main>", f"{slipped}</main>")
        assert "<title>ran</title>" not in browse(html)
        unguarded = html.replace('http-equiv="Content-Security-Policy"', 'name="policy"')
        assert "<title>ran</title>" in browse(unguarded)  # or this test could not fail


class TestWhatIsThere:
    def test_everything_that_matters(self, make_trace):
        """Status, costs, scores with thresholds and reasons, tokens, notes, question and answer."""
        trace = make_trace(metadata={"team": "support", "deep": {"a": 1}})
        trace = replace(trace, tags=("agent:a",), parent_id="run-7")
        text = page_of(trace).text
        for expected in (
            *(trace.id, "accepted by big", "$0.00220628", "exact", "against big alone, $0.0022"),
            *("Where is my parcel?", "It arrives on Friday.", "I do not know.", "agent:a", "run-7"),
            *("0.410 < 0.92 below", "0.970 ≥ 0.5 reached", "well grounded", "only 14 characters"),
            *("rate limit 429", "slow down", "not billed: rate_limit", "price custom", "210"),
            *("draft, try 2", "3 calls, 1 of them a retry", "750 ms", "support", '"a": 1'),
            *("gpt-big-2026", "made for", trace.chain_digest, trace.price_table),
        ):
            assert expected in text, expected
        assert trace.to_html() == trace_html(trace)

    def test_verdicts_are_words(self, trace):
        """Each verdict, also of a score, stands as a word and not as a colour only."""
        skipped = replace(
            trace.attempts[0], verdict="skipped", reason="too long", score=None, charges=()
        )
        failed = replace(trace.attempts[0], verdict="failed", score=ScoreRecord("s", "abstained"))
        page = page_of(replace(trace, attempts=(skipped, failed, *trace.attempts)))
        for word in ("accepted", "escalated", "failed", "skipped", "abstained", "below", "reached"):
            assert word in page.text
        assert "too long" in page.text
        assert "3 tiers 3 calls" not in page.text
        assert "1 skipped" in page.text

    @pytest.mark.parametrize(
        ("policy", "words"),
        [
            ("none", "not kept: the content policy is “none”"),
            ("hashed", "only its digest was kept: sha256:"),
        ],
    )
    def test_words_that_were_not_kept(self, make_trace, policy, words):
        """Where texts were hashed or dropped the page says so, and shows all numbers."""
        made = make_trace()
        made = replace(
            made, attempts=(replace(made.attempts[0], tool_calls=({"a": 1},)), made.attempts[1])
        )
        text = page_of(redact(made, policy)).text
        assert text.count(words) >= 4
        if policy == "hashed":  # also in the place of reasons, of scores and of messages
            assert text.count("sha256:") == text.count("only its digest was kept: sha256:")
        assert "$0.00220628" in text
        assert "parcel" not in text

    def test_unknown_and_estimated_costs(self, trace):
        """An unknown cost says so with its lower bound, and an estimate carries a mark."""
        first, last = trace.attempts
        lost = replace(first.charges[0], cost_usd=None, basis="unknown", usage=None)
        left = replace(first.charges[1], outcome="stopped", basis="estimated")
        trace = replace(trace, attempts=(replace(first, charges=(lost, left)), last))
        text = page_of(trace).text
        assert "Cost unknown at least $0.00220628" in text
        assert "Saved unknown" in text
        assert "stopped ≈ $0.00000628" in text.replace("250 ms ", "")

    def test_unknown_tokens(self, trace):
        """Tokens that nobody reported are unknown, or a lower bound beside those that are; never 0."""
        first, last = trace.attempts
        lost = replace(first.charges[1], cost_usd=None, basis="unknown", usage=None)
        only = page_of(replace(trace, attempts=(replace(first, charges=(lost,)),)))
        assert "Tokens unknown in unknown out" in only.text
        assert "all unknown unknown unknown unknown unknown" in only.text
        assert "Tokens 0" not in only.text
        part = page_of(replace(trace, attempts=(replace(first, charges=(lost,)), last)))
        assert "Tokens ≥ 200 in ≥ 40 out" in part.text
        assert "≥" not in page_of(trace).text.split("Tokens")[1].split("Question")[0]

    def test_a_call_that_was_never_made(self, trace):
        """It used no tokens and took no time, and its tier did not fail: it was not asked."""
        last = trace.attempts[1]
        never = replace(
            last.charges[0], outcome="budget", usage=Usage(0, 0), cost_usd=Decimal(0), latency_s=0.0
        )
        turn = replace(last, verdict="failed", reason="no room", score=None, charges=(never,))
        refused = replace(trace, status="budget_exceeded", tier=None, attempts=(turn,))
        text = page_of(refused).text
        assert "budget exceeded" in text
        assert "budget_exceeded" not in text
        assert "Asked 0 tiers 0 calls" in text
        assert "Tokens 0 in 0 out" in text
        dash = "\N{EN DASH}"
        assert f"1. big {dash} not asked no room {dash} {dash}" in text
        assert "failed" not in text.split("Calls in time")[1].split("draft scorer")[0]
        # beside calls that were made it makes nothing of theirs unknown
        assert "Tokens 2" in page_of(replace(trace, attempts=(last, turn))).text

    def test_requests_without_an_answer(self, failed_trace, trace):
        """A failed request, one that was never asked and one without a request have a page too."""
        assert "no answer was returned" in page_of(failed_trace).text
        empty = replace(trace, attempts=(), tier=None, request=None, top_tier_cost_usd=None)
        text = page_of(empty).text
        assert "no tier was asked" in text
        assert "not in this trace" in text
        assert "A replay" in page_of(replace(trace, replayed=True)).text

    def test_large_traces_fold(self, trace):
        """Of many attempts, calls and charges those that matter are open and all are there."""
        first, last = trace.attempts
        draft = last.charges[0]
        asks = tuple(
            replace(draft, purpose="scorer", scorer="check", call=9 + n) for n in range(200)
        )
        attempts = (
            *[replace(first, tier=f"t{n}") for n in range(15)],
            replace(last, charges=(draft, *asks)),
        )
        page = page_of(replace(trace, attempts=attempts))
        assert "193 more calls of big" in page.text
        assert len([a for a in page.with_class("attempt") if "open" in a]) == 1
        assert [a for a in page.with_class("fold") if "open" in a] == []
        assert page.text.count("check asks") == 200

    def test_tool_calls_and_images(self, make_trace):
        """Tool calls read as calls, and an image is named and cut."""
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9000}}
        trace = make_trace([{"role": "user", "content": [{"type": "text", "text": "look"}, image]}])
        calls = ({"function": {"name": "f", "arguments": '{"id": 7}'}}, {"name": "g", "input": "x"})
        last = replace(trace.attempts[1], text=None, tool_calls=calls)
        html = trace_html(replace(trace, attempts=(trace.attempts[0], last)))
        page = Page(html)
        for expected in ('f({"id": 7})', "g(x)", "look [image_url]", "no text; it calls tools"):
            assert expected in page.text
        assert "(9,022 characters)" in page.text
        assert "A" * 100 not in html


class TestLongTexts:
    LEFT = "more characters are left out here. `cascade trace show {} --json` and the JSON export"

    def test_each_is_cut_and_says_so(self, trace):
        """Prompt, answer, tool call, reasons, message, metadata: 100,000 characters, and the way on."""
        long = "<" * content.LONGEST_TEXT + "y" * 1_234
        last = trace.attempts[1]
        charge = replace(last.charges[0], message=long, outcome="server_error")
        last = replace(
            last,
            text=long,
            reason=long,
            score=ScoreRecord("s", "score", 0.4, long),
            tool_calls=({"name": "f", "arguments": long},),
            charges=(charge, *last.charges[1:]),
        )
        request = {"messages": [{"role": "user", "content": long}], "user": "me"}
        whole = replace(
            trace,
            reason=long,
            request=request,
            metadata={"note": long, "deep": {"a": long}},
            attempts=(trace.attempts[0], last),
        )
        page = page_of(whole)
        left = self.LEFT.format(trace.id)
        assert page.words.count(f"[1,234 {left}") == 9  # tool, data and request are longer
        assert page.words.count(left) == 12
        assert "y" * 100 not in page.words
        assert whole.to_dict()["request"] == request
        assert content.answer(whole).text == long

    def test_a_text_that_just_fits_is_whole(self, make_trace):
        """Nothing is said of a text that is not cut, and its end is there."""
        words = page_of(make_trace(top="x" * (content.LONGEST_TEXT - 3) + "end")).words
        assert "left out" not in words
        assert words.count("xxend") == 2

    @pytest.mark.parametrize(
        ("size", "count", "shown"), [(200_000, 20, 5), (0, 20_000, 5_000), (400, 3_000, 1_000)]
    )
    def test_of_many_messages_the_first_are_shown(self, trace, size, count, shown):
        """Messages together have a bound as well; how many are left out stands below them."""
        request = {"messages": [{"role": "user", "content": "x" * size}] * count}
        html = trace_html(replace(trace, request=request))
        assert html.count("<h3>user</h3>") == shown
        assert f"{count - shown:,} more messages are left out here. " in html
        assert f"<code>cascade trace show {trace.id} --json</code>" in html
        assert f"{count} messages of the request" in html

    def test_a_page_of_megabytes_is_small(self, make_trace):
        """A request of 10 MB, with an answer as long, makes a page below 4 MB, escapes and all."""
        trace = make_trace("&" * 10_000_000, top="<" * 10_000_000)
        assert len(trace_html(trace).encode()) < 4_000_000


class TestTheAxis:
    def test_bars_stand_where_calls_were(self, trace):
        """A call's bar begins and ends at its share of the time."""
        chart = waterfall.chart(trace)
        bars = [lane.bar for row in chart.rows for lane in row.lanes]
        third = 100 / 3
        assert [(round(b.start, 6), round(b.width, 6)) for b in bars] == [
            (round(n * third, 6), round(third, 6)) for n in range(3)
        ]
        assert [tick.text for tick in chart.ticks] == ["0 ms", "200 ms", "400 ms", "600 ms"]

    def test_times_that_are_none(self, trace):
        """Times that JSON let through and that no clock shows have no bar and break nothing."""
        first = trace.attempts[0]
        odd = tuple(replace(c, latency_s=float("inf"), started_s=-0.5) for c in first.charges)
        broken = replace(trace, duration_s=float("inf"), attempts=(replace(first, charges=odd),))
        assert [lane.bar for lane in waterfall.chart(broken).rows[0].lanes] == [None, None]
        assert page_of(broken).text
        still = replace(first.charges[0], latency_s=0.0, started_s=0.0)
        chart = waterfall.chart(
            replace(trace, duration_s=0, attempts=(replace(first, charges=(still,)),))
        )
        assert chart.rows[0].lanes[0].bar.width > 0

    def test_a_call_before_the_request_moves_the_axis(self, trace):
        """Nothing is drawn outside the axis."""
        first = trace.attempts[0]
        early = replace(
            first, charges=(replace(first.charges[0], started_s=-1.0), first.charges[1])
        )
        for row in waterfall.chart(replace(trace, attempts=(early,))).rows:
            for bar in (row.bar, *(lane.bar for lane in row.lanes)):
                assert bar.start >= 0
                assert bar.start + bar.width <= 100.000001

    def test_times_are_short(self):
        """Times are in the unit that reads best."""
        shown = [waterfall.seconds(value) for value in (0.0004, 0.25, 3.14159, 150, float("nan"))]
        assert shown == ["0 ms", "250 ms", "3.14 s", "2.5 min", "?"]
        assert waterfall.moment("2026-11-22T10:00:00+02:00") == "2026-11-22 08:00:00 UTC"


def test_requests_of_either_api():
    """Messages are found in Chat Completions and in Responses payloads, odd ones included."""
    chat = {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}, "odd"]}
    assert [m.text for m in content.messages(chat)] == ["calls f()", '"odd"']
    responses = {"instructions": "Be kind.", "input": "Where?"}
    assert [(m.role, m.text) for m in content.messages(responses)] == [
        ("instructions", "Be kind."),
        ("user", "Where?"),
    ]
    items = [{"type": "function_call_output", "output": "x"}, {"role": "user", "content": []}]
    assert (
        content.messages({"input": items})[0].text
        == '{\n  "type": "function_call_output",\n  "output": "x"\n}'
    )
    assert content.messages({"messages": None}) == []
    assert content.pretty({(1, 2): 3}) == "{(1, 2): 3}"


def test_making_pages_is_what_loads_jinja(run_python):
    """Neither the package nor a store nor a terminal view loads the template engine."""
    code = """
        import sys, cascade
        from cascade import Cascade, TraceStore
        import cascade.traces.terminal, cascade.traces.log
        print("jinja2" in sys.modules)
        from cascade import trace_html
        print("jinja2" in sys.modules)
    """
    assert run_python(code).stdout.split() == ["False", "True"]
