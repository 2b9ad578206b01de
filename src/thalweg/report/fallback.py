"""The numbers of a figure as tables, for those who read or hear them instead."""

from __future__ import annotations

import math

from thalweg.report.parts import (
    BoundaryPanel,
    Figure,
    HeatCell,
    HeatPanel,
    IntervalPanel,
    LinePanel,
    Panel,
    Table,
)
from thalweg.report.words import decimals, fixed, interval, short

__all__ = ["figure_tables"]


def figure_tables(figure: Figure) -> list[Table]:
    """One table for each panel that has numbers to tell."""
    return [table for panel in figure.panels if (table := _table(panel)) is not None]


def _table(panel: Panel) -> Table | None:
    match panel:
        case LinePanel():
            return _lines(panel)
        case HeatPanel():
            return _heat(panel)
        case IntervalPanel():
            return _intervals(panel)
        case BoundaryPanel():
            return None  # an image; its title names the run


def _lines(panel: LinePanel) -> Table | None:
    """Where every curve ends; a curve without points says nothing."""
    banded = any(line.low for line in panel.lines)
    crossed = any(line.crosses for line in panel.lines)
    columns = ["curve", panel.x.label or "x", "last value"]
    columns += ["10–90 %"] * banded + ["diverged"] * crossed
    rows = []
    for line in panel.lines:
        known = [i for i, value in enumerate(line.y) if math.isfinite(value)]
        row = [line.name]
        row += [short(line.x[known[-1]]), short(line.y[known[-1]], 4)] if known else ["–", "–"]
        if banded:
            last = known[-1] if known and line.low else None
            ends = () if last is None else (line.low[last], line.high[last])
            row.append(" to ".join(short(value) for value in ends) or "–")
        if crossed:
            row.append(str(len(line.crosses)))
        rows.append(tuple(row))
    if not rows:
        return None
    return Table(tuple(columns), tuple(rows), "l" + "r" * (len(columns) - 1), panel.title)


def _heat(panel: HeatPanel) -> Table | None:
    if not panel.rows:
        return None
    corner = f"{panel.row_label} \\ {panel.column_label}" if panel.row_label else ""
    rows = tuple(
        (name, *map(_cell, row)) for name, row in zip(panel.rows, panel.cells, strict=True)
    )
    return Table((corner, *panel.columns), rows, "l" + "r" * len(panel.columns), panel.title)


def _cell(cell: HeatCell | None) -> str:
    if cell is None:
        return ""
    return short(cell.value) + (f" ✕{cell.diverged}" if cell.diverged else "")


def _intervals(panel: IntervalPanel) -> Table | None:
    if not panel.rows:
        return None
    places = decimals((row.high - row.low) / 2 for row in panel.rows)
    rows = []
    for row in panel.rows:
        finite = [value for value in row.points if math.isfinite(value)]
        rows.append(
            (
                row.name,
                interval(row.estimate, row.low, row.high, places),
                fixed(row.median, places),
                fixed(min(finite), places) if finite else "–",
                fixed(max(finite), places) if finite else "–",
                row.note,
            )
        )
    columns = ("", panel.axis.label or "estimate", "median", "smallest", "largest", "")
    return Table(columns, tuple(rows), "lrrrrl", panel.title)
