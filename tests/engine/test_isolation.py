"""Whatever becomes of a run, its neighbours in a chunk keep every bit."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.catalogue.rows import ROWS
from tests.engine.laboratory_setup import assert_same_bits, everything, recipe, trained

from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import ByLayer
from thalweg.data import Dataset
from thalweg.engine.plan import Job, group, jobs_of, resolve
from thalweg.part import part_name, replace

# Of every optimizer the row that makes most of it.
OPTIMIZERS = {part_name(row): row for row in ROWS["optimizers"]}
# What numbers are, in turn, of the data that a neighbour trains on. What is not a number
# would be taken for a missing one, and filled; it comes of both infinities in one row.
WILD = ((np.inf,), (np.inf, np.inf, -np.inf), (1e30,))


def spoiled(data: Dataset, values: tuple[float, ...]) -> Dataset:
    """The data with numbers that no data set is let in with, should they get in all the same."""
    inputs = data.inputs.copy()
    places = inputs.reshape(-1)[::3]
    places[:] = np.resize(values, len(places))
    bad = copy.copy(data)
    object.__setattr__(bad, "inputs", inputs)
    return bad


def run(optimizer: Any, change: Any = None) -> Job:
    if isinstance(optimizer, ByLayer):
        optimizer = replace(optimizer, layers=("dense_0",))
    training = {"epochs": 2, "batch_size": "full", "probes": 1, "evaluate_every": 1}
    made = recipe(network=MLP(hidden=(4,)), optimizer=optimizer, training=training)
    data = made.data.load()
    data = data if change is None else spoiled(data, change)
    (job,) = jobs_of(resolve(made, data), data, range(1))
    return job


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_neighbours_of_broken_runs_keep_every_bit(name: str, tmp_path: Path) -> None:
    calm = run(OPTIMIZERS[name])
    wild = [run(OPTIMIZERS[name], value) for value in WILD]
    company = [wild[0], calm, *wild[1:]]
    assert len(group(company)) == 1
    with trained([calm], tmp_path / "alone") as record:
        alone = everything(record, calm.id)
        assert record.outcomes([calm.id]) == {calm.id: "finished"}
    with trained(company, tmp_path / "beside") as record:
        assert_same_bits(alone, everything(record, calm.id))
        ended = record.outcomes([job.id for job in wild])
    assert ended[wild[0].id] == "diverged"
    assert ended[wild[1].id] == "diverged"
