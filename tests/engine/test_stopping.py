"""Ending early, and statistics of whole sets: what a run keeps, against its own record by NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from tests.engine.laboratory_setup import jobs, recipe, trained

from thalweg.catalogue.layers import BatchNormalization, RMSNormalization
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam
from thalweg.data import Moons
from thalweg.engine.plan import Job
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
        curves = [record.series("validation.loss", [job.id])[job.id] for job in wanted]
        kept = [dict(record.arrays(job.id)) for job in wanted]
    for seed in (0, 1):
        (steps, whole), (_, of_best), (stopped_at, of_last) = curves[seed::2]
        at, best = stops_at(list(whole), PATIENCE)
        assert PATIENCE < at < EPOCHS - 5  # it is worth stopping, and not at once
        assert best == at - PATIENCE
        # Until then nothing differs from the run that goes on.
        np.testing.assert_allclose(of_best, whole[: at + 1], rtol=1e-4)
        np.testing.assert_allclose(of_last, whole[: at + 1], rtol=1e-4)
        np.testing.assert_array_equal(stopped_at, steps[: at + 1])
        # What is kept scores as the curve says it did then.
        job = wanted[seed]
        _, with_best, with_last = (loss_of(arrays, job) for arrays in kept[seed::2])
        assert with_best == pytest.approx(of_best[best], rel=1e-4)
        assert with_last == pytest.approx(of_last[at], rel=1e-4)
        assert with_best < 0.99 * with_last


def loss_of(arrays: dict[str, np.ndarray], job: Job) -> float:
    """The validation loss of recorded parameters, by NumPy: a cross-entropy of one logit."""
    x, y = job.dataset.inputs[job.split.validation], job.dataset.targets[job.split.validation]
    hidden = np.maximum(
        x @ arrays["parameters.dense_0.kernel"] + arrays["parameters.dense_0.bias"], 0
    )
    z = (hidden @ arrays["parameters.dense_1.kernel"] + arrays["parameters.dense_1.bias"])[:, 0]
    return float(np.logaddexp(0, -(2 * y - 1) * z).mean())


def test_statistics_of_the_population_are_those_of_all_training_rows(tmp_path: Path) -> None:
    normalization = BatchNormalization(statistics="population")
    wanted = jobs([recipe(network=MLP(hidden=(8, 5), normalization=normalization))])
    (job,) = wanted
    with trained(wanted, tmp_path) as record:
        arrays = {name: np.float64(a) for name, a in record.arrays(job.id).items()}
    x = np.float64(job.dataset.inputs[job.split.train])
    assert len(x) % job.batch_size  # the last batch is shorter, and counts for what it holds
    for i in (0, 1):
        # The bias before a normalization would be taken away again, so there is none.
        assert f"parameters.dense_{i}.bias" not in arrays
        z = x @ arrays[f"parameters.dense_{i}.kernel"]
        held = f"state.batch_normalization_{i}"
        np.testing.assert_allclose(arrays[f"{held}.mean"], z.mean(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(arrays[f"{held}.variance"], z.var(axis=0), rtol=1e-4)
        scale, shift = (
            arrays[f"parameters.batch_normalization_{i}.{n}"] for n in ("scale", "bias")
        )
        x = np.maximum(scale * (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5) + shift, 0)
    assert "parameters.dense_2.bias" in arrays


def test_a_bias_before_batch_normalization_is_dropped() -> None:
    """It is there without the normalization, and with one that does not centre."""
    example, key = np.ones((4, 3), np.float32), jax.random.key(0)

    def first(**fields: Any) -> set[str]:
        return set(MLP(hidden=(8,), outputs=1, **fields).init(key, example).parameters["dense_0"])

    assert first(normalization=BatchNormalization()) == {"kernel"}
    assert first() == first(normalization=RMSNormalization()) == {"kernel", "bias"}
