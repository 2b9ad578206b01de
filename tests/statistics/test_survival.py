"""Time to target against statsmodels, scipy and a table made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from thalweg.statistics.comparison import Observation
from thalweg.statistics.survival import log_rank, survival, times_to_target


def group(seed, size=23, censored_at=60.0, scale=30.0):
    steps = np.ceil(np.random.default_rng(seed).exponential(scale, size))
    return np.minimum(steps, censored_at), steps <= censored_at


def test_kaplan_meier_by_hand():
    """Four runs: arrivals at 10 and 30, one run ends at 20, one at 40."""
    found = survival(
        "adam", np.array([10.0, 20, 30, 40]), np.array([True, False, True, False]), 0.95
    )
    assert found.steps == (10, 20, 30, 40)
    assert found.share == pytest.approx((0.75, 0.75, 0.375, 0.375))
    assert found.median.estimate == 30
    assert (found.reached, found.runs) == (2, 4)


@pytest.mark.parametrize("seed", range(4))
def test_median_and_its_interval_are_those_of_statsmodels(seed):
    steps, met = group(seed, scale=20 + 10 * seed)
    found = survival("adam", steps, met, 0.95)
    expected = SurvfuncRight(steps, met.astype(int))
    assert found.median.estimate == expected.quantile(0.5)
    low, high = expected.quantile_ci(0.5, alpha=0.05, method="cloglog")
    assert found.median.low == low
    assert found.median.high == pytest.approx(high if np.isfinite(high) else math.nan, nan_ok=True)
    shares = dict(zip(found.steps, found.share, strict=True))
    assert [shares[step] for step in expected.surv_times] == pytest.approx(expected.surv_prob)


def test_nobody_arrives():
    found = survival("gd", np.full(10, 50.0), np.zeros(10, bool), 0.95)
    assert found.share == (1.0,)
    assert math.isnan(found.median.estimate)
    assert math.isnan(found.median.low)


def test_all_arrive_at_once():
    found = survival("gd", np.full(10, 50.0), np.ones(10, bool), 0.95)
    assert found.share == (0.0,)
    assert (found.median.estimate, found.median.low, found.median.high) == (50, 50, 50)


def test_diverged_runs_never_arrive():
    runs = [
        Observation("gd", 0, 0.5, failed=True, steps=3),
        Observation("gd", 1, 0.9, steps=100, target_step=40),
        Observation("gd", 2, 0.8, steps=70),
    ]
    steps, met = times_to_target(runs, longest=100)
    assert steps.tolist() == [100, 40, 70]
    assert met.tolist() == [False, True, False]
    # One of three arrived; had the diverged run counted as lost at step 3 it would be one of two.
    assert survival("gd", steps, met, 0.95).share[0] == pytest.approx(2 / 3)


def test_log_rank_of_two_groups_is_that_of_scipy():
    groups = [group(1), group(2, scale=60.0)]
    expected = stats.logrank(
        *(stats.CensoredData(uncensored=steps[met], right=steps[~met]) for steps, met in groups)
    )
    assert log_rank(groups) == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("count", [3, 5])
def test_log_rank_of_many_groups_is_that_of_statsmodels(count):
    groups = [group(seed, scale=20.0 + 8 * seed) for seed in range(count)]
    member = np.repeat(np.arange(count), 23)
    steps, met = (np.concatenate(parts) for parts in zip(*groups, strict=True))
    _, expected = survdiff(steps, met.astype(int), member)
    assert log_rank(groups) == pytest.approx(expected)


def test_log_rank_knows_when_there_is_nothing_to_test():
    none = (np.full(5, 9.0), np.zeros(5, bool))
    same = (np.full(5, 9.0), np.ones(5, bool))
    assert math.isnan(log_rank([none, none]))
    assert math.isnan(log_rank([same]))
    assert log_rank([same, same]) == 1.0
