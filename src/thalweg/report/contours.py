"""Panels of landscapes: lines of equal value over a plane, and what moves over them.

The lower, the stronger the shade: the area below every level is shaded once more. ``plane_rows`` is
the same in a terminal, in characters.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from thalweg.errors import MissingExtra
from thalweg.report.colours import DASHES, SERIES, Theme
from thalweg.report.frame import LABEL, Box, cross, horizontal_axis, title, vertical_axis
from thalweg.report.parts import Arrow, Axis, ContourPanel, Mark, MarkKind, Trail
from thalweg.report.scales import Scale, scale_of
from thalweg.report.svg import Drawing, dots, element, group, path, text, text_width
from thalweg.report.words import short

__all__ = ["LETTERS", "MARKS", "draw_contours", "draw_mark", "plane_rows", "rings_below"]

MARKS: tuple[MarkKind, ...] = ("minimum", "saddle", "maximum", "point")
# How strong the shade of the lowest area is, and how much one level more adds to it at most.
STRONGEST, STRONGER = 0.42, 0.07
# Steps of a trail that have a dot each; of more, only every so many.
DOTS = 60
# Points of a line that are nearer than this, in pixels, are drawn as one.
NEAREST = 1.5
RIGHT = 14.0
# Height over width of a plane, and its height in pixels.
FLATTEST, STEEPEST, HIGHEST = 0.45, 1.1, 560.0
#: Characters of a terminal from high to low, and what trails are there.
SHADES = " ·░▒▓"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SIGNS: dict[MarkKind, str] = {"minimum": "×", "saddle": "◇", "maximum": "△", "point": "○"}


def rings_below(panel: ContourPanel, level: float) -> list[np.ndarray]:
    """Rims of the areas in which values are below a level: float [point, 2] each, x and y.

    Between points a value is that of a plane through its neighbours.

    Raises:
        MissingExtra: contourpy is not installed.
    """
    polygons, codes = _generator(panel).filled(-math.inf, level)
    # The code 1 begins a ring: the outer one first, then holes.
    return [
        ring
        for points, kinds in zip(polygons, codes, strict=True)
        for ring in np.split(points, np.flatnonzero(kinds == 1)[1:])
    ]


@lru_cache(maxsize=8)
def _generator(panel: ContourPanel) -> Any:
    try:
        contourpy = import_module("contourpy")
    except ImportError as error:
        raise MissingExtra("contours need contourpy: pip install 'thalweg[explain]'") from error
    x0, x1, y0, y1 = panel.extent
    rows, columns = panel.grid.shape
    values = np.ma.masked_invalid(panel.grid)
    x, y = np.linspace(x0, x1, columns), np.linspace(y0, y1, rows)
    return contourpy.contour_generator(x, y, values, fill_type="OuterCode")


@dataclass(frozen=True)
class _Plane:
    """Where values of both coordinates are in a drawing."""

    x: Scale
    y: Scale
    box: Box
    theme: Theme

    def __call__(self, points: np.ndarray) -> list[tuple[float, float]]:
        return [(self.x(float(a)), self.y(float(b))) for a, b in points]

    def holds(self, a: float, b: float) -> bool:
        return self.x.low <= a <= self.x.high and self.y.low <= b <= self.y.high


def draw_contours(panel: ContourPanel, width: float, theme: Theme) -> Drawing:
    """A panel of a landscape, ``width`` pixels wide."""
    heading, top = title(panel.title, width, theme, note=panel.note)
    above = 18 if panel.y.label else 4
    if panel.y.label:
        heading += text(0, top + 10, panel.y.label, size=LABEL, fill=theme("muted"))
    top += above
    x0, x1, y0, y1 = map(float, panel.extent)
    names = [name for _, name in scale_of(Axis(low=y0, high=y1), (), 400, 0).ticks(9)]
    left = max((text_width(name, LABEL) for name in names), default=0.0) + 11
    # True to scale where that is neither flat nor steep.
    ratio = min(max(abs((y1 - y0) / ((x1 - x0) or 1.0)), FLATTEST), STEEPEST)
    across = min(width - left - RIGHT, HIGHEST / ratio)
    height = ratio * across
    y = scale_of(Axis(low=y0, high=y1), (), top + height, top)
    box = Box(left, top, left + across, top + height)
    x = scale_of(Axis(low=x0, high=x1), (), box.left, box.right)
    plane = _Plane(x, y, box, theme)
    ticks = y.ticks(max(2, int(height / 44)))
    axis, below = horizontal_axis(x, box, width, theme, label=panel.x.label)
    over = [*_trails(panel, plane), *_arrows(panel.arrows, plane), *_marks(panel.marks, plane)]
    body = [
        heading,
        vertical_axis(y, box, ticks, theme, grid=False),
        box.clipped("".join([*_areas(panel, plane), *over])),
        axis,
        *_lost(panel.trails, plane),
    ]
    scale, more = _scale(panel, left, box.bottom + below + 6, box.right, theme)
    return Drawing(width, box.bottom + below + 8 + more, "".join([*body, scale]), box.edges)


# -------------------------------------------------------------------------------------- the ground


def _shade(count: int) -> float:
    """The shade of one level, so that all of them together are as strong as the lowest may be."""
    return min(1 - (1 - STRONGEST) ** (1 / max(count, 1)), STRONGER)


def _areas(panel: ContourPanel, plane: _Plane) -> Iterator[str]:
    """What is below each level, the highest first; its rim is the line of that value."""
    shade = f"{_shade(len(panel.levels)):.4f}"
    for level in reversed(panel.levels):
        rings = rings_below(panel, level)
        if rings:
            yield element(
                "path",
                d="".join(path(_thinned(plane(ring)), closed=True) for ring in rings),
                fill=plane.theme("ink"),
                fill_opacity=shade,
                fill_rule="evenodd",
                stroke=plane.theme("axis"),
                stroke_width=0.8,
            )


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without points that nobody could tell from those before them; the last stays."""
    kept = points[:1]
    for point in points[1:]:
        if math.dist(point, kept[-1]) >= NEAREST:
            kept.append(point)
    return kept if len(points) < 2 or kept[-1] == points[-1] else [*kept, points[-1]]


