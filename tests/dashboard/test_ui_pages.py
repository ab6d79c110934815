"""What the pages say, and that it is true."""

import base64
import re
from dataclasses import replace
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from demo_store import chains
from reading import page
from sqlalchemy import text

from cascade import Cascade, ConfigError, Price, Score, Tier, TraceStore
from cascade.calibration import read_recording
from cascade.core.chain import Chain
from cascade.core.dollars import dollars
from cascade.dashboard import dashboard_app
from cascade.dashboard.overview import _parts, _requests
from cascade.dashboard.remembering import Remembered
from cascade.dashboard.viewer import Traces, Viewer
from cascade.dashboard.words import NONE, about, rounded, share
from cascade.testing import ScriptedModels, reply
from cascade.traces.series import series
from cascade.traces.stats import trace_stats
from cascade.traces.tree import cost_tree

SURROGATE = b'["time", "\\ud800", "x"]'


def all_stats(store):
    return trace_stats(store.iter_traces())


def spoil(store, ids):
    """Make traces unreadable."""
    with store.reading() as connection:
        for trace_id in ids:
            connection.execute(
                text("UPDATE traces SET json = '{}' WHERE id = :id"), {"id": trace_id}
            )


TICKETS = "examples/recordings/tickets.parquet"


def recorded_support(own=4):
    """The recording of tickets as if it were one of the demo's chain "support", or of some tiers of it."""
    recording = read_recording(TICKETS)
    names = [tier.name for tier in chains()["support"].tiers]
    names = [*names[:own], *(tier.name for tier in recording.tiers[own:])]
    tiers = [replace(one, name=name) for one, name in zip(recording.tiers, names, strict=True)]
    return replace(recording, tiers=tuple(tiers))


def is_right(draft):
    return Score(0.9 if draft.text == "right" else 0.1)


def two_tiers():
    """A cheap tier with a scorer, and a dear one without."""
    cheap = Tier("nano", scorer=is_right, threshold=0.5, price=Price.of("1", "1"))
    return cheap, Tier("gpt-5.5", price=Price.of("10", "10"))


def ask_all(store, answers, *, tiers, unknown=0, **changes):
    """Keep requests whose first tier answers so; so many of the later costs are unknown."""
    later = [None] * unknown + [90] * len(answers)
    models = ScriptedModels(
        {
            "nano": [reply(answer, input_tokens=90, output_tokens=10) for answer in answers],
            "gpt-5.5": [reply("right", input_tokens=some, output_tokens=some) for some in later],
        }
    )
    seen = []
    llm = Cascade(Chain(tiers, name="two"), models=models, observers=[seen.append])
    for _ in answers:
        llm.complete("?")
    for trace in seen:
        store.save(replace(trace, **changes))
    store.flush()


