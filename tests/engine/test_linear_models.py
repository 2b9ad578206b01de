"""Specs of linear models, trained, arrive where closed forms and scikit-learn say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from tests.engine.laboratory_setup import jobs, recipe, trained

from thalweg.catalogue.least_squares import augmented, ridge
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Nesterov
from thalweg.catalogue.preprocessing import Standardize
from thalweg.catalogue.regularizers import L2
from thalweg.data import Diabetes, Moons

LINEAR = {
    "network": MLP(hidden=()),
    "preprocessing": Standardize(),
    "training": {"epochs": 600, "batch_size": "full", "evaluate_every": 600, "probes": 0},
}


def test_trained_linear_models_are_the_exact_ones(tmp_path: Path) -> None:
    strength = 0.05
    values = recipe(
        **LINEAR,
        data=Diabetes(),
        target_preprocessing=Standardize(),
        regularizers=(L2(strength=strength),),
        optimizer=Nesterov(learning_rate=0.05, momentum=0.95),
    )
    classes = recipe(
        **LINEAR,
        data=Moons(samples=200, noise=0.3),
        regularizers=(L2(strength=strength),),
        optimizer=Nesterov(learning_rate=0.3, momentum=0.9),
    )
    runs = jobs([values, classes])
    with trained(runs, tmp_path) as record:
        found = [record.arrays(job.id) for job in runs]
    inputs = [
        StandardScaler().fit_transform(job.dataset.inputs[job.split.train].astype(float))
        for job in runs
    ]
    targets = [job.dataset.targets[job.split.train] for job in runs]
    y = StandardScaler().fit_transform(targets[0].astype(float))
    exact = ridge(augmented(inputs[0]), y, strength, data_factor=1 / len(y), free=1)
    np.testing.assert_allclose(found[0]["parameters.dense_0.kernel"], exact[:-1], atol=2e-4)
    theirs = LogisticRegression(C=1 / (strength * len(targets[1])), tol=1e-10)
    theirs.fit(inputs[1], targets[1])
    np.testing.assert_allclose(found[1]["parameters.dense_0.kernel"], theirs.coef_.T, rtol=1e-4)
    np.testing.assert_allclose(found[1]["parameters.dense_0.bias"], theirs.intercept_, atol=1e-4)
