"""What averaging the predictions of several runs gains over one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.statistics.comparison import Interval
from thalweg.statistics.intervals import Floats, mean_intervals

__all__ = ["HIGHER_IS_BETTER", "EnsembleLevel", "Ensembles", "Gain", "gains", "scores"]

#: What is measured of predictions, and its direction.
HIGHER_IS_BETTER = {"accuracy": True, "cross_entropy": False, "rmse": False, "r2": True}


@dataclass(frozen=True)
class Gain:
    """One metric of the ensembles of a level; all three are means over its ensembles.

    Args:
        metric: ``test.accuracy``.
        higher_is_better: its direction.
        members: the metric of single runs, averaged over the members of each ensemble.
        ensembles: the metric of averaged predictions.
        gain: by how much an ensemble is better than its own members are on average.
        values: the metric of each ensemble.
    """

    metric: str
    higher_is_better: bool
    members: Interval
    ensembles: Interval
    gain: Interval
    values: tuple[float, ...]


@dataclass(frozen=True)
class EnsembleLevel:
    """The ensembles of one level in one context.

    Args:
        level, configuration, context: as in a comparison.
        seeds: of the members of each ensemble.
        diverged: how many members diverged; they speak as they last did before.
        gains: one for each metric.
    """

    level: str
    configuration: str
    context: str
    seeds: tuple[tuple[int, ...], ...]
    diverged: int
    gains: tuple[Gain, ...]

    def merit(self, metric: str) -> float:
        """Smaller is better: by a metric, or by the first there is."""
        found = next((gain for gain in self.gains if gain.metric == metric), self.gains[0])
        value = found.ensembles.estimate
        return -value if found.higher_is_better else value


@dataclass(frozen=True)
class Ensembles:
    """Ensembles of runs that differ in nothing but their seed.

    Args:
        size: members of each.
        alpha: intervals cover 1 - alpha.
        shared_split: whether the members of one ensemble share a split that others do not have.
        levels: by context, best first.
    """

    size: int
    alpha: float
    shared_split: bool
    levels: tuple[EnsembleLevel, ...]


def scores(predicted: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Metrics of predictions.

    Args:
        predicted: probabilities [row, class], or values [row, output].
        targets: positions of classes, integers [row], or values [row, output].

    Returns:
        ``accuracy`` and ``cross_entropy``; for values ``rmse``, and ``r2`` where targets vary.
    """
    said = np.asarray(predicted, np.float64)
    if targets.ndim > 1:
        error = float(((said - targets) ** 2).mean())
        spread = float(targets.astype(np.float64).var(axis=0).mean())
        found = {"rmse": float(np.sqrt(error))}
        return {**found, "r2": 1 - error / spread} if spread else found
    # Of two equal probabilities the second class has it, as where runs are evaluated.
    decided = said[:, 1] >= said[:, 0] if said.shape[1] == 2 else said.argmax(axis=1)
    right = said[np.arange(len(said)), targets]
    # A probability too small for single precision counts as the smallest that is not.
    surprise = -np.log(np.maximum(right, np.finfo(np.float32).tiny))
    return {"accuracy": float((decided == targets).mean()), "cross_entropy": float(surprise.mean())}


def gains(
    said: Sequence[Sequence[np.ndarray]], targets: Sequence[np.ndarray], confidence: float
) -> tuple[Gain, ...]:
    """What ensembles gain, metric by metric.

    Args:
        said: for each ensemble the predictions of its members on its test rows.
        targets: for each ensemble those of its test rows.
        confidence: coverage of the intervals, which are over ensembles.
    """
    of_ensembles = [
        scores(np.stack(members).mean(axis=0, dtype=np.float64), own)
        for members, own in zip(said, targets, strict=True)
    ]
    of_members = [
        [scores(member, own) for member in members]
        for members, own in zip(said, targets, strict=True)
    ]
    names = [name for name in of_ensembles[0] if all(name in each for each in of_ensembles)]
    found = []
    for name in names:
        together = np.array([each[name] for each in of_ensembles], np.float64)
        alone = np.array([[one[name] for one in each] for each in of_members], np.float64)
        found.append(_gain(name, alone.mean(axis=1), together, confidence))
    return tuple(found)


def _gain(name: str, alone: Floats, together: Floats, confidence: float) -> Gain:
    higher = HIGHER_IS_BETTER[name]
    better = together - alone if higher else alone - together
    members, ensembles, gain = mean_intervals(
        [alone, together, better], confidence, resamples=9999, seed=0
    )
    return Gain(f"test.{name}", higher, members, ensembles, gain, tuple(together.tolist()))
