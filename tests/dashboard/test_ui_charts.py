"""The pictures, and the process that draws them."""

import re
import threading
import time
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import altair as alt
import pytest
from reading import page
from starlette.testclient import TestClient
from ui_app import app_of

from cascade.dashboard.charts import CHARTS, HEIGHT
from cascade.dashboard.draw import _answer
from cascade.dashboard.drawing import Draughtsman, Picture

ROWS = [
    {
        "from": f"2026-11-{day:02d}T00:00:00+00:00",
        "to": f"2026-11-{day:02d}T21:00:00+00:00",
        "values": [day, 0, 3],
        "value": day / 7,
    }
    for day in range(1, 8)
]
LINES = [
    {"at": row["from"], "name": name, "value": row["value"]}
    for row in ROWS
    for name in ("p50", "p95")
]
EVIL = "<script>alert(1)</script>\"'];"

DATA = {
    "stack": {
        "rows": ROWS,
        "names": ["a", EVIL, "no answer"],
        "colours": ["blue", "green", "axis"],
        "step": "day",
    },
    "bars": {"rows": ROWS, "step": "hour", "format": "$,.2f"},
    "lines": {
        "rows": LINES,
        "names": ["p50", "p95"],
        "step": "month",
        "format": "~g",
    },
    "parts": {
        "rows": [{"name": EVIL, "share": 0.4}, {"name": "b", "share": None}],
        "colour": "blue",
    },
    "histogram": {"bins": [0, 3, 9, 1], "threshold": 0.5},
}


def picture(name, **changes):
    return Picture(name, name, DATA[name] | changes, "A title & more", EVIL)


def written(name, changes):
    """The picture as text."""
    wanted = {"chart": name, "data": DATA[name] | changes, "title": "", "says": "", "name": "x"}
    return _answer(wanted)["svg"]


@pytest.fixture
def draughtsman():
    made = Draughtsman()
    yield made
    made.close()


