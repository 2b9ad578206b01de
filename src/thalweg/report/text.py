"""A page as plain text of a given width: what the command line prints."""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence

from thalweg.report.contours import plane_rows
from thalweg.report.diagrams import graph_lines
from thalweg.report.fallback import figure_tables
from thalweg.report.formulas import formula_lines
from thalweg.report.lattices import lattice_lines
from thalweg.report.parts import (
    VERDICTS,
    Code,
    ContourPanel,
    Facts,
    Figure,
    Formula,
    GraphPanel,
    IntervalPanel,
    IntervalRow,
    LatticePanel,
    Page,
    Paragraph,
    Part,
    Section,
    Stepper,
    Table,
    Verdict,
)
from thalweg.report.scales import scale_of
from thalweg.report.steppers import last_figure, step_lines
from thalweg.report.words import decimals, interval

__all__ = ["interval_rows", "to_text"]

_TONES = {"plain": "", "note": "", "warning": "Note. "}
_GAP = 2


def to_text(page: Page, width: int = 80) -> str:
    """A page as text whose lines are at most ``width`` columns wide (code excepted)."""
    lines = [*textwrap.wrap(page.title, width), *textwrap.wrap(page.subtitle, width)]
    blocks = ["\n".join([*lines, "═" * max(map(len, lines), default=0)])]
    for section in page.sections:
        blocks.append(f"{section.heading}\n{'─' * len(section.heading)}")
        blocks += filter(None, (_part(part, section, width) for part in section.parts))
    # No-break spaces have done their work when lines are broken.
    return "\n\n".join(blocks).replace("\xa0", " ") + "\n"


def _part(part: Part, section: Section, width: int) -> str:
    match part:
        case Verdict():
            return textwrap.fill(f"{VERDICTS[part.kind].upper()}: {part.sentence}", width)
        case Paragraph():
            return textwrap.fill(_TONES[part.tone] + part.text, width)
        case Table():
            return _table(part, width)
        case Figure():
            return _figure(part, width, part.title == section.heading)
        case Code():
            return textwrap.indent(part.text, "    ")
        case Facts():
            return "\n".join(_facts(part, width))
        case Formula():
            return formula_lines(part, width)
        case Stepper():
            figure = _figure(last_figure(part), width, part.title == section.heading)
            return "\n\n".join([figure, "\n".join(step_lines(part, width))])


