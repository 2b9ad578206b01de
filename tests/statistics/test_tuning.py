"""Choosing configurations, by hand and by trying every order."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from thalweg.statistics.comparison import Observation
from thalweg.statistics.tuning import choose, tuning_curve


def tune(configuration, selections, *, level="adam", context="", failed=()):
    return [
        Observation(
            level,
            seed,
            math.nan,
            configuration,
            context,
            "tune",
            selection,
            failed=seed in failed,
        )
        for seed, selection in enumerate(selections)
    ]


def test_the_best_mean_over_seeds_is_chosen_not_the_best_seed():
    runs = tune("learning_rate=0.1", [0.99, 0.5, 0.5]) + tune("learning_rate=0.01", [0.8, 0.8, 0.8])
    (choice,) = choose(runs, higher_is_better=True).values()
    assert choice.configuration == "learning_rate=0.01"
    assert choice.scores == pytest.approx(
        {"learning_rate=0.1": 0.6633, "learning_rate=0.01": 0.8}, abs=1e-4
    )
    (choice,) = choose(runs, higher_is_better=False).values()
    assert choice.configuration == "learning_rate=0.1"


def test_each_level_and_context_has_its_own_choice_and_the_first_of_equals_wins():
    runs = [
        *tune("a=1", [0.9], context="noise=0"),
        *tune("a=2", [0.9], context="noise=0"),
        *tune("a=1", [0.1], context="noise=1"),
        *tune("a=2", [0.2], context="noise=1"),
        *tune("b=5", [0.3], level="gd", context="noise=1"),
    ]
    chosen = {k: v.configuration for k, v in choose(runs, higher_is_better=True).items()}
    assert chosen == {
        ("noise=0", "adam"): "a=1",
        ("noise=1", "adam"): "a=2",
        ("noise=1", "gd"): "b=5",
    }


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_diverged_run_is_worst(higher_is_better):
    """Even if the metric it left behind is the best number of all."""
    best, poor = (1.0, 0.1) if higher_is_better else (0.1, 1.0)
    runs = [
        *tune("lr=1", [best, best], failed={1}),
        *tune("lr=2", [poor, math.nan]),
        *tune("lr=3", [poor, poor]),
        *tune("lr=4", [best, math.inf], failed={0, 1}),
    ]
    (choice,) = choose(runs, higher_is_better=higher_is_better).values()
    assert choice.configuration == "lr=3"
    assert [math.isnan(score) for score in choice.scores.values()] == [True, True, False, True]


def test_report_runs_choose_nothing():
    runs = tune("lr=1", [0.5]) + tune("lr=2", [0.4])
    runs += [Observation("adam", 9, 0.99, "lr=2", selection=0.99)]
    (choice,) = choose(runs, higher_is_better=True).values()
    assert choice.configuration == "lr=1"


@pytest.mark.parametrize(
    ("best", "edges"),
    [
        ("learning_rate=0.1, momentum=0.5", ("learning_rate",)),
        ("learning_rate=1e-3, momentum=0.9", ("learning_rate", "momentum")),
        ("learning_rate=0.01, momentum=0.5", ()),
    ],
)
def test_a_best_value_at_the_edge_is_noticed(best, edges):
    labels = [
        f"learning_rate={rate}, momentum={momentum}, epsilon=1e-8, nesterov=True"
        for rate, momentum in itertools.product(("1e-3", "0.01", "0.1"), ("0.0", "0.5", "0.9"))
    ]
    runs = [run for label in labels for run in tune(label, [float(label.startswith(best))])]
    (choice,) = choose(runs, higher_is_better=True).values()
    assert choice.configuration.startswith(best)
    assert choice.at_edge == edges


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_curve_is_the_average_over_all_orders(higher_is_better):
    scores = [0.3, 0.9, math.nan, 0.7, 0.9, 0.1]
    best_of = np.maximum.accumulate if higher_is_better else np.minimum.accumulate
    worst = 0.1 if higher_is_better else 0.9
    filled = np.nan_to_num(scores, nan=worst)
    orders = best_of([list(order) for order in itertools.permutations(filled)], axis=1)
    found = tuning_curve(
        "adam", scores, higher_is_better=higher_is_better, worst=worst, confidence=0.8
    )
    assert found.tried == (1, 2, 3, 4, 5, 6)
    assert found.best == pytest.approx(orders.mean(axis=0))
    low = np.quantile(orders, 0.1, axis=0, method="inverted_cdf")
    high = np.quantile(orders, 0.9, axis=0, method="inverted_cdf")
    if not higher_is_better:  # the band is mirrored, and so is the rounding of its tails
        mirrored = -orders
        low = -np.quantile(mirrored, 0.9, axis=0, method="inverted_cdf")
        high = -np.quantile(mirrored, 0.1, axis=0, method="inverted_cdf")
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(high)


def test_curve_by_hand():
    found = tuning_curve("adam", [3.0, 1.0, 2.0], higher_is_better=True, worst=0.0)
    assert found.best == pytest.approx((2, 8 / 3, 3))
    assert (found.low, found.high) == ((1, 2, 3), (3, 3, 3))


def test_curve_of_a_large_search_is_finite():
    scores = np.random.default_rng(0).normal(size=1500)
    found = tuning_curve("adam", scores, higher_is_better=True, worst=0.0)
    assert found.best[0] == pytest.approx(scores.mean())
    assert found.best[-1] == pytest.approx(scores.max())
    assert np.all(np.diff(found.best) >= -1e-9)
