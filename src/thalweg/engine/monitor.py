"""What validation says as training goes on: when to stop or lower a rate, what was best.

Plain arithmetic over runs on the host, once per evaluation.
"""

from __future__ import annotations

import numpy as np

__all__ = ["Monitor"]


class Monitor:
    """The validation losses of a wave of runs, as far as decisions depend on them.

    Args:
        runs: number of lanes.
        patiences: patiences of the plateau schedules in use.

    Attributes:
        best: lowest validation loss so far, float64 [lane].
        since_best: evaluations since then, int32 [lane].
        reductions: plateaus so far per patience, int32 [lane, patience].
    """

    def __init__(self, runs: int, patiences: tuple[int, ...] = ()) -> None:
        self.patiences = np.asarray(patiences, np.int32)
        self.best = np.full(runs, np.inf)
        self.since_best = np.zeros(runs, np.int32)
        self.waited = np.zeros((runs, len(patiences)), np.int32)
        self.reductions = np.zeros((runs, len(patiences)), np.int32)

    def observe(self, losses: np.ndarray) -> np.ndarray:
        """Take in one evaluation.

        Args:
            losses: validation losses, [lane]; non-finite ones are no improvement.

        Returns:
            Which runs improved, bool [lane].
        """
        improved = losses < self.best
        self.best = np.where(improved, losses, self.best)
        self.since_best = np.where(improved, 0, self.since_best + 1).astype(np.int32)
        self.waited = np.where(improved[:, None], 0, self.waited + 1).astype(np.int32)
        plateau = self.waited >= self.patiences
        self.reductions += plateau
        self.waited[plateau] = 0
        return improved

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything it knows, by name, for a checkpoint."""
        return {name: getattr(self, name) for name in self._NAMES}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from what ``arrays`` returned."""
        for name in self._NAMES:
            setattr(self, name, np.array(arrays[name]))

    _NAMES = ("best", "since_best", "waited", "reductions")
