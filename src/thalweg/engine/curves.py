"""Curves of a wave while they grow: gathered for all runs together, handed out run by run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thalweg.record.tables import SeriesChunk

__all__ = ["Curves"]


class Curves:
    """Points of curves that are not yet in the record.

    Args:
        runs: ids of the runs of the wave.
    """

    def __init__(self, runs: Sequence[str]) -> None:
        self._runs = runs
        self._points: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}

    def add(self, name: str, steps: np.ndarray, values: np.ndarray, count: np.ndarray) -> None:
        """Add points to one curve of every run.

        Args:
            name: name of the series.
            steps: int [point], the same for all runs.
            values: [run, point].
            count: int [run], how many of the points, from the first, each run has.
        """
        self._points.setdefault(name, []).append((steps, values, count))

    def add_point(self, name: str, step: int, values: np.ndarray, live: np.ndarray) -> None:
        """Add one point; values [run], live bool [run]."""
        self.add(name, np.array([step]), values[:, None], live.astype(int))

    def take(self) -> list[SeriesChunk]:
        """All points so far as one stretch per run and curve; they are then forgotten."""
        chunks = []
        for name, pieces in self._points.items():
            steps = np.concatenate([steps for steps, _, _ in pieces]).astype(np.int32)
            values = np.concatenate([values for _, values, _ in pieces], axis=1)
            with np.errstate(over="ignore"):  # what no single can hold is infinite in the record
                values = values.astype(np.float32)
            present = np.concatenate(
                [np.arange(len(steps)) < count[:, None] for steps, _, count in pieces], axis=1
            )
            whole = np.asarray(present.all(axis=1))
            for run, id_ in enumerate(self._runs):
                kept = present[run]
                if whole[run]:  # the same steps for all runs: the record then stores them once
                    chunks.append(SeriesChunk(id_, name, steps, values[run]))
                elif kept.any():
                    chunks.append(SeriesChunk(id_, name, steps[kept], values[run][kept]))
        self._points = {}
        return chunks
