"""Figures as wholes: panels drawn, a legend for all of them, and files of their own.

``draw`` turns a panel into a drawing; ``legend`` says what the colours mean; ``figure_svg`` and
``figure_png`` put a whole figure into one file. The web page lays the same drawings out itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Literal

import numpy as np

from thalweg.errors import MissingExtra
from thalweg.report.boundaries import draw_boundary
from thalweg.report.colours import DASHES, Theme
from thalweg.report.contours import MARKS, draw_contours, draw_mark
from thalweg.report.frame import LABEL, cross
from thalweg.report.graphs import draw_graph
from thalweg.report.heat import draw_heat
from thalweg.report.intervals import draw_intervals
from thalweg.report.lattices import draw_lattice
from thalweg.report.mosaics import draw_pictures
from thalweg.report.parts import (
    BoundaryPanel,
    ContourPanel,
    Figure,
    GraphPanel,
    HeatPanel,
    IntervalPanel,
    LatticePanel,
    LinePanel,
    MarkKind,
    Panel,
    PicturePanel,
)
from thalweg.report.plots import dash_of, draw_lines
from thalweg.report.surfaces import draw_surface
from thalweg.report.svg import FONT, Drawing, element, group, text, text_width, wrap

__all__ = ["Key", "draw", "draw_key", "figure_png", "figure_svg", "legend"]

MARGIN = 20.0
GAP = 28.0
NARROWEST = 240.0  # panels stand below one another rather than get narrower


@dataclass(frozen=True)
class Key:
    """One entry of a legend: a mark and what it stands for."""

    name: str
    mark: Literal["line", "dot", "ring", "cross"] | MarkKind = "line"
    series: int = 0
    place: float | None = None
    dash: str | None = None
    note: str = ""


def draw(panel: Panel, width: float, theme: Theme) -> Drawing:
    """A panel as a drawing, ``width`` pixels wide (more where it could not be read otherwise)."""
    match panel:
        case LinePanel():
            return draw_lines(panel, width, theme)
        case HeatPanel():
            return draw_heat(panel, width, theme)
        case IntervalPanel():
            return draw_intervals(panel, width, theme)
        case BoundaryPanel():
            return draw_boundary(panel, width, theme)
        case ContourPanel(seen_from="side"):
            return draw_surface(panel, width, theme)
        case ContourPanel():
            return draw_contours(panel, width, theme)
        case PicturePanel():
            return draw_pictures(panel, width, theme)
        case LatticePanel():
            return draw_lattice(panel, width, theme)
        case GraphPanel():
            return draw_graph(panel, width, theme)


def legend(figure: Figure) -> list[Key]:
    """What the colours of a figure stand for; empty where its panels say it themselves."""
    keys: dict[str, Key] = {}
    crosses = False
    for panel in figure.panels:
        if isinstance(panel, LinePanel):
            for line in panel.lines:
                key = Key(line.name, "line", line.series, line.place, dash_of(line), line.note)
                keys.setdefault(line.name, key)
                crosses = crosses or bool(line.crosses)
        elif isinstance(panel, BoundaryPanel):
            for label in range(min(panel.grid.shape[-1], 10)):
                keys.setdefault(f"class {label}", Key(f"class {label}", "dot", label))
            if panel.seen.any():
                keys.setdefault("trained on", Key("trained on", "dot", 6))
            if len(panel.seen) and not np.all(panel.seen):
                keys.setdefault("held out", Key("held out", "ring", 6))
        elif isinstance(panel, ContourPanel):
            for key in _keys_of_plane(panel):
                keys.setdefault(key.name, key)
            crosses = crosses or any(trail.diverged for trail in panel.trails)
    if crosses:
        keys["a run diverged"] = Key("a run diverged", "cross", 6)
    alone = len(keys) == 1 and not any(key.note for key in keys.values())
    return [] if alone else list(keys.values())


def _keys_of_plane(panel: ContourPanel) -> Iterator[Key]:
    for trail in panel.trails:
        dash = DASHES[1] if trail.dashed else None
        yield Key(trail.name, "line", trail.series, dash=dash, note=trail.note)
    for arrow in panel.arrows:
        yield Key(arrow.name, "line", arrow.series)
    for kind in MARKS:
        if any(mark.kind == kind and not mark.label for mark in panel.marks):
            yield Key(kind, kind)


def draw_key(key: Key, x: float, y: float, theme: Theme) -> str:
    """The mark of a legend entry in 24 pixels from ``x``, centred on ``y``."""
    colour = theme.series(key.series, key.place)
    if key.mark == "line":
        return element(
            "path",
            d=f"M{x:.1f} {y:.1f}h22",
            stroke=colour,
            stroke_width=2.5,
            fill="none",
            stroke_dasharray=key.dash,
        )
    if key.mark == "cross":
        return cross(x + 11, y, colour)
    if key.mark != "dot" and key.mark != "ring":
        return draw_mark(key.mark, x + 11, y, theme)
    inside = theme("paper") if key.mark == "ring" else colour
    return element("circle", cx=x + 11, cy=y, r=3.6, fill=inside, stroke=colour, stroke_width=1.8)


def figure_svg(
    figure: Figure, theme: Literal["light", "dark"] = "light", width: float = 960
) -> str:
    """A figure as one SVG file that needs nothing else.

    Args:
        figure: what to draw.
        theme: colours for a light or a dark background.
        width: of the whole, in pixels; panels that need more widen it.

    Returns:
        The text of the file, with concrete colours and fonts.
    """
    paint = Theme(theme)
    fitting = int((width - 2 * MARGIN + GAP) / (NARROWEST + GAP))
    columns = max(1, min(figure.columns, len(figure.panels), fitting))
    room = (width - 2 * MARGIN - (columns - 1) * GAP) / columns
    drawings = [draw(panel, room, paint) for panel in figure.panels]
    room = max([room, *(drawing.width for drawing in drawings)])
    inner = columns * room + (columns - 1) * GAP
    parts, y = [], MARGIN
    for line in wrap(figure.title, inner, 16, bold=True):
        y += 21
        parts.append(text(MARGIN, y - 5, line, size=16, font_weight=600, fill=paint("ink")))
    keys, below = _legend_rows(legend(figure), inner, y + 10, paint)
    parts.append(keys)
    y += 10 + below
    for first in range(0, len(drawings), columns):
        row = drawings[first : first + columns]
        parts += [
            group([d.body], transform=f"translate({MARGIN + i * (room + GAP):.1f} {y:.1f})")
            for i, d in enumerate(row)
        ]
        y += max(d.height for d in row) + 18
    for line in wrap(figure.caption, min(inner, 760), LABEL + 1):
        y += 17
        parts.append(text(MARGIN, y - 5, line, size=LABEL + 1, fill=paint("muted")))
    outer, height = inner + 2 * MARGIN, y + MARGIN - 6
    ground = element("rect", width=outer, height=height, fill=paint("paper"))
    return element(
        "svg",
        element("title", escape(figure.title)) + ground + "".join(parts),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {outer:.1f} {height:.1f}",
        width=outer,
        height=height,
        font_family=FONT,
    )


def figure_png(
    figure: Figure,
    theme: Literal["light", "dark"] = "light",
    width: float = 960,
    scale: float = 2,
) -> bytes:
    """A figure as a PNG file.

    Args:
        figure, theme, width: as for ``figure_svg``.
        scale: pixels of the image per pixel of the drawing.

    Raises:
        MissingExtra: if cairosvg is not installed.
    """
    try:
        cairosvg = import_module("cairosvg")
    except ImportError as error:
        raise MissingExtra(
            "PNG figures need cairosvg: pip install 'thalweg[plot]' (SVG needs nothing)"
        ) from error
    return cairosvg.svg2png(bytestring=figure_svg(figure, theme, width).encode(), scale=scale)


def _legend_rows(keys: list[Key], width: float, top: float, theme: Theme) -> tuple[str, float]:
    """Legend entries set like words in a paragraph, and the height they take."""
    parts, x, y = [], 0.0, top
    for key in keys:
        name = f"{key.name} ({key.note})" if key.note else key.name
        lines = wrap(name, width - 30, LABEL)
        needed = 30 + max(text_width(line, LABEL) for line in lines)
        if x and x + needed > width:
            x, y = 0.0, y + 19
        parts.append(draw_key(key, MARGIN + x, y + 5, theme))
        for index, line in enumerate(lines):
            y += 15 if index else 0
            parts.append(text(MARGIN + x + 28, y + 9, line, size=LABEL, fill=theme("ink")))
        x += needed + 18
    return "".join(parts), (y - top + 28) if keys else 0.0
