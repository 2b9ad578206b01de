"""Panels of values over two factors: one coloured cell each, with its value written in it."""

from __future__ import annotations

import math
import re

from thalweg.report.colours import Theme, on, ramp
from thalweg.report.frame import LABEL, title
from thalweg.report.parts import HeatCell, HeatPanel
from thalweg.report.svg import Drawing, element, group, text, text_width, wrap
from thalweg.report.words import alike, count, fixed, short

__all__ = ["cell_words", "draw_heat"]

NAME = 12.0
NOTE = 10.0
LINE = 15.0
CELL = 34.0
NARROWEST, WIDEST = 40.0, 110.0
# Rows whose names take more than this share of the width have them above instead.
NAMES = 0.28


def draw_heat(panel: HeatPanel, width: float, theme: Theme) -> Drawing:
    """A panel of cells, ``width`` pixels wide, or wider where its cells could not be read."""
    widest = max((text_width(name, NAME) for name in panel.rows), default=0.0)
    words = [cell_words(panel, cell) for row in panel.cells for cell in row]
    words += [word for name in panel.columns for word in re.split(r"(?<=[\s_])", name)]
    notes = [_note(cell) for row in panel.cells for cell in row if cell]
    needed = max([NARROWEST, *(text_width(w, LABEL) + 8 for w in words)])
    needed = max([needed, *(text_width(w, NOTE) + 8 for w in notes)])
    columns = max(len(panel.columns), 1)
    beside = widest <= NAMES * width and widest + 12 + needed * columns <= width
    left = widest + 12 if beside else 0.0
    width = max(width, left + needed * columns)
    cell = min((width - left) / columns, max(needed, WIDEST))
    heading, top = title(panel.title, width, theme)
    header, below = _header(panel, left, cell, top, width, theme)
    top += below
    body, y = [heading, header], top
    for name, row in zip(panel.rows, panel.cells, strict=True):
        if not beside:
            for line in wrap(name, width, NAME):
                body.append(text(0, y + 12, line, size=NAME, fill=theme("ink")))
                y += LINE
            y += 2
        else:
            body.append(
                text(left - 10, y + CELL / 2 + 4, name, size=NAME, anchor="end", fill=theme("ink"))
            )
        body += [
            _cell(panel, name, column, found, left + index * cell, y, cell, theme)
            for index, (column, found) in enumerate(zip(panel.columns, row, strict=True))
        ]
        y += CELL + (0 if beside else 5)
    legend, height = _legend(panel, left, y + 14, width, theme)
    return Drawing(width, y + 14 + height, "".join([*body, legend]))


def share_of(panel: HeatPanel, value: float) -> float:
    """Where a value lies between the worst (0) and the best (1) of its panel."""
    low, high = limits(panel)
    if panel.scale == "log" and low > 0 and value > 0:
        low, high, value = math.log(low), math.log(high), math.log(value)
    share = 0.5 if high == low else (value - low) / (high - low)
    return share if panel.higher_is_better else 1 - share


def limits(panel: HeatPanel) -> tuple[float, float]:
    """Smallest and largest finite value."""
    values = [c.value for row in panel.cells for c in row if c and math.isfinite(c.value)]
    return min(values, default=0.0), max(values, default=0.0)


def cell_words(panel: HeatPanel, cell: HeatCell | None) -> str:
    """The value of a cell, with as many decimals as its neighbours have."""
    if cell is None:
        return ""
    places = alike(c.value for row in panel.cells for c in row if c)
    if not math.isfinite(cell.value):
        return "–"
    return short(cell.value) if places is None else fixed(cell.value, places)


def _header(
    panel: HeatPanel, left: float, cell: float, top: float, width: float, theme: Theme
) -> tuple[str, float]:
    """Names of the columns and of their factor, and the height they take."""
    parts, y = [], 0.0
    for line in wrap(panel.column_label, width - left, LABEL) if panel.column_label else ():
        y += LINE
        parts.append(text(left, top + y - 3, line, size=LABEL, fill=theme("muted")))
    names = [wrap(name, cell - 4, LABEL) for name in panel.columns]
    y += 20 + (max(map(len, names), default=1) - 1) * (LINE - 1)
    parts += [
        text(
            left + (index + 0.5) * cell,
            top + y - 6 - (len(lines) - 1 - number) * (LINE - 1),
            line,
            size=LABEL,
            anchor="middle",
            fill=theme("ink"),
        )
        for index, lines in enumerate(names)
        for number, line in enumerate(lines)
    ]
    return "".join(parts), y


