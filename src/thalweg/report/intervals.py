"""Panels of estimates: interval, mean and median over the dots of all seeds, one row each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

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

_Said: TypeAlias = tuple[str, str]  # words, and the role of their colour


@dataclass(frozen=True)
class _Layout:
    """Where names, tracks and words of a row go."""

    beside: bool
    left: float
    right: float
    name_width: float
    places: int

    def lines(self, row: IntervalRow) -> list[tuple[str, list[_Said]]]:
        """The name of a row over several lines, and the words in each line, from the right.

        Beside the track, words have a column of their own. Above it they follow the name, on
        lines of their own where there is no room.
        """
        lines: list[tuple[str, list[_Said]]] = [
            (line, []) for line in wrap(row.name, self.name_width, NAME) or [""]
        ]
        if self.beside:
            return lines
        used = text_width(lines[-1][0], NAME)
        for words, role in _said(row, self.places):
            for part in wrap(words, self.right, LABEL):
                needed = text_width(part, LABEL) + 12
                if used and used + needed > self.right:
                    lines.append(("", []))
                    used = 0.0
                lines[-1][1].append((part, role))
                used += needed
        return lines

    def height(self, row: IntervalRow) -> float:
        lines = len(self.lines(row)) * LINE
        if self.beside:
            return max(lines + 8, len(_said(row, self.places)) * 14 + 10, TRACK)
        return lines + TRACK - 2


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


def _said(row: IntervalRow, places: int) -> list[_Said]:
    """What is said of a row, and in which colour."""
    said = [(_words(row, places), "muted"), (row.note, "caution")]
    return [(words, role) for words, role in said if words]


def _row(
    row: IntervalRow, top: float, width: float, scale: Scale, layout: _Layout, theme: Theme
) -> str:
    lines, said = layout.lines(row), _said(row, layout.places)
    if layout.beside:
        middle = top + layout.height(row) / 2
        first = middle - (len(lines) - 1) * LINE / 2 + 4
        parts = _stacked(said, width, middle, theme)
    else:
        first = top + 13
        middle = top + len(lines) * LINE + TRACK / 2 - 4
        parts = []
    for index, (name, beside_it) in enumerate(lines):
        y = first + index * LINE
        if name:
            parts.append(text(0, y, name, size=NAME, fill=theme("ink")))
        parts += _in_line(beside_it, width, y, theme)
    parts.append(_marks(row, middle, scale, theme))
    return group(parts, data_read=f"{row.name}: {', '.join(words for words, _ in said)}")


def _stacked(said: list[_Said], right: float, middle: float, theme: Theme) -> list[str]:
    """Words under one another, flush right, about the middle of a row."""
    start = middle + 4 - (len(said) - 1) * 7
    return [
        text(right, start + index * 14, words, size=LABEL, anchor="end", fill=theme(role))
        for index, (words, role) in enumerate(said)
    ]


def _in_line(said: list[_Said], right: float, y: float, theme: Theme) -> list[str]:
    """Words beside one another, flush right."""
    parts = []
    for words, role in said:
        parts.append(text(right, y, words, size=LABEL, anchor="end", fill=theme(role)))
        right -= text_width(words, LABEL) + 12
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
    if row.low < row.high:  # an infinite end reaches the edge
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
