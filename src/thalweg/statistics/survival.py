"""Time to a target: Kaplan–Meier estimates and the log-rank test.

A run that never met the target is right-censored at its last step: it might have met it later.
A run that diverged never will, so it is censored at the end of the longest run instead of at the
step at which it broke, where it would count as if it could still have arrived.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import scipy

from thalweg.statistics.comparison import Interval, Observation, Survival

__all__ = ["log_rank", "survival", "times_to_target"]


def times_to_target(runs: Sequence[Observation], longest: int) -> tuple[np.ndarray, np.ndarray]:
    """When each run met the target or was last seen.

    Args:
        runs: the runs of one level.
        longest: steps of the longest run in the context, at which diverged runs are censored.

    Returns:
        Steps, and whether the target was met there, each of shape (runs,).
    """
    met = np.array([run.target_step is not None for run in runs], dtype=bool)
    steps = [
        run.target_step if run.target_step is not None else longest if run.failed else run.steps
        for run in runs
    ]
    return np.array(steps, dtype=float), met


def survival(level: str, steps: np.ndarray, met: np.ndarray, confidence: float) -> Survival:
    """Kaplan–Meier estimate of the share of runs not yet at the target.

    The interval of the median inverts the log-log interval of the share (Brookmeyer and Crowley
    1982): it holds the steps at which a share of one half is not excluded.

    Args:
        level: name of the level.
        steps: step at which the target was met or the run last seen, shape (runs,).
        met: whether it was met, shape (runs,).
        confidence: coverage of the interval of the median.

    Returns:
        The estimate; NaN bounds where too few runs arrived to give one.
    """
    unknown = Interval(math.nan, math.nan, math.nan)
    if len(steps) == 0:
        return Survival(level, (), (), unknown, 0, 0)
    curve = scipy.stats.ecdf(scipy.stats.CensoredData(uncensored=steps[met], right=steps[~met])).sf
    with warnings.catch_warnings():
        # The interval is undefined, with a warning, where the share is 0 or 1.
        warnings.simplefilter("ignore", RuntimeWarning)
        bounds = curve.confidence_interval(confidence, method="log-log")
    share = curve.probabilities
    # Where all have arrived the exact bound for none of n runs takes its place (Clopper-Pearson).
    last = 1 - ((1 - confidence) / 2) ** (1 / len(steps))
    high = np.where(share <= 0, last, np.where(share >= 1, 1.0, bounds.high.probabilities))
    low = np.where(share <= 0, 0.0, np.where(share >= 1, 1.0, bounds.low.probabilities))
    median = Interval(*(_first_below_half(curve.quantiles, each) for each in (share, low, high)))
    return Survival(
        level,
        tuple(curve.quantiles.tolist()),
        tuple(share.tolist()),
        median,
        int(met.sum()),
        len(steps),
    )


def _first_below_half(steps: np.ndarray, share: np.ndarray) -> float:
    # Shares are products of fractions, so one half is met up to rounding.
    below = share <= 0.5 + 1e-12
    return float(steps[np.argmax(below)]) if below.any() else math.nan


def log_rank(groups: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """P value of the log-rank test that all groups meet the target equally fast.

    Args:
        groups: (steps, met) of each level, as ``survival`` takes them.

    Returns:
        The p value; NaN for fewer than two groups or where no run met the target.
    """
    groups = [group for group in groups if len(group[0])]
    steps = np.concatenate([np.empty(0), *(group[0] for group in groups)])
    met = np.concatenate([np.empty(0, dtype=bool), *(group[1] for group in groups)])
    member = np.repeat(np.arange(len(groups)), [len(group[0]) for group in groups])
    if len(groups) < 2 or not met.any():
        return math.nan
    event_steps = np.unique(steps[met])[:, None]
    belongs = member[:, None] == np.arange(len(groups))
    waiting = (steps >= event_steps).astype(float) @ belongs
    arriving = ((steps == event_steps) & met).astype(float) @ belongs
    n, d = waiting.sum(axis=1), arriving.sum(axis=1)
    expected = waiting * (d / n)[:, None]
    excess = (arriving - expected).sum(axis=0)
    # Covariance of a multivariate hypergeometric draw at each step at which a target was met.
    share = waiting / n[:, None]
    weight = d * (n - d) / np.maximum(n - 1, 1)
    covariance = np.diag(weight @ share) - (share * weight[:, None]).T @ share
    rank = np.linalg.matrix_rank(covariance)
    if rank == 0:
        return 1.0  # all that could arrive arrived at once: nothing to tell them apart
    statistic = excess @ np.linalg.pinv(covariance, hermitian=True) @ excess
    return float(scipy.stats.chi2.sf(statistic, rank))
