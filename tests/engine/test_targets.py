"""Regression on targets as they come: scaled for training, measured in their own units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.preprocessing import StandardScaler
from tests.engine.laboratory_setup import jobs, recipe, trained

from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, GradientDescent
from thalweg.catalogue.preprocessing import Standardize
from thalweg.data import Diabetes

FIELDS = {
    "data": Diabetes(split=(0.7, 0.0, 0.3)),
    "network": MLP(hidden=()),
    "preprocessing": Standardize(),
    "target_preprocessing": Standardize(),
    "optimizer": Adam(learning_rate=0.05),
    "training": {"epochs": 3},
}


def test_metrics_are_in_the_units_of_the_data(tmp_path: Path) -> None:
    (job,) = jobs([recipe(**FIELDS)])
    with trained([job], tmp_path) as record:
        (run,) = record.experiment("test").runs
        arrays = record.arrays(job.id)
    split, inputs, targets = job.split, job.dataset.inputs, job.dataset.targets
    of_inputs = StandardScaler().fit(inputs[split.train])
    of_targets = StandardScaler().fit(targets[split.train])
    scaled = of_inputs.transform(inputs[split.test]) @ arrays["parameters.dense_0.kernel"]
    predicted = of_targets.inverse_transform(scaled + arrays["parameters.dense_0.bias"])
    known = targets[split.test]
    assert run.finals["test.rmse"] == pytest.approx(
        root_mean_squared_error(known, predicted), rel=1e-5
    )
    assert run.finals["test.r2"] == pytest.approx(r2_score(known, predicted), abs=1e-5)
    squared = np.mean(((predicted - known) / of_targets.scale_) ** 2)
    assert run.finals["test.loss"] == pytest.approx(squared, rel=1e-5)


def test_large_targets_are_no_divergence(tmp_path: Path) -> None:
    raw = recipe(**{**FIELDS, "target_preprocessing": None, "optimizer": Adam()})
    lost = recipe(
        **{**FIELDS, "target_preprocessing": None, "optimizer": GradientDescent(learning_rate=5.0)}
    )
    calm, wild = jobs([raw, lost])
    with trained([calm, wild], tmp_path) as record:
        outcomes = record.outcomes([calm.id, wild.id])
    assert outcomes == {calm.id: "finished", wild.id: "diverged"}