def _scale(
    panel: ContourPanel, left: float, top: float, right: float, theme: Theme
) -> tuple[str, float]:
    """The shades side by side with the values between them, and the height that takes."""
    count = len(panel.levels)
    if not count:
        return "", 0.0
    step = min((right - left) / (count + 1), 34.0)
    shade = _shade(count)
    parts, last = [], left - 8.0
    for index in range(count + 1):
        opacity = 1 - (1 - shade) ** (count - index)
        shape = {"x": left + index * step, "y": top, "width": step, "height": 9}
        parts.append(element("rect", **shape, fill=theme("ink"), fill_opacity=f"{opacity:.3f}"))
    for index, level in enumerate(panel.levels, 1):
        name, at = short(level), left + index * step
        half = text_width(name, LABEL) / 2
        if at - half < last + 8 or at + half > right + RIGHT:
            continue
        last = at + half
        parts += [
            element("path", d=f"M{at:.1f} {top:.1f}v12", stroke=theme("axis"), fill="none"),
            text(at, top + 24, name, size=LABEL, anchor="middle", fill=theme("muted")),
        ]
    frame = {"x": left, "y": top, "width": (count + 1) * step, "height": 9}
    parts.append(element("rect", **frame, fill="none", stroke=theme("axis"), stroke_width=0.8))
    return "".join(parts), 30.0


# ------------------------------------------------------------------------------------ what is on it


def _trails(panel: ContourPanel, plane: _Plane) -> Iterator[str]:
    longest = max((len(trail.points) for trail in panel.trails), default=0)
    for trail in reversed(panel.trails):  # the first is drawn last, on top
        points = plane(_finite(trail))
        if not points:
            continue
        colour = plane.theme.series(trail.series)
        drawn = {"fill": "none", "stroke_linejoin": "round", "stroke_linecap": "round"}
        line = path(_thinned(points))
        parts = [
            # A rim that lifts it off the ground, so that it is seen in light and shade.
            element("path", d=line, **drawn, stroke=plane.theme("paper"), stroke_width=3.4),
            element(
                "path",
                d=line,
                **drawn,
                stroke=colour,
                stroke_width=2,
                stroke_dasharray=_dash(trail),
            ),
        ]
        if trail.ends:
            shown = points[:: max(1, math.ceil(len(points) / DOTS))]
            parts.append(element("path", d=dots(shown), **drawn, stroke=colour, stroke_width=4.6))
            parts += _ends(points, trail, colour, plane)
        if panel.seconds and plane.theme.name == "page":
            parts.append(_mover(points, longest, panel.seconds, colour, plane))
        read = f"{trail.name}: {trail.note}" if trail.note else trail.name
        yield group(parts, data_line=trail.name, data_read=read)


def _finite(trail: Trail) -> np.ndarray:
    points = np.asarray(trail.points, float).reshape(-1, 2)
    return points[np.all(np.isfinite(points), axis=1)]


