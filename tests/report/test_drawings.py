"""Drawings, whatever the numbers: well-formed, finite, and no text cut or upon another text."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.errors import MissingExtra
from thalweg.report import figure_png, figure_svg
from thalweg.report.colours import Theme
from thalweg.report.figure import draw
from thalweg.report.parts import (
    Axis,
    BoundaryPanel,
    Figure,
    HeatCell,
    HeatPanel,
    IntervalPanel,
    IntervalRow,
    Line,
    LinePanel,
)
from thalweg.report.svg import text_width

WIDTHS = (302, 340, 466, 620, 960)
LONG = "a_level_whose_name_has_forty_characters__"


@dataclass(frozen=True)
class Text:
    """A text as a browser would place it."""

    content: str
    left: float
    right: float
    top: float
    bottom: float


def font_width():
    """Widths of DejaVu Sans, by Pillow, where both are installed; else the drawing's estimate."""
    try:
        from pathlib import Path

        import matplotlib
        from PIL import ImageFont
    except ImportError:
        return lambda content, size, bold: text_width(content, size, bold=bold)
    folder = Path(matplotlib.__file__).parent / "mpl-data/fonts/ttf"
    fonts = {
        bold: ImageFont.truetype(str(folder / name), 100)
        for bold, name in ((False, "DejaVuSans.ttf"), (True, "DejaVuSans-Bold.ttf"))
    }
    # Interface fonts are semi-bold at weight 600, halfway to the bold face measured here.
    return lambda content, size, bold: (
        (fonts[False].getlength(content) + fonts[bold].getlength(content)) / 2 * size / 100
    )


width_of = font_width()


def placed(root: ElementTree.Element, across: float = 0.0, down: float = 0.0) -> list[Text]:
    """All texts in an SVG, with translations applied."""
    found = []
    for node in root:
        shift = re.match(r"translate\((\S+) (\S+)\)", node.get("transform", ""))
        dx, dy = (float(shift[1]), float(shift[2])) if shift else (0.0, 0.0)
        if node.tag.endswith("text"):
            size = float(node.get("font-size"))
            width = width_of(node.text or "", size, node.get("font-weight") is not None)
            start = float(node.get("x")) + across
            left = start - {"middle": width / 2, "end": width}.get(node.get("text-anchor"), 0.0)
            base = float(node.get("y")) + down
            found.append(
                Text(node.text or "", left, left + width, base - 0.75 * size, base + 0.2 * size)
            )
        found += placed(node, across + dx, down + dy)
    return found


def check(svg: str, width: float, height: float) -> None:
    root = ElementTree.fromstring(svg)
    for node in root.iter():  # names may be called nan, numbers may not
        numbers = " ".join(v for k, v in node.items() if not k.startswith("data-"))
        assert not re.search(r"nan|inf\b", numbers), numbers
    texts = placed(root)
    for text in texts:
        assert text.left >= -0.5, text
        assert text.right <= width + 0.5, text
        assert text.top >= -0.5, text
        assert text.bottom <= height + 0.5, text
    for index, one in enumerate(texts):
        for other in texts[index + 1 :]:
            apart = (
                one.right <= other.left + 0.5
                or other.right <= one.left + 0.5
                or one.bottom <= other.top + 1
                or other.bottom <= one.top + 1
            )
            assert apart, (one, other)


def check_panel(panel, width: float) -> None:
    drawing = draw(panel, width, Theme("page"))
    assert drawing.width >= width
    check(f"<svg>{drawing.body}</svg>", drawing.width, drawing.height)


# ------------------------------------------------------------------------ numbers without manners

numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)
finite = st.floats(-1e30, 1e30)
names = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=45)
widths = st.sampled_from(WIDTHS)


@st.composite
def lines(draw_from) -> Line:
    length = draw_from(st.integers(0, 6))
    values = st.lists(numbers, min_size=length, max_size=length).map(tuple)
    banded = draw_from(st.booleans())
    steps = draw_from(
        st.lists(st.integers(0, 10**9), min_size=length, max_size=length, unique=True)
    )
    return Line(
        draw_from(names),
        tuple(map(float, sorted(steps))),
        draw_from(values),
        draw_from(values) if banded else (),
        draw_from(values) if banded else (),
        series=draw_from(st.integers(0, 30)),
        crosses=tuple(draw_from(st.lists(st.tuples(finite, numbers), max_size=2))),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(lines(), max_size=4), names, st.sampled_from(["linear", "log"]), widths)
def test_any_curves(held: list[Line], title: str, scale, width: float) -> None:
    check_panel(LinePanel(title, Axis("steps"), Axis("loss", scale), tuple(held)), width)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            IntervalRow, names, numbers, numbers, numbers, st.lists(numbers, max_size=5).map(tuple),
            numbers, st.integers(0, 20), st.sampled_from(["", "✕ 3 of 20 diverged"]),
        ),
        max_size=5,
    ),
    st.sampled_from(["linear", "log"]),
    widths,
)  # fmt: skip
def test_any_intervals(rows: list[IntervalRow], scale, width: float) -> None:
    check_panel(IntervalPanel("", Axis("test.accuracy", scale), tuple(rows)), width)


cells = st.none() | st.builds(
    HeatCell, numbers, st.integers(1, 100), st.integers(0, 100), st.booleans(),
    st.none() | st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from(["", "best", "? −0.004"]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 4), st.integers(0, 7), widths)
