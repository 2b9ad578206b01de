"""Landscapes seen from the side: hills and hollows of the panels that contours draw from above."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from thalweg.report.colours import Theme, ramp
from thalweg.report.frame import LABEL, title
from thalweg.report.parts import ContourPanel, Trail
from thalweg.report.svg import Drawing, dots, element, group, path, text, text_width
from thalweg.report.words import short

__all__ = ["draw_surface"]

# From where it is seen: turned about the vertical, and how much depth and height take of the page.
TURN = np.radians(-58)
DEPTH, HEIGHT = 0.42, 0.46
# Patches along each side; more of them cannot be told apart.
PATCHES = 32
SHADES = 24


@dataclass(frozen=True)
class _View:
    """Where points of a landscape are on a page."""

    panel: ContourPanel
    low: float
    high: float
    scale: float
    left: float
    top: float

    def __call__(self, x: np.ndarray, y: np.ndarray, value: np.ndarray) -> np.ndarray:
        """Places [..., 2] of points, and what is off the plane at its rim."""
        x0, x1, y0, y1 = self.panel.extent
        across = np.clip((x - x0) / (x1 - x0), 0, 1) - 0.5
        beyond = np.clip((y - y0) / (y1 - y0), 0, 1) - 0.5
        right = across * np.cos(TURN) - beyond * np.sin(TURN)
        away = across * np.sin(TURN) + beyond * np.cos(TURN)
        up = (np.clip(value, self.low, self.high) - self.low) / ((self.high - self.low) or 1.0)
        place = np.stack([right, -DEPTH * away - HEIGHT * up], axis=-1)
        return place * self.scale + [self.left, self.top]


def draw_surface(panel: ContourPanel, width: float, theme: Theme) -> Drawing:
    """A landscape from the side, ``width`` pixels wide."""
    heading, top = title(panel.title, width, theme, note=panel.note)
    finite = panel.grid[np.isfinite(panel.grid)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    reach = (abs(np.cos(TURN)) + abs(np.sin(TURN))) / 2
    scale = min((width - 24) / (2 * reach), 480.0)
    middle = top + scale * (HEIGHT + DEPTH * reach) + 6
    view = _View(panel, low, high, scale, width / 2, middle)
    body = [heading, *_patches(view, theme), *_floor(view, theme, width)]
    body += [part for trail in panel.trails for part in _trail(trail, view, theme)]
    return Drawing(width, middle + scale * DEPTH * reach + 26, "".join(body))


def _patches(view: _View, theme: Theme) -> Iterator[str]:
    """Pieces of the surface, from the farthest to the nearest."""
    panel, (x0, x1, y0, y1) = view.panel, view.panel.extent
    rows = np.linspace(0, panel.grid.shape[0] - 1, PATCHES + 1).round().astype(int)
    columns = np.linspace(0, panel.grid.shape[1] - 1, PATCHES + 1).round().astype(int)
    values = panel.grid[np.ix_(rows, columns)]
    x = x0 + (x1 - x0) * columns / (panel.grid.shape[1] - 1)
    y = y0 + (y1 - y0) * rows / (panel.grid.shape[0] - 1)
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    places = view(grid[..., 0], grid[..., 1], values)
    # Seen from the right and the front: what is far has little x and much y.
    for row in reversed(range(PATCHES)):
        for column in range(PATCHES):
            corners = ((row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column))
            heights = np.array([values[corner] for corner in corners])
            if not np.all(np.isfinite(heights)):
                continue
            share = (heights.mean() - view.low) / ((view.high - view.low) or 1.0)
            colour = ramp(round(float(share) * SHADES) / SHADES)
            outline = [(float(places[at][0]), float(places[at][1])) for at in corners]
            yield element(
                "path",
                d=path(outline, closed=True),
                fill=colour,
                stroke=theme("paper"),
                stroke_width=0.4,
                stroke_linejoin="round",
            )


def _floor(view: _View, theme: Theme, width: float) -> Iterator[str]:
    """The two near edges of the plane, with the ends and the names of the coordinates."""
    x0, x1, y0, y1 = view.panel.extent
    corners = view(np.array([x0, x1, x1]), np.array([y0, y0, y1]), np.full(3, view.low))
    (ax, ay), (bx, by), (cx, cy) = corners.tolist()
    line = path([(ax, ay), (bx, by), (cx, cy)])
    yield element("path", d=line, fill="none", stroke=theme("axis"))
    for begin, end, name, low, high in (
        ((ax, ay), (bx, by), view.panel.x.label or "x", x0, x1),
        ((bx, by), (cx, cy), view.panel.y.label or "y", y0, y1),
    ):
        words = f"{name}: {short(low)} to {short(high)}"
        half = text_width(words, LABEL) / 2
        x = min(max((begin[0] + end[0]) / 2, half), width - half)
        leftwards = begin[0] + end[0] < 2 * bx
        x = min(x, bx - half - 8) if leftwards else max(x, bx + half + 8)
        x = min(max(x, half), width - half)
        y = max(begin[1], end[1]) + 17
        yield text(x, y, words, size=LABEL, anchor="middle", fill=theme("muted"))


def _trail(trail: Trail, view: _View, theme: Theme) -> Iterator[str]:
    """A way on the surface, as far as it is on it."""
    points = np.asarray(trail.points, float).reshape(-1, 2)
    x0, x1, y0, y1 = view.panel.extent
    on = np.all(np.isfinite(points), axis=1)
    on &= (points[:, 0] >= x0) & (points[:, 0] <= x1) & (points[:, 1] >= y0) & (points[:, 1] <= y1)
    points = np.where(on[:, None], points, [x0, y0])
    places = view(points[:, 0], points[:, 1], _heights(view.panel, points))
    places[~on] = np.nan
    line = [(float(a), float(b)) for a, b in places]
    if not on.any():
        return
    colour, drawn = theme.series(trail.series), {"fill": "none", "stroke_linejoin": "round"}
    ends = [place for place, seen in zip(line, on, strict=True) if seen]
    parts = [
        element("path", d=path(line), **drawn, stroke=theme("paper"), stroke_width=3.6),
        element("path", d=path(line), **drawn, stroke=colour, stroke_width=2),
        element("path", d=dots(ends[:1]), stroke=colour, stroke_width=8, stroke_linecap="round"),
        element(
            "path", d=dots(ends[:1]), stroke=theme("paper"), stroke_width=4, stroke_linecap="round"
        ),
        element("path", d=dots(ends[-1:]), stroke=colour, stroke_width=8, stroke_linecap="round"),
    ]
    yield group(parts, data_line=trail.name, data_read=trail.name)


def _heights(panel: ContourPanel, points: np.ndarray) -> np.ndarray:
    """Values at points of the plane, between those of the grid in proportion to how near."""
    x0, x1, y0, y1 = panel.extent
    last = np.array(panel.grid.shape)[::-1] - 1
    grid = np.where(np.isfinite(panel.grid), panel.grid, np.nan)
    at = (points - [x0, y0]) / [x1 - x0, y1 - y0] * last
    first = np.minimum(at.astype(int), last - 1)
    (across, up), (column, row) = (at - first).T, first.T
    below = grid[row, column] * (1 - across) + grid[row, column + 1] * across
    above = grid[row + 1, column] * (1 - across) + grid[row + 1, column + 1] * across
    return below * (1 - up) + above * up
