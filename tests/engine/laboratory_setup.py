"""Small experiments, trained in a temporary project."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.catalogue.networks import MLP
from thalweg.data import Moons
from thalweg.engine.plan import Job, jobs_of, resolve
from thalweg.engine.train import train
from thalweg.record.store import Record
from thalweg.record.tables import Experiment, Run
from thalweg.spec import Recipe, Training

MOONS = Moons(samples=120, noise=0.2, split=(0.5, 0.25, 0.25))


def recipe(**changes: Any) -> Recipe:
    """Two moons, eight hidden units, a few epochs, with some fields changed."""
    training = changes.pop("training", {})
    fields = {"epochs": 6, "batch_size": 16, "probes": 3, **training}
    given = {"data": MOONS, "network": MLP(hidden=(8,)), **changes}
    return Recipe(**given, training=Training(**fields))


def jobs(recipes: Iterable[Recipe], seeds: Iterable[int] = (0,)) -> list[Job]:
    """The runs of some recipes, for each of some seeds."""
    made = []
    for one in recipes:
        data = one.data.load()
        for seed in seeds:
            made += jobs_of(resolve(one, data), data, range(seed, seed + 1))
    return made


def known(wanted: list[Job]) -> Experiment:
    """An experiment of these runs, so that the record knows them."""
    runs = tuple(Run(job.id, job.spec, job.seed) for job in wanted)
    return Experiment("test", "", {}, None, {}, runs)


def trained(wanted: list[Job], project: Path) -> Record:
    """The record after all runs were trained; the caller closes it."""
    record = Record.open(project, write=True)
    record.add_experiment(known(wanted))
    for _ in train(wanted, record):
        pass
    return record


def cut_off(wanted: list[Job], project: Path, after: int) -> None:
    """Begin to train runs, or go on with it, and stop after so many calls."""
    with Record.open(project, write=True) as record:
        record.add_experiment(known(wanted))
        training = train(wanted, record)
        for _ in range(after):
            next(training)
        training.close()


def everything(record: Record, run: str) -> dict[str, np.ndarray]:
    """All curves and parameters of a run, for bitwise comparison."""
    found = {name: np.asarray(array) for name, array in record.arrays(run).items()}
    for name in record.series_names([run]):
        steps, values = record.series(name, [run])[run]
        found[f"{name} steps"], found[name] = steps, values
    return found


def assert_same_bits(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    """Both hold the same names, and the same bits under each."""
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.tobytes() == second[name].tobytes(), name
