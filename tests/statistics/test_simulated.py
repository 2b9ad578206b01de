"""Error rates, by simulating many comparisons of which the truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from thalweg.statistics.compare import compare
from thalweg.statistics.comparison import Observation

LEVELS = [f"level{number}" for number in range(8)]


def simulated(values):
    """One comparison per context; ``values`` has the shape (context, level, seed)."""
    observations = [
        Observation(LEVELS[level], seed, float(value), context=f"repeat={context}")
        for (context, level, seed), value in np.ndenumerate(values)
    ]
    return compare(
        observations,
        factor="optimizer",
        metric="test.accuracy",
        higher_is_better=True,
        resamples=499,
    ).contexts


def false_claims(contexts):
    return sum(any(pair.verdict == "better" for pair in context.pairs) for context in contexts)


@pytest.mark.parametrize("repeats", [pytest.param(60), pytest.param(600, marks=pytest.mark.slow)])
@pytest.mark.parametrize("noise", ["normal", "lognormal", "accuracy"])
def test_equal_levels_are_rarely_told_apart(noise, repeats):
    """Of 28 pairs without a difference, one or more is called better in at most 5 % of cases."""
    generator = np.random.default_rng(11)
    shape = (repeats, 8, 14)
    difficulty = generator.normal(0, 3, (repeats, 1, 14))
    if noise == "accuracy":
        values = (270 + generator.binomial(30, 0.5, shape)) / 300
    else:
        values = difficulty + getattr(generator, noise)(size=shape)
    allowed = 0.05 * repeats + 3 * math.sqrt(0.05 * 0.95 * repeats)
    assert false_claims(simulated(values)) <= allowed


def test_a_true_difference_is_found():
    """One level that is better by two deviations of the noise, against seven equal ones."""
    generator = np.random.default_rng(12)
    values = generator.normal(0, 3, (20, 1, 14)) + generator.normal(size=(20, 8, 14))
    values[:, 3] += 2.5
    contexts = simulated(values)
    best = [context.verdict.startswith("level3 is best:") for context in contexts]
    assert np.mean(best) > 0.8
    others = [
        pair
        for context in contexts
        for pair in context.pairs
        if "level3" not in (pair.first, pair.second)
    ]
    assert sum(pair.verdict == "better" for pair in others) <= 5
