"""What an experiment will train: its trials, and the plan that is shown before they run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from thalweg.engine.plan import Group, Job
from thalweg.engine.room import needed
from thalweg.spec.expand import Point

__all__ = ["FIRST_TUNING_SEED", "Phase", "Plan", "Trial"]

Phase = Literal["tune", "report"]

# Tuning seeds start here, so that they never meet the reporting seeds 0, 1, 2, ...
FIRST_TUNING_SEED = 1000


@dataclass(frozen=True)
class Trial:
    """One run of an experiment: a point, a phase, and the job that trains it."""

    point: Point
    phase: Phase
    job: Job


@dataclass(frozen=True)
class Plan:
    """What an experiment will train.

    Args:
        points: distinct points.
        duplicates: points that were written more than once.
        trials: the runs of the phases known so far; of the reporting phase of a tuned comparison,
            those of every configuration are counted but only the chosen ones will run.
        groups: programs.
        varied: paths that take several values.
        reporting: runs that the reporting phase adds once tuning has chosen.
        recorded: how many of all runs the record has already; those of the reporting phase are
            known once tuning has ended.
        adjusted: how many of the recorded trials were adjusted by hand.
        notes: what was inferred: task, loss, losses of rows.
    """

    points: int
    duplicates: int
    trials: tuple[Trial, ...]
    groups: tuple[Group, ...]
    varied: tuple[str, ...]
    reporting: int
    recorded: int
    notes: tuple[str, ...] = ()
    adjusted: int = 0

    @property
    def runs(self) -> int:
        """All runs, those of the reporting phase included."""
        return len(self.trials) + self.reporting

    @property
    def steps(self) -> int:
        """Run-steps of the trials known so far."""
        return sum(g.shape.steps * len(g.jobs) for g in self.groups)

    @property
    def memory(self) -> int:
        """Bytes that the largest wave and the data need, roughly."""
        held = (t.job.dataset for t in self.trials if not t.job.dataset.is_stored)
        data = {id(dataset): dataset.inputs.nbytes for dataset in held}
        return max(map(needed, self.groups), default=0) + sum(data.values())
