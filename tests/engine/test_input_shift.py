"""How far a step moves the inputs of layers: by hand, under batch normalization, and at no cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.engine.laboratory_setup import assert_same_bits, everything, jobs, recipe, trained

from thalweg.catalogue.activations import Tanh
from thalweg.catalogue.layers import BatchNormalization
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import GradientDescent
from thalweg.engine import streams

WATCHED = {"epochs": 4, "probe_also": "input_shift"}


def curves_of(wanted: list[Any], project: Path) -> list[dict[str, np.ndarray]]:
    with trained(wanted, project) as record:
        return [everything(record, job.id) for job in wanted]


def test_shifts_are_those_of_the_step_taken_by_hand(tmp_path: Path) -> None:
    rate = 0.7
    (job,) = jobs(
        [
            recipe(
                network=MLP(hidden=(5,), activation=Tanh()),
                optimizer=GradientDescent(learning_rate=rate),
                training={**WATCHED, "batch_size": "full"},
            )
        ]
    )
    (found,) = curves_of([job], tmp_path)
    rows = job.split.train
    x, y = jnp.asarray(job.dataset.inputs[rows]), jnp.asarray(job.dataset.targets[rows])
    start = job.recipe.network.init(streams.initialization_key(np.uint32(job.seed)), x[:1])

    def read(w: Any) -> dict[str, Any]:
        z = x @ w["dense_0"]["kernel"] + w["dense_0"]["bias"]
        a = jnp.tanh(z)
        outputs = a @ w["dense_1"]["kernel"] + w["dense_1"]["bias"]
        return {"activation_0": z, "dense_1": a, "outputs": outputs}

    def entropy(w: Any) -> Any:
        return jnp.logaddexp(0, (1 - 2 * y) * read(w)["outputs"][:, 0]).mean()

    w = start.parameters
    moved = jax.tree.map(lambda w, g: w - rate * g, w, jax.grad(entropy)(w))
    before, after = read(w), read(moved)
    for layer, values in before.items():
        mean, deviation = np.mean(values, axis=0), np.std(values, axis=0)
        mean_, deviation_ = np.mean(after[layer], axis=0), np.std(after[layer], axis=0)
        distance = np.sqrt(((mean_ - mean) ** 2 + (deviation_ - deviation) ** 2).sum())
        expected = distance / np.sqrt((deviation**2).sum())
        assert expected > 0.01
        assert found[f"input_shift.{layer} steps"][0] == 0
        assert found[f"input_shift.{layer}"][0] == pytest.approx(expected, rel=1e-4)
    assert "input_shift.dense_0" not in found  # it reads the data, which stay


def test_batch_normalization_holds_means_and_deviations(tmp_path: Path) -> None:
    """By construction what follows it has mean β and deviation γ, whatever the layers below do."""
    normalizations = (None, BatchNormalization(scale=None, bias=None, epsilon=1e-8))
    wanted = jobs(
        recipe(
            network=MLP(hidden=(8, 8), normalization=normalization),
            optimizer=GradientDescent(learning_rate=0.5),
            training={
                **WATCHED,
                "batch_size": 22,
            },  # the last batch is filled with rows that weigh 0
        )
        for normalization in normalizations
    )
    free, held = curves_of(wanted, tmp_path)
    for layer in ("activation_0", "activation_1"):
        name = f"input_shift.{layer}"
        assert free[name].min() > 1e-3
        assert held[name].max() < 1e-5
    # What the normalization itself is given moves on.
    assert held["input_shift.outputs"].min() > 1e-3


def test_who_does_not_ask_pays_nothing_and_training_is_the_same(tmp_path: Path) -> None:
    rates = (0.01, 0.1, 0.5)
    fields = [recipe(optimizer=GradientDescent(learning_rate=rate)) for rate in rates]
    asked = [
        recipe(optimizer=GradientDescent(learning_rate=rate), training={**WATCHED, "epochs": 6})
        for rate in rates
    ]
    plain = curves_of(jobs(fields), tmp_path / "plain")
    watched = curves_of(jobs(asked), tmp_path / "watched")
    alone = curves_of(jobs(asked[1:2]), tmp_path / "alone")
    assert_same_bits(alone[0], watched[1])
    assert not any(name.startswith("input_shift") for name in plain[0])
    for one, other in zip(plain, watched, strict=True):
        rest = {name: held for name, held in other.items() if not name.startswith("input_shift")}
        assert_same_bits(one, rest)


def test_a_linear_model_has_outputs_that_move(tmp_path: Path) -> None:
    (found,) = curves_of(jobs([recipe(network=MLP(hidden=()), training=WATCHED)]), tmp_path)
    shifted = [name for name in found if name.startswith("input_shift")]
    assert shifted == ["input_shift.outputs steps", "input_shift.outputs"]
    assert (found["input_shift.outputs"] > 0).all()
