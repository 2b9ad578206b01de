"""Where the runs of a wave stand: along one axis on the host, in chunks of lanes on the devices."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import Array

from thalweg.engine.devices import ALONG_RUNS, EVERYWHERE, Spread, apart, fetched, put
from thalweg.engine.spreading import placed

__all__ = ["Layout"]

Tree = Any


class Layout:
    """The places of some runs among the lanes of a program; chunks fill the devices in turn.

    Args:
        runs: how many runs there are.
        lanes: lanes there are, over all devices; those beyond the runs are padding.
        width: lanes a chunk.
        order: the runs in the order in which they take places; as they are numbered if not given.
        spread: how the devices share them.
    """

    def __init__(
        self,
        runs: int,
        lanes: int,
        width: int,
        order: np.ndarray | None = None,
        spread: Spread = None,
    ) -> None:
        self.runs, self.lanes, self.width = runs, lanes, width
        self.spread: Spread = spread
        self.chunks = lanes // width
        chunks = np.arange(self.chunks).reshape(apart(spread), -1).T.reshape(-1)
        places = (chunks[:, None] * width + np.arange(width)).reshape(-1)[:runs]
        order = np.arange(runs) if order is None else order
        self._lane = np.empty(runs, int)
        self._lane[order] = places
        # Padding lanes hold copies of the first run.
        self._run = np.zeros(lanes, int)
        self._run[places] = order
        self.chunk = self._lane // width

    def packed(self, runs: np.ndarray) -> Layout:
        """The layout in which some of the runs, bool [run], fill as few chunks as they can."""
        order = np.argsort(~runs, kind="stable")
        return Layout(self.runs, self.lanes, self.width, order, self.spread)

    def turns(self, runs: np.ndarray) -> int:
        """How many chunks the busiest device works through where only some runs take steps."""
        return int(self._used(runs).reshape(apart(self.spread), -1).sum(axis=1).max())

    def used(self, runs: np.ndarray) -> Array:
        """Which chunks hold any of some runs, bool [run]; bool [chunk] on the devices."""
        return self._put(self._used(runs))

    def _used(self, runs: np.ndarray) -> np.ndarray:
        used = np.zeros(self.chunks, bool)
        used[self.chunk[runs]] = True
        return used

    def place(self, tree: Tree) -> Tree:
        """Arrays [run, ...] on the devices as [chunk, lane, ...]."""

        def one(leaf: Any) -> np.ndarray:
            filled = np.asarray(leaf)[self._run]
            return filled.reshape(self.chunks, self.width, *filled.shape[1:])

        laid_out = jax.tree.map(one, tree)
        if self.spread is None:
            return jax.tree.map(self._put, laid_out)
        return placed(self.spread, laid_out, put, leading=2)

    def masked(self, runs: np.ndarray) -> Array:
        """Flags or numbers of runs on the devices, [chunk, lane, ...]; zero for padding."""
        flat = np.zeros((self.lanes, *runs.shape[1:]), runs.dtype)
        flat[self._lane] = runs
        return self._put(flat.reshape(self.chunks, self.width, *runs.shape[1:]))

    def _put(self, array: np.ndarray) -> Array:
        return put(array, ALONG_RUNS if self.spread is None else EVERYWHERE)

    def take(self, array: Any) -> np.ndarray:
        """The runs' rows of an array [chunk, lane, ...], as [run, ...] on the host."""
        array = fetched(array)
        return array.reshape(self.lanes, *array.shape[2:])[self._lane]
