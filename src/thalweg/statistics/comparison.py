"""What goes into a comparison and what comes out of it.

Factors are *compared* (the levels between which a verdict is sought), *tuned* (chosen separately
for each level, on validation data and tuning seeds) or *fixed*. Every combination of the fixed
factors is a ``context`` with a verdict of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Comparison",
    "Context",
    "Interval",
    "LevelSummary",
    "Observation",
    "Pair",
    "Question",
    "Survival",
    "TuningCurve",
]


@dataclass(frozen=True)
class Observation:
    """One run, as a comparison sees it.

    Args:
        level: level of the compared factor: ``adam``.
        configuration: label of the tuned numbers: ``learning_rate=0.01, momentum=0.9``; empty if
            none is tuned.
        context: label of the fixed factors: ``noise=0.2``; empty if nothing else varies.
        seed: seed of the run; equal seeds pair runs of different levels.
        phase: ``tune`` runs choose the configuration, ``report`` runs are reported.
        value: the reported metric; non-finite where it does not exist, which is worse than
            any number.
        selection: the metric on validation data, which chooses among configurations.
        failed: the run diverged.
        steps: steps taken.
        seconds: device seconds spent.
        target_step: first evaluated step at which the target was met; None where it never was.
        run: name of the run. One run may stand in several contexts; it is paid for once.
    """

    level: str
    seed: int
    value: float
    configuration: str = ""
    context: str = ""
    phase: Literal["tune", "report"] = "report"
    selection: float = float("nan")
    failed: bool = False
    steps: int = 0
    seconds: float = 0.0
    target_step: int | None = None
    run: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked, and how strictly it is answered.

    Args:
        metric: the reported metric: ``test.accuracy``.
        higher_is_better: its direction.
        margin: differences up to this size do not matter.
        alpha: family-wise error rate in each context.
        tuned: names of the tuned numbers.
        target: value of the metric to be reached; None where the time to it is not asked for.
        resamples: bootstrap resamples.
        seed: seed of all resampling.
        baseline: the level that every other is held against; None where every pair is judged.
    """

    metric: str
    higher_is_better: bool
    margin: float = 0.0
    alpha: float = 0.05
    tuned: tuple[str, ...] = ()
    target: float | None = None
    resamples: int = 9999
    seed: int = 0
    baseline: str | None = None


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval; NaN bounds where none can be computed."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class LevelSummary:
    """All that is said about one level in one context.

    Args:
        level: its name.
        configuration: the configuration reported (chosen by tuning, if there was any).
        values: the reported metric, one per seed in order of the seeds, failed runs included.
        seeds: the seeds, in the same order.
        mean: mean with BCa interval (t interval below 8 seeds); NaN if any value is not finite.
        median: median; a value that does not exist counts as the worst, here and in the next two.
        interquartile_mean: mean of the middle half.
        worst: the worst value (smallest or largest, by the metric's direction).
        failures: share of diverged runs with Wilson interval.
        failed: number of diverged runs.
        configurations: how many were tried for it in tuning.
        budget: ``runs``, ``steps`` and device ``seconds`` of each of ``tune``, ``report`` and
            ``total``; report runs of configurations not chosen are in it.
        at_edge: tuned numbers whose chosen value is the smallest or largest of those tried.
    """

    level: str
    configuration: str
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    mean: Interval
    median: float
    interquartile_mean: float
    worst: float
    failures: Interval
    failed: int
    configurations: int = 1
    budget: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    at_edge: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """Two levels compared on the seeds they share; positive differences favour ``first``.

    Where a value of either level is not finite the mean difference does not exist: both intervals
    are NaN, and the test and the probability of superiority go by ranks.

    Args:
        first, second: the levels; ``first`` has the better mean on the shared seeds.
        difference: mean paired difference, oriented so that positive is better, with BCa interval
            (t interval below 8 seeds).
        interquartile: interquartile mean of the paired differences, with BCa interval.
        p: two-sided sign-flip p value of the mean difference.
        p_holm: the same after Holm's correction within the family of the context.
        superiority: P(first better than second), ties counted half, with interval.
        equivalent: whether both one-sided tests put the difference within the margin.
        seeds: number of shared seeds.
        verdict: ``better``, ``tied``, ``undecided`` or ``none`` (too few seeds for a verdict).
        more_seeds: about how many more would decide it; None where it is decided, or where no
            number can be named.
        sentence: the verdict in words.
    """

    first: str
    second: str
    difference: Interval
    interquartile: Interval
    p: float
    p_holm: float
    superiority: Interval
    equivalent: bool
    seeds: int
    verdict: Literal["better", "tied", "undecided", "none"]
    more_seeds: int | None
    sentence: str


@dataclass(frozen=True)
class Survival:
    """Time to target of one level, right-censored at the end of the runs that never met it.

    Args:
        level: its name.
        steps, share: the Kaplan–Meier estimate of the share of runs not yet at the target; runs
            that diverged never arrive.
        median: median steps to target with interval (NaN where less than half arrived).
        reached, runs: how many runs met the target, of how many.
    """

    level: str
    steps: tuple[float, ...]
    share: tuple[float, ...]
    median: Interval
    reached: int
    runs: int


@dataclass(frozen=True)
class TuningCurve:
    """Expected best validation metric after trying k of the configurations at random.

    Args:
        level: its name.
        tried: k = 1, 2, ….
        best: expectation of the best of k over all orders of trying.
        low, high: the best of k lies between these in 1 - alpha of all orders.
    """

    level: str
    tried: tuple[int, ...]
    best: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Context:
    """The comparison within one combination of the fixed factors.

    Args:
        label: the combination: ``noise=0.2``; empty where nothing is fixed.
        levels: the levels, best first by mean.
        pairs: all pairs of levels, or all with the baseline.
        survival, log_rank_p: time to target, where a target was given.
        tuning: tuning curves, where anything was tuned.
        verdict: the finding of this context in one or two sentences.
        warnings: what the reader must know: edges of ranges, unequal budgets, missing runs.
    """

    label: str
    levels: tuple[LevelSummary, ...]
    pairs: tuple[Pair, ...]
    verdict: str
    survival: tuple[Survival, ...] = ()
    log_rank_p: float = float("nan")
    tuning: tuple[TuningCurve, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """The answer to the question of an experiment.

    Args:
        factor: the compared factor.
        metric: the reported metric: ``test.accuracy``.
        higher_is_better: its direction.
        margin: differences up to this size do not matter.
        alpha: family-wise error rate.
        tuned: names of the tuned numbers.
        contexts: one per combination of fixed factors, in the order of the plan.
        verdict: the answer in words, over all contexts.
        budget: as that of a level, over all levels and contexts.
        baseline: the level that every other was held against; None where every pair was judged.
    """

    factor: str
    metric: str
    higher_is_better: bool
    margin: float
    alpha: float
    tuned: tuple[str, ...]
    contexts: tuple[Context, ...]
    verdict: str
    budget: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    baseline: str | None = None