def _cell(
    panel: HeatPanel,
    row: str,
    column: str,
    cell: HeatCell | None,
    x: float,
    y: float,
    width: float,
    theme: Theme,
) -> str:
    if cell is None:
        return element(
            "rect", x=x + 1, y=y + 1, width=width - 2, height=CELL - 2, rx=3, fill=theme("card")
        )
    fill, opacity, ink = _colours(panel, cell, theme)
    middle, note = x + width / 2, _note(cell)
    first = y + CELL / 2 + (-1.5 if note else 4)
    shape = {"x": x + 1, "y": y + 1, "width": width - 2, "height": CELL - 2, "rx": 3}
    parts = [
        element("rect", **shape, fill=fill, fill_opacity=opacity),
        text(middle, first, cell_words(panel, cell), size=LABEL, anchor="middle", fill=ink),
    ]
    if cell.outlined:
        parts.append(
            element(
                "rect",
                x=x + 3,
                y=y + 3,
                width=width - 6,
                height=CELL - 6,
                rx=2,
                fill="none",
                stroke=ink,
                stroke_width=1.6,
            )
        )
    if note:
        parts.append(text(middle, first + 12, note, size=NOTE, anchor="middle", fill=ink))
    read = f"{row}, {panel.column_label} {column}: {short(cell.value, 4)}"
    if cell.note:
        read += f", {cell.note}"
    read += f" ({count(cell.runs, 'run')}, {cell.diverged} diverged)"
    return group(parts, data_read=read)


def _colours(panel: HeatPanel, cell: HeatCell, theme: Theme) -> tuple[str, float | None, str]:
    """Colour of a cell, its opacity, and the colour of what is written on it."""
    if cell.strength is not None:
        strong = cell.strength > 0.6
        fill = theme("accent") if cell.strength else theme("card")
        return fill, cell.strength or None, theme("paper" if strong else "ink")
    if not math.isfinite(cell.value):
        return theme("faint"), None, theme("ink")
    fill = ramp(share_of(panel, cell.value))
    return fill, None, on(fill)


def _note(cell: HeatCell) -> str:
    """The second line of a cell."""
    return " ".join(filter(None, (cell.note, f"✕{cell.diverged}" if cell.diverged else "")))


def _keys(
    panel: HeatPanel, left: float, top: float, width: float, theme: Theme
) -> tuple[str, float]:
    """What strengths of colour stand for."""
    parts, x, y = [], left, top
    for name, strength in panel.keys:
        needed = text_width(name, LABEL) + 42
        if x > left and x + needed > width:
            x, y = left, y + 18
        fill, opacity, _ = _colours(panel, HeatCell(0.0, strength=strength), theme)
        shape = {"x": x + 1, "y": y - 1, "width": 18, "height": 12, "rx": 2}
        parts += [
            element("rect", **shape, fill=fill, fill_opacity=opacity, stroke=theme("axis")),
            text(x + 25, y + 9, name, size=LABEL, fill=theme("muted")),
        ]
        x += needed
    return "".join(parts), y - top + 14


def _legend(
    panel: HeatPanel, left: float, top: float, width: float, theme: Theme
) -> tuple[str, float]:
    """The ramp with its two ends, and what the values are."""
    if panel.keys:
        return _keys(panel, left, top, width, theme)
    low, high = limits(panel)
    values = [cell for row in panel.cells for cell in row if cell and math.isfinite(cell.value)]
    if not values or low == high:
        return "", 0.0
    worst, best = (low, high) if panel.higher_is_better else (high, low)
    names = short(worst), short(best)
    start = left + text_width(names[0], LABEL) + 8
    step = min((width - start - text_width(names[1], LABEL) - 12) / 30, 4.0)
    parts = [
        element(
            "rect", x=start + index * step, y=top, width=step + 0.5, height=9, fill=ramp(index / 29)
        )
        for index in range(30)
    ]
    end = start + 30 * step + 8
    parts += [
        text(left, top + 9, names[0], size=LABEL, fill=theme("muted")),
        text(end, top + 9, names[1], size=LABEL, fill=theme("muted")),
    ]
    y = top
    after = end + text_width(names[1], LABEL) + 14
    beside = after + text_width(panel.value_label, LABEL) <= width
    lines = [panel.value_label] if beside else wrap(panel.value_label, width - left, LABEL)
    for line in lines:
        y += 0 if beside else 16
        x = after if beside else left
        parts.append(text(x, y + 9, line, size=LABEL, fill=theme("muted")))
    return "".join(parts), y - top + 14