class TestOverview:
    def test_sums_are_those_of_the_traces(self, store, visit):
        """Requests, cost and savings stand there to the digit, unknown ones beside them."""
        stats = all_stats(store)
        words = page(visit(store).get("/?range=all")).words
        assert f"{stats.requests:,}" in words
        assert dollars(stats.cost.known_usd) in words
        assert stats.cost.unknown
        assert f"+ {stats.cost.unknown} of unknown cost" in words
        assert dollars(stats.saved.known_usd) in words
        for tier in stats.tiers:
            assert tier.tier in words

    def test_the_table_has_all_that_the_pictures_have(self, store, visit):
        """Every day of the pictures is a row, with its costs to the digit."""
        client = visit(store)
        table = re.search(
            r"The charts as a table.*?</table>", client.get("/?range=all").text, re.DOTALL
        )[0]
        days = {trace.started_at[:10] for trace in store.iter_traces()}
        for day in days:
            assert f'<th scope="row" class="moment">{day}</th>' in table

    @pytest.mark.parametrize("name", ["24h", "7d", "30d", "all", "", "nonsense", "../../x"])
    def test_ranges(self, store, visit, name):
        """Each range answers, and one that is none is the usual one."""
        response = visit(store).get("/", params={"range": name})
        assert response.status_code == 200
        chosen = [a["href"] for a in page(response).all("a") if a.get("aria-current") == "true"]
        assert chosen == [f"/?range={name if name in ('24h', '7d', '30d', 'all') else '7d'}"]

    def test_one_chain(self, store, visit):
        """A chain by itself: its own sums only."""
        stats = trace_stats(store.iter_traces(chain="triage"))
        words = page(visit(store).get("/?range=all&chain=triage")).words
        assert dollars(stats.cost.known_usd) in words
        assert "gpt-5.4-mini" not in words.split("Share per tier")[1].split("Chains")[0]

    def test_many_tiers(self, empty, store):
        """More tiers than colours are one part of the picture, and each has its row."""
        trace = store.get(store.list(1, status="accepted")[0].id)
        for place in range(8):
            empty.save(replace(trace, id=f"m{place}", tier=f"tier-{place}"))
        empty.flush()
        found = series(empty)
        assert list(_parts(found)) == [f"tier-{place}" for place in range(4)] + ["others"]
        picture = _requests(found, dict.fromkeys(found.spans, ""))
        assert picture.data["rows"][0]["values"] == [1, 1, 1, 1, 4]

    def test_nothing_yet(self, empty, visit):
        """An empty store says at once how traces come into it, and not where else to look."""
        for path in ("/", "/?range=24h", "/?range=all"):
            words = page(visit(empty).get(path)).words
            assert "No requests yet." in words
            assert "as soon as a cascade with this store answers" in words
            assert "Look at" not in words

    def test_nothing_lately(self, empty, store, visit):
        """Where there are older traces, the way to them is shown."""
        empty.save(replace(store.get(store.list(1)[0].id), started_at="2020-01-01T00:00:00+00:00"))
        empty.flush()
        words = page(visit(empty).get("/")).words
        assert "No requests in the last 7 days." in words
        assert "Look at all time" in words
        assert "cascade run --store" not in words

    def test_an_unknown_cost_is_no_nothing(self, empty, store, visit):
        """A store of which no cost is known shows no $0 for its cost without saying so."""
        trace = next(one for one in store.iter_traces(basis="unknown"))
        empty.save(trace)
        empty.flush()
        assert "+ 1 of unknown cost" in page(visit(empty).get("/?range=all")).words

    def test_against_the_best_single_model(self, store, visit):
        """With a recording of a chain, what was saved against its best single model stands there."""
        client = visit(store, recordings={"support": recorded_support()})
        words = page(client.get("/?range=all")).words
        assert "best single model" in words
        assert "on support" in words
        assert "best single model" not in page(visit(store).get("/?range=all")).words

    @pytest.mark.parametrize("own", [0, 1, 3])
    def test_a_recording_of_another_chain(self, store, visit, own):
        """A recording without some tier of the chain is not believed, and the page says so, once."""
        client = visit(store, recordings={"support": recorded_support(own)})
        words = page(client.get("/?range=all")).words
        assert "best single model" not in words
        assert words.count("The recording that was given for support is of another chain") == 1


