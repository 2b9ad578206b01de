"""Ensembles of recorded runs: who belongs together, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np

from thalweg.engine.kept import said
from thalweg.engine.plan import Job
from thalweg.laboratory.plan import Trial
from thalweg.record.store import Record
from thalweg.spec.expand import Point
from thalweg.statistics.ensembles import EnsembleLevel, gains

__all__ = ["Places", "ensemble_levels"]

#: Level, configuration and context of a point, once for each context it is part of.
Places = Callable[[Point], Iterable[tuple[str, str, str]]]


def ensemble_levels(
    trials: Sequence[Trial],
    outcomes: Mapping[str, str],
    places: Places,
    record: Record,
    size: int,
    alpha: float,
) -> Iterator[EnsembleLevel]:
    """What the ensembles of every point gain, wherever one of them is complete.

    Args:
        trials: of the reporting phase.
        outcomes: of those runs that have ended.
        places: what a point is called.
        record: where parameters are.
        size: members of each ensemble: the first so many seeds make one, the next another.
        alpha: intervals cover 1 - alpha.
    """
    for _, own in groupby(trials, key=lambda trial: id(trial.point)):
        together = list(own)
        complete = [
            members
            for members in _portions([trial.job for trial in together], size)
            if all(job.id in outcomes for job in members)
        ]
        if not complete:
            continue
        found = gains(
            [[_said(job, record) for job in jobs] for jobs in complete],
            [_targets(jobs[0]) for jobs in complete],
            1 - alpha,
        )
        seeds = tuple(tuple(job.seed for job in jobs) for jobs in complete)
        diverged = sum(outcomes[job.id] == "diverged" for jobs in complete for job in jobs)
        for level, configuration, context in places(together[0].point):
            yield EnsembleLevel(level, configuration, context, seeds, diverged, found)


def _targets(job: Job) -> np.ndarray:
    """The test targets of a run; of sequences and trees those that count, one after the other."""
    targets = job.dataset.targets[job.split.test]
    return targets[targets >= 0] if job.dataset.facts.has_steps else targets


def _said(job: Job, record: Record) -> np.ndarray:
    """What a run says of its test rows, in the order of their targets."""
    found = said(job, record.arrays(job.id), "test")
    steps = job.dataset.targets[job.split.test] >= 0
    return found[steps] if job.dataset.facts.has_steps else found


def _portions(jobs: list[Job], size: int) -> Iterator[list[Job]]:
    return (jobs[begin : begin + size] for begin in range(0, len(jobs), size))
