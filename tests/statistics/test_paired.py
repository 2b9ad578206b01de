"""Paired tests against scipy and statsmodels, and against numbers one can count by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.nonparametric import rank_compare_2indep
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import DescrStatsW

from thalweg.statistics.paired import (
    equivalence_interval,
    holm,
    oriented,
    seeds_needed,
    sign_flip,
    smallest_p,
    superiority,
)


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1.0, 2.0, 3.0], 2 / 8),
        ([1.0, -1.0], 1.0),
        ([0.0, 0.0, 0.0], 1.0),
        ([3.0, 2.0, -1.0], 4 / 8),  # sums of at least 4 in size: 6, 4, -4, -6
        ([0.1] * 5, 2 / 32),  # five seeds can never reach 0.05,
        ([0.1] * 6, 2 / 64),  # six can
    ],
)
def test_sign_flip_by_hand(differences, p):
    assert sign_flip(np.array(differences)) == p


@pytest.mark.parametrize("size", [4, 9, 11])
@pytest.mark.parametrize("digits", [1, 15])
def test_sign_flip_is_the_exact_test_of_scipy(size, digits):
    generator = np.random.default_rng(size)
    for _ in range(5):
        differences = generator.normal(0.3, 1, size).round(digits)
        expected = stats.permutation_test(
            (differences, np.zeros(size)),
            lambda a, b: (a - b).sum(),
            permutation_type="samples",
            n_resamples=np.inf,
        )
        assert sign_flip(differences) == pytest.approx(expected.pvalue, rel=1e-12)


@pytest.mark.parametrize("size", [20, 26, 27, 40])
def test_sign_flip_with_many_seeds_agrees_with_random_permutations(size):
    differences = np.random.default_rng(size).normal(0.35, 1, size)
    expected = stats.permutation_test(
        (differences, np.zeros(size)),
        lambda a, b, axis: (a - b).sum(axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=np.random.default_rng(1),
    )
    # Both are estimates above 26 seeds; four standard errors of the difference.
    error = 4 * math.sqrt(expected.pvalue * (1 - expected.pvalue) * (1 / 20_000 + 1 / 9999))
    assert sign_flip(differences) == pytest.approx(expected.pvalue, abs=error)


def test_sign_flip_is_the_signed_rank_test_where_values_do_not_exist():
    finite = np.array([0.4, 1.2, -0.3, 2.0, 0.9, -1.1, 3.0, 1.7, 0.2, 2.6])
    infinite = np.where(finite == 3.0, np.inf, finite)
    expected = stats.wilcoxon(finite, method="exact").pvalue
    assert sign_flip(infinite) == pytest.approx(expected)
    assert sign_flip(-infinite) == pytest.approx(expected)


def test_a_seed_on_which_both_sides_diverged_is_a_draw():
    differences = np.array([0.4, 1.2, -0.3, np.nan, 0.9, -1.1, np.inf, 1.7])
    # Ranks by hand: the draw has rank 1 and no sign.
    ranks = np.array([3.0, 6, -2, 0, 4, -5, 8, 7])
    expected = stats.permutation_test(
        (ranks,), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(differences) == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("size", [10, 26, 30])
def test_smallest_p_is_reached(size):
    assert sign_flip(np.linspace(1, 2, size), resamples=500) == smallest_p(size, 500)


def test_sign_flip_without_seeds_is_unknown():
    assert math.isnan(sign_flip(np.empty(0)))


def test_holm_by_hand_and_by_statsmodels():
    corrected, left = holm(np.array([0.01, 0.04, 0.03]))
    assert corrected == pytest.approx([0.03, 0.06, 0.06])
    assert left.tolist() == [3, 1, 2]
    p = np.random.default_rng(0).beta(0.3, 1, 28)
    assert holm(p)[0] == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_leaves_out_pairs_without_a_test():
    corrected, left = holm(np.array([0.02, math.nan, 0.03]))
    assert corrected[[0, 2]] == pytest.approx([0.04, 0.04])
    assert math.isnan(corrected[1])
    assert left.tolist() == [2, 0, 1]


def test_superiority_is_the_mann_whitney_area():
    generator = np.random.default_rng(2)
    first, second = generator.integers(0, 9, 15) + 1.0, generator.integers(0, 9, 12) + 0.0
    found = superiority(first, second, 0.95)
    statistic = stats.mannwhitneyu(first, second).statistic
    assert found.estimate == pytest.approx(statistic / (15 * 12))
    # Away from 0 and 1 the interval is close to Brunner and Munzel's.
    expected = rank_compare_2indep(first, second).conf_int(alpha=0.05)
    assert (found.low, found.high) == pytest.approx(expected, abs=0.07)
    mirrored = superiority(second, first, 0.95)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((found.low, found.high))


def test_superiority_keeps_its_width_where_one_side_always_wins():
    found = superiority(np.arange(10.0) + 100, np.arange(10.0), 0.95)
    assert found.estimate == 1
    assert found.high == 1
    assert 0.6 < found.low < 0.9
    equal = superiority(np.ones(10), np.ones(10), 0.95)
    assert equal.estimate == 0.5
    assert equal.low < 0.5 < equal.high


@pytest.mark.parametrize("shift", [0.0, 0.8, 2.0])
def test_superiority_covers_the_true_probability(shift):
    generator = np.random.default_rng(5)
    truth = stats.norm.cdf(shift / math.sqrt(2))
    draws = generator.normal(size=(400, 2, 12))
    found = [superiority(a + shift, b, 0.9) for a, b in draws]
    covered = np.mean([each.low <= truth <= each.high for each in found])
    assert 0.85 < covered < 0.96  # 0.9 with three standard errors, and slack for being discrete


def test_values_that_do_not_exist_are_worst():
    values = [1.0, math.nan, math.inf, -math.inf]
    assert oriented(values, True).tolist() == [1.0, -math.inf, -math.inf, -math.inf]
    assert oriented(values, False).tolist() == [-1.0, -math.inf, -math.inf, -math.inf]
    share = superiority(np.array([1.0, 2.0]), np.array([-np.inf, 1.5]), 0.95).estimate
    assert share == 3 / 4
    assert superiority(np.full(3, -np.inf), np.full(3, -np.inf), 0.95).estimate == 0.5


def test_equivalence_is_no_easier_than_two_one_sided_t_tests():
    generator = np.random.default_rng(4)
    samples = [generator.normal(0.1, 1, 20) for _ in range(60)]
    ties = 0
    for sample, found in zip(samples, equivalence_interval(samples, 0.05), strict=True):
        p = DescrStatsW(sample).ttost_mean(-0.6, 0.6)[0]
        tied = found.low > -0.6 and found.high < 0.6
        ties += tied
        assert not (tied and p > 0.05)
    assert ties > 20


def test_equivalence_holds_its_error_rate_at_the_margin():
    """The BCa interval alone would call 7.5 % of ten-seed differences of one margin a tie."""
    samples = list(np.random.default_rng(6).normal(0.9, 1, (2000, 10)))
    found = equivalence_interval(samples, 0.05, resamples=999)
    ties = np.mean([each.low > -0.9 and each.high < 0.9 for each in found])
    assert ties < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize("effect", [0.3, 0.5, 1.0])
@pytest.mark.parametrize("family", [1, 28])
def test_seeds_needed_to_find_a_difference_are_those_of_statsmodels(effect, family):
    expected = TTestPower().solve_power(effect, alpha=0.05 / family, power=0.8)
    found = seeds_needed(2 * effect, 2.0, margin=0.0, alpha=0.05, family=family)
    assert found == pytest.approx(expected, abs=2)


def test_seeds_needed_grow_where_the_difference_barely_exceeds_the_margin():
    far = seeds_needed(1.0, 1.0, margin=0.1, alpha=0.05, family=1)
    near = seeds_needed(1.0, 1.0, margin=0.95, alpha=0.05, family=1)
    assert near > 200 > 20 > far
    # At that number the mean exceeds the margin with 80 % probability.
    assert stats.norm.cdf(0.05 * math.sqrt(near)) == pytest.approx(0.8)


@pytest.mark.parametrize("effect", [0.0, 0.1, -0.3])
def test_seeds_needed_for_a_tie_give_it_in_four_of_five_cases(effect):
    needed = math.ceil(seeds_needed(effect, 1.0, margin=0.5, alpha=0.05, family=1))
    samples = np.random.default_rng(8).normal(effect, 1, (4000, needed))
    reach = stats.t.ppf(0.95, needed - 1) * stats.sem(samples, axis=1)
    tied = np.abs(samples.mean(axis=1)) + reach < 0.5
    assert tied.mean() == pytest.approx(0.8, abs=0.03)


def test_seeds_needed_know_what_no_number_of_seeds_decides():
    assert seeds_needed(0.0, 1.0, margin=0.0, alpha=0.05, family=1) == math.inf
    assert seeds_needed(0.5, 1.0, margin=0.5, alpha=0.05, family=1) == math.inf
    assert seeds_needed(-0.6, 1.0, margin=0.5, alpha=0.05, family=1) == math.inf
    # Without any spread the sign-flip test still needs 2 / 2^n to fall to alpha / family.
    assert seeds_needed(1.0, 0.0, margin=0.0, alpha=0.05, family=28) == pytest.approx(
        10.129, abs=1e-3
    )
