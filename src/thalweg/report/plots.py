"""Panels of curves: medians with bands, stairs, and crosses where runs diverged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from thalweg.report.colours import DASHES, SERIES, Theme
from thalweg.report.frame import LABEL, Box, cross, horizontal_axis, title, vertical_axis
from thalweg.report.parts import Line, LinePanel
from thalweg.report.scales import Scale, scale_of
from thalweg.report.svg import Drawing, element, group, path, text, text_width

__all__ = ["dash_of", "draw_lines"]

RIGHT = 18.0  # room for the right half of the last tick's name


def draw_lines(panel: LinePanel, width: float, theme: Theme) -> Drawing:
    """A panel of curves, ``width`` pixels wide."""
    heading, top = title(panel.title, width, theme, note=panel.y.label)
    top += 4
    height = min(max(0.62 * width, 170.0), 380.0)
    bottom = top + height
    y = scale_of(panel.y, _heights(panel.lines), bottom, top)
    ticks = y.ticks(max(2, int(height / 44)))
    left = max((text_width(name, LABEL) for _, name in ticks), default=0.0) + 11
    box = Box(left, top, width - RIGHT, bottom)
    x = scale_of(panel.x, (v for line in panel.lines for v in line.x), box.left, box.right)
    body = [heading, vertical_axis(y, box, ticks, theme)]
    axis, below = horizontal_axis(x, box, width, theme, label=panel.x.label)
    if any(line.x for line in panel.lines):
        crowded = len(panel.lines) > 4
        body.append(box.clipped("".join(_bands(panel.lines, x, y, theme, crowded))))
        body.append(axis)
        body.append(box.clipped("".join(_curves(panel.lines, x, y, theme))))
        body.append("".join(_crosses(panel.lines, x, y, theme)))
    else:
        middle = (box.left + box.right) / 2
        body += [
            axis,
            text(
                middle,
                (top + bottom) / 2,
                "nothing recorded",
                size=LABEL,
                anchor="middle",
                fill=theme("muted"),
            ),
        ]
    return Drawing(width, bottom + below + 2, "".join(body), box.edges, _limits(x), _limits(y))


def dash_of(line: Line) -> str | None:
    """The dash pattern of a curve."""
    if line.dashed:
        return DASHES[1]
    return None if line.place is not None else DASHES[line.series // SERIES % len(DASHES)] or None


def _limits(scale: Scale) -> tuple[str, float, float]:
    return ("log" if scale.log else "linear", scale.low, scale.high)


def _heights(lines: Iterable[Line]) -> Iterator[float]:
    for line in lines:
        yield from line.y
        yield from line.low
        yield from line.high
        # A run on its way to infinity must not flatten the others: its cross may lie at the edge.
        if not line.y:
            yield from (y for _, y in line.crosses)


def _bands(lines: Iterable[Line], x: Scale, y: Scale, theme: Theme, crowded: bool) -> Iterator[str]:
    for line in lines:
        for stretch in _stretches(line):
            upper = [(x(line.x[i]), y(line.high[i])) for i in stretch]
            lower = [(x(line.x[i]), y(line.low[i])) for i in reversed(stretch)]
            yield element(
                "path",
                d=path(upper + lower, closed=True),
                fill=theme.series(line.series, line.place),
                fill_opacity=0.07 if crowded else 0.16,
                data_line=line.name,
            )


def _stretches(line: Line) -> Iterator[list[int]]:
    """Runs of points at which the band is known."""
    stretch: list[int] = []
    for index, (low, high) in enumerate(zip(line.low, line.high, strict=True)):
        if math.isnan(low) or math.isnan(high):
            if stretch:
                yield stretch
            stretch = []
        else:
            stretch.append(index)
    if stretch:
        yield stretch


def _curves(lines: Iterable[Line], x: Scale, y: Scale, theme: Theme) -> Iterator[str]:
    for line in reversed(list(lines)):  # the first is drawn last, on top
        points = [
            (x(a), y(b) if math.isfinite(b) else math.nan)
            for a, b in zip(line.x, line.y, strict=True)
        ]
        colour = theme.series(line.series, line.place)
        yield element(
            "path",
            d=path(points, stairs=line.stairs),
            fill="none",
            stroke=colour,
            stroke_width=2,
            stroke_linejoin="round",
            stroke_dasharray=dash_of(line),
            data_line=line.name,
        )
        yield from (
            element("circle", cx=a, cy=b, r=3.5, fill=colour, data_line=line.name)
            for a, b in _lonely(points)
        )


def _lonely(points: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Points without a neighbour, which a line would not show."""
    gap = (math.nan, math.nan)
    for before, point, after in zip([gap, *points], points, [*points[1:], gap], strict=False):
        if not math.isnan(point[1]) and math.isnan(before[1]) and math.isnan(after[1]):
            yield point


def _crosses(lines: Iterable[Line], x: Scale, y: Scale, theme: Theme) -> Iterator[str]:
    for line in lines:
        marks = (
            cross(
                x.clamped(a),
                y.clamped(b) if not math.isnan(b) else y.end,
                theme.series(line.series, line.place),
            )
            for a, b in line.crosses
        )
        if line.crosses:
            yield group(marks, data_line=line.name)
