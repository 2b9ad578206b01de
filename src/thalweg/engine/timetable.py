"""When a run returns to the host, and what happens there: evaluations, probes, records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from thalweg.spec.experiment import Training

__all__ = ["Timetable", "timetable"]

# Where the spec does not say how often: evaluations of a run at most, and the share of its training
# that they may cost.
EVALUATIONS, EVALUATION_SHARE = 20, 0.2
# Points of the batch-loss curve.
CURVE_POINTS = 300


@dataclass(frozen=True)
class Timetable:
    """The steps at which something happens, the same for all runs of a program.

    Args:
        steps: steps of a whole run.
        evaluations: numbers of steps after which all data are evaluated; 0 and ``steps`` included.
        probes: numbers of steps after which the next step is looked at.
        points: where the points of the batch-loss curve lie: each is the mean since the one
            before it. Evaluations and probes are among them, so a call never ends between two.
    """

    steps: int
    evaluations: frozenset[int]
    probes: frozenset[int]
    points: tuple[int, ...]

    def calls(self, begin: int, longest: int) -> Iterator[tuple[int, int]]:
        """First step and number of steps of every call from a step on.

        Args:
            begin: a point, or 0.
            longest: the most steps between two returns to the host, unless points lie further
                apart.
        """
        ahead = [point for point in self.points if point > begin]
        for i, point in enumerate(ahead):
            last = i + 1 == len(ahead)
            stop = point in self.probes or point in self.evaluations
            if last or stop or ahead[i + 1] - begin > longest:
                yield begin, point - begin
                begin = point


def timetable(
    training: Training, steps: int, steps_per_epoch: int, most: int, evaluation_cost: float = 0.0
) -> Timetable:
    """The timetable of a program; it depends on nothing but what its runs are.

    Args:
        training: how its runs are trained.
        steps: steps of a whole run.
        steps_per_epoch: steps in one pass over the training data.
        most: the most steps that may lie between two points.
        evaluation_cost: of one evaluation, in epochs of training.
    """
    affordable = EVALUATION_SHARE * training.epochs / max(evaluation_cost, 1e-9)
    count = max(1, min(EVALUATIONS, round(affordable)))
    every = training.evaluate_every or max(1, round(training.epochs / count))
    epochs = [*range(0, training.epochs, every), training.epochs]
    evaluations = frozenset(epoch * steps_per_epoch for epoch in epochs)
    spaced = np.round(np.geomspace(1, steps, training.probes)) if training.probes else []
    probes = frozenset(_near(int(step) - 1, evaluations - {steps}) for step in spaced)
    apart = min(most, -(-steps // CURVE_POINTS))
    points = {*evaluations, *probes, *range(0, steps, apart)} - {0}
    return Timetable(steps, evaluations, probes, tuple(sorted(points)))


def _near(step: int, evaluations: frozenset[int]) -> int:
    """The evaluation close to a step, where a call ends anyway; the step itself if none is."""
    closest = min(evaluations, key=lambda other: abs(other - step))
    return closest if abs(closest - step) <= 0.25 * step else step