def _facts(facts: Facts, width: int) -> Iterator[str]:
    names = min(max((len(name) for name, _ in facts.items), default=0), 2 * width // 5)
    for name, value in facts.items:
        yield from textwrap.wrap(
            value, width, initial_indent=f"{name:<{names}}  ", subsequent_indent=" " * (names + 2)
        ) or [name]


def _figure(figure: Figure, width: int, titled: bool) -> str:
    caption = figure.caption if titled else f"{figure.title}. {figure.caption}"
    blocks = [textwrap.fill(caption, width)]
    if all(isinstance(panel, IntervalPanel) for panel in figure.panels):
        blocks += (
            "\n".join(interval_rows(panel, width))
            for panel in figure.panels
            if isinstance(panel, IntervalPanel)
        )
    elif pictures := _pictures(figure, width):
        blocks += pictures
    elif any(isinstance(panel, ContourPanel) for panel in figure.panels):
        blocks += _planes(figure, width)
    else:
        blocks += (_table(table, width) for table in figure_tables(figure))
    return "\n\n".join(blocks)


def _planes(figure: Figure, width: int) -> Iterator[str]:
    """Landscapes as pictures, then the numbers of all panels."""
    for panel in figure.panels:
        if isinstance(panel, ContourPanel) and panel.seen_from == "above":
            yield "\n".join(plane_rows(panel, width))
    yield from (_table(table, width) for table in figure_tables(figure))


def _pictures(figure: Figure, width: int) -> list[str]:
    """Pictures of searches and graphs, where a figure has nothing else and there is room."""
    blocks: list[str] = []
    for panel in figure.panels:
        match panel:
            case LatticePanel():
                lines = lattice_lines(panel)
            case GraphPanel():
                lines = graph_lines(panel)
            case _:
                return []
        if lines is None or any(len(line) > width for line in lines):
            return []
        blocks.append("\n".join([panel.title, *lines] if panel.title else lines))
    return blocks


# ------------------------------------------------------------------------------------------ tables


def _table(table: Table, width: int) -> str:
    caption = [textwrap.fill(table.caption, width)] if table.caption else []
    widths = _column_widths(table, width)
    if widths is None:
        return "\n".join([*caption, *_records(table, width)])
    lines = [*_row(table.columns, widths, table.sides)]
    lines.append((" " * _GAP).join("─" * w for w in widths))
    for row in table.rows:
        lines += _row(row, widths, table.sides)
    return "\n".join([*caption, *lines])


def _column_widths(table: Table, width: int) -> list[int] | None:
    """Widths at which all columns fit, words taken over several lines; None if they cannot."""
    columns = [[name, *(row[i] for row in table.rows)] for i, name in enumerate(table.columns)]
    widths = [max(1, *map(len, column)) for column in columns]
    least = [max(len(w) for cell in column for w in cell.split(" ")) for column in columns]
    cells = [max(map(len, column[1:]), default=0) for column in columns]
    while sum(widths) + _GAP * (len(widths) - 1) > width:
        wide = [i for i in range(len(widths)) if widths[i] > max(least[i], 1)]
        if not wide:
            return None
        # Headings wrap best, then words, and numbers last.
        order = [(widths[i] > cells[i], table.sides[i] == "l", widths[i], i) for i in wide]
        widths[max(order)[-1]] -= 1
    return widths


def _row(cells: Sequence[str], widths: Sequence[int], sides: str) -> list[str]:
    wrapped = [textwrap.wrap(cell, w) or [""] for cell, w in zip(cells, widths, strict=True)]
    lines = []
    for index in range(max(map(len, wrapped), default=0)):
        words = (
            _aligned(lines_[index] if index < len(lines_) else "", w, side)
            for lines_, w, side in zip(wrapped, widths, sides, strict=True)
        )
        lines.append((" " * _GAP).join(words).rstrip())
    return lines


def _aligned(text: str, width: int, side: str) -> str:
    """A text on one side of a column; marks upon letters take no room."""
    room = width + sum(unicodedata.combining(letter) > 0 for letter in text)
    return text.rjust(room) if side == "r" else text.ljust(room)


def _records(table: Table, width: int) -> Iterator[str]:
    """Each row as its name and, under it, its other cells, for tables too wide to be one."""
    first = table.sides.find("l")
    leading = first + len(table.sides[first:]) - len(table.sides[first:].lstrip("l"))
    for row in table.rows:
        yield from textwrap.wrap("  ".join(row[:leading]), width)
        pairs = zip(table.columns[leading:], row[leading:], strict=True)
        text = "; ".join(f"{name}: {cell}" for name, cell in pairs if cell)
        yield from textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")


# --------------------------------------------------------------------------------------- intervals


def interval_rows(panel: IntervalPanel, width: int) -> list[str]:
    """Intervals drawn with characters: dots for values, a bar for the interval, ● for the mean."""
    if not panel.rows:
        return []
    places = decimals((row.high - row.low) / 2 for row in panel.rows)
    words = [
        row.note
        if row.note and not math.isfinite(row.estimate)
        else interval(row.estimate, row.low, row.high, places)
        for row in panel.rows
    ]
    names = min(max(len(row.name) for row in panel.rows), max(width // 4, 8))
    room = width - names - max(map(len, words)) - 2 * _GAP
    if room < 12:
        return [
            f"{textwrap.shorten(row.name, names, placeholder='…'):<{names}}  {word}"
            for row, word in zip(panel.rows, words, strict=True)
        ]
    everything = [v for row in panel.rows for v in (row.estimate, row.low, row.high, *row.points)]
    scale = scale_of(panel.axis, everything, 0, room - 1)
    lines = []
    for row, word in zip(panel.rows, words, strict=True):
        track = [" "] * room

        def put(value: float, mark: str, track: list[str] = track) -> None:
            if math.isfinite(value):
                track[round(scale.clamped(value))] = mark

        _draw_row(row, put)
        name = row.name if len(row.name) <= names else f"{row.name[: names - 1]}…"
        line = f"{name:<{names}}  {''.join(track)}  {word}"
        lines.append(line.rstrip())
    low, high = (f"{scale.low:.4g}", f"{scale.high:.4g}")
    lines.append(f"{'':{names}}  {low}{high:>{max(room - len(low), len(high) + 1)}}")
    return lines


def _draw_row(row: IntervalRow, put) -> None:
    for value in row.points:
        put(value, "·")
    if math.isfinite(row.low) and math.isfinite(row.high):
        for share in range(101):
            put(row.low + (row.high - row.low) * share / 100, "─")
        put(row.low, "├")
        put(row.high, "┤")
    put(row.estimate, "●")