class TestCharts:
    @pytest.mark.parametrize("name", CHARTS)
    def test_they_are_charts(self, name):
        """Each picture is a valid Vega-Lite chart by Altair's own schema."""
        spec = CHARTS[name](**DATA[name]).to_dict(validate=False)
        alt.TopLevelSpec.from_dict(spec)  # raises what the schema does not allow

    @pytest.mark.parametrize("name", ["stack", "bars", "lines"])
    @pytest.mark.parametrize("days", [1, 2, 3, 6])
    def test_a_day_is_named_once(self, name, days):
        """Under a picture of few days each stands once, however wide it is drawn."""
        rows = DATA[name]["rows"]
        few = rows[: days * len(rows) // len(ROWS)]
        wanted = {"chart": name, "data": DATA[name] | {"rows": few, "step": "day"}}
        svg = _answer(wanted | {"title": "A title", "says": "", "name": "x"})["svg"]
        named = re.findall(r">(Nov \d+)<", svg)
        assert named == [f"Nov {day}" for day in range(1, days + 1)]

    @pytest.mark.parametrize("name", ["stack", "bars"])
    def test_days_without_requests_have_their_room(self, name):
        """Before the first bar and after the last as well: pictures of one time are alike."""
        none = {"values": [0, 0, 0], "value": 0}
        rows = [row if place == 3 else row | none for place, row in enumerate(ROWS)]
        svg = written(name, {"rows": rows, "step": "day"})
        assert re.findall(r">(Nov \d+)<", svg) == [f"Nov {day}" for day in range(1, 8)]

    @pytest.mark.parametrize(
        ("name", "form", "value", "numbers"),
        [
            ("stack", None, 1, ["0", "1"]),
            ("stack", None, 2, ["0", "1", "2"]),
            ("stack", None, 4, ["0", "1", "2", "3", "4"]),
            ("bars", "$~g", 0.0, ["$0"]),
            ("lines", "~g", 0.03, ["0", "0.01", "0.02", "0.03"]),
            ("lines", "~g", 10.0, ["0", "2", "4", "6", "8", "10"]),
            ("lines", "~g", 30_000.0, ["0", "10,000", "20,000", "30,000"]),
        ],
    )
    def test_numbers_beside_a_picture(self, name, form, value, numbers):
        """Each stands there once, is written out, and 0 is at the bottom."""
        rows = [row | {"values": [value, 0, 0], "value": value} for row in DATA[name]["rows"]]
        changes = {"rows": rows, "step": "day"} | ({"format": form} if form else {})
        svg = written(name, changes)
        found = re.findall(
            r'text-anchor="end" transform="translate\([^,]+,([^)]+)\)"[^>]*>([^<]+)<', svg
        )
        assert [text for _, text in found] == numbers
        assert float(found[0][0]) == pytest.approx(HEIGHT, abs=6)

    @pytest.mark.parametrize(
        ("days", "first"),
        [([*range(500)], "Jan 2025"), ([0, 700], "Jan 1, 2025"), ([*range(30)], "Jan 5")],
    )
    def test_more_than_a_year_names_years(self, days, first):
        """A day of the year would stand under the picture twice."""
        begin = datetime(2025, 1, 1, tzinfo=UTC)
        rows = [
            {
                "from": (begin + timedelta(day)).isoformat(),
                "to": (begin + timedelta(day + 0.9)).isoformat(),
                "value": 1.0,
            }
            for day in days
        ]
        svg = written("bars", {"rows": rows, "step": "day"})
        named = re.findall(r">([A-Z][a-z]{2} \d[^<]*)<", svg)
        assert named[0] == first
        assert len(set(named)) == len(named)

    @pytest.mark.parametrize("name", CHARTS)
    def test_they_are_words_and_shapes(self, name):
        """A picture says what it shows, in the page's colours, whatever its parts are called."""
        svg = _answer(
            {"chart": name, "data": DATA[name], "title": "A title", "says": EVIL, "name": "x"}
        )["svg"]
        root = ET.fromstring(svg)  # noqa: S314  our own
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == "x-title x-says"
        assert root.find("title").text == "A title"
        assert root.find("desc").text == EVIL
        assert {item.tag for item in root.iter()} <= {
            "svg",
            "g",
            "path",
            "line",
            "rect",
            "text",
            "title",
            "desc",
        }
        assert "var(--c-" in svg
        assert not re.search(r'(fill|stroke)="#(?!000)', svg)

    @pytest.mark.parametrize(
        ("name", "changes"),
        [
            ("stack", {"rows": []}),
            ("bars", {"rows": ROWS[:1]}),
            ("lines", {"rows": [{"at": ROWS[0]["from"], "name": "p50", "value": None}]}),
            ("lines", {"names": ["p50"], "rows": LINES[::2], "top": 100}),
            ("histogram", {"threshold": None}),
            ("histogram", {"threshold": 0.0}),
            ("histogram", {"threshold": 1.0, "bins": [0] * 20}),
            ("parts", {"rows": []}),
        ],
    )
    def test_little_to_draw(self, name, changes):
        """One value, none, or all of them nothing are drawn as well."""
        answer = _answer(
            {"chart": name, "data": DATA[name] | changes, "title": "", "says": "", "name": "x"}
        )
        assert "svg" in answer, answer


class TestDraughtsman:
    def test_a_picture_is_drawn_once(self, draughtsman):
        """The same picture is remembered; another process draws, and ends when told."""
        first = draughtsman.draw([picture("bars")])["bars"]
        process = draughtsman._process
        assert first.startswith("<svg")
        assert "A title &amp; more" in first
        begun = time.perf_counter()
        assert draughtsman.draw([picture("bars")])["bars"] is first
        assert time.perf_counter() - begun < 0.01
        draughtsman.close()
        assert process.poll() is not None

    def test_what_cannot_be_drawn_is_missing(self, draughtsman, caplog):
        """A picture that fails is missing, said in the log, and the next one is drawn."""
        found = draughtsman.draw([picture("bars", step="eon"), picture("histogram")])
        assert found["bars"] is None
        assert "KeyError" in caplog.text
        assert found["histogram"]

    def test_a_process_that_dies(self, draughtsman):
        """Where the process is killed, the next picture starts another."""
        draughtsman.draw([picture("bars")])
        draughtsman._process.kill()
        draughtsman._process.wait()
        assert draughtsman.draw([picture("histogram")])["histogram"]

    def test_a_process_that_hangs(self, draughtsman, monkeypatch):
        """A process that says nothing is given up, and for a while no page waits for another one."""
        monkeypatch.setattr("cascade.dashboard.drawing.PATIENCE_S", 0.2)
        monkeypatch.setattr(
            "cascade.dashboard.drawing.COMMAND", ("-c", "import time; time.sleep(60)")
        )
        found = draughtsman.draw([picture("bars"), picture("histogram")])
        assert found == {"bars": None, "histogram": None}
        assert draughtsman._process is None
        monkeypatch.undo()
        assert draughtsman.draw([picture("bars")])["bars"] is None
        draughtsman._paused_until = 0.0
        assert draughtsman.draw([picture("bars")])["bars"]

    def test_no_python_to_draw_with(self, draughtsman, monkeypatch):
        """Where no process can be started, pages do without pictures."""
        monkeypatch.setattr("sys.executable", "/nowhere/python")
        assert draughtsman.draw([picture("bars")])["bars"] is None

    def test_it_sees_no_keys(self, draughtsman, monkeypatch):
        """The process that draws gets no secret of the environment."""
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
        monkeypatch.setattr(
            "cascade.dashboard.drawing.COMMAND",
            (
                "-c",
                "import os, json; input(); print(json.dumps({'error': str(dict(os.environ))}), flush=True)",
            ),
        )
        answer = draughtsman._ask("{}")
        assert "PATH" in answer["error"]
        assert "sk-secret" not in answer["error"]

    def test_it_rests(self, draughtsman, monkeypatch):
        """A process that was idle for long ends by itself."""
        monkeypatch.setattr("cascade.dashboard.drawing.IDLE_S", 0.1)
        draughtsman.draw([picture("bars")])
        end = time.monotonic() + 10
        while draughtsman._process is not None and time.monotonic() < end:
            time.sleep(0.02)
        assert draughtsman._process is None

    def test_threads_share_it(self, draughtsman):
        """Many pages at once get their own pictures."""
        found = {}

        def draw(number):
            made = draughtsman.draw(
                [
                    Picture(
                        f"p{number}",
                        "histogram",
                        {"bins": [number], "threshold": None},
                        f"t{number}",
                        "",
                    )
                ]
            )
            found.update(made)

        threads = [threading.Thread(target=draw, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(f">t{number}<" in found[f"p{number}"] for number in range(6))


def test_pages_have_their_pictures(store):
    """All pictures of the overview and of a chain are there, with titles of their own."""
    app = app_of(store, auth="local", pictures=True)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        overview = page(client.get("/?range=all"))
        chain = page(client.get("/chain?name=support&range=all"))
    for shown, count in ((overview, 4), (chain, 3 + 3)):
        charts = [attrs for attrs in shown.all("svg") if attrs.get("class") == "chart"]
        assert len(charts) == count
        assert "could not be drawn" not in shown.words
