"""Whole comparisons with known answers."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from thalweg.errors import SpecError
from thalweg.statistics.compare import compare
from thalweg.statistics.comparison import Observation

DIFFICULTY = np.random.default_rng(0).normal(0, 0.05, 20)  # how hard each seed is, for all levels
JITTER = np.random.default_rng(1).normal(0, 0.004, (4, 20))


def runs(level, values, *, seeds=None, **fields):
    seeds = range(100, 100 + len(values)) if seeds is None else seeds
    return [
        Observation(level, seed, float(value), **fields)
        for seed, value in zip(seeds, values, strict=True)
    ]


def ask(observations, **settings):
    defaults = {"factor": "optimizer", "metric": "test.accuracy", "higher_is_better": True}
    return compare(observations, **{**defaults, "resamples": 1999, **settings})


def only_pair(observations, **settings):
    (context,) = ask(observations, **settings).contexts
    (pair,) = context.pairs
    return pair


def test_pairing_finds_what_the_unpaired_comparison_cannot():
    """Seeds differ by 0.05, levels by 0.005: only the difference on each seed shows it."""
    gd = 0.8 + DIFFICULTY + JITTER[0]
    adam = 0.805 + DIFFICULTY + JITTER[1]
    paired = runs("gd", gd) + runs("adam", adam)
    # In whatever order the runs come: the seed makes the pair, not the position.
    np.random.default_rng(2).shuffle(paired)
    pair = only_pair(paired)
    assert (pair.verdict, pair.first, pair.second) == ("better", "adam", "gd")
    expected = stats.permutation_test(
        (adam - gd,), np.mean, permutation_type="samples", n_resamples=20_000, rng=0
    )
    assert pair.p == pytest.approx(expected.pvalue, abs=1e-3)
    assert pair.difference.estimate == pytest.approx((adam - gd).mean())

    mixed = np.random.default_rng(3).permutation(range(100, 120))
    unpaired = only_pair(runs("gd", gd) + runs("adam", adam, seeds=mixed))
    assert unpaired.verdict == "undecided"
    assert unpaired.difference.estimate == pytest.approx(pair.difference.estimate)
    assert stats.ttest_ind(gd, adam).pvalue > 0.5


def test_every_number_of_a_pair_is_that_of_other_peoples_code():
    values = [0.8 + 0.004 * level + DIFFICULTY + JITTER[level] for level in range(4)]
    observations = [run for level in range(4) for run in runs(f"level{level}", values[level])]
    (context,) = ask(observations, resamples=999, seed=5).contexts
    p = [pair.p for pair in context.pairs]
    assert [pair.p_holm for pair in context.pairs] == pytest.approx(
        multipletests(p, method="holm")[1]
    )
    for pair in context.pairs:
        first, second = (values[int(name[-1])] for name in (pair.first, pair.second))
        for statistic, found in (
            (np.mean, pair.difference),
            (lambda x, axis: stats.trim_mean(x, 0.25, axis=axis), pair.interquartile),
        ):
            expected = stats.bootstrap(
                (first - second,), statistic, n_resamples=999, rng=np.random.default_rng(5)
            ).confidence_interval
            assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        area = stats.mannwhitneyu(first, second).statistic / 400
        assert pair.superiority.estimate == pytest.approx(area)


def test_lower_is_better_is_the_mirror_image():
    values = [0.8 + 0.004 * level + DIFFICULTY + JITTER[level] for level in range(3)]
    up = [run for level in range(3) for run in runs(f"level{level}", values[level])]
    down = [dataclasses.replace(run, value=-run.value) for run in up]
    (high,) = ask(up, margin=0.003).contexts
    (low,) = ask(down, margin=0.003, higher_is_better=False).contexts
    assert high.pairs == low.pairs
    assert [level.level for level in high.levels] == [level.level for level in low.levels]
    assert [level.median for level in high.levels] == [-level.median for level in low.levels]
    assert [level.worst for level in high.levels] == [-level.worst for level in low.levels]


def test_the_margin_decides_between_better_tied_and_undecided():
    gd, adam = 0.8 + DIFFICULTY + JITTER[0], 0.805 + DIFFICULTY + JITTER[1]
    observations = runs("gd", gd) + runs("adam", adam)
    verdicts = {m: only_pair(observations, margin=m).verdict for m in (0.0, 0.001, 0.006, 0.02)}
    assert verdicts == {0.0: "better", 0.001: "better", 0.006: "undecided", 0.02: "tied"}


def test_a_tie_needs_both_bounds_within_the_margin():
    """One seed of 20 on which adam loses much stretches only the lower bound, to -0.022."""
    gd = np.full(20, 0.5)
    adam = gd + 0.01 + np.linspace(-0.001, 0.001, 20)
    adam[0] = 0.35
    pair = only_pair(runs("gd", gd) + runs("adam", adam), margin=0.018)
    assert (pair.first, pair.verdict, pair.equivalent) == ("adam", "undecided", False)
    assert only_pair(runs("gd", gd) + runs("adam", adam), margin=0.03).verdict == "tied"


@pytest.mark.parametrize(
    ("seeds", "verdict"), [(1, "none"), (4, "none"), (5, "none"), (9, "none"), (10, "better")]
)
def test_no_verdict_below_ten_seeds(seeds, verdict):
    gd, adam = 0.6 + DIFFICULTY, 0.9 + DIFFICULTY + JITTER[1]
    pair = only_pair(runs("gd", gd[:seeds]) + runs("adam", adam[:seeds]))
    assert pair.verdict == verdict
    assert pair.seeds == seeds
    assert pair.more_seeds == (None if verdict == "better" else 10 - seeds)
    assert pair.sentence.startswith("exploratory") == (seeds < 5)


def test_below_eight_seeds_intervals_are_students():
    gd, adam = 0.6 + DIFFICULTY[:6], 0.9 + DIFFICULTY[:6] + JITTER[1, :6]
    pair = only_pair(runs("gd", gd) + runs("adam", adam))
    expected = stats.ttest_rel(adam, gd).confidence_interval(0.95)
    assert (pair.difference.low, pair.difference.high) == pytest.approx(
        (expected.low, expected.high)
    )


def test_an_outlier_alone_makes_no_verdict():
    """Mean and interquartile mean must agree."""
    gd = np.full(20, 0.5)
    adam = gd + np.r_[np.full(12, -0.001), np.full(8, 0.5)]
    pair = only_pair(runs("gd", gd) + runs("adam", adam))
    assert pair.first == "adam"
    assert pair.difference.low > 0
    assert pair.interquartile.low < 0
    assert pair.verdict == "undecided"


def test_only_shared_seeds_are_compared_and_the_reader_is_told():
    gd, adam = 0.8 + DIFFICULTY, 0.82 + DIFFICULTY + JITTER[1]
    observations = runs("gd", gd) + runs("adam", adam[6:], seeds=range(106, 120))
    (context,) = ask(observations).contexts
    (pair,) = context.pairs
    assert pair.seeds == 14
    assert pair.difference.estimate == pytest.approx((adam - gd)[6:].mean())
    # The spread shows that each seed met itself: levels differ by 0.004 on a seed, seeds by 0.05.
    assert pair.difference.high - pair.difference.low < 0.01
    assert context.warnings == (
        "adam lacks seeds 100, 101, 102, 103, 104 and 1 more: it is compared on shared seeds only",
    )
    nothing = only_pair(runs("gd", gd) + runs("adam", adam, seeds=range(20)))
    assert (nothing.seeds, nothing.verdict, nothing.more_seeds) == (0, "none", 10)
    assert math.isnan(nothing.p)


def test_constant_values_are_no_trouble():
    equal = runs("gd", [1.0] * 12) + runs("adam", [1.0] * 12)
    pair = only_pair(equal)
    assert (pair.verdict, pair.p, pair.more_seeds) == ("undecided", 1.0, None)
    assert pair.superiority.estimate == 0.5
    assert only_pair(equal, margin=0.01).verdict == "tied"
    apart = only_pair(runs("gd", [0.5] * 12) + runs("adam", [0.75] * 12))
    assert apart.verdict == "better"
    assert (apart.difference.low, apart.difference.high) == (0.25, 0.25)


def test_diverged_runs_count_and_are_worst():
    loss = 0.3 + DIFFICULTY
    worse = [*(loss[:17] + 0.01), math.nan, math.inf, math.inf]
    observations = runs("adam", loss) + runs("gd", worse[:17])
    observations += runs("gd", worse[17:], seeds=range(117, 120), failed=True)
    (context,) = ask(observations, metric="test.loss", higher_is_better=False).contexts
    adam, gd = context.levels
    assert (adam.level, gd.failed, gd.failures.estimate) == ("adam", 3, 3 / 20)
    assert gd.worst == math.inf
    assert math.isnan(gd.mean.estimate)
    assert math.isfinite(gd.interquartile_mean)
    (pair,) = context.pairs
    assert math.isnan(pair.difference.low)
    assert pair.p == pytest.approx(2 / 2**20)
    filled = np.nan_to_num(worse, nan=9.0, posinf=9.0)
    area = stats.mannwhitneyu(filled, loss).statistic / 400
    assert pair.superiority.estimate == pytest.approx(area)
    assert pair.verdict == "undecided"
    assert "gd diverged on 3 of 20 seeds" in pair.sentence
    assert context.verdict.endswith("gd diverged on 3 of 20 seeds.")


def test_seeds_on_which_both_diverged_leave_no_mean_either():
    values = [math.nan, *(0.8 + DIFFICULTY[1:])]
    pair = only_pair(runs("gd", values) + runs("adam", np.add(values, 0.1)), margin=0.5)
    assert (pair.first, pair.seeds, pair.verdict) == ("adam", 20, "undecided")
    assert math.isnan(pair.difference.estimate)
    assert math.isnan(pair.interquartile.low)
    assert not pair.equivalent
    assert pair.p == pytest.approx(2 * 2 / 2**20)  # the draw may have either sign


def test_a_failed_run_with_a_finite_value_keeps_it():
    gd = runs("gd", [0.1] * 3 + [0.8] * 9)
    gd = [dataclasses.replace(run, failed=run.value == 0.1) for run in gd]
    (context,) = ask(gd + runs("adam", [0.9] * 12)).contexts
    assert context.levels[1].mean.estimate == pytest.approx((3 * 0.1 + 9 * 0.8) / 12)
    assert context.levels[1].failed == 3
    assert context.levels[1].worst == 0.1


def tuned_runs(level, rates, report, *, tune_seeds=(1, 2, 3), **fields):
    """Tuning runs whose validation metric is the one given for each rate, and report runs."""
    found = [
        Observation(
            level, seed, math.nan, f"learning_rate={rate}", phase="tune", selection=selection,
            **fields,
        )
        for rate, selection in rates.items()
        for seed in tune_seeds
    ]  # fmt: skip
    for rate, values in report.items():
        found += runs(level, values, configuration=f"learning_rate={rate}", **fields)
    return found


def test_tuning_chooses_on_validation_and_reports_fresh_seeds():
    """The configuration that is best on test data is not the one chosen, and is not reported."""
    good, best = 0.8 + DIFFICULTY, 0.99 + DIFFICULTY
    observations = tuned_runs(
        "adam", {0.001: 0.5, 0.01: 0.9, 0.1: 0.6}, {0.01: good, 0.1: best}, steps=10, seconds=0.5
    ) + tuned_runs("gd", {0.1: 0.5, 1: 0.7, 10: 0.6}, {1: good - 0.1}, steps=10, seconds=0.5)
    found = ask(observations, tuned=("learning_rate",))
    (context,) = found.contexts
    adam, gd = context.levels
    assert (adam.configuration, gd.configuration) == ("learning_rate=0.01", "learning_rate=1")
    assert adam.values == pytest.approx(good)
    assert adam.configurations == 3
    assert adam.at_edge == ()
    assert adam.budget == {
        "tune": {"runs": 9, "steps": 90, "seconds": 4.5},
        "report": {"runs": 40, "steps": 400, "seconds": 20.0},
        "total": {"runs": 49, "steps": 490, "seconds": 24.5},
    }
    assert found.budget["total"] == {"runs": 78, "steps": 780, "seconds": 39.0}
    assert context.warnings == ("adam has 20 report runs of configurations not chosen, left out",)
    assert [curve.level for curve in context.tuning] == ["adam", "gd"]
    assert context.tuning[0].best == pytest.approx((2 / 3, 0.8, 0.9))


def test_unequal_tuning_and_edges_are_said():
    values = 0.8 + DIFFICULTY
    observations = tuned_runs("adam", {0.01: 0.9, 0.1: 0.6, 1: 0.2}, {0.01: values}) + tuned_runs(
        "gd", {1: 0.7}, {1: values - 0.1}
    )
    (context,) = ask(observations, tuned=("learning_rate",)).contexts
    unequal = "tuning budgets are unequal (runs: adam 9, gd 3)"
    assert context.verdict.endswith("Tuning budgets are unequal (runs: adam 9, gd 3).")
    assert context.pairs[0].sentence.endswith("unequal tuning, 9 runs against 3)")
    assert context.warnings == (
        "adam is best at the edge of the range tried for learning_rate (learning_rate=0.01): "
        "a wider range may do better",
        unequal,
    )


def test_unequal_steps_are_said():
    values = 0.8 + DIFFICULTY
    observations = runs("adam", values, steps=200) + runs("gd", values - 0.1, steps=100)
    (context,) = ask(observations).contexts
    clause = "training budgets are unequal (steps of the longest run: adam 200, gd 100)"
    assert clause in context.verdict.replace("Training", "training")
    assert context.warnings == (clause,)


def test_levels_without_chosen_report_runs_or_tuning_are_said():
    values = 0.8 + DIFFICULTY
    observations = (
        tuned_runs("adam", {0.01: 0.9, 0.1: 0.1}, {0.1: values})
        + tuned_runs("gd", {0.01: math.nan, 0.1: math.nan}, {0.01: values})
        + runs("linear", values)
    )
    (context,) = ask(observations, tuned=("learning_rate",)).contexts
    assert [level.level for level in context.levels][-1] == "adam"
    warnings = " / ".join(context.warnings)
    assert "adam has no report runs of its configuration learning_rate=0.01" in warnings
    assert "every configuration of gd diverged in tuning" in warnings
    assert "linear was not tuned" in warnings


def test_contexts_keep_the_order_of_the_plan_and_are_judged_apart():
    values = 0.8 + DIFFICULTY
    observations = (
        runs("gd", values, context="noise=0.1")
        + runs("adam", values + 0.1 + JITTER[0], context="noise=0.1")
        + runs("gd", values + 0.1 + JITTER[0], context="noise=0.2")
        + runs("adam", values, context="noise=0.2")
        + runs("adam", values, context="noise=0.3")
    )
    found = ask(observations, context_order=["noise=0.2", "noise=0.9", "noise=0.1"])
    labels = [context.label for context in found.contexts]
    assert labels == ["noise=0.2", "noise=0.1", "noise=0.3"]
    assert [context.levels[0].level for context in found.contexts] == ["gd", "adam", "adam"]
    assert found.contexts[2].warnings == ("gd has no runs here",)
    assert found.contexts[2].pairs == ()
    assert found.verdict.startswith(
        "Best mean of 2 contexts: gd in 1 (clearly in 1) and adam in 1 (clearly in 1). "
    )
    assert "In noise=0.2: gd is best" in found.verdict
    # A level that has no rival leads nowhere.
    alone = [each for each in observations if each.context in ("noise=0.3", "noise=0.1")]
    assert ask(alone, context_order=["noise=0.3"]).verdict.startswith("adam is best")


def test_time_to_target_is_there_where_a_target_is():
    values = 0.8 + DIFFICULTY
    adam = [
        dataclasses.replace(run, target_step=10 + place, steps=100)
        for place, run in enumerate(runs("adam", values))
    ]
    gd = [dataclasses.replace(run, steps=100) for run in runs("gd", values - 0.1)]
    (context,) = ask(adam + gd, target=0.7).contexts
    assert [(curve.level, curve.reached) for curve in context.survival] == [("adam", 20), ("gd", 0)]
    assert context.survival[0].median.estimate == 19
    assert context.log_rank_p < 1e-6
    (without,) = ask(adam + gd).contexts
    assert without.survival == ()
    assert math.isnan(without.log_rank_p)


def test_too_few_seeds_for_the_family_are_said():
    """Ten seeds reach p = 2/1024, which 28 comparisons correct to 0.055."""
    observations = [run for level in range(8) for run in runs(f"l{level}", level + DIFFICULTY[:10])]
    (context,) = ask(observations).contexts
    assert {pair.verdict for pair in context.pairs} == {"undecided"}
    assert {pair.more_seeds for pair in context.pairs[:1]} == {1}
    assert context.warnings == (
        "with 10 seeds the smallest p value, corrected for 28 comparisons, is 0.055: no level can "
        "be called better with so few",
    )


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"margin": -0.1}, "compare.margin must be a finite number of at least 0, got -0.1"),
        ({"alpha": 0.5}, "compare.alpha must be above 0 and below 0.5, got 0.5"),
        ({"resamples": 10}, "compare.resamples must be at least 100, got 10"),
    ],
)
def test_settings_are_checked(settings, problem):
    with pytest.raises(SpecError) as caught:
        ask(runs("gd", DIFFICULTY), **settings)
    assert caught.value.problems == (problem,)


def test_runs_are_checked():
    values = 0.8 + DIFFICULTY
    with pytest.raises(SpecError, match="needs report runs"):
        ask([])
    with pytest.raises(SpecError, match="gd must have one report run for seed 100, got 2"):
        ask(runs("gd", values) + runs("gd", values, configuration="learning_rate=1"))
    with pytest.raises(SpecError, match=r"must be disjoint.*, got 101, 102 in both"):
        ask(
            tuned_runs("adam", {0.1: 0.5}, {0.1: values}, tune_seeds=(1, 101, 102)),
            tuned=("learning_rate",),
        )
    untuned = runs("gd", values, configuration="learning_rate=1")
    untuned += runs("gd", values, configuration="learning_rate=2")
    with pytest.raises(SpecError, match="gd must have tune runs to choose among its 2"):
        ask(untuned, tuned=("learning_rate",))


def test_one_level_alone_is_summarised():
    (context,) = ask(runs("gd", 0.8 + DIFFICULTY, configuration="learning_rate=1")).contexts
    assert context.pairs == ()
    assert context.levels[0].configuration == ""
    assert context.verdict.startswith("gd reaches 0.791 [")


def test_a_baseline_asks_fewer_questions_and_needs_fewer_seeds():
    """Ten seeds cannot tell 14 levels apart pair by pair, but each from one of them."""
    steps = {"all of it": 0.0, "same": 0.0001, "worse": -0.02, "better": 0.03}
    steps |= {f"other {number}": -0.03 for number in range(10)}
    seen = [
        run
        for number, (level, step) in enumerate(steps.items())
        for run in runs(level, (0.9 + step + DIFFICULTY + 0.1 * np.roll(JITTER[0], number))[:10])
    ]
    (every,) = ask(seen, margin=0.01).contexts
    assert len(every.pairs) == 91
    assert not [pair for pair in every.pairs if pair.verdict == "better"]
    found = ask(seen, margin=0.01, baseline="all of it")
    (context,) = found.contexts
    assert found.baseline == "all of it"
    verdicts = {(pair.first, pair.second): pair.verdict for pair in context.pairs}
    assert len(verdicts) == 13
    assert verdicts["better", "all of it"] == verdicts["all of it", "worse"] == "better"
    assert {"tied"} == {verdict for two, verdict in verdicts.items() if "same" in two}
    p = [pair.p for pair in context.pairs]
    assert [pair.p_holm for pair in context.pairs] == pytest.approx(
        multipletests(p, method="holm")[1]
    )
    assert found.verdict.startswith(
        "against all of it, in test.accuracy: better: better by 0.02990 "
    )
    assert "; worse: worse by 0.0" in found.verdict
    assert "; tied within 0.01: same (p values corrected for 13 comparisons)." in found.verdict


def test_a_baseline_is_a_level():
    observations = runs("gd", 0.6 + DIFFICULTY) + runs("adam", 0.9 + DIFFICULTY)
    with pytest.raises(SpecError, match=r"compare.baseline must be one of gd, adam, got sgd"):
        ask(observations, baseline="sgd")