def test_any_heat(data: st.DataObject, rows: int, columns: int, width: float) -> None:
    panel = HeatPanel(
        "",
        tuple(data.draw(names) for _ in range(rows)),
        tuple(data.draw(st.sampled_from(["0.001", "32-16", LONG])) for _ in range(columns)),
        tuple(tuple(data.draw(cells) for _ in range(columns)) for _ in range(rows)),
        "optimizer",
        "learning rate",
        "median validation.accuracy",
        data.draw(st.booleans()),
        data.draw(st.sampled_from(["linear", "log"])),
        data.draw(
            st.sampled_from([(), (("best", 0.9), ("= tied with the best", 0.5), ("worse", 0.0))])
        ),
    )
    check_panel(panel, width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("extent", [(-1, 2, -1, 2), (0, 1e-6, 0, 1e6), (3, 3, 0, 0)])
@pytest.mark.parametrize("shape", [(1, 1, 2), (8, 8, 2), (9, 9, 12)])
def test_boundaries(width: float, extent, shape) -> None:
    points = np.array([[0.1, 0.2], [np.nan, 1], [5, 5]])
    panel = BoundaryPanel(
        LONG,
        np.full(shape, 100, np.uint8),
        extent,
        points,
        np.array([0, 1, 11]),
        np.array([True, False, True]),
        "seed 3",
    )
    check_panel(panel, width)


# ------------------------------------------------------------------------------------ real figures


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 960])
def test_every_figure_of_a_page_stands_alone(page, theme, width) -> None:
    figures = [p for section in page.sections for p in section.parts if isinstance(p, Figure)]
    assert len(figures) == 10
    for figure in figures:
        svg = figure_svg(figure, theme, width)
        root = ElementTree.fromstring(svg)
        outer, height = map(float, root.get("viewBox").split()[2:])
        check(svg, outer, height)
        assert "var(" not in svg
        assert "Arial" in root.get("font-family")
        assert re.findall(r"https?://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]


def test_long_names_are_shown_whole() -> None:
    rows = (IntervalRow(LONG, 0.5, 0.4, 0.6), IntervalRow("x" * 300, 0.5, 0.4, 0.6))
    for width in WIDTHS:
        check_panel(IntervalPanel(LONG * 3, Axis("a"), rows), width)
        drawing = draw(IntervalPanel("", Axis("a"), rows), width, Theme("light"))
        texts = [t.content for t in placed(ElementTree.fromstring(f"<svg>{drawing.body}</svg>"))]
        assert sum(text.count("x") for text in texts) == 300


def test_legends_of_many_long_names_wrap() -> None:
    held = tuple(Line(f"{LONG}{i}", (0.0, 1.0), (0.0, float(i)), series=i) for i in range(20))
    svg = figure_svg(Figure("T", "C", (LinePanel("", Axis(), Axis(), held),)), width=360)
    outer, height = map(float, ElementTree.fromstring(svg).get("viewBox").split()[2:])
    check(svg, outer, height)


def test_a_band_that_leaves_the_panel_is_clipped_and_the_line_stays() -> None:
    line = Line("a", (0.0, 1.0, 2.0), (1.0, 1.0, 1.0), (0.5,) * 3, (2.0, math.inf, math.inf))
    drawing = draw(LinePanel("", Axis(), Axis(), (line,)), 300, Theme("light"))
    root = ElementTree.fromstring(f"<svg>{drawing.body}</svg>")
    clip, curve = root.findall("svg")
    top, height = (float(clip.get("viewBox").split()[i]) for i in (1, 3))
    band = [float(y) for _, y in re.findall(r"[ML](\S+) ([-\d.]+)", clip.find("path").get("d"))]
    assert min(band) < top  # beyond the edge, where the clip cuts it
    assert max(band) <= top + height
    assert len(re.findall("[ML]", curve.find("path").get("d"))) == 3


def test_crosses_stay_visible_where_the_value_is_beyond_the_axis() -> None:
    line = Line("a", (0.0, 9.0), (1.0, 0.5), crosses=((4.0, 1e30), (5.0, math.nan), (50.0, 0.7)))
    drawing = draw(LinePanel("", Axis(), Axis(low=0, high=1), (line,)), 300, Theme("light"))
    left, top, right, bottom = drawing.box
    found = re.findall(r'd="M([-\d.]+) ([-\d.]+)l7', drawing.body)
    assert len(found) == 3
    for x, y in found:
        assert left <= float(x) + 3.6 <= right + 0.2
        assert top <= float(y) + 3.6 <= bottom + 0.2


def test_png_needs_its_extra(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cairosvg", None)
    figure = Figure("T", "C", (LinePanel("", Axis(), Axis(), ()),))
    with pytest.raises(MissingExtra, match=r"pip install 'thalweg\[plot\]'"):
        figure_png(figure)


def test_png_is_made_of_the_svg(page) -> None:
    pytest.importorskip("cairosvg", reason="the optional drawing library is not installed")
    figure = next(p for s in page.sections for p in s.parts if isinstance(p, Figure))
    data = figure_png(figure, width=960, scale=1)
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20], "big") == 960


def test_a_curve_of_one_point_is_a_dot() -> None:
    for y in ((math.nan, 0.5, math.nan), (0.5, math.nan, 0.5)):
        panel = LinePanel("", Axis(), Axis(), (Line("a", (0.0, 1.0, 2.0), y),))
        drawing = draw(panel, 300, Theme("light"))
        assert drawing.body.count("<circle") == sum(map(math.isfinite, y))
