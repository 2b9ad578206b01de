"""How sure an average over seeds is.

``interval`` is the confidence interval of a mean: BCa bootstrap, or Student's t below 8 seeds,
where the bootstrap is too narrow. ``bootstrap_intervals`` does the same for many samples at once;
``wilson`` is the interval of a share.

The bootstrap is written here because a comparison needs thousands of intervals: all samples of one
size share their resamples, and a resample is stored as the number of times each seed was drawn.
With the same seed the resamples are those of ``scipy.stats.bootstrap``, and so are the intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy  # its parts are loaded where they are used: statistics alone take a second
from numpy.typing import NDArray

from thalweg.statistics.comparison import Interval

__all__ = [
    "Floats",
    "Statistic",
    "bootstrap_intervals",
    "interquartile_mean",
    "mean_intervals",
    "t_interval",
    "wilson",
]

Floats: TypeAlias = NDArray[np.float64]
Statistic = Literal["mean", "interquartile_mean"]

BOOTSTRAP_FROM = 8  # seeds; below, the BCa interval of a mean is clearly too narrow
UNKNOWN = Interval(math.nan, math.nan, math.nan)


def interquartile_mean(values: Floats) -> float:
    """Mean of the middle half: a quarter of the values, rounded down, is cut from each end."""
    return float(scipy.stats.trim_mean(values, 0.25)) if len(values) else math.nan


@lru_cache(maxsize=256)
def wilson(count: int, total: int, confidence: float) -> Interval:
    """A share with its Wilson interval; NaN where the total is 0."""
    if total == 0:
        return UNKNOWN
    bounds = scipy.stats.binomtest(count, total).proportion_ci(confidence, method="wilson")
    return Interval(count / total, float(bounds.low), float(bounds.high))


def t_interval(values: Floats, confidence: float) -> Interval:
    """Mean with Student's t interval; NaN bounds for one value, NaN if any is not finite."""
    degenerate = _degenerate(values, "mean")
    if degenerate:
        return degenerate
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    reach = error * float(scipy.special.stdtrit(len(values) - 1, (1 + confidence) / 2))
    return Interval(mean, mean - reach, mean + reach)


def mean_intervals(
    samples: Sequence[Floats], confidence: float, *, resamples: int, seed: int
) -> list[Interval]:
    """Means with BCa intervals, or t intervals where a sample has fewer than 8 values."""
    bootstrapped = bootstrap_intervals(samples, "mean", (confidence,), resamples, seed)
    return [
        t_interval(sample, confidence) if len(sample) < BOOTSTRAP_FROM else found[0]
        for sample, found in zip(samples, bootstrapped, strict=True)
    ]


def bootstrap_intervals(
    samples: Sequence[Floats],
    statistic: Statistic,
    confidences: Sequence[float],
    resamples: int = 9999,
    seed: int = 0,
) -> list[tuple[Interval, ...]]:
    """BCa bootstrap intervals of many samples.

    Args:
        samples: one array of values for each sample; sizes may differ.
        statistic: ``mean`` or ``interquartile_mean``.
        confidences: coverage of each interval asked for, each in (0, 1).
        resamples: number of bootstrap resamples.
        seed: seed of the resamples, which are the same for all samples of one size.

    Returns:
        For each sample its intervals, one per confidence. Where all values are equal the interval
        is that value; where there is one value the bounds are NaN; where any value is not finite
        everything is NaN.
    """
    found: list[tuple[Interval, ...] | None] = [None] * len(samples)
    sizes: dict[int, list[int]] = {}
    for index, sample in enumerate(samples):
        degenerate = _degenerate(sample, statistic)
        if degenerate:
            found[index] = (degenerate,) * len(confidences)
        else:
            sizes.setdefault(len(sample), []).append(index)
    for size, indices in sizes.items():
        drawn = _times_drawn(size, resamples, seed)
        stacked = np.stack([samples[index] for index in indices])
        for index, intervals in zip(
            indices, _bca(stacked, statistic, drawn, confidences), strict=True
        ):
            found[index] = intervals
    return [intervals for intervals in found if intervals is not None]


