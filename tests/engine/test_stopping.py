"""Ending early, and statistics of whole sets: what a run keeps, against its own record by NumPy."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest
from tests.engine.laboratory_setup import jobs, recipe, trained

from thalweg.catalogue.context import Variables
from thalweg.catalogue.layers import BatchNormalization
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam
from thalweg.data import Moons
from thalweg.spec import EarlyStopping

# Few rows, much noise and large steps: validation losses rise soon.
DATA = Moons(samples=80, noise=0.45, split=(0.4, 0.3, 0.3))
PATIENCE, EPOCHS = 3, 60


def stops_at(curve: list[float], patience: int) -> tuple[int, int]:
    """The evaluation after which a run ends, and the best until then, read off its curve."""
    best, waited = 0, 0
    for i, loss in enumerate(curve):
        if loss < curve[best] or i == 0:
            best, waited = i, 0
        else:
            waited += 1
        if waited == patience:
            return i, best
    return len(curve) - 1, best


def test_a_run_stops_when_it_should_and_keeps_its_best(tmp_path: Path) -> None:
    changes = {"data": DATA, "network": MLP(hidden=(24,)), "optimizer": Adam(learning_rate=0.05)}
    plan = {"epochs": EPOCHS, "evaluate_every": 1, "probes": 0}
    stopping = {True: EarlyStopping(patience=PATIENCE)}
    stopping[False] = EarlyStopping(patience=PATIENCE, restore_best=False)
    wanted = jobs(
        [
            recipe(**changes, training=plan),
            *(recipe(**changes, training=plan | {"early_stopping": s}) for s in stopping.values()),
        ],
        seeds=(0, 1),
    )
    with trained(wanted, tmp_path) as record:
        curves = [record.series("valid.loss", [job.id])[job.id] for job in wanted]
        arrays = [record.arrays(job.id) for job in wanted]
    for seed in (0, 1):
        (steps, whole), (_, best_kept), (stopped_steps, last_kept) = curves[seed::2]
        at, best = stops_at(list(whole), PATIENCE)
        assert PATIENCE <= at < EPOCHS  # it is worth stopping, and not at once
        assert best == at - PATIENCE
        # Until then nothing differs from the run that goes on.
        np.testing.assert_allclose(last_kept, whole[: at + 1], rtol=1e-5)
        np.testing.assert_allclose(best_kept, whole[: at + 1], rtol=1e-5)
        np.testing.assert_array_equal(stopped_steps, steps[: at + 1])
