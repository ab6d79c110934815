"""The pictures of a report: what is in them, that it can be told apart, and that nothing acts."""

import re
from dataclasses import replace
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade.calibration.reporting.axes import NARROW, WIDE, scale_of
from cascade.calibration.reporting.beside import placed_words
from cascade.calibration.reporting.drawn import charts_of, pictures_of
from cascade.calibration.reporting.frontier import frontier_chart
from cascade.calibration.reporting.labels import Box, Label, place, width_of
from cascade.calibration.reporting.svg import inline_svg, picture
from cascade.calibration.reporting.theme import DARK, LIGHT, MARKS
from cascade.calibration.reporting.view import Frontier, Spot
from tests.calibration.reporting.views import frontier, view


def texts(svg):
    return [element.text for element in fromstring(svg).iter() if element.text]  # noqa: S314


def shown(chart):
    return texts(inline_svg(chart, title="t", says="s", name="n"))


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * p for weight, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


class TestColours:
    @pytest.mark.parametrize("colours", [LIGHT, DARK])
    def test_words_and_marks_stand_out(self, colours):
        """Words have a contrast of 4.5:1 to their ground, marks and lines one of 3:1 (WCAG 2.2)."""
        for name in ("ink", "dim", "vermillion", "blue", "green"):
            assert contrast(colours[name], colours["sheet"]) >= 4.5, name
        for name in ("purple",):
            assert contrast(colours[name], colours["sheet"]) >= 3, name

    def test_no_two_kinds_look_alike(self):
        """Kinds of policies differ in shape where they share a colour, and in both otherwise."""
        assert len(set(MARKS.values())) == len(MARKS)
        assert MARKS["chosen"][1] != MARKS["found"][1]

    def test_both_grounds_have_every_colour(self):
        """Each colour of a light page has one on a dark page; none stands for two."""
        assert LIGHT.keys() == DARK.keys()
        assert len(set(LIGHT.values())) == len(LIGHT)

    def test_a_page_never_fixes_a_colour(self):
        """In a page all colours are variables, so that dark mode reaches all of them."""
        for svg in pictures_of(view()).values():
            assert set(re.findall(r'(?:fill|stroke)="([^"]*)"', svg)) <= {
                "none",
                *(f"var(--c-{name})" for name in LIGHT),
            }


class TestFrontier:
    @pytest.mark.parametrize("size", [WIDE, NARROW])
    def test_everything_is_named(self, size):
        """Baselines, the chosen plan, both lines and the floor have their words beside them."""
        words = shown(frontier_chart(frontier(), size))
        for expected in (
            *("always nano", "always big", "mid", "best pair", "oracle", "chosen plan"),
            *("plans found", "random mixing", "least quality promised"),
            *("cost, USD per 1,000 requests", "quality, %", "$0"),
        ):
            assert expected in words, expected

    def test_one_model_alone(self):
        """A single policy is drawn too: axes have a width, and nothing is divided by zero."""
        one = Frontier(spots=(Spot("only", "top", 0.0, 1.0),))
        assert "always only" in shown(frontier_chart(one))

    def test_many_models(self):
        """Of seventy models as many are named as there is room for; all are drawn."""
        spots = [Spot(f"model-{n}", "single", 1 + n % 10, 0.5 + 0.006 * (n % 7)) for n in range(70)]
        made = Frontier(spots=(*spots, Spot("big", "top", 12.0, 0.6)))
        svg = inline_svg(frontier_chart(made), title="t", says="s", name="n")
        assert "always big" in texts(svg)
        assert svg.count("<path") >= 71

    def test_plans_of_one_cost(self):
        """Plans that cost the same stand above each other, and their line still has its words."""
        plans = tuple(Spot(str(n), "found", 1.0, 0.6 + n / 100) for n in range(9))
        made = replace(frontier(), found=plans)
        assert "plans found" in shown(frontier_chart(made))

    def test_long_and_hostile_names(self):
        """A name is cut, on one line, and free of characters that XML or a reader chokes on."""
        made = frontier("x\x00\ud83d\n" + "long " * 30)
        assert any(
            text.startswith("always x long") and text.endswith("…")
            for text in shown(frontier_chart(made))
        )

    def test_values_are_on_the_picture(self):
        """Every policy and every end of an interval lies within the axes."""
        made = frontier()
        scale = scale_of(made, WIDE)
        low, high = made.chosen.quality_range
        ends = [replace(made.chosen, quality=low), replace(made.chosen, quality=high)]
        for spot in (*made.spots, *made.found, *made.oracle, *ends):
            assert scale.plot.holds(*scale.xy(spot))

    def test_there_and_back(self):
        """Pixels are the inverse of values."""
        scale = scale_of(frontier(), WIDE)
        back = scale.values(*scale.xy(Spot("", "found", 3.25, 0.7)))
        assert back["cost"] == pytest.approx(3.25)
        assert back["quality"] == pytest.approx(70)