def _degenerate(values: Floats, statistic: Statistic) -> Interval | None:
    """The interval of a sample that leaves nothing to resample, None for any other."""
    if len(values) == 0 or not np.isfinite(values).all():
        return UNKNOWN
    value = float(values[0])
    if len(values) == 1:
        return Interval(value, math.nan, math.nan)
    return Interval(value, value, value) if (values == value).all() else None


@lru_cache(maxsize=16)
def _times_drawn(size: int, resamples: int, seed: int) -> NDArray[Any]:
    """How often each of ``size`` values is drawn in each resample, shape (size, resamples)."""
    drawn = np.random.default_rng(seed).integers(0, size, (resamples, size))
    flat = drawn + size * np.arange(resamples)[:, None]
    counts = np.bincount(flat.ravel(), minlength=size * resamples).reshape(resamples, size)
    counts = np.ascontiguousarray(counts.T, dtype=np.min_scalar_type(size))
    counts.flags.writeable = False
    return counts


def _bca(
    samples: Floats, statistic: Statistic, drawn: NDArray[Any], confidences: Sequence[float]
) -> list[tuple[Interval, ...]]:
    """Bias-corrected and accelerated intervals (Efron 1987) of samples of one size, one a row."""
    size = samples.shape[1]
    if statistic == "mean":
        estimates = samples.mean(axis=1)
        resampled = samples @ drawn / size
        influence = samples - estimates[:, None]
    else:
        estimates = scipy.stats.trim_mean(samples, 0.25, axis=1)
        resampled = np.stack([_resampled_interquartile_means(row, drawn) for row in samples])
        others = np.array([np.delete(np.arange(size), index) for index in range(size)])
        jackknife = scipy.stats.trim_mean(samples[:, others], 0.25, axis=2)
        influence = jackknife.mean(axis=1, keepdims=True) - jackknife
    resampled.sort(axis=1)

    # Accuracies take few distinct values, so resamples often tie with the estimate up to rounding.
    rounding = 1e-12 * np.abs(samples).max(axis=1)
    below = [
        (np.searchsorted(row, value - by) + np.searchsorted(row, value + by, "right")) / 2
        for row, value, by in zip(resampled, estimates, rounding, strict=True)
    ]
    resamples = resampled.shape[1]
    bias = scipy.special.ndtri(np.clip(below, 0.5, resamples - 0.5) / resamples)
    spread = (influence**2).sum(axis=1) ** 1.5
    skew = (influence**3).sum(axis=1)
    acceleration = np.divide(skew, 6 * spread, out=np.zeros_like(skew), where=spread > 0)

    bounds = []
    for confidence in confidences:
        for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
            shifted = bias + scipy.special.ndtri(tail)
            share = scipy.special.ndtr(bias + shifted / (1 - acceleration * shifted))
            bounds.append(_sorted_quantiles(resampled, share))
    return [
        tuple(
            Interval(float(estimate), float(low), float(high))
            for low, high in zip(row[::2], row[1::2], strict=True)
        )
        for estimate, row in zip(estimates, np.stack(bounds, axis=1), strict=True)
    ]


def _resampled_interquartile_means(values: Floats, drawn: NDArray[Any]) -> Floats:
    """Interquartile mean of each resample of one sample, without sorting the resamples.

    In a sorted resample the j-th smallest value occupies the places up to the running total of
    times drawn; cutting both ends clips that total. Summing by parts leaves one weighted sum.
    """
    size = len(values)
    cut = size // 4
    order = np.argsort(values)
    places = np.cumsum(drawn[order], axis=0, dtype=drawn.dtype).clip(cut, size - cut)
    ascending = values[order]
    total = ascending[-1] * (size - cut) - ascending[0] * cut - np.diff(ascending) @ places[:-1]
    return total / (size - 2 * cut)


def _sorted_quantiles(rows: Floats, shares: Floats) -> Floats:
    """Linearly interpolated quantile of each sorted row, each at its own share."""
    position = shares * (rows.shape[1] - 1)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, rows.shape[1] - 1)
    row = np.arange(len(rows))
    return rows[row, low] + (position - low) * (rows[row, high] - rows[row, low])