class TestList:
    def test_every_trace_is_reached_by_its_pages(self, store, visit):
        """Following "Next page" shows each trace once."""
        client, seen, address = visit(store), [], "/traces"
        while address:
            shown = page(client.get(address))
            seen += [
                parse_qs(urlsplit(link).query)["id"][0]
                for link in shown.links
                if link.startswith("/trace?")
            ]
            address = next((a["href"] for a in shown.all("a") if a.get("rel") == "next"), None)
        assert sorted(seen) == sorted(row.id for row in store.list(None))
        assert len(seen) == 300

    @pytest.mark.parametrize(
        ("query", "wanted"),
        [
            ("chain=extract", {"chain": "extract"}),
            ("tier=gpt-5.5", {"tier": "gpt-5.5"}),
            ("status=escalated", {"escalated": True}),
            ("status=first", {"escalated": False}),
            ("status=refused", {"status": "refused"}),
            ("tag=vip", {"tag": "vip"}),
            (
                "min_cost_usd=0.001&max_cost_usd=0.003",
                {"min_cost_usd": "0.001", "max_cost_usd": "0.003"},
            ),
            ("min_s=2", {"min_duration_s": 2}),
            ("basis=unknown", {"basis": "unknown"}),
            ("range=7d", {"since": "7d"}),
            ("parent=run-nightly-report", {"parent": "run-nightly-report"}),
            ("since=2026-01-01&until=2026-01-02", {"since": "2026-01-01", "until": "2026-01-02"}),
            ("range=7d&since=2026-01-01", {"since": "7d"}),  # whichever is later
            ("range=30d&since=7d", {"since": "7d"}),
        ],
    )
    def test_filters(self, store, visit, query, wanted):
        """Each filter finds what the store finds, keeps its place in the form, and says how many."""
        count = store.count(**wanted)
        response = visit(store).get(f"/traces?{query}")
        assert response.status_code == 200
        shown = page(response)
        assert sum(link.startswith("/trace?") for link in shown.links) == min(50, count)
        assert f"{count} trace{'' if count == 1 else 's'}" in shown.words

    def test_words(self, store, visit):
        """Words are found in questions and answers."""
        shown = page(visit(store).get("/traces?text=PASSWORD"))
        assert "the password of account" in shown.words
        assert sum(link.startswith("/trace?") for link in shown.links)

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("min_cost_usd=cheap", "min_cost_usd 'cheap' is no amount"),
            ("since=yesterday", "since 'yesterday' is no moment"),
            ("since=yesterday&range=7d", "since 'yesterday' is no moment"),
            ("min_s=long", "'long' is no number of seconds"),
            ("status=acepted", "did you mean 'accepted'"),
            ("sort=beauty", "sort 'beauty' is no order"),
            ("after=nowhere", "is no cursor of this list"),
            ("basis=sure", "is no basis"),
            ("since=9999-12-31T23:59:59-14:00", "This address cannot be meant"),
            (f"after={base64.urlsafe_b64encode(b'[' * 9_000).decode()}", "no cursor of this list"),
            (f"after={base64.urlsafe_b64encode(SURROGATE).decode()}", "address cannot be meant"),
        ],
    )
    def test_a_filter_that_cannot_be_meant(self, store, visit, query, words):
        """What cannot be meant is said, with what was typed still in the form."""
        response = visit(store).get(f"/traces?{query}")
        assert response.status_code == 400
        assert words in page(response).words

    def test_nothing_found_and_nothing_there(self, store, empty, visit):
        """An empty list says whether the filters or the store are to blame."""
        assert "No trace fits." in page(visit(store).get("/traces?tag=nobody")).words
        assert "No traces yet." in page(visit(empty).get("/traces")).words

    def test_a_question_of_megabytes(self, store, empty, visit):
        """A question is not read where its trace is too long: fifty of them would fill the memory."""
        trace = store.get(store.list(1)[0].id)
        asked = {"messages": [{"role": "user", "content": "asked shortly"}]}
        longer = {"messages": [{"role": "user", "content": "asked " * 50_000}]}
        empty.save(replace(trace, id="short", request=asked))
        empty.save(replace(trace, id="long", request=longer))
        empty.flush()
        words = page(visit(empty).get("/traces")).words
        assert "asked shortly" in words
        assert "this trace is too long to show here" in words

    def test_a_damaged_row_is_named(self, store, visit):
        """A row that cannot be read is named below the others."""
        from sqlalchemy import text

        trace_id = store.list(1)[0].id
        with store.reading() as connection:
            connection.execute(
                text("UPDATE traces SET saved_usd = 'x' WHERE id = :id"), {"id": trace_id}
            )
        shown = page(visit(store).get("/traces"))
        assert "1 trace on this page cannot be read" in shown.words
        assert trace_id in shown.words
        assert store.count() > 5
        found = list(Traces(store, Viewer("me", None, is_admin=True)).newest(5))
        assert len(found) <= 5, "a page that takes some would read all"


