"""Panels of estimates: interval, mean and median over the dots of all seeds, one row each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from thalweg.report.colours import Theme
from thalweg.report.frame import LABEL, Box, horizontal_axis, spread, title
from thalweg.report.parts import IntervalPanel, IntervalRow
from thalweg.report.scales import Scale, scale_of
from thalweg.report.svg import Drawing, dots, element, group, text, text_width, wrap
from thalweg.report.words import decimals, interval

__all__ = ["draw_intervals"]

NAME = 12.5
LINE = 16.0
TRACK = 30.0
DOT = 4.4
# Below this width names stand above their rows instead of beside them.
BESIDE = 560.0


@dataclass(frozen=True)
class _Layout:
    """Where names, tracks and words of a row go."""

    beside: bool
    left: float
    right: float
    name_width: float
    places: int

    def lines(self, row: IntervalRow) -> list[str]:
        return wrap(row.name, self.name_width, NAME)

    def height(self, row: IntervalRow) -> float:
        lines = len(self.lines(row)) * LINE
        return max(lines + 8, TRACK) if self.beside else lines + TRACK - 2


def draw_intervals(panel: IntervalPanel, width: float, theme: Theme) -> Drawing:
    """A panel of intervals, ``width`` pixels wide."""
    layout = _layout(panel, width)
    heading, top = title(panel.title, width, theme)
    top += 4
    bottom = top + sum(map(layout.height, panel.rows)) + 4
    box = Box(layout.left, top, layout.right, bottom)
    scale = scale_of(panel.axis, _values(panel.rows), box.left + 10, box.right - 10)
    axis, below = horizontal_axis(
        scale, box, width, theme, label=panel.axis.label, grid=layout.beside
    )
    body, y = [heading, axis], top
    for row in panel.rows:
        body.append(_row(row, y, width, scale, layout, theme))
        y += layout.height(row)
    return Drawing(width, bottom + below + 2, "".join(body), box.edges)


def _layout(panel: IntervalPanel, width: float) -> _Layout:
    halves = ((row.high - row.low) / 2 for row in panel.rows)
    places = decimals(halves)
    if width < BESIDE:
        return _Layout(False, 0, width, width, places)
    widest = max((text_width(row.name, NAME) for row in panel.rows), default=0.0)
    names = min(widest, 0.3 * width)
    words = max((text_width(_words(row, places), LABEL) for row in panel.rows), default=0.0)
    notes = max((text_width(row.note, LABEL) for row in panel.rows), default=0.0)
    right = width - max(words, notes) - 14
    if right - names < 0.35 * width:
        return _Layout(False, 0, width, width, places)
    return _Layout(True, names + 14, right, names + 1, places)


def _values(rows: tuple[IntervalRow, ...]) -> Iterator[float]:
    for row in rows:
        yield from (row.estimate, row.low, row.high, row.median)
        yield from row.points


def _words(row: IntervalRow, places: int) -> str:
    if row.note and not math.isfinite(row.estimate):
        return ""
    return interval(row.estimate, row.low, row.high, places)


def _row(
    row: IntervalRow, top: float, width: float, scale: Scale, layout: _Layout, theme: Theme
) -> str:
    names = layout.lines(row)
    said = [(_words(row, layout.places), "muted"), (row.note, "caution")]
    said = [(words, role) for words, role in said if words]
    if layout.beside:
        middle = top + layout.height(row) / 2
        first = middle - (len(names) - 1) * LINE / 2 + 4
        parts = _stacked(said, width, middle, theme)
    else:
        first = top + 13
        middle = top + len(names) * LINE + TRACK / 2 - 4
        room = width - text_width(names[-1], NAME) - 12
        parts = _in_line(said, width, first + (len(names) - 1) * LINE, room, theme)
    parts += [
        text(0, first + index * LINE, name, size=NAME, fill=theme("ink"))
        for index, name in enumerate(names)
    ]
    parts.append(_marks(row, middle, scale, theme))
    return group(parts, data_read=f"{row.name}: {', '.join(words for words, _ in said)}")


def _stacked(said: list[tuple[str, str]], right: float, middle: float, theme: Theme) -> list[str]:
    """Words under one another, flush right, about the middle of a row."""
    start = middle + 4 - (len(said) - 1) * 7
    return [
        text(right, start + index * 14, words, size=LABEL, anchor="end", fill=theme(role))
        for index, (words, role) in enumerate(said)
    ]


def _in_line(
    said: list[tuple[str, str]], right: float, y: float, room: float, theme: Theme
) -> list[str]:
    """Words beside one another, flush right, as many as there is room for."""
    parts = []
    for words, role in said:
        needed = text_width(words, LABEL)
        if needed <= room:
            parts.append(text(right, y, words, size=LABEL, anchor="end", fill=theme(role)))
            right, room = right - needed - 12, room - needed - 12
    return parts


def _marks(row: IntervalRow, y: float, scale: Scale, theme: Theme) -> str:
    colour = theme.series(row.series)
    pixels = [scale(value) for value in row.points if math.isfinite(value)]
    swarm = [(x, y + offset) for x, offset in zip(pixels, spread(pixels, DOT, 2), strict=True)]
    parts = []
    if swarm:
        parts.append(
            element(
                "path",
                d=dots(swarm),
                stroke=colour,
                stroke_opacity=0.42,
                fill="none",
                stroke_width=DOT,
                stroke_linecap="round",
            )
        )
    if not (math.isnan(row.low) or math.isnan(row.high)):  # an infinite end reaches the edge
        line = f"M{scale.clamped(row.low):.1f} {y:.1f}H{scale.clamped(row.high):.1f}"
        parts += [
            element("path", d=line, stroke=theme("paper"), stroke_width=6, fill="none"),
            element(
                "path", d=line, stroke=colour, stroke_width=3.2, fill="none", stroke_linecap="round"
            ),
        ]
    if math.isfinite(row.median):
        x = scale(row.median)
        parts.append(
            element(
                "path",
                d=f"M{x:.1f} {y - 8:.1f}V{y + 8:.1f}",
                stroke=theme("ink"),
                stroke_width=1.5,
                fill="none",
            )
        )
    if math.isfinite(row.estimate):
        parts.append(
            element(
                "circle",
                cx=scale(row.estimate),
                cy=y,
                r=4,
                fill=colour,
                stroke=theme("paper"),
                stroke_width=1.5,
            )
        )
    return "".join(parts)
