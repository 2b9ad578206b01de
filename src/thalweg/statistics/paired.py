"""Two levels compared on the seeds they share.

``pairs`` compares all levels of one context with each other. What it uses stands below it:
``sign_flip`` (is the mean difference compatible with none?), ``holm`` (many such questions at
once), ``superiority`` (how often is one better than the other?), ``equivalence_interval`` (may two
levels be called tied?) and ``seeds_needed`` (how many seeds would tell?).

All differences and values here are oriented: larger is better, and a value that does not exist is
minus infinity, worse than any other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import scipy

from thalweg.statistics.comparison import Interval, LevelSummary, Pair, Question
from thalweg.statistics.intervals import Floats, bootstrap_intervals, mean_intervals, t_interval
from thalweg.statistics.verdict import VERDICTS_FROM, failure_note, pair_sentence, tuning_note

__all__ = [
    "equivalence_interval",
    "holm",
    "oriented",
    "pairs",
    "seeds_needed",
    "sign_flip",
    "smallest_p",
    "superiority",
]

EXACT_UP_TO = 26  # seeds; two halves of 2^13 sums each
POWER = 0.8  # chance that the seeds named by ``seeds_needed`` decide, if the estimates are true


@dataclass(frozen=True)
class _Duel:
    """Two levels on their shared seeds, the better one first."""

    first: LevelSummary
    second: LevelSummary
    first_values: Floats
    second_values: Floats
    differences: Floats


def oriented(values: Sequence[float] | Floats, higher_is_better: bool) -> Floats:
    """The values with larger meaning better, and minus infinity where there is none."""
    array = np.asarray(values, dtype=float)
    return np.where(np.isfinite(array), array if higher_is_better else -array, -np.inf)


def pairs(levels: Sequence[LevelSummary], question: Question) -> tuple[Pair, ...]:
    """All pairs of the levels, which come best first, with their verdicts.

    Where there is a baseline, only its pairs. Those that share a seed are one family of p values.
    """
    judged = [
        two
        for two in itertools.combinations(levels, 2)
        if question.baseline is None or question.baseline in (two[0].level, two[1].level)
    ]
    duels = [_duel(*two, question.higher_is_better) for two in judged]
    differences = [duel.differences for duel in duels]
    resampling = {"resamples": question.resamples, "seed": question.seed}
    confidence = 1 - question.alpha
    means = mean_intervals(differences, confidence, **resampling)
    middles = bootstrap_intervals(
        differences, "interquartile_mean", (confidence,), question.resamples, question.seed
    )
    within = equivalence_interval(differences, question.alpha, **resampling)
    p = np.array([sign_flip(each, **resampling) for each in differences])
    corrected, held_against = holm(p)
    return tuple(
        _judge(
            duel,
            mean,
            middle[0],
            equivalence,
            (float(p[index]), float(corrected[index]), int(held_against[index])),
            question,
        )
        for index, (duel, mean, middle, equivalence) in enumerate(
            zip(duels, means, middles, within, strict=True)
        )
    )


def _duel(first: LevelSummary, second: LevelSummary, higher_is_better: bool) -> _Duel:
    """Pair the shared seeds, and put the level with the better mean difference first."""
    values = [
        dict(zip(level.seeds, oriented(level.values, higher_is_better), strict=True))
        for level in (first, second)
    ]
    shared = [seed for seed in first.seeds if seed in values[1]]
    a, b = (np.array([each[seed] for seed in shared], dtype=float) for each in values)
    one_exists = np.isfinite(a) | np.isfinite(b)
    differences = np.subtract(a, b, out=np.full(len(shared), math.nan), where=one_exists)
    exists = bool(np.isfinite(differences).all())
    advantage = differences.sum() if exists else _share_of_wins(a, b) - 0.5
    if advantage < 0:
        return _Duel(second, first, b, a, -differences)
    return _Duel(first, second, a, b, differences)


def _judge(
    duel: _Duel,
    mean: Interval,
    middle: Interval,
    within: Interval,
    p: tuple[float, float, int],
    question: Question,
) -> Pair:
    """The verdict on one pair; ``p`` holds the p value, Holm's, and the tests it was held against.

    A level is better only if its mean and its interquartile mean agree, chance is an unlikely
    explanation, and the difference is large enough to matter.
    """
    count = len(duel.differences)
    margin = question.margin
    equivalent = -margin < within.low and within.high < margin
    verdict: Literal["better", "tied", "undecided", "none"]
    if count < VERDICTS_FROM:
        verdict = "none"
    elif mean.low > 0 and middle.low > 0 and p[1] <= question.alpha and mean.estimate > margin:
        verdict = "better"
    else:
        verdict = "tied" if equivalent else "undecided"
    needed = math.nan
    if verdict in ("none", "undecided"):
        needed = max(_needed(duel.differences, mean, middle, p[2], question), VERDICTS_FROM)
    if verdict == "none" and math.isinf(needed):
        needed = VERDICTS_FROM
    pair = Pair(
        first=duel.first.level,
        second=duel.second.level,
        difference=mean,
        interquartile=middle,
        p=p[0],
        p_holm=p[1],
        superiority=superiority(duel.first_values, duel.second_values, 1 - question.alpha),
        equivalent=equivalent,
        seeds=count,
        verdict=verdict,
        more_seeds=max(1, math.ceil(needed) - count) if math.isfinite(needed) else None,
        sentence="",
    )
    levels = (duel.first, duel.second)
    notes = [*map(failure_note, levels), tuning_note(*levels)]
    sentence = pair_sentence(pair, question, within, "; ".join(filter(None, notes)))
    return replace(pair, sentence=sentence)


def _needed(
    differences: Floats, mean: Interval, middle: Interval, family: int, question: Question
) -> float:
    """Seeds that would decide this pair; infinite where no number can be named."""
    count = len(differences)
    if count < 2 or not np.isfinite(differences).all():
        return math.inf
    alpha, margin = question.alpha, question.margin
    of_mean = seeds_needed(
        mean.estimate, float(differences.std(ddof=1)), margin=margin, alpha=alpha, family=family
    )
    if mean.estimate <= margin:
        return of_mean
    width = (middle.high - middle.low) * math.sqrt(count)
    deviation = width / (2 * float(scipy.special.ndtri(1 - alpha / 2)))
    return max(of_mean, seeds_needed(middle.estimate, deviation, margin=0.0, alpha=alpha, family=1))


def sign_flip(differences: Floats, *, resamples: int = 9999, seed: int = 0) -> float:
    """Two-sided p value of the mean paired difference under random exchange of the two levels.

    Exact up to 26 seeds, from ``resamples`` random sign patterns above. Where a difference is
    not finite the signed ranks take the place of the differences (Wilcoxon's test, ranks with
    Pratt's zeros): an infinite difference has the largest rank.

    Args:
        differences: one per shared seed; plus or minus infinity where one side does not exist,
            NaN where neither does, which is a draw.
        resamples: number of random sign patterns.
        seed: seed of the patterns.

    Returns:
        The p value; NaN without differences.
    """
    count = len(differences)
    if count == 0:
        return math.nan
    if not np.isfinite(differences).all():
        differences = np.where(np.isnan(differences), 0.0, differences)
        differences = np.sign(differences) * scipy.stats.rankdata(np.abs(differences))
    # Sums that are equal up to rounding count as equal.
    threshold = abs(differences.sum()) - 1e-12 * np.abs(differences).sum()
    if count <= EXACT_UP_TO:
        # Every sum of n signed values is a sum over one half plus a sum over the other.
        left = _signed_sums(differences[: count // 2])
        right = np.sort(_signed_sums(differences[count // 2 :]))
        extreme = (len(right) - np.searchsorted(right, threshold - left)).sum()
        return min(1.0, 2 * int(extreme) / 2**count)
    sums = _signs(count, resamples, seed) @ differences
    return (1 + int((np.abs(sums) >= threshold).sum())) / (resamples + 1)


def smallest_p(count: int, resamples: int = 9999) -> float:
    """The smallest p value ``sign_flip`` can give for a number of differences."""
    return 2.0 ** (1 - count) if count <= EXACT_UP_TO else 1 / (resamples + 1)


def _signed_sums(values: Floats) -> Floats:
    """The sums of the values under all patterns of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums


@lru_cache(maxsize=4)
def _signs(count: int, resamples: int, seed: int) -> Floats:
    """Random signs, shape (resamples, count)."""
    return np.random.default_rng(seed).choice([-1.0, 1.0], (resamples, count))


def holm(p: Floats) -> tuple[Floats, np.ndarray]:
    """Holm's correction of a family of p values; NaNs are no members.

    Args:
        p: p values, shape (tests,).

    Returns:
        The corrected p values, and for each the number of hypotheses left when its turn came, by
        which it was multiplied.
    """
    members = np.flatnonzero(~np.isnan(p))
    order = members[np.argsort(p[members], kind="stable")]
    left = np.zeros(len(p), dtype=int)
    left[order] = np.arange(len(order), 0, -1)
    corrected = np.full(len(p), math.nan)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * left[order]))
    return corrected, left