class TestOne:
    def test_every_charge_score_and_reason(self, store, visit):
        """Each charge to the digit, each score with its reason, each draft."""
        client = visit(store)
        for row in store.list(8, sort="cost"):
            trace = store.get(row.id)
            words = page(client.get("/trace", params={"id": trace.id})).words
            for charge in trace.charges:
                assert dollars(charge.cost_usd) in words
            for attempt in trace.attempts:
                assert attempt.tier in words
                for score in attempt.scores:
                    assert score.scorer in words
                    assert (score.reason or "") in words
                if attempt.threshold is not None and attempt.score:
                    assert f"{attempt.threshold:g}" in words

    def test_the_family(self, store, demo, visit):
        """A request shows what was made for it, with costs rolled up; a child leads to its parent."""
        client, root = visit(store), demo[1]
        tree = cost_tree(store, root)
        shown = page(client.get("/trace", params={"id": root}))
        assert f"{tree.total.requests} requests in all" in shown.words
        assert dollars(tree.total.known_usd) in shown.words
        for _, node in tree.walk():
            assert node.id in shown.words
        child = tree.children[0].id
        assert f"/trace?id={root}" in page(client.get("/trace", params={"id": child})).links

    def test_a_run_without_a_trace(self, empty, store, visit):
        """A run that left no trace is shown as its requests."""
        trace = store.get(store.list(1)[0].id)
        for place in range(3):
            empty.save(replace(trace, id=f"r{place}", parent_id="nightly"))
        empty.flush()
        words = page(visit(empty).get("/trace?id=nightly")).words
        assert "Run nightly" in words
        assert "3 requests in all" in words

    @pytest.mark.parametrize(
        "trace_id", ["", "nobody", "../../etc/passwd", "..%2f..%2f", "\0", "a" * 5000, "\ud800"]
    )
    def test_an_id_that_is_none(self, store, visit, trace_id):
        """An id that names no trace is not found, whatever it is."""
        from urllib.parse import quote

        response = visit(store).get(f"/trace?id={quote(trace_id.encode(errors='surrogatepass'))}")
        assert response.status_code == 404
        assert "no such trace" in page(response).words

    def test_a_damaged_trace(self, store, visit):
        """A trace that cannot be read says so and takes nothing with it."""
        trace_id = store.list(1)[0].id
        spoil(store, [trace_id])
        client = visit(store)
        assert client.get(f"/trace?id={trace_id}").status_code == 500
        assert client.get("/traces").status_code == 200
        assert client.get("/chain?name=support&range=all").status_code == 200


