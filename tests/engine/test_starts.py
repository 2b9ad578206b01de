"""Starts from the data, through training: what they change, and that they change nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from tests.engine.laboratory_setup import (
    assert_same_bits,
    everything,
    jobs,
    recipe,
    trained,
)

from thalweg.catalogue.activations import Tanh
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Normal, Orthogonal, Zero
from thalweg.catalogue.losses import GaussianLikelihood, Hinge, SquaredError
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import GradientDescent
from thalweg.catalogue.preprocessing import Standardize
from thalweg.catalogue.starts import OutputBias, UnitVariance
from thalweg.data import Diabetes, Wine
from thalweg.engine.plan import resolve
from thalweg.engine.starting import adapted
from thalweg.errors import SpecError
from thalweg.spec import Experiment

STILL = {"optimizer": GradientDescent(learning_rate=0.0), "training": {"epochs": 1}}


def started(**fields: Any) -> tuple[Any, Variables]:
    """A run and what it starts from."""
    (job,) = jobs([recipe(**fields)])
    example = job.dataset.inputs[:1]
    drawn = job.recipe.network.init(jax.random.key(0), example)
    return job, adapted(job, drawn)


def test_output_bias_predicts_frequencies_before_training(tmp_path: Path) -> None:
    silent = MLP(hidden=(4,), kernel=Zero())
    (job,) = jobs([recipe(data=Wine(), network=silent, start=(OutputBias(),), **STILL)])
    with trained([job], tmp_path) as record:
        loss = record.series("train.loss", [job.id])[job.id][1][0]
        bias = record.arrays(job.id)["parameters.dense_1.bias"]
    shares = np.bincount(job.dataset.targets[job.split.train]) / len(job.split.train)
    np.testing.assert_allclose(np.exp(bias), shares, rtol=1e-5)
    # The loss of the best constant is the entropy of the classes.
    assert loss == pytest.approx(-(shares * np.log(shares)).sum(), rel=1e-5)


def test_output_bias_is_that_of_scaled_targets_and_their_variance() -> None:
    fields = {"data": Diabetes(), "network": MLP(hidden=()), "start": (OutputBias(),)}
    job, variables = started(loss=GaussianLikelihood(), **fields)
    mean, raw = variables.parameters["dense_0"]["bias"]
    targets = job.dataset.targets[job.split.train].astype(float)
    assert mean == pytest.approx(targets.mean(), rel=1e-5)
    assert np.logaddexp(0, raw) + 1e-6 == pytest.approx(targets.var(), rel=1e-4)
    _, scaled = started(loss=SquaredError(), target_preprocessing=Standardize(), **fields)
    assert scaled.parameters["dense_0"]["bias"] == pytest.approx(0, abs=1e-5)


def test_every_layer_has_unit_variance_on_real_inputs() -> None:
    network = MLP(
        hidden=(30, 20, 10), activation=Tanh(), kernel=Orthogonal(gain=5.0), bias=Normal()
    )
    job, variables = started(
        data=Wine(),
        network=network,
        preprocessing=Standardize(),
        start=(UnitVariance(deviation=0.7, rows=64),),
    )
    inputs = job.dataset.inputs[job.split.train]
    x = ((inputs - inputs.mean(0)) / inputs.std(0))[:64]
    taps: dict[str, Any] = {}
    job.recipe.network.apply(variables, x.astype("f"), Context("evaluate", taps=taps))
    deviations = [float(z.std()) for name, z in taps.items() if name.endswith(".z")]
    np.testing.assert_allclose(deviations, 0.7, rtol=2e-3)


def test_starts_follow_each_other_and_leave_the_rest_alone() -> None:
    fields = {"data": Wine(), "network": MLP(hidden=(6,))}
    _, plain = started(**fields)
    _, both = started(**fields, start=(UnitVariance(), OutputBias()))
    first, last = both.parameters["dense_0"], both.parameters["dense_1"]
    ratio = first["kernel"] / plain.parameters["dense_0"]["kernel"]
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)
    assert (first["bias"] == 0).all()
    assert last["bias"].any()
    assert jax.tree.structure(both) == jax.tree.structure(plain)


def test_company_changes_nothing(tmp_path: Path) -> None:
    start = (UnitVariance(), OutputBias())
    runs = jobs([recipe(start=start)], range(6))
    found = []
    for name, company in (("alone", runs[2:3]), ("all", runs)):
        with trained(company, tmp_path / name) as record:
            found.append(everything(record, runs[2].id))
    assert_same_bits(*found)


def test_what_does_not_fit_is_refused() -> None:
    data = Wine()
    with pytest.raises(SpecError, match="OutputBias knows no best constant for Hinge"):
        resolve(recipe(data=data, loss=Hinge(), start=(OutputBias(),)), data.load())


def test_spec_files_name_starts(tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    file.write_text(
        "[data]\nmoons = {}\n[start]\noutput_bias = {}\nunit_variance = { rows = 32 }\n"
    )
    read = Experiment.from_file(file)
    assert read.start == (OutputBias(), UnitVariance(rows=32))
    file.write_text(read.to_toml())
    assert Experiment.from_file(file) == read
