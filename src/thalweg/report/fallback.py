"""The numbers of a figure as tables, for those who read or hear them instead."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from thalweg.report.heat import cell_words
from thalweg.report.parts import (
    BoundaryPanel,
    ContourPanel,
    Figure,
    GraphNode,
    GraphPanel,
    HeatCell,
    HeatPanel,
    IntervalPanel,
    LatticePanel,
    Line,
    LinePanel,
    Panel,
    PicturePanel,
    Table,
)
from thalweg.report.words import decimals, digits, fixed, interval, short

__all__ = ["figure_tables"]


def figure_tables(figure: Figure) -> list[Table]:
    """The numbers of a figure: curves over several panels in one table, other panels one each."""
    curves = [panel for panel in figure.panels if isinstance(panel, LinePanel) and panel.lines]
    if len(curves) > 1:
        return [_many(curves)]
    planes = [panel for panel in figure.panels if isinstance(panel, ContourPanel)]
    planes = [panel for panel in planes if panel.seen_from == "above"]
    if len(planes) > 1:
        others = (panel for panel in figure.panels if not isinstance(panel, ContourPanel))
        tables = [_planes(planes), *map(_table, others)]
    else:
        tables = [_table(panel) for panel in figure.panels]
    return [table for table in tables if table is not None]


def _table(panel: Panel) -> Table | None:
    match panel:
        case LinePanel():
            return _lines(panel) if panel.lines else None
        case HeatPanel():
            return _heat(panel) if panel.rows else None
        case IntervalPanel():
            return _intervals(panel) if panel.rows else None
        case LatticePanel():
            return _steps(panel)
        case GraphPanel():
            return _graph(panel) if panel.nodes else None
        case ContourPanel(seen_from="above"):
            return _planes([panel])
        case ContourPanel() | BoundaryPanel() | PicturePanel():
            return None  # an image; its title names the run


def _many(panels: list[LinePanel]) -> Table:
    """The last value of every curve in every panel, the longer of the two lists downwards."""
    curves = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    last = {
        (index, line.name): _last(line)[1]
        for index, panel in enumerate(panels)
        for line in panel.lines
    }
    titles = [panel.title for panel in panels]
    grid = [[last.get((i, name), "") for i in range(len(panels))] for name in curves]
    if len(titles) > len(curves):
        curves, titles, grid = titles, curves, [list(row) for row in zip(*grid, strict=True)]
    rows = tuple((name, *row) for name, row in zip(curves, grid, strict=True))
    along = panels[0].x.label
    caption = "Values at the last step" if along == "steps" else f"Values at the largest {along}"
    return Table(("", *titles), rows, "l" + "r" * len(titles), caption)


def _last(line: Line) -> tuple[str, str, str]:
    """Where a curve ends: x, y and band."""
    known = [i for i, value in enumerate(line.y) if math.isfinite(value)]
    if not known:
        return "–", "–", "–"
    last = known[-1]
    band = f"{digits(line.low[last])} to {digits(line.high[last])}" if line.low else "–"
    return short(line.x[last]), digits(line.y[last], 4), band


def _lines(panel: LinePanel) -> Table:
    """Where every curve ends."""
    banded = any(line.low for line in panel.lines)
    crossed = any(line.crosses for line in panel.lines)
    columns = ("curve", panel.x.label or "x", panel.y.label or "value")
    columns += (panel.band,) * banded + ("diverged",) * crossed
    rows = []
    for line in panel.lines:
        x, y, band = _last(line)
        row = (line.name, x, y, *[band] * banded, *[str(len(line.crosses))] * crossed)
        rows.append(row)
    return Table(columns, tuple(rows), "l" + "r" * (len(columns) - 1), panel.title)


def _heat(panel: HeatPanel) -> Table:
    corner = f"{panel.row_label} \\ {panel.column_label}" if panel.row_label else ""
    rows = tuple(
        (name, *(_cell(panel, cell) for cell in row))
        for name, row in zip(panel.rows, panel.cells, strict=True)
    )
    return Table((corner, *panel.columns), rows, "l" + "r" * len(panel.columns), panel.title)


def _cell(panel: HeatPanel, cell: HeatCell | None) -> str:
    if cell is None:
        return ""
    diverged = f"✕{cell.diverged}" if cell.diverged else ""
    note = f"({cell.note})" if cell.note else ""
    # No-break spaces keep a cell on one line.
    return "\xa0".join(filter(None, (cell_words(panel, cell), note, diverged)))


def _steps(panel: LatticePanel) -> Table:
    rows = []
    for number, step in enumerate(panel.steps, 1):
        said = [(f"{node.word}\xa0{fixed(node.total, 2)}", node.kept) for node in step]
        ways = [", ".join(text for text, kept in said if kept == which) for which in (True, False)]
        rows.append((str(number), *ways))
    return Table(("step", "kept", "pruned"), tuple(rows), "rll", panel.title)


def _planes(panels: Sequence[ContourPanel]) -> Table | None:
    """Where trails begin and end, and what points are marked, of several panels in one table."""
    across, up = panels[0].x.label or "x", panels[0].y.label or "y"
    noted = any(trail.note for panel in panels for trail in panel.trails)
    titled = len(panels) > 1
    rows = []
    for panel in panels:
        title = [panel.title] * titled
        for trail in panel.trails:
            points = trail.points[np.all(np.isfinite(trail.points), axis=1)]
            ends = [short(float(v), 4) for v in (*points[0], *points[-1])] if len(points) else []
            steps = str(max(len(points) - 1, 0))
            places = ends or ["–"] * 4
            rows.append((*title, trail.name, steps, *places, *[trail.note] * noted))
        for mark in panel.marks:
            name = f"{mark.label} ({mark.kind})" if mark.label else mark.kind
            place = ("", "", "", short(mark.x, 4), short(mark.y, 4))
            rows.append((*title, name, *place, *[""] * noted))
    columns = (*["panel"] * titled, "what", "steps", f"{across} at first", f"{up} at first")
    columns += (across, up, *["what became of it"] * noted)
    alignment = "l" * titled + "lrrrrr" + "l" * noted
    caption = "" if titled else panels[0].title
    return Table(columns, tuple(rows), alignment, caption) if rows else None


def _graph(panel: GraphPanel) -> Table:
    """Nodes in order, numbered, each with the numbers of those that it is made from."""
    numbers = {node.name: str(number) for number, node in enumerate(panel.nodes, 1)}
    operands: dict[str, list[str]] = {}
    for edge in panel.edges:
        label = f"\xa0({edge.label})" if edge.label else ""
        operands.setdefault(edge.target, []).append(numbers[edge.source] + label)
    grouped = any(node.groups for node in panel.nodes)
    rows = []
    for node in panel.nodes:
        made = ", ".join(operands.get(node.name, [])) or _kind(node)
        within = (" / ".join(node.groups),) if grouped else ()
        rows.append((numbers[node.name], node.label, made, ", ".join(node.lines), *within))
    columns = ("", "node", "made from", "values", *(("part of",) if grouped else ()))
    return Table(columns, tuple(rows), "r" + "l" * (len(columns) - 1), panel.title)


def _kind(node: GraphNode) -> str:
    """What stands in place of operands where there are none."""
    return node.kind if node.kind in ("input", "constant") else "–"


def _intervals(panel: IntervalPanel) -> Table:
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
