"""Curves in a terminal: eight dots a character, by the braille patterns of Unicode."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from thalweg.report.parts import LinePanel
from thalweg.report.scales import Scale, scale_of
from thalweg.report.words import short

__all__ = ["curve_rows", "side_by_side"]

# The dot of a pattern at each row and column of a character.
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
BLANK = 0x2800


def curve_rows(panel: LinePanel, width: int, height: int = 8) -> list[str]:
    """The curves of a panel, in ``height`` rows and a few more, ``width`` columns wide.

    The title stands above, the limits of the axes beside and below, and a dotted line at zero.
    """
    y = scale_of(panel.y, (v for line in panel.lines for v in line.y), 4 * height - 1, 0)
    labels = {0: short(y.high), height - 1: short(y.low)}
    margin = max(map(len, labels.values()))
    columns = max(width - margin - 2, 4)
    x = scale_of(panel.x, (v for line in panel.lines for v in line.x), 0, 2 * columns - 1)
    cells = np.full((height, columns), BLANK)
    for column, row in [*_zero(y, columns), *_dots(panel, x, y, columns)]:
        cells[row // 4, column // 2] |= DOTS[row % 4][column % 2]
    rows = [f"{'':{margin}}  {panel.title}"]
    for index, cell in enumerate(cells):
        row = "".join(map(chr, cell)).replace(chr(BLANK), " ")
        rows.append(f"{labels.get(index, ''):>{margin}} │{row}".rstrip())
    low, high = short(x.low), short(x.high)
    rows.append(f"{'':{margin}} └{'─' * columns}")
    rows.append(f"{'':{margin}}  {low}{high:>{columns - len(low)}}")
    if panel.x.label:
        rows.append(f"{'':{margin}}  {panel.x.label:^{columns}}".rstrip())
    return rows


def side_by_side(blocks: Sequence[list[str]], width: int, gap: int = 2) -> list[str]:
    """Blocks of equally many rows beside one another where they fit, else below one another."""
    widths = [max(map(len, block)) for block in blocks]
    if sum(widths) + gap * (len(blocks) - 1) > width:
        return [row for block in blocks for row in block]
    return [
        (" " * gap).join(f"{row:<{w}}" for row, w in zip(rows, widths, strict=True)).rstrip()
        for rows in zip(*blocks, strict=True)
    ]


def _zero(y: Scale, columns: int) -> list[tuple[int, int]]:
    if not y.low < 0 < y.high:
        return []
    return [(column, round(y(0))) for column in range(0, 2 * columns, 4)]


def _dots(panel: LinePanel, x: Scale, y: Scale, columns: int) -> list[tuple[int, int]]:
    """Dots of all curves: one for every half column, joined upright where a curve is steep."""
    found = []
    for line in panel.lines:
        before: int | None = None
        at = x.low + (x.high - x.low) * np.arange(2 * columns) / (2 * columns - 1)
        for column, value in enumerate(np.interp(at, line.x, line.y)):
            if not math.isfinite(value):
                before = None
                continue
            row = round(y.clamped(float(value)))
            start = row if before is None else before + (row > before) - (row < before)
            step = 1 if row >= start else -1
            found += [(column, r) for r in range(start, row + step, step)]
            before = row
    return found
