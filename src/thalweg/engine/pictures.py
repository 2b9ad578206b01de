"""Decision boundaries: what a network says all over a two-dimensional input space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from thalweg.engine import program
from thalweg.engine.lanes import Lane, State
from thalweg.engine.layout import Layout
from thalweg.engine.plan import Job
from thalweg.record.tables import ArraysUpdate

__all__ = ["decision_arrays", "decision_grid"]

GRID = 64


class Grid(NamedTuple):
    """Points all over the input space of some runs: [point, 2], and where they lie, [4]."""

    inputs: np.ndarray
    extent: np.ndarray


def decision_grid(jobs: Sequence[Job]) -> Grid | None:
    """Where the runs are pictured; None where none is, or inputs have not two dimensions."""
    dataset = jobs[0].dataset
    wanted = [job for job in jobs if job.pictured]
    flat = dataset.inputs.shape[1:] == (2,) and not dataset.vocabulary
    if not wanted or not flat or dataset.task in ("regression", "generation"):
        return None
    inputs = np.concatenate([job.dataset.inputs for job in wanted])
    low, high = np.nanmin(inputs, axis=0), np.nanmax(inputs, axis=0)
    margin = 0.08 * (high - low)
    low, high = low - margin, high + margin
    x, y = np.linspace(low[0], high[0], GRID), np.linspace(low[1], high[1], GRID)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
    return Grid(points, np.array([low[0], high[0], low[1], high[1]], np.float32))


def decision_arrays(
    jobs: Sequence[Job], layout: Layout, lane: Lane, state: State
) -> Iterator[ArraysUpdate]:
    """Grids of class probabilities for the runs that are to be pictured.

    Yields, per run: ``decision_grid`` uint8 [row, column, class], probability times 255, rows by
    second input ascending; ``decision_extent`` float32 [4], x from, x to, y from, y to;
    ``decision_points`` float32 [row, 2], ``decision_labels`` int32 [row] and ``decision_split``
    uint8 [row] (0 training, 1 validation, 2 test, 3 none of them) of the data.
    """
    grid = decision_grid(jobs)
    if grid is None:
        return
    outputs = layout.take(program.predict(layout.used, lane, state, grid.inputs))
    for run, job in enumerate(jobs):
        if not job.pictured:
            continue
        split = np.full(len(job.dataset.inputs), 3, np.uint8)
        for part, rows in enumerate((job.split.train, job.split.validation, job.split.test)):
            split[rows] = part
        probabilities = np.clip(np.nan_to_num(outputs[run]), 0, 1)
        arrays = {
            "decision_grid": np.round(probabilities * 255).astype(np.uint8).reshape(GRID, GRID, -1),
            "decision_extent": grid.extent,
            "decision_points": job.dataset.inputs,
            "decision_labels": job.dataset.targets.astype(np.int32),
            "decision_split": split,
        }
        yield ArraysUpdate((job.id,), {name: array[None] for name, array in arrays.items()})
