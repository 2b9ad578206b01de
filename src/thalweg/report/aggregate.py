"""Many curves as one: the median over seeds with its 10–90 % band.

A run that diverged counts from then on as worse than every other: its value is infinite, so the
median and the band move to the bad side, and nothing is averaged over survivors alone. A run that
stopped early keeps its last value. A run still training says nothing about later steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.record.tables import Run
from thalweg.report.groups import Curves, Group

__all__ = ["Summary", "summarise"]

# Enough for a panel as wide as a page; a curve has up to tens of thousands of points.
MOST_POINTS = 120


@dataclass(frozen=True)
class Summary:
    """Steps [n], median and band [n] of a group, and where its runs diverged."""

    steps: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    crosses: tuple[tuple[float, float], ...]


def summarise(name: str, group: Group, curves: Curves, worst: float) -> Summary | None:
    """Summarise one curve of a group.

    Args:
        name: of the series.
        group: runs that differ in their seed alone.
        curves: where they are read.
        worst: value of a diverged run: infinity where less is better, else minus infinity.

    Returns:
        The summary, or None where no run of the group has a finite point.
    """
    found = curves.series(name, [run.id for run in group.runs])
    kept = [(run, *_finite(*found[run.id])) for run in group.runs if run.id in found]
    if not any(len(steps) for _, steps, _ in kept):
        return None
    grid = _grid([steps for _, steps, _ in kept])
    values = np.array([_on_grid(run, steps, held, grid, worst) for run, steps, held in kept])
    crosses = tuple(
        (float(run.step), float(held[-1]) if len(held) else worst)
        for run, steps, held in kept
        if run.outcome == "diverged"
    )
    low, median, high = (quantile(values, share) for share in (0.1, 0.5, 0.9))
    return Summary(grid, median, low, high, crosses)


def quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Linear quantiles of each column, NaN left out, infinite values allowed.

    numpy's own turn NaN wherever an infinite value takes part, even with weight 0.
    """
    ordered = np.sort(values, axis=0)  # NaN last
    counts = (~np.isnan(values)).sum(axis=0)
    place = share * np.maximum(counts - 1, 0)
    below = np.floor(place).astype(int)
    above = np.ceil(place).astype(int)
    first = np.take_along_axis(ordered, below[None], axis=0)[0]
    second = np.take_along_axis(ordered, above[None], axis=0)[0]
    weight = place - below
    with np.errstate(invalid="ignore"):
        between = (1 - weight) * first + weight * second
    return np.where((first == second) | (weight == 0), first, between)


def _finite(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A curve up to its last point before it turned non-finite for good."""
    known = np.isfinite(values)
    return np.asarray(steps)[known].astype(float), np.asarray(values)[known].astype(float)


def _grid(curves: Sequence[np.ndarray]) -> np.ndarray:
    steps = np.unique(np.concatenate(curves))
    if len(steps) <= MOST_POINTS:
        return steps
    return steps[np.unique(np.linspace(0, len(steps) - 1, MOST_POINTS).round().astype(int))]


def _on_grid(
    run: Run, steps: np.ndarray, values: np.ndarray, grid: np.ndarray, worst: float
) -> np.ndarray:
    if not len(steps):
        return np.full(len(grid), worst if run.outcome == "diverged" else math.nan)
    after = {"diverged": worst, "finished": values[-1], "stopped": values[-1]}
    return np.interp(grid, steps, values, left=math.nan, right=after.get(run.outcome, math.nan))
