"""Pictures that runs leave behind: decision boundaries, what a network says all over a
two-dimensional input space; and images, those it made or restored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from thalweg.catalogue.losses import Wasserstein
from thalweg.engine import program
from thalweg.engine.kept import generated, has_way_back, said
from thalweg.engine.lanes import Lane, State
from thalweg.engine.layout import Layout
from thalweg.engine.plan import Job
from thalweg.record.tables import ArraysUpdate

__all__ = ["decision_arrays", "decision_grid", "image_arrays"]

GRID = 64

# Images that are kept of a run: as many as a report shows.
IMAGES = 64

Arrays = Mapping[str, Any]


class Grid(NamedTuple):
    """Points all over the input space of some runs: [point, 2], and where they lie, [4]."""

    inputs: np.ndarray
    extent: np.ndarray


def decision_grid(jobs: Sequence[Job]) -> Grid | None:
    """Where the runs are pictured; None where none is, or inputs have not two dimensions."""
    dataset = jobs[0].dataset
    wanted = [job for job in jobs if job.pictured]
    flat = dataset.inputs.shape[1:] == (2,) and not dataset.vocabulary
    if not wanted or not flat or dataset.facts.has_numbers or dataset.is_stored:
        return None
    inputs = np.concatenate([job.dataset.whole("the plane") for job in wanted])
    low, high = np.nanmin(inputs, axis=0), np.nanmax(inputs, axis=0)
    margin = 0.08 * (high - low)
    low, high = low - margin, high + margin
    x, y = np.linspace(low[0], high[0], GRID), np.linspace(low[1], high[1], GRID)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
    return Grid(points, np.array([low[0], high[0], low[1], high[1]], np.float32))


def decision_arrays(
    jobs: Sequence[Job], layout: Layout, lane: Lane, state: State, kept: Arrays
) -> Iterator[ArraysUpdate]:
    """Grids of class probabilities for the runs that are to be pictured.

    Args:
        jobs, layout, lane, state: the runs.
        kept: their arrays for the record, [run, ...], by name.

    Yields, per run: ``decision_grid`` uint8 [row, column, class], probability times 255, rows by
    second input ascending; ``decision_extent`` float32 [4], x from, x to, y from, y to;
    ``decision_points`` float32 [row, 2], ``decision_labels`` int32 [row] and ``decision_split``
    uint8 [row] (0 training, 1 validation, 2 test, 3 none of them) of the data. Of a GAN the classes
    are samples and examples, as its discriminator tells them, and as many samples are among the
    points.
    """
    grid = decision_grid(jobs)
    if grid is None:
        return
    used = layout.used(np.array([job.pictured for job in jobs]))
    outputs = layout.take(program.predict(used, lane, state, grid.inputs, layout.spread))
    for run, job in enumerate(jobs):
        if not job.pictured:
            continue
        if job.dataset.facts.makes_samples:
            own = {name: values[run] for name, values in kept.items()}
            if has_way_back(job, own):
                yield _game(job, outputs[run], grid, own)
            continue
        split = _parts(job)
        probabilities = np.clip(np.nan_to_num(outputs[run]), 0, 1)
        arrays = {
            "decision_grid": np.round(probabilities * 255).astype(np.uint8).reshape(GRID, GRID, -1),
            "decision_extent": grid.extent,
            "decision_points": job.dataset.inputs,
            "decision_labels": job.dataset.whole_targets("the plane").astype(np.int32),
            "decision_split": split,
        }
        yield ArraysUpdate((job.id,), {name: array[None] for name, array in arrays.items()})


def _parts(job: Job) -> np.ndarray:
    """Which part of the split each row is in, uint8 [row]; 3 for none."""
    parts = np.full(job.dataset.rows, 3, np.uint8)
    for part, rows in enumerate((job.split.train, job.split.validation, job.split.test)):
        parts[rows] = part
    return parts


def _game(job: Job, scores: np.ndarray, grid: Grid, kept: Arrays) -> ArraysUpdate:
    """The plane of a discriminator, with examples and samples in it."""
    made = np.nan_to_num(generated(job, kept, job.dataset.rows, 0))
    # A critic gives no probabilities; its plane stays without a side.
    p = np.nan_to_num(scores) if _is_probability(job) else np.full_like(scores, 0.5)
    told = np.round(255 * np.concatenate([1 - p, p], axis=-1)).astype(np.uint8)
    labels = np.repeat(np.array([1, 0], np.int32), job.dataset.rows)
    arrays = {
        "decision_grid": told.reshape(GRID, GRID, 2),
        "decision_extent": grid.extent,
        "decision_points": np.concatenate([job.dataset.whole("the plane"), made]),
        "decision_labels": labels,
        "decision_split": np.concatenate([_parts(job), np.zeros(job.dataset.rows, np.uint8)]),
    }
    return ArraysUpdate((job.id,), {name: array[None] for name, array in arrays.items()})


def _is_probability(job: Job) -> bool:
    return not isinstance(job.recipe.loss, Wasserstein)


def image_arrays(jobs: Sequence[Job], kept: Arrays) -> Iterator[ArraysUpdate]:
    """Images of the runs that are to be pictured, where they make some.

    Yields, per run: ``pictures_made`` uint8 [image, height, width, channel], samples of a GAN or
    what became of examples that were not trained on; and these, ``pictures_given``, the same. None
    of samples that cannot be brought back to units of the data.
    """
    for run, job in enumerate(jobs):
        shape = job.dataset.inputs.shape[1:]
        if not job.pictured or len(shape) != 3 or shape[-1] not in (1, 3):
            continue
        own = {name: values[run] for name, values in kept.items()}
        if job.dataset.facts.makes_samples:
            if not has_way_back(job, own):
                continue
            found = {"pictures_made": generated(job, own, IMAGES, 0)}
        elif _is_reconstruction(job):
            split = job.split
            rows = next(part for part in (split.test, split.validation, split.train) if len(part))
            given = job.dataset.inputs[rows[: IMAGES // 2]]
            found = {"pictures_made": said(job, own, given).reshape(given.shape)}
            found["pictures_given"] = given
        else:
            continue
        arrays = {name: _shades(job, images)[None] for name, images in found.items()}
        yield ArraysUpdate((job.id,), arrays)


def _is_reconstruction(job: Job) -> bool:
    """Whether targets are the inputs."""
    inputs, targets = job.dataset.inputs, job.dataset.targets
    flat = job.dataset.facts.has_numbers and targets.shape[1] == job.dataset.features
    return flat and np.array_equal(targets[:1].ravel(), inputs[:1].ravel())


def _shades(job: Job, images: np.ndarray) -> np.ndarray:
    """Images as bytes, the range of the data, or of a sample of them, from black to white."""
    seen = job.dataset.sample()
    low, high = seen.min(), seen.max()
    share = (np.nan_to_num(images) - low) / max(high - low, np.finfo(np.float32).tiny)
    return np.round(255 * np.clip(share, 0, 1)).astype(np.uint8)
