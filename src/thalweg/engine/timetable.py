"""When a run returns to the host, and what happens there: evaluations, probes, records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from thalweg.spec.experiment import Training

__all__ = ["Timetable", "timetable"]

# Evaluations of a run where the spec does not say how often, and points of its batch-loss curve.
EVALUATIONS, CURVE_POINTS = 20, 300


@dataclass(frozen=True)
class Timetable:
    """The steps at which something happens, the same for all runs of a program.

    Args:
        steps: steps of a whole run.
        longest: the most steps between two returns to the host.
        evaluations: numbers of steps after which all data are evaluated; 0 and ``steps`` included.
        probes: numbers of steps after which the next step is looked at.
        curve: steps averaged into one point of the batch-loss curve.
    """

    steps: int
    longest: int
    evaluations: frozenset[int]
    probes: frozenset[int]
    curve: int

    def calls(self, begin: int) -> Iterator[tuple[int, int]]:
        """First step and number of steps of every call from a step on."""
        stops = sorted(
            {self.steps, *self.evaluations, *self.probes, *range(0, self.steps, self.longest)}
        )
        for stop in stops:
            if stop > begin:
                yield begin, stop - begin
                begin = stop


def timetable(training: Training, steps: int, steps_per_epoch: int, longest: int) -> Timetable:
    """The timetable of a program.

    Args:
        training: how its runs are trained.
        steps: steps of a whole run.
        steps_per_epoch: steps in one pass over the training data.
        longest: the most steps between two returns to the host.
    """
    every = training.evaluate_every or max(1, round(training.epochs / EVALUATIONS))
    epochs = [*range(0, training.epochs, every), training.epochs]
    spaced = np.geomspace(1, steps, training.probes) if training.probes else np.array([])
    return Timetable(
        steps,
        longest,
        frozenset(epoch * steps_per_epoch for epoch in epochs),
        frozenset(int(step) - 1 for step in np.round(spaced)),
        max(1, -(-steps // CURVE_POINTS)),
    )
