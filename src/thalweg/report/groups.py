"""Which runs a page is about, and what they are called.

A *group* is all report runs that differ in nothing but their seed. With a comparison the groups of
a page are the levels of its main context, each in the configuration reported for it; without one
they are the combinations of everything that varies. Groups stand best first, and a group has the
same colour in every figure: its place in that order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Protocol

import numpy as np

from thalweg.record.tables import Experiment, Run
from thalweg.report.words import label, level_words
from thalweg.statistics.comparison import Comparison, Context

__all__ = ["Curves", "Group", "View", "factor_named", "factors_but", "level_of", "varied", "view"]

# Metrics of which less is better; a comparison says its direction itself.
_SMALLER_IS_BETTER = (
    "loss",
    "error",
    "mse",
    "mae",
    "rmse",
    "perplexity",
    "bits_per_token",
    "nll",
    "distance",
)


class Curves(Protocol):
    """Where curves and arrays of runs are read from; ``record.store.Record`` is one."""

    def series(self, name: str, runs: Iterable[str]) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """Steps [n] and values [n] of one curve, by run; runs without it are left out."""
        ...

    def arrays(self, run: str) -> Mapping[str, np.ndarray]:
        """All arrays of one run by name."""
        ...


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed.

    Args:
        name: what a reader calls them.
        runs: in the order of the plan.
        rank: their place, best first, from 0.
    """

    name: str
    runs: tuple[Run, ...]
    rank: int

    @property
    def diverged(self) -> int:
        return sum(run.outcome == "diverged" for run in self.runs)

    def values(self, metric: str, worst: float) -> list[float]:
        """The metric of each run that has ended; ``worst`` for one that diverged without it."""
        found = ((run.outcome, run.finals.get(metric, math.nan)) for run in self.runs)
        return [
            value if math.isfinite(value) else worst
            for outcome, value in found
            if math.isfinite(value) or outcome == "diverged"
        ]


@dataclass(frozen=True)
class View:
    """An experiment as a page looks at it.

    Args:
        experiment: what was run.
        comparison: what was found, or None.
        metric: name of the reported value: ``test.accuracy``; empty if nothing was measured.
        higher_is_better: its direction.
        groups: best first.
    """

    experiment: Experiment
    comparison: Comparison | None
    metric: str
    higher_is_better: bool
    groups: tuple[Group, ...]

    def main(self) -> tuple[Run, ...]:
        """All runs of the main context, tuning included; without a comparison simply all."""
        comparison, runs = self.comparison, self.experiment.runs
        if comparison is None:
            return runs
        fixed = {fixed_factors(run, comparison) for group in self.groups for run in group.runs}
        return tuple(run for run in runs if fixed_factors(run, comparison) in fixed)

    @property
    def context(self) -> Context | None:
        """The main context of the comparison."""
        return self.comparison.contexts[0] if self.comparison else None

    @property
    def measure(self) -> str:
        """The metric without its split: ``accuracy``."""
        return self.metric.partition(".")[2] or self.metric

    @property
    def worst(self) -> float:
        """The value of a run that has none."""
        return -math.inf if self.higher_is_better else math.inf


def view(experiment: Experiment, comparison: Comparison | None) -> View:
    """Find the groups of a page."""
    if comparison is not None and comparison.contexts:
        groups = _compared(experiment, comparison)
        return View(experiment, comparison, comparison.metric, comparison.higher_is_better, groups)
    metric = _metric(experiment.runs)
    higher = metric.partition(".")[2] not in _SMALLER_IS_BETTER
    return View(experiment, None, metric, higher, _all_groups(experiment.runs, metric, higher))


def factor_named(run: Run, name: str) -> object:
    """The value of a factor, by its path or by the last word of its path; None if there is none."""
    if name in run.factors:
        return run.factors[name]
    return next((v for path, v in run.factors.items() if path.rpartition(".")[2] == name), None)


