"""A page as data for programs: what stands in it, as JSON has it; what is not finite is null."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.report.colours import Theme
from thalweg.report.parts import (
    BoundaryPanel,
    ContourPanel,
    Figure,
    GraphPanel,
    HeatPanel,
    LatticePanel,
    LinePanel,
    Page,
    Panel,
    PicturePanel,
)

__all__ = ["figure_data", "to_data"]

_PAGE = Theme("page")


def to_data(page: Page) -> dict[str, Any]:
    """All that a page says, as dictionaries, lists, texts and numbers; parts by their ``type``."""
    return {
        "title": page.title,
        "subtitle": page.subtitle,
        "sections": [
            {"heading": section.heading, "parts": [_plain(part) for part in section.parts]}
            for section in page.sections
        ],
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        fields = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__.lower(), **fields}
    if isinstance(value, Mapping):
        return {str(key): _plain(held) for key, held in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(held) for held in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def figure_data(figure: Figure) -> dict[str, Any]:
    """The numbers of a figure as the script of a page reads them, rounded to what can be seen."""
    return {"title": figure.title, "panels": [_panel_data(panel) for panel in figure.panels]}


def _panel_data(panel: Panel) -> dict[str, Any]:
    data: dict[str, Any] = {"title": panel.title}
    match panel:
        case LinePanel():
            data["x"] = panel.x.label
            data["lines"] = [
                {
                    "name": line.name,
                    "colour": _PAGE.series(line.series, line.place),
                    "x": list(_numbers(line.x)),
                    "y": list(_numbers(line.y)),
                    "low": list(_numbers(line.low)),
                    "high": list(_numbers(line.high)),
                }
                for line in panel.lines
            ]
        case HeatPanel():
            data |= {"rows": panel.rows, "columns": panel.columns}
            data["values"] = [[cell and _finite(cell.value) for cell in row] for row in panel.cells]
        case GraphPanel():
            data["nodes"] = [dataclasses.asdict(node) for node in panel.nodes]
            data["edges"] = [dataclasses.asdict(edge) for edge in panel.edges]
        case LatticePanel():
            data["steps"] = [[dataclasses.asdict(node) for node in step] for step in panel.steps]
        case ContourPanel():
            data |= {"x": panel.x.label, "y": panel.y.label}
            data["trails"] = [
                {"name": trail.name, "points": [list(_numbers(at)) for at in trail.points.tolist()]}
                for trail in panel.trails
            ]
        case BoundaryPanel() | PicturePanel():
            pass  # the image and the dots are the data
        case _:
            data["rows"] = [
                {
                    "name": row.name,
                    "estimate": _finite(row.estimate),
                    "low": _finite(row.low),
                    "high": _finite(row.high),
                    "values": list(_numbers(row.points)),
                }
                for row in panel.rows
            ]
    return data


def _numbers(values: Sequence[float]) -> Iterator[float | None]:
    return map(_finite, values)


def _finite(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None
