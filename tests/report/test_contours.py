"""Contours: lines lie where the values are, and drawings are whole whatever the numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator
from tests.report.test_drawings import WIDTHS, check, check_panel

from thalweg.report import figure_svg, to_html, to_markdown, to_text
from thalweg.report.colours import Theme
from thalweg.report.contours import plane_rows, rings_below
from thalweg.report.figure import draw, legend
from thalweg.report.parts import (
    Arrow,
    Axis,
    ContourPanel,
    Figure,
    Mark,
    Page,
    Section,
    Trail,
)
from thalweg.report.surfaces import PATCHES, _heights

X, Y = np.linspace(-2, 2, 41), np.linspace(-1, 3, 31)
AT = np.stack(np.meshgrid(X, Y), axis=-1)
WAVES = np.sin(2 * AT[..., 0]) + 0.3 * AT[..., 1] ** 2


def panel(grid=WAVES, levels=(-0.5, 0.0, 0.5, 1.0), **more) -> ContourPanel:
    return ContourPanel("waves", Axis("x"), Axis("y"), grid, (-2, 2, -1, 3), levels, **more)


TRAILS = (
    Trail("first", np.array([[-1.5, 2.0], [0.0, 0.0], [1.0, 1.0]]), 0, note="arrived"),
    Trail("second", np.array([[-1.5, 2.0], [5.0, 9.0], [np.nan, np.inf]]), 1, diverged=True),
)


@pytest.mark.parametrize("level", [-0.5, 0.0, 0.5, 1.0])
def test_lines_lie_where_the_value_is(level: float) -> None:
    between = RegularGridInterpolator((Y, X), WAVES)
    rings = rings_below(panel(), level)
    assert rings
    for ring in rings:
        values = between(ring[:, ::-1])
        edge = (np.abs(ring[:, 0]) == 2) | (ring[:, 1] == -1) | (ring[:, 1] == 3)
        # On the edge of the plane a ring goes along what is below.
        assert np.all(values[edge] <= level + 1e-9)
        np.testing.assert_allclose(values[~edge], level, atol=1e-9)
        assert (~edge).sum() > 10


def test_what_has_no_value_is_left_out() -> None:
    holed = np.where(AT[..., 0] > 0, np.inf, WAVES)
    for ring in rings_below(panel(holed), 0.5):
        assert ring[:, 0].max() <= 0
    check_panel(panel(np.full_like(WAVES, np.nan)), 340)
    check_panel(panel(np.zeros_like(WAVES), ()), 340)


@pytest.mark.parametrize("width", WIDTHS)
def test_drawings_are_whole(width: int) -> None:
    marks = (Mark(0, 0), Mark(1.95, 2.95, "saddle", "a saddle"), Mark(-2, -1, "point", "here"))
    arrows = (Arrow("velocity", (0, 0), (1, 1)), Arrow("none", (0, 0), (0, 0)))
    full = panel(trails=TRAILS, marks=marks, arrows=arrows, note="seen from above", seconds=3)
    check_panel(full, width)
    figure = Figure("Waves", "Lower is darker.", (full, full), 2)
    svg = figure_svg(figure, width=width)
    size = re.search(r'viewBox="0 0 (\S+) (\S+)"', svg)
    assert size
    check(svg, float(size[1]), float(size[2]))


def test_a_trail_is_where_its_points_are() -> None:
    drawing = draw(panel(trails=TRAILS[:1]), 960, Theme("light"))
    assert drawing.box
    left, top, right, bottom = drawing.box
    x, y = left + (right - left) * 0.5 / 4, top + (bottom - top) * (1 - 3 / 4)
    assert f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"'.replace(".0", "") in drawing.body.replace(
        ".0", ""
    )
    assert draw(panel(trails=TRAILS[1:]), 960, Theme("light")).body.count('stroke-width="1.8"') == 1


def test_lower_is_darker() -> None:
    body = draw(panel(), 960, Theme("light")).body
    opacities = [float(v) for v in re.findall(r'<rect[^>]*fill-opacity="([\d.]+)"', body)]
    assert opacities == sorted(opacities, reverse=True)
    assert opacities[-1] == 0


def test_discs_run_on_pages_only() -> None:
    moving = panel(trails=TRAILS, seconds=5)
    body = draw(moving, 620, Theme("page")).body
    assert body.count('<circle class="mover"') + body.count('class="mover"') >= 2
    assert 'dur="5s"' in body
    values = re.findall(r'attributeName="cx" values="([^"]*)"', body)
    assert len({len(own.split(";")) for own in values}) == 1, "all take the same time"
    assert "animate" not in draw(moving, 620, Theme("light")).body
    assert "animate" not in draw(panel(trails=TRAILS), 620, Theme("page")).body


def test_legends_name_trails_and_marks() -> None:
    full = panel(trails=TRAILS, marks=(Mark(0, 0), Mark(1, 1, "saddle", "named in the picture")))
    names = [key.name for key in legend(Figure("", "", (full,)))]
    assert names == ["first", "second", "minimum", "a run diverged"]


def test_in_characters() -> None:
    slope = np.add.outer(np.zeros(31), np.linspace(0, 1, 41))
    trail = Trail("way", np.array([[-2.0, -1.0], [2.0, 3.0]]))
    rows = plane_rows(panel(slope, (0.25, 0.5, 0.75), trails=(trail,)), 24, 5)
    assert rows[0] == "waves"
    assert [row.index("A") for row in rows[1:6]] == sorted(
        (row.index("A") for row in rows[1:6]), reverse=True
    )
    assert rows[1].startswith(" 3 │▓▓")
    assert rows[5].startswith("−1 │A")
    assert rows[-1] == "A way"
    assert max(map(len, rows)) <= 24


def test_arrows_in_characters() -> None:
    slope = np.add.outer(np.zeros(31), np.linspace(0, 1, 41))
    ways = {"→": (1, 0), "↗": (1, 1), "↑": (0, 1), "↖": (-1, 1), "←": (-1, 0)}
    ways |= {"↙": (-1, -1), "↓": (0, -1), "↘": (1, -1), "·": (0, 0)}
    for sign, (right, up) in ways.items():
        arrow = Arrow("down", (0.0, 1.0), (0.3 * right, 1.0 + 0.3 * up))
        rows = plane_rows(panel(slope, (0.5,), arrows=(arrow,)), 24, 5)
        assert rows[3][rows[3].index("│") + 1 + 10] == sign  # amid 20 columns and 5 rows
        assert rows[-1] == f"{sign} down"


def test_in_text_and_markdown() -> None:
    figure = Figure("Waves", "Lower is darker.", (panel(trails=TRAILS, marks=(Mark(0, 0),)),))
    page = Page("About waves", (Section("Waves", (figure,)),))
    text = to_text(page, 70)
    assert "A first   B second   × minimum" in text
    assert max(map(len, text.splitlines())) <= 70
    assert "| first | 2 | −1.5 | 2 | 1 | 1 | arrived |" in to_markdown(page)
    assert to_html(page).count('data-line="first"') >= 3


# ------------------------------------------------------------------------------------ from the side


@pytest.mark.parametrize("width", WIDTHS)
def test_hills_are_whole(width: int) -> None:
    check_panel(panel(trails=TRAILS, seen_from="side", note="as hills"), width)
    check_panel(panel(np.full_like(WAVES, np.nan), seen_from="side"), width)
    check_panel(panel(np.ones_like(WAVES), (), trails=TRAILS, seen_from="side"), width)


def test_hills_are_in_pictures_only() -> None:
    above, side = panel(trails=TRAILS, note="who arrives"), panel(trails=TRAILS, seen_from="side")
    for written in (to_text, to_markdown):
        said = [
            written(Page("P", (Section("S", (Figure("S", "C", panels),)),)))
            for panels in ((above,), (above, side), (side,))
        ]
        assert said[0] == said[1]
        assert "who arrives" in said[0]
        assert not set("│▒") & set(said[2])
        assert "first" not in said[2]


def test_hills_are_drawn_from_the_farthest_to_the_nearest() -> None:
    body = draw(panel(seen_from="side"), 620, Theme("light")).body
    patches = re.findall(r'<path d="M(\S+) (\S+)L[^"]*Z" fill="(#\w+)"', body)
    assert len(patches) == PATCHES**2
    # On level ground the last patch is the lowest on the page.
    flat = draw(panel(np.ones_like(WAVES), (), seen_from="side"), 620, Theme("light")).body
    heights = [float(y) for y in re.findall(r'<path d="M\S+ (\S+?)L[^"]*Z" fill', flat)]
    assert heights.index(max(heights)) == len(heights) - 1
    assert heights.index(min(heights)) < PATCHES
    colours = {colour for _, _, colour in patches}
    assert len(colours) > 15


def test_a_way_lies_on_its_hills() -> None:
    between = RegularGridInterpolator((Y, X), WAVES)
    points = np.random.default_rng(0).uniform([-2, -1], [2, 3], (50, 2))
    found = _heights(panel(), points)
    np.testing.assert_allclose(found, between(points[:, ::-1]), atol=1e-12)
    np.testing.assert_allclose(_heights(panel(), np.array([[2.0, 3.0]])), WAVES[-1, -1])


def test_what_is_no_plane() -> None:
    with pytest.raises(ValueError, match="two rows"):
        panel(np.zeros((1, 5)))
    with pytest.raises(ValueError, match="rise"):
        panel(levels=(1.0, 0.0))
