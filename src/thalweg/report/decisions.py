"""Decision boundaries of typical runs, from the arrays a run on a plane leaves behind."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from thalweg.record.tables import Run
from thalweg.report.groups import Curves, Group, View
from thalweg.report.parts import BoundaryPanel, Figure, Section
from thalweg.report.words import digits

__all__ = ["boundaries", "typical_first"]

MOST_PANELS = 12
TRAIN = 0  # in ``decision_split``: 0 train, 1 validation, 2 test


def boundaries(view: View, curves: Curves) -> Section | None:
    """One panel per group: the run nearest the group's median of those that have a grid."""
    panels = [panel for group in view.groups if (panel := _panel(view, group, curves)) is not None]
    if not panels:
        return None
    shown = panels[:MOST_PANELS]
    typical = ", for the run nearest the median of each" if len(view.experiment.runs) > 1 else ""
    caption = (
        f"Class probabilities over the two inputs{typical}. Colour "
        "is the likelier class, its strength the probability; the boundary runs where colour fades."
    )
    if any(len(panel.seen) and not panel.seen.all() for panel in shown):
        caption += " Full dots were trained on, rings were not."
    if view.metric.endswith(".energy"):
        caption += " Class 0 are samples that a generator made, class 1 examples."
    if len(panels) > len(shown):
        caption += f" The best {len(shown)} of {len(panels)}."
    figure = Figure("Decision boundaries", caption, tuple(shown), 3)
    return Section("Decision boundaries", (figure,))


def _panel(view: View, group: Group, curves: Curves) -> BoundaryPanel | None:
    for run in typical_first(view, group):
        arrays = curves.arrays(run.id)
        if "decision_grid" in arrays and "decision_extent" in arrays:
            return _from_arrays(view, group, run, arrays)
    return None


def typical_first(view: View, group: Group) -> list[Run]:
    """Runs by how far they end from the group's median; those without a value last."""
    values = {run.id: run.finals.get(view.metric, math.nan) for run in group.runs}
    finite = [value for value in values.values() if math.isfinite(value)]
    if not finite:
        return list(group.runs)
    median = float(np.median(finite))
    distance = {i: abs(v - median) if math.isfinite(v) else math.inf for i, v in values.items()}
    return sorted(group.runs, key=lambda run: distance[run.id])


def _from_arrays(
    view: View, group: Group, run: Run, arrays: Mapping[str, np.ndarray]
) -> BoundaryPanel:
    grid = np.asarray(arrays["decision_grid"], np.uint8)
    if grid.shape[-1] == 1:  # one output: the probability of the second class
        grid = np.concatenate([255 - grid, grid], axis=-1)
    points = np.asarray(arrays.get("decision_points", np.zeros((0, 2))), float)
    labels = np.asarray(arrays.get("decision_labels", np.zeros(len(points))), int)
    split = np.asarray(arrays.get("decision_split", np.zeros(len(points))), int)
    x0, x1, y0, y1 = (float(v) for v in np.ravel(arrays["decision_extent"]))
    value = run.finals.get(view.metric, math.nan)
    note = f"{view.metric} {digits(value)}, seed {run.seed}" if view.metric else f"seed {run.seed}"
    return BoundaryPanel(group.name, grid, (x0, x1, y0, y1), points, labels, split == TRAIN, note)
