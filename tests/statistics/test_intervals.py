"""Intervals against scipy's bootstrap and t interval and statsmodels' Wilson interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from thalweg.statistics.comparison import Interval
from thalweg.statistics.intervals import (
    bootstrap_intervals,
    interquartile_mean,
    mean_intervals,
    t_interval,
    wilson,
)

STATISTICS = {
    "mean": np.mean,
    "interquartile_mean": lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
}


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("size", [8, 11, 20, 33])
@pytest.mark.parametrize("draw", ["normal", "exponential", "standard_cauchy"])
def test_bca_is_that_of_scipy(statistic, size, draw):
    generator = np.random.default_rng(size)
    # Whole numbers, because scipy loses ties with the estimate when sums round.
    samples = [(1000 * getattr(generator, draw)(size=size)).round() for _ in range(3)]
    found = bootstrap_intervals(samples, statistic, (0.95, 0.8), resamples=999, seed=7)
    for sample, intervals in zip(samples, found, strict=True):
        for confidence, interval in zip((0.95, 0.8), intervals, strict=True):
            expected = stats.bootstrap(
                (sample,),
                STATISTICS[statistic],
                n_resamples=999,
                confidence_level=confidence,
                method="BCa",
                rng=np.random.default_rng(7),
            ).confidence_interval
            assert interval.low == pytest.approx(expected.low, rel=1e-9)
            assert interval.high == pytest.approx(expected.high, rel=1e-9)
            assert interval.estimate == pytest.approx(STATISTICS[statistic](sample, axis=0))


def test_bca_of_accuracies_counts_ties_exactly():
    """Accuracies as counts and as quotients have the same interval, although quotients round."""
    hits = np.random.default_rng(0).integers(270, 280, 20).astype(float)
    ((exact,),) = bootstrap_intervals([hits], "interquartile_mean", (0.95,))
    ((rounded,),) = bootstrap_intervals([hits / 300], "interquartile_mean", (0.95,))
    assert rounded.low == pytest.approx(exact.low / 300, rel=1e-12)
    assert rounded.high == pytest.approx(exact.high / 300, rel=1e-12)


def test_samples_of_different_sizes_keep_their_order():
    samples = [np.arange(9.0), np.arange(12.0) + 100, np.arange(9.0) + 200, np.full(3, 7.0)]
    found = bootstrap_intervals(samples, "mean", (0.9,), resamples=200)
    assert [interval.estimate for (interval,) in found] == [4.0, 105.5, 204.0, 7.0]


@pytest.mark.parametrize("statistic", STATISTICS)
def test_degenerate_samples_are_said_to_be_so(statistic):
    samples = [np.full(20, 0.3), np.array([2.0]), np.array([1.0, np.inf] * 6), np.empty(0)]
    (constant,), (single,), (infinite,), (empty,) = bootstrap_intervals(samples, statistic, (0.95,))
    assert constant == Interval(0.3, 0.3, 0.3)
    assert single.estimate == 2.0
    assert math.isnan(single.low)
    for unknown in (infinite, empty):
        assert math.isnan(unknown.estimate)
        assert math.isnan(unknown.low)
        assert math.isnan(unknown.high)


def test_one_value_that_differs_leaves_a_valid_interval():
    sample = np.array([0.0] * 19 + [1.0])
    ((mean,),) = bootstrap_intervals([sample], "mean", (0.95,))
    ((middle,),) = bootstrap_intervals([sample], "interquartile_mean", (0.95,))
    assert 0 <= mean.low <= 0.05 <= mean.high < 1
    assert middle == Interval(0.0, 0.0, 0.0)


def test_t_interval_is_that_of_scipy_and_used_below_eight_seeds():
    sample = np.random.default_rng(3).normal(size=7)
    expected = stats.ttest_1samp(sample, 0).confidence_interval(0.9)
    found = t_interval(sample, 0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    longer = np.append(sample, 0.5)
    seven, eight = mean_intervals([sample, longer], 0.9, resamples=500, seed=0)
    assert seven == found
    assert eight != t_interval(longer, 0.9)
    assert t_interval(np.full(4, 2.5), 0.9) == Interval(2.5, 2.5, 2.5)


def test_interquartile_mean_by_hand():
    assert interquartile_mean(np.array([100.0, 1.0, 3.0, -50.0])) == 2.0
    assert interquartile_mean(np.arange(1.0, 9.0)) == 4.5
    # Of 20 values five are cut from each end, so five that do not exist do no harm.
    assert interquartile_mean(np.array([-np.inf] * 5 + [1.0] * 15)) == 1.0


@pytest.mark.parametrize(("count", "total"), [(0, 20), (3, 20), (20, 20), (1, 5)])
def test_wilson_is_that_of_statsmodels(count, total):
    low, high = proportion_confint(count, total, alpha=0.05, method="wilson")
    found = wilson(count, total, 0.95)
    assert found.estimate == count / total
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


def test_wilson_of_nothing_is_unknown():
    assert math.isnan(wilson(0, 0, 0.95).low)