def _dash(trail: Trail) -> str | None:
    if trail.dashed:
        return DASHES[1]
    return DASHES[trail.series // SERIES % len(DASHES)] or None


def _ends(
    points: list[tuple[float, float]], trail: Trail, colour: str, plane: _Plane
) -> Iterator[str]:
    """A ring at the start, and a dot at the end, unless the trail diverged."""
    paper = plane.theme("paper")
    x, y = points[0]
    yield element("circle", cx=x, cy=y, r=4.5, fill=paper, stroke=colour, stroke_width=2)
    x, y = points[-1]
    if not trail.diverged:
        yield element("circle", cx=x, cy=y, r=5, fill=colour, stroke=paper, stroke_width=1.5)


def _lost(trails: Sequence[Trail], plane: _Plane) -> Iterator[str]:
    """Crosses where trails that diverged leave the plane."""
    for trail in trails:
        points = _finite(trail)
        if trail.diverged and len(points):
            inside = [place for place, at in enumerate(points) if plane.holds(*map(float, at))]
            last = points[min((inside[-1] if inside else 0) + 1, len(points) - 1)]
            x, y = plane.x.clamped(float(last[0])), plane.y.clamped(float(last[1]))
            mark = cross(x, y, plane.theme.series(trail.series))
            yield group([mark], data_line=trail.name)


def _mover(
    points: list[tuple[float, float]], longest: int, seconds: float, colour: str, plane: _Plane
) -> str:
    """A disc that goes along a trail, one step of all trails taking the same time."""
    # What has come to its end waits there for the others.
    waits = [points[-1]] * (longest - len(points))
    every = max(1, math.ceil(longest / 240))
    shown = [*points, *waits][::every]
    moves = "".join(
        element(
            "animate",
            attributeName=name,
            values=";".join(f"{place[axis]:.0f}" for place in shown),
            dur=f"{seconds:g}s",
            repeatCount="indefinite",
        )
        for axis, name in enumerate(("cx", "cy"))
    )
    x, y = points[0]
    disc = {"fill": colour, "stroke": plane.theme("ink"), "stroke_width": 2}
    return element("circle", moves, cx=x, cy=y, r=6.5, class_="mover", **disc)


def _arrows(arrows: Sequence[Arrow], plane: _Plane) -> Iterator[str]:
    for arrow in arrows:
        (x0, y0), (x1, y1) = plane(np.array([arrow.start, arrow.end]))
        length = math.dist((x0, y0), (x1, y1))
        if not 0.5 < length < math.inf:
            continue
        colour = plane.theme.series(arrow.series)
        head = min(8.0, 0.45 * length)
        along, across = (x1 - x0) / length, (y1 - y0) / length
        back = (x1 - head * along, y1 - head * across)
        side = 0.42 * head
        tip = [
            (x1, y1),
            (back[0] - side * across, back[1] + side * along),
            (back[0] + side * across, back[1] - side * along),
        ]
        stem = path([(x0, y0), back])
        parts = [
            element("path", d=stem, stroke=plane.theme("paper"), stroke_width=4, fill="none"),
            element("path", d=stem, stroke=colour, stroke_width=2, fill="none"),
            element("path", d=path(tip, closed=True), fill=colour),
        ]
        yield group(parts, data_line=arrow.name)


def _marks(marks: Sequence[Mark], plane: _Plane) -> Iterator[str]:
    for mark in marks:
        if not plane.holds(mark.x, mark.y):
            continue
        x, y = plane.x(mark.x), plane.y(mark.y)
        read = f"{mark.label or mark.kind} ({short(mark.x)}, {short(mark.y)})"
        parts = [draw_mark(mark.kind, x, y, plane.theme)]
        if mark.label:
            # On the side where there is room.
            wide = text_width(mark.label, LABEL) + 9
            beside = {"x": x + 9} if x + wide < plane.box.right else {"x": x - 9, "anchor": "end"}
            ink = {"size": LABEL, "font_weight": 600, "fill": plane.theme("ink")}
            height = min(max(y + 4, plane.box.top + 10), plane.box.bottom - 4)
            parts.append(text(y=height, content=mark.label, **beside, **ink))
        yield group(parts, data_read=read)


def draw_mark(kind: MarkKind, x: float, y: float, theme: Theme) -> str:
    """The sign of a point: a cross lying for a minimum, a rhomb for a saddle, a peak, a ring."""
    shapes: dict[MarkKind, str] = {
        "minimum": f"M{x - 4.5:.1f} {y:.1f}h9M{x:.1f} {y - 4.5:.1f}v9",
        "saddle": f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5Z",
        "maximum": f"M{x:.1f} {y - 5:.1f}l5 8.5h-10Z",
        "point": f"M{x - 3.5:.1f} {y:.1f}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0Z",
    }
    drawn = {"d": shapes[kind], "stroke_linejoin": "round"}
    inside = "none" if kind == "minimum" else theme("paper")
    return element("path", **drawn, fill="none", stroke=theme("paper"), stroke_width=4.5) + element(
        "path", **drawn, fill=inside, stroke=theme("ink"), stroke_width=1.8
    )


# ---------------------------------------------------------------------------------- in a terminal


def plane_rows(panel: ContourPanel, width: int, height: int = 18) -> list[str]:
    """A landscape in characters, denser where it is lower, with trails as letters.

    Args:
        panel: what is shown.
        width: columns, axes included.
        height: rows of the picture.
    """
    x0, x1, y0, y1 = map(float, panel.extent)
    high, low = short(y1), short(y0)
    margin = max(len(high), len(low))
    columns = max(min(width - margin - 2, 64), 4)
    cells = _ground(panel, columns, height)
    for arrow in panel.arrows:
        for column, row in _crossed(np.array([arrow.start]), panel, columns, height):
            cells[row][column] = _pointing(arrow, panel)
    for number, trail in reversed(list(enumerate(panel.trails))):
        for column, row in _crossed(_finite(trail), panel, columns, height):
            cells[row][column] = LETTERS[number % len(LETTERS)]
    for number, trail in reversed(list(enumerate(panel.trails))):
        for column, row in _crossed(_finite(trail)[-1:], panel, columns, height):
            cells[row][column] = LETTERS[number % len(LETTERS)]
    for mark in panel.marks:
        for column, row in _crossed(np.array([[mark.x, mark.y]]), panel, columns, height):
            cells[row][column] = _SIGNS[mark.kind]
    rows = [panel.title] if panel.title else []
    rows += textwrap.wrap(panel.note, width)
    for index, cell in enumerate(cells):
        name = {0: high, height - 1: low}.get(index, "")
        rows.append(f"{name:>{margin}} │{''.join(cell)}".rstrip())
    left, right = short(x0), short(x1)
    rows.append(f"{'':{margin}} └{'─' * columns}")
    rows.append(f"{'':{margin}}  {left}{right:>{columns - len(left)}}")
    names = [f"{LETTERS[i % len(LETTERS)]} {trail.name}" for i, trail in enumerate(panel.trails)]
    kinds: list[MarkKind] = [
        kind for kind in MARKS if any(mark.kind == kind for mark in panel.marks)
    ]
    directions = {arrow.name: f"{_pointing(arrow, panel)} {arrow.name}" for arrow in panel.arrows}
    signs = [*directions.values(), *(f"{_SIGNS[kind]} {kind}" for kind in kinds)]
    return [*rows, *_wrapped([*names, *signs], width)]


def _pointing(arrow: Arrow, panel: ContourPanel) -> str:
    """The character that points where an arrow does, as it is drawn."""
    x0, x1, y0, y1 = map(float, panel.extent)
    right = (arrow.end[0] - arrow.start[0]) / ((x1 - x0) or 1.0)
    up = (arrow.end[1] - arrow.start[1]) / ((y1 - y0) or 1.0)
    if not math.isfinite(right + up) or right == up == 0:
        return "·"
    return "→↗↑↖←↙↓↘"[round(math.atan2(up, right) / (math.pi / 4)) % 8]


def _ground(panel: ContourPanel, columns: int, height: int) -> list[list[str]]:
    """The character of each place: by how many levels lie above its value."""
    rows = np.linspace(panel.grid.shape[0] - 1, 0, height).round().astype(int)
    values = panel.grid[rows][
        :, np.linspace(0, panel.grid.shape[1] - 1, columns).round().astype(int)
    ]
    above = (values[..., None] < np.asarray(panel.levels)).sum(axis=-1)
    shades = np.ceil(above * (len(SHADES) - 1) / max(len(panel.levels), 1)).astype(int)
    return [[SHADES[shade] for shade in row] for row in shades]


def _crossed(
    points: np.ndarray, panel: ContourPanel, columns: int, height: int
) -> Iterator[tuple[int, int]]:
    """Places of a picture that the way through points touches."""
    x0, x1, y0, y1 = map(float, panel.extent)
    size = np.array([columns - 1, height - 1])
    places = (points - [x0, y0]) / [x1 - x0, y1 - y0] * size
    for before, after in zip(places[:1].tolist() + places[:-1].tolist(), places, strict=True):
        steps = int(min(np.abs(after - before).max() + 1, 500))
        for share in np.linspace(0, 1, steps + 1):
            column, row = np.round(before + share * (after - before)).astype(float)
            if 0 <= column < columns and 0 <= row < height:
                yield int(column), height - 1 - int(row)


def _wrapped(words: Sequence[str], width: int) -> Iterator[str]:
    """Words with room between them, in as many lines as they need."""
    line = ""
    for word in words:
        if line and len(line) + 3 + len(word) > width:
            yield line
            line = ""
        line = f"{line}   {word}" if line else word
    if line:
        yield line