class TestChain:
    def test_few_drafts_say_nothing(self, store, visit, monkeypatch):
        """Whether a scorer pays is said from some drafts on; before that, that they are too few."""
        monkeypatch.setattr("cascade.dashboard.chain_page.FEW", 1)
        words = page(visit(store).get("/chain?name=support&range=all")).words
        assert "too few to say" not in words
        monkeypatch.setattr("cascade.dashboard.chain_page.FEW", 1_000_000)
        words = page(visit(store).get("/chain?name=support&range=all")).words
        assert "too few to say" in words
        assert "from 1,000,000 drafts on" in words

    def test_tiers_and_scorers(self, store, visit):
        """Acceptance and cost of each tier, and what its scorer stops."""
        stats = trace_stats(store.iter_traces(chain="support"))
        words = page(visit(store).get("/chain?name=support&range=all")).words
        for tier in stats.tiers:
            assert dollars(tier.cost.known_usd) in words
        assert "first_reject on drafts of gpt-5.4-nano" in words
        assert re.search(r"the same requests would have cost about \$[\d.]+ (more|less)", words)
        assert "LogprobConfidence" in words

    def test_with_a_recording(self, store, visit):
        """With a recording, wrong answers caught and let through are told."""
        client = visit(store, recordings={"support": recorded_support()})
        words = page(client.get("/chain?name=support&range=all")).words
        assert "With quality, from the recording" in words
        assert "225" in words.split("wrong, caught")[1]

    @pytest.mark.parametrize("given", [{}, {"chains": chains()}])
    def test_a_recording_of_another_chain(self, store, visit, given):
        """A recording without a tier of the chain is said to be another's, and nothing else is."""
        client = visit(store, recordings={"support": TICKETS}, **given)
        words = page(client.get("/chain?name=support&range=all")).words
        assert "its tiers are small, medium, large, top, those of the chain gpt-5.4-nano" in words
        assert "--recording NAME=FILE" in words
        assert "Quality, recorded" not in words
        assert "wrong, caught" not in words

    def test_a_recording_that_cannot_be_read(self, store, visit, tmp_path):
        """A recording that is none is said, and traces are shown as ever."""
        file = tmp_path / "x.parquet"
        file.write_text("no parquet")
        client = visit(store, recordings={"support": file})
        response = client.get("/chain?name=support&range=all")
        assert response.status_code == 200
        said = r"The recording that was given for support: .*x\.parquet"
        assert re.search(said, page(response).words)
        assert re.search(said, page(client.get("/?range=all")).words)

    def test_the_order_of_tiers_is_the_chains(self, store, visit):
        """Where the chain is known, its order is that of the tiers."""
        chain = chains()["support"]
        turned = replace(chain, tiers=(*chain.tiers[2::-1], chain.tiers[3]))
        words = page(
            visit(store, chains={"support": turned}).get("/chain?name=support&range=all")
        ).words
        table = words.split("acceptance")[1]
        assert table.index("gpt-5.4-mini") < table.index("gpt-5.4-nano")

    def test_only_so_many_are_read(self, store, visit, monkeypatch):
        """Of very many traces the newest are read, and the page says so."""
        monkeypatch.setattr("cascade.dashboard.chain_page.MOST", 20)
        total = store.count(chain="support")
        words = page(visit(store).get("/chain?name=support&range=all")).words
        assert f"From the newest 20 of {total} requests." in words

    @pytest.mark.parametrize("damaged", [1, 3])
    def test_damaged_traces_are_no_limit(self, store, visit, damaged):
        """Traces that cannot be read are said to be that, and not to be beyond a limit."""
        spoil(store, [row.id for row in store.list(damaged, chain="support")])
        total = store.count(chain="support")
        words = page(visit(store).get("/chain?name=support&range=all")).words
        assert f"From {total - damaged} requests; {damaged} more cannot be read." in words
        assert "newest" not in words

    def test_all_are_damaged(self, store, visit):
        """Where none can be read the page does not say that there were none."""
        rows = store.list(None, chain="extract")
        spoil(store, [row.id for row in rows])
        words = page(visit(store).get("/chain?name=extract&range=all")).words
        assert f"None of the {len(rows)} requests can be read." in words
        assert "No requests" not in words

    def test_the_last_tier_is_the_chains(self, empty, visit):
        """A tier that accepts all is not the last one: traces tell which one is."""
        ask_all(empty, ["right"] * 60, tiers=two_tiers())
        words = page(visit(empty).get("/chain?name=two&range=all")).words
        assert "It judges the last tier" not in words
        assert "It rejected nothing, so that nobody knows" in words

    def test_the_last_tier_of_a_chain_that_is_known(self, empty, visit):
        """The chain that is given says which tier is last, whatever its traces do."""
        ask_all(empty, ["right", "wrong"], tiers=two_tiers())
        alone = Chain(two_tiers()[:1], name="two")
        words = page(visit(empty, chains={"two": alone}).get("/chain?name=two&range=all")).words
        assert "It judges the last tier" in words
        assert "It judged 2 drafts and would have rejected 1 (50 %)." in words

    def test_nobody_knows_the_last_tier(self, empty, visit):
        """Traces of old that do not name the last tier: no tier is taken for it."""
        ask_all(empty, ["right"] * 3, tiers=two_tiers(), top_tier="")
        words = page(visit(empty).get("/chain?name=two&range=all")).words
        assert "It judges the last tier" not in words
        assert "It judged 3 drafts and rejected 0 (0 %)." in words

    @pytest.mark.parametrize(("unknown", "verdict"), [(0, "pays"), (190, "unknown")])
    def test_unknown_costs_turn_no_verdict(self, empty, visit, unknown, verdict):
        """Where most later costs are unknown, whether the tier pays is unknown too."""
        ask_all(empty, ["right", "wrong"] * 200, tiers=two_tiers(), unknown=unknown)
        response = visit(empty).get("/chain?name=two&range=all")
        assert re.findall(r'class="pay"><span class="word \w+">([^<]+)', response.text) == [verdict]
        said = "What the later tiers cost is unknown for 190 of the 200 rejected drafts."
        assert (said in page(response).words) == bool(unknown)

    @pytest.mark.parametrize("name", ["nobody", "", "../x", "<b>"])
    def test_no_such_chain(self, store, visit, name):
        """A chain that nobody asked is not found."""
        assert visit(store).get("/chain", params={"name": name}).status_code == 404


