"""What the record is told of an experiment: what was asked, where, and its runs."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from typing import Any

from thalweg.engine import devices
from thalweg.laboratory.plan import Trial
from thalweg.record.tables import Experiment as Recorded
from thalweg.record.tables import Run
from thalweg.spec.expand import label
from thalweg.spec.experiment import Experiment
from thalweg.spec.identity import experiment_id
from thalweg.spec.text import to_data

__all__ = ["recorded_as"]


def recorded_as(
    experiment: Experiment, trials: Sequence[Trial], varied: Collection[str], source: str
) -> Recorded:
    """An experiment as the record keeps it.

    Args:
        experiment: what was asked.
        trials: its runs that are known so far.
        varied: paths that take several values over its points.
        source: text of the spec file.
    """
    runs = {trial.job.id: _run(trial, varied) for trial in trials}
    date = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    return Recorded(
        experiment_id(experiment),
        experiment.question,
        to_data(experiment, full=False),
        to_data(experiment.compare) if experiment.compare else None,
        {**devices.describe(), "date": date, "source": source},
        tuple(runs.values()),
    )


def _run(trial: Trial, varied: Collection[str]) -> Run:
    job = trial.job
    factors: dict[str, Any] = {
        path: _plain(value) for path, value in trial.point.factors.items() if path in varied
    }
    return Run(job.id, job.spec, job.seed, steps=job.steps, phase=trial.phase, factors=factors)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=label))