def factors_but(run: Run, left_out: Iterable[str]) -> str:
    """The other factors of a run in words: ``noise=0.2, batch_size=16``."""
    out = set(left_out)
    return ", ".join(
        f"{path.rpartition('.')[2]}={label(value)}"
        for path, value in run.factors.items()
        if path not in out and path.rpartition(".")[2] not in out
    )


def varied(runs: Sequence[Run]) -> list[str]:
    """Paths of the factors that runs differ in; having none is a value too."""
    paths = dict.fromkeys(path for run in runs for path in run.factors if path != "seed")
    return [path for path in paths if len({label(run.factors.get(path)) for run in runs}) > 1]


def level_of(run: Run, comparison: Comparison) -> str:
    """The level of the compared factor that a run belongs to."""
    return level_words(comparison.factor, factor_named(run, comparison.factor))


def fixed_factors(run: Run, comparison: Comparison) -> frozenset[str]:
    """What of a run is neither compared nor tuned."""
    words = factors_but(run, (comparison.factor, *comparison.tuned, "seed"))
    return frozenset(words.split(", ")) - {""}


def _configuration(run: Run, comparison: Comparison) -> str:
    pairs = ((name, factor_named(run, name)) for name in comparison.tuned)
    return ", ".join(f"{name}={label(value)}" for name, value in pairs if value is not None)


def _compared(experiment: Experiment, comparison: Comparison) -> tuple[Group, ...]:
    """The report runs behind each level of the main context.

    A run may lie in several contexts, so that its factors do not say which it is meant for: the
    runs behind a level are those whose seeds have the level's values.
    """
    held: dict[tuple[str, str], dict[frozenset[str], list[Run]]] = {}
    for run in experiment.runs:
        if run.phase == "report":
            place = level_of(run, comparison), _configuration(run, comparison)
            fixed = held.setdefault(place, {})
            fixed.setdefault(fixed_factors(run, comparison), []).append(run)
    groups = []
    for rank, level in enumerate(comparison.contexts[0].levels):
        wanted = dict(zip(level.seeds, level.values, strict=True))
        candidates = held.get((level.level, level.configuration), {}).values()

        def unlike(runs: list[Run], wanted: Mapping[int, float] = wanted) -> int:
            values = {run.seed: run.finals.get(comparison.metric, math.nan) for run in runs}
            return sum(not _same(values.get(seed), value) for seed, value in wanted.items())

        runs = min(candidates, key=unlike, default=[])
        groups.append(Group(level.level, tuple(runs), rank))
    return tuple(groups)


def _same(one: float | None, other: float) -> bool:
    return one is not None and (one == other or not (math.isfinite(one) or math.isfinite(other)))


def _all_groups(runs: Iterable[Run], metric: str, higher: bool) -> tuple[Group, ...]:
    runs = tuple(runs)
    factors = varied(runs)
    same = {path for run in runs for path in run.factors} - set(factors)
    alone = "base" if factors else "all runs" if len(runs) > 1 else "the run"
    held: dict[str, list[Run]] = {}
    for run in runs:
        name = factors_but(run, same)
        held.setdefault(name or alone, []).append(run)
    sign, worst = (-1.0, -math.inf) if higher else (1.0, math.inf)
    groups = [Group(name, tuple(runs), 0) for name, runs in held.items()]

    def merit(group: Group) -> float:
        """Smaller is better; nothing known is worst."""
        values = group.values(metric, worst)
        return sign * median(values) if values else math.inf

    return tuple(replace(group, rank=i) for i, group in enumerate(sorted(groups, key=merit)))


def _metric(runs: Iterable[Run]) -> str:
    """What a page without a comparison ranks by: the most held-out of what was measured."""
    names = list(dict.fromkeys(name for run in runs for name in run.finals))
    splits = ("test", "validation", "train")

    def order(name: str) -> tuple[bool, int, int]:
        split, _, measure = name.partition(".")
        place = splits.index(split) if split in splits else len(splits)
        return measure == "loss", place, names.index(name)

    return min(names, key=order, default="")