class TestAddresses:
    @pytest.mark.parametrize(
        "path",
        ["/nope", "/trace/../x", "/..%2f..%2fetc%2fpasswd", "/static/../../x", "/style-x.css"],
    )
    def test_there_is_nothing_else(self, store, visit, path):
        """No address reaches a file or anything but the pages."""
        assert visit(store).get(path).status_code == 404

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
    def test_other_methods(self, store, visit, method):
        """Pages are read and forms are sent; nothing else is done."""
        assert visit(store).request(method, "/traces").status_code == 405

    def test_the_store_is_away(self, store, visit, monkeypatch):
        """A store that cannot be read is said, with the next step, as 503."""
        from cascade import StoreError

        def gone(*_args, **_kwargs):
            raise StoreError("it is gone; bring it back")

        monkeypatch.setattr(TraceStore, "reading", gone)
        response = visit(store).get("/traces")
        assert response.status_code == 503
        assert "bring it back" in page(response).words

    def test_what_nobody_thought_of(self, store, visit, monkeypatch, caplog):
        """An error of ours is for the log; the page says nothing of it."""
        monkeypatch.setattr("cascade.dashboard.trace_list._chosen", lambda *_: 1 / 0)
        response = visit(store).get("/traces")
        assert response.status_code == 500
        assert "ZeroDivisionError" not in response.text
        assert "ZeroDivisionError" in caplog.text


class TestNumbers:
    @pytest.mark.parametrize(
        ("amount", "words"),
        [
            (None, "unknown"),
            (Decimal(0), "$0"),
            (Decimal("0.00347725"), "$0.00348"),
            (Decimal("-1.2345"), "-$1.23"),
            (Decimal("1234.5"), "$1,234.50"),
            (0.000000000000001, "$0"),
            (1e-9, "$0.00000000100"),
        ],
    )
    def test_about(self, amount, words):
        """A mean or estimate has three digits, and one that is unknown says so."""
        assert about(amount) == words

    @pytest.mark.parametrize(
        ("amount", "words"),
        [
            (None, "unknown"),
            (Decimal(0), "$0"),
            (Decimal("0.000212"), "$0.000212"),
            (Decimal("0.0002125"), "≈ $0.000212"),
            (Decimal("-1.2345"), "≈ -$1.23"),
            (Decimal(1) / 3, "≈ $0.333"),
            (Decimal("1E-20"), "≈ $0"),
        ],
    )
    def test_what_is_rounded_is_marked(self, amount, words):
        """A sum or mean that lost digits is told from one that is exact."""
        assert rounded(amount) == words

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (None, NONE),
            (float("nan"), NONE),
            (0.0, "0 %"),
            (0.0049, "0.5 %"),
            (0.5, "50 %"),
            (1, "100 %"),
        ],
    )
    def test_share(self, value, words):
        """A share has one digit only below ten percent."""
        assert share(value) == words

    def test_what_took_long_is_kept_for_a_while(self):
        """A sum that took a second is kept for ten, a quick one is made each time."""
        now = [0.0]
        kept = Remembered(now=lambda: now[0])

        def slow():
            now[0] += 1.0
            return now[0]

        assert kept.get("a", slow) == kept.get("a", slow) == 1.0
        now[0] = 11.5
        assert kept.get("a", slow) == 12.5
        assert kept.get("b", lambda: 1) == 1
        assert kept.get("b", lambda: 2) == 2
        for name in range(200):
            kept.get(name, slow)
        assert len(kept._kept) == 50


class TestSettings:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "a login needs keys"),
            ({"auth": "none"}, "expected 'keys' or 'local'"),
            ({"auth": "local", "recordings": {"a": 5}}, r"recordings\['a'\] is 5"),
        ],
    )
    def test_what_cannot_be(self, empty, options, message):
        """Settings that cannot work are refused when the app is made."""
        with pytest.raises(ConfigError, match=message):
            dashboard_app(empty, **options)
