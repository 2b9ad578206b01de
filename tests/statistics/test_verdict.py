"""The words of every kind of verdict, in full."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from thalweg.statistics.comparison import Interval, LevelSummary, Pair, Question
from thalweg.statistics.verdict import (
    amount,
    context_verdict,
    failure_note,
    pair_sentence,
)

QUESTION = Question("test.accuracy", True, margin=0.005)
WITHIN = Interval(0.0123, 0.0089, 0.0163)
BETTER = Pair(
    first="adam",
    second="momentum",
    difference=Interval(0.0123, 0.0081, 0.0171),
    interquartile=Interval(0.012, 0.008, 0.017),
    p=0.0001,
    p_holm=0.0004,
    superiority=Interval(0.8, 0.65, 0.9),
    equivalent=False,
    seeds=20,
    verdict="better",
    more_seeds=None,
    sentence="",
)
UNDECIDED = replace(
    BETTER,
    second="nesterov",
    difference=Interval(0.002, -0.001, 0.006),
    p_holm=0.31,
    verdict="undecided",
    more_seeds=35,
)
TIED = replace(BETTER, second="rmsprop", verdict="tied")
UNKNOWN = Interval(math.nan, math.nan, math.nan)


def level(name, *, failed=0, values=(0.9,) * 20, mean=None):
    return LevelSummary(
        level=name,
        configuration="",
        values=values,
        seeds=tuple(range(len(values))),
        mean=mean or Interval(0.9, 0.88, 0.92),
        median=0.9,
        interquartile_mean=0.9,
        worst=0.9,
        failures=UNKNOWN,
        failed=failed,
    )


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(0.0123, 0.0081, 0.0171), "0.0123 [0.0081, 0.0171]"),
        (Interval(0.51, 0.1, 0.9), "0.51 [0.10, 0.90]"),
        (Interval(1234.5, 1000.0, 1500.0), "1234 [1000, 1500]"),
        (Interval(12.34, 11.0, 14.0), "12.3 [11.0, 14.0]"),
        (Interval(0.25, 0.25, 0.25), "0.25"),
        (Interval(0.25, math.nan, math.nan), "0.25"),
    ],
)
def test_amounts_have_two_digits_of_their_uncertainty(interval, text):
    assert amount(interval) == text


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        (
            BETTER,
            "adam is better than momentum by 0.0123 [0.0081, 0.0171] test.accuracy "
            "(20 seeds, p = 0.0004)",
        ),
        (
            replace(BETTER, p_holm=2e-6),
            "adam is better than momentum by 0.0123 [0.0081, 0.0171] test.accuracy "
            "(20 seeds, p < 0.0001)",
        ),
        (
            TIED,
            "adam and rmsprop are tied within 0.005 test.accuracy (difference 0.0123, 90 % "
            "interval [0.0089, 0.0163], 20 seeds)",
        ),
        (
            UNDECIDED,
            "undecided between adam and nesterov: difference 0.0020 [-0.0010, 0.0060] "
            "test.accuracy (20 seeds, p = 0.31, margin 0.005); about 35 more seeds would decide",
        ),
        (
            replace(UNDECIDED, more_seeds=12345),
            "undecided between adam and nesterov: difference 0.0020 [-0.0010, 0.0060] "
            "test.accuracy (20 seeds, p = 0.31, margin 0.005); more than 1000 more seeds would be "
            "needed",
        ),
        (
            replace(UNDECIDED, difference=Interval(0.0, 0.0, 0.0), more_seeds=None, p_holm=1.0),
            "undecided between adam and nesterov: difference 0 test.accuracy (20 seeds, p = 1, "
            "margin 0.005); equal on all 20 seeds, which only a margin could call a tie",
        ),
        (
            replace(UNDECIDED, interquartile=Interval(-0.1, -0.2, 0.1), more_seeds=None),
            "undecided between adam and nesterov: difference 0.0020 [-0.0010, 0.0060] "
            "test.accuracy (20 seeds, p = 0.31, margin 0.005); mean and interquartile mean "
            "disagree, so a few seeds make the difference",
        ),
        (
            replace(UNDECIDED, difference=UNKNOWN, more_seeds=None, p_holm=2e-6),
            "undecided between adam and nesterov: their mean difference does not exist; "
            "P(adam better) = 0.80 [0.65, 0.90] (20 seeds, p < 0.0001)",
        ),
        (
            replace(UNDECIDED, verdict="none", difference=UNKNOWN, seeds=4, p_holm=0.125),
            "exploratory, no verdict on adam and nesterov: their mean difference does not exist; "
            "P(adam better) = 0.80 [0.65, 0.90] (4 seeds, p = 0.12)",
        ),
        (
            replace(UNDECIDED, verdict="none", seeds=7),
            "no verdict below 10 seeds on adam and nesterov: difference 0.0020 [-0.0010, 0.0060] "
            "test.accuracy (7 seeds); about 35 more seeds would decide",
        ),
        (
            replace(UNDECIDED, verdict="none", seeds=3, more_seeds=7),
            "exploratory, no verdict on adam and nesterov: difference 0.002 test.accuracy "
            "(3 seeds); a verdict needs at least 7 more seeds",
        ),
        (
            replace(UNDECIDED, verdict="none", seeds=0, difference=UNKNOWN),
            "no verdict on adam and nesterov: they share no seeds",
        ),
    ],
)
def test_sentences(pair, sentence):
    assert pair_sentence(pair, QUESTION, WITHIN) == sentence


def test_notes_stand_in_the_brackets():
    note = failure_note(level("momentum", failed=3))
    assert note == "momentum diverged on 3 of 20 seeds"
    assert pair_sentence(BETTER, QUESTION, WITHIN, note).endswith(
        "(20 seeds, p = 0.0004; momentum diverged on 3 of 20 seeds)"
    )
    missing = level("gd", values=(0.9, math.nan))
    assert failure_note(missing) == "gd has no value on 1 of 2 seeds"
    assert failure_note(level("gd")) == ""


def test_the_best_level_against_the_rest():
    levels = [level("adam"), level("rmsprop"), level("nesterov", failed=2), level("momentum")]
    worse = replace(BETTER, second="gd", difference=Interval(0.3, 0.2, 0.4))
    assert context_verdict(levels, [BETTER, worse], QUESTION) == (
        "adam is best: better than momentum by 0.0123 [0.0081, 0.0171] and gd by 0.30 [0.20, 0.40] "
        "test.accuracy (p values corrected for 2 comparisons). "
        "nesterov diverged on 2 of 20 seeds."
    )
    assert context_verdict(levels[:2], [BETTER, TIED], QUESTION) == (
        "adam is among the best: better than momentum by 0.0123 [0.0081, 0.0171] test.accuracy, "
        "tied with rmsprop within 0.005 test.accuracy (p values corrected for 2 comparisons)."
    )
    verdict = context_verdict(levels[:2], [BETTER, TIED, UNDECIDED], QUESTION, "budgets differ")
    assert verdict == (
        "adam has the best mean: better than momentum by 0.0123 [0.0081, 0.0171] test.accuracy, "
        "tied with rmsprop within 0.005 test.accuracy, undecided against nesterov (about 35 more "
        "seeds) (p values corrected for 3 comparisons). Budgets differ."
    )
    broken = replace(UNDECIDED, difference=UNKNOWN, more_seeds=None)
    assert context_verdict([levels[0], levels[2]], [broken], QUESTION) == (
        "adam has the best mean: undecided against nesterov (no mean difference exists; "
        "P(adam better) = 0.80 [0.65, 0.90]). nesterov diverged on 2 of 20 seeds."
    )


@pytest.mark.parametrize(("seeds", "start"), [(3, "exploratory"), (7, "no verdict below 10 seeds")])
def test_too_few_seeds_for_a_verdict(seeds, start):
    pair = replace(UNDECIDED, verdict="none", seeds=seeds)
    levels = [level("adam", values=(0.9,) * seeds), level("nesterov", values=(0.8,) * seeds)]
    assert context_verdict(levels, [pair], QUESTION) == (
        f"{start} ({seeds} shared seeds): adam has the best mean test.accuracy, "
        "0.900 [0.880, 0.920]."
    )