def _share_of_wins(first: Floats, second: Floats) -> float:
    """Share of all couples of values in which the first is larger, ties counted half."""
    if len(first) == 0:
        return math.nan
    above = (first[:, None] > second).mean()
    return float(above + (first[:, None] == second).mean() / 2)


def superiority(first: Floats, second: Floats, confidence: float) -> Interval:
    """P(first > second), ties counted half: the Mann–Whitney area with Newcombe's interval.

    Newcombe (2006), Statistics in Medicine 25:559, method 5: it keeps its coverage and its width
    where one side always wins. It does not use the pairing, so it is somewhat wide for paired
    values.

    Args:
        first: oriented values, shape (m,).
        second: oriented values, shape (n,).
        confidence: coverage in (0, 1).

    Returns:
        The share with its interval; NaN without values.
    """
    share = _share_of_wins(first, second)
    if math.isnan(share):
        return Interval(math.nan, math.nan, math.nan)
    sizes = (len(first), len(second))
    return Interval(
        share,
        _lowest_share(share, sizes, confidence),
        1 - _lowest_share(1 - share, sizes, confidence),
    )


def _lowest_share(share: float, sizes: tuple[int, int], confidence: float) -> float:
    """The smallest area from which the observed one is not too far, in its standard errors."""
    if share == 0:
        return 0.0
    z = float(scipy.special.ndtri((1 + confidence) / 2))
    extra = sum(sizes) / 2 - 1

    def excess(area: float) -> float:
        spread = 1 + extra * ((1 - area) / (2 - area) + area / (1 + area))
        return (share - area) ** 2 - z**2 * area * (1 - area) * spread / math.prod(sizes)

    # Just below the observed share, because at a share of 1 that is a root too.
    return float(scipy.optimize.root_scalar(excess, bracket=(0.0, share * (1 - 1e-9))).root)