class TestLabels:
    PLOT = Box(0, 0, 800, 400)

    def test_words_do_not_cover_each_other(self):
        """Three marks at nearly one place have their words apart from each other."""
        labels = [Label(f"policy {n}", 400 + n, 200 + n, must=True) for n in range(3)]
        placed = place(labels, self.PLOT)
        boxes = [one.box for one in placed]
        assert len(boxes) == 3
        assert all(a.overlap(b) == 0 for a in boxes for b in boxes if a is not b)

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.tuples(st.floats(0, 800), st.floats(0, 400)), min_size=1, max_size=12))
    def test_words_stay_in_the_picture(self, spots):
        """Unimportant words stand inside the picture and apart, or not at all."""
        placed = place([Label("model", x, y) for x, y in spots], self.PLOT)
        for one in placed:
            assert one.box.overlap(self.PLOT) >= 0.9 * one.box.area
        for number, one in enumerate(placed):
            for other in placed[:number]:
                assert one.box.overlap(other.box) < 0.25 * one.box.area

    def test_words_keep_off_lines(self):
        """Where there is room beside a line, words do not lie on it."""
        made = frontier()
        scale = scale_of(made, WIDE)
        lines = list(scale.pieces(made.found))
        for one in placed_words(made, scale):
            if one.label.text == "plans found":
                assert sum(one.box.overlap(piece) for piece in lines) < 0.3 * one.box.area

    def test_widths_are_no_underestimate(self):
        """Estimated widths are at least those of Liberation Sans, which is as wide as Arial."""
        for text, width in (("always gpt-5.5", 81.3), ("least quality promised", 127.2)):
            assert width <= width_of(text, 12.5) <= 1.25 * width


class TestPictures:
    def test_known_elements_only(self):
        """A picture in a page holds shapes and words; no style, no script, no reference."""
        for svg in pictures_of(view("<script>x</script>")).values():
            tags = {element.tag for element in fromstring(svg).iter()}  # noqa: S314
            assert tags <= {"svg", "g", "path", "line", "rect", "text", "title", "desc"}
            assert not re.search(
                r"\b(style|href|class|id)=\"(?!wide|narrow|\"|\w+-(title|says))", svg
            )

    def test_specifications_are_valid(self):
        """Every chart is valid Vega-Lite, as Altair checks it."""
        for narrow in (False, True):
            for chart in charts_of(view(), narrow=narrow).values():
                chart.to_dict(validate=True)

    def test_files(self):
        """Each chart is an SVG or PNG file of its own, with a ground to be seen on."""
        for chart in charts_of(view()).values():
            assert picture(chart).startswith(b"<svg")
            assert LIGHT["sheet"].encode() in picture(chart)
            assert picture(chart, "png").startswith(b"\x89PNG")

    def test_the_same_every_time(self):
        """Drawing again gives the same bytes."""
        assert pictures_of(view()) == pictures_of(view())

    @pytest.mark.parametrize("threshold", [0.0, 0.3, 0.95, 1.0, 1.2])
    def test_thresholds(self, threshold):
        """The threshold is marked where it accepts anything."""
        from tests.calibration.reporting.views import reliability

        made = view(reliability=(reliability(threshold=threshold),))
        words = shown(charts_of(made)["reliability_1"])
        assert ("accepted" in words) == (0 < threshold <= 1)

    def test_tiers_without_costs(self):
        """Where no cost is known, shares of answers are drawn alone."""
        tiers = tuple(replace(tier, spent=None) for tier in view().tiers)
        words = shown(charts_of(view(tiers=tiers))["parts"])
        assert "answers given, %" in words
        assert "money spent, %" not in words


class TestMuchWorseModels:
    def made(self):
        found = frontier()
        bad = Spot("awful", "single", 0.1, 0.05)
        return replace(found, spots=(*found.spots, bad), mixing=(bad, *found.mixing))

    def test_they_do_not_press_the_others_together(self):
        """A model far below what the decision is about stands at the edge, with its quality."""
        scale = scale_of(self.made(), WIDE)
        assert scale.quality[0] > 0.4
        assert "awful: 5.0 % ↓" in shown(frontier_chart(self.made()))

    def test_lines_end_at_the_edge(self):
        """A line to such a model leaves the picture where it should."""
        scale = scale_of(self.made(), WIDE)
        line = scale.above(self.made().mixing)
        assert line[0].quality == scale.quality[0]
        assert 0.1 < line[0].cost < 0.41
        assert line[1:] == list(self.made().mixing[1:])
        back = scale.above(self.made().mixing[::-1])
        assert back[-1].quality == scale.quality[0]
        assert scale.above([self.made().mixing[0]]) == []


def test_whatever_the_renderer_writes(monkeypatch):
    """Elements and attributes that could act are left out, should a renderer ever write them."""
    drawn = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" '
        'viewBox="0 0 9 9" onload="a()"><style>*{}</style><script>a()</script><g><g/>'
        '<a x:href="javascript:a()"><text>in a link</text></a><image x:href="https://a.example"/>'
        '<text onclick="a()" style="fill:red" fill="#ff0000" x="1.23456">kept</text></g></svg>'
    )
    monkeypatch.setattr("cascade.calibration.reporting.svg._draw", lambda chart: drawn)
    svg = inline_svg(None, title="t", says="s", name="n")
    assert svg.endswith('<g><text fill="#ff0000" x="1.23">kept</text></g></svg>')
    assert not re.search(r"style|script|href|onclick|onload|image", svg)