def equivalence_interval(
    samples: Sequence[Floats], alpha: float, *, resamples: int = 9999, seed: int = 0
) -> list[Interval]:
    """The 1 - 2 alpha interval of each mean that must lie within the margin for a tie.

    It is the smallest that holds both the BCa interval and the t interval: the second is two
    one-sided t tests; the first alone calls too many ties with 10 to 20 seeds.
    """
    confidence = 1 - 2 * alpha
    bootstrapped = bootstrap_intervals(samples, "mean", (confidence,), resamples, seed)
    found = []
    for sample, (bootstrap,) in zip(samples, bootstrapped, strict=True):
        student = t_interval(sample, confidence)
        low, high = min(bootstrap.low, student.low), max(bootstrap.high, student.high)
        found.append(Interval(student.estimate, low, high))
    return found


def seeds_needed(
    effect: float, deviation: float, *, margin: float, alpha: float, family: int
) -> float:
    """Seeds that decide with 80 % power, if effect and deviation are the true ones.

    Above the margin the decision is ``better`` (sign-flip test at ``alpha / family``, mean above
    the margin), below it is ``tied`` (two one-sided tests).

    Args:
        effect: mean paired difference.
        deviation: standard deviation of the paired differences.
        margin: differences up to this size do not matter.
        alpha: error rate.
        family: number of hypotheses by which Holm's correction multiplies the p value.

    Returns:
        Number of seeds in total, not rounded; infinite where no number of seeds decides.
    """
    power = float(scipy.special.ndtri(POWER))
    if effect > margin:
        level = alpha / max(family, 1)
        z = -float(scipy.special.ndtri(level / 2))
        # The square of z corrects for the estimated deviation (Guenther 1981).
        detect = ((z + power) * deviation / effect) ** 2 + z**2 / 2
        exceed = (power * deviation / (effect - margin)) ** 2 if margin > 0 else 0.0
        return max(detect, exceed, 1 - math.log2(level))
    if not abs(effect) < margin:
        return math.inf
    if deviation == 0:
        return 2.0
    z = -float(scipy.special.ndtri(alpha))

    def lacking(root: float) -> float:
        reach = [(margin + side * effect) * root / deviation - z for side in (-1, 1)]
        return POWER + 1 - float(scipy.special.ndtr(reach).sum())

    nearest = margin - abs(effect)
    longest = (z - float(scipy.special.ndtri((1 - POWER) / 2))) * deviation / nearest
    root = scipy.optimize.root_scalar(lacking, bracket=(0.0, longest * (1 + 1e-9))).root
    return float(root) ** 2 + z**2 / 2
