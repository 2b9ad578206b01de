"""Precision, portions and making again: what is computed is the same, in the numbers asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.engine.laboratory_setup import jobs, recipe, trained

from thalweg.catalogue.cells import GRU, LSTM
from thalweg.catalogue.context import Context
from thalweg.catalogue.initializers import Zero
from thalweg.catalogue.layers import BatchNormalization, Dense
from thalweg.catalogue.losses import CategoricalCrossEntropy
from thalweg.catalogue.networks import (
    MLP,
    VGG,
    RecurrentNetwork,
    Sequential,
    Transformer,
    TransformerEncoderDecoder,
)
from thalweg.catalogue.optimizers import GradientDescent
from thalweg.data import DelayedRecall, Digits, Moons, NumberWords
from thalweg.engine.arithmetic import Arithmetic, forward
from thalweg.engine.plan import check_network, group
from thalweg.engine.train import Pools
from thalweg.errors import SpecError
from thalweg.spec import Recipe

MOONS = Moons(samples=120, noise=0.2, split=(0.5, 0.25, 0.25))
IMAGES, LETTERS = Digits(flat=False), DelayedRecall(samples=100)
WORDS = NumberWords(samples=100)

NETWORKS: dict[str, tuple[Any, Any]] = {
    "dense": (MOONS, MLP(hidden=(8, 8, 8))),
    "convolutions": (IMAGES, VGG(filters=(4, 8), convolutions=1, hidden=(8,))),
    "lstm": (LETTERS, RecurrentNetwork(cell=LSTM(), hidden=(8,), returns="sequence")),
    "gru": (LETTERS, RecurrentNetwork(cell=GRU(), hidden=(8,), returns="sequence")),
    "attention": (LETTERS, Transformer(width=8, blocks=2, causal=True, returns="sequence")),
    "both": (WORDS, TransformerEncoderDecoder(width=8, blocks=1)),
}


def ended(made: Recipe, project: Path) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Parameters and final metrics of one run."""
    (job,) = jobs([made])
    check_network(job)
    with trained([job], project) as record:
        arrays = {name: np.asarray(array) for name, array in record.arrays(job.id).items()}
        (run,) = record.experiment().runs
    return arrays, dict(run.finals)


def briefly(network: Any, data: Any, **training: Any) -> Recipe:
    optimizer = GradientDescent(learning_rate=0.05)
    given = {"epochs": 1, "batch_size": 16, "probes": 2, **training}
    return recipe(data=data, network=network, optimizer=optimizer, training=given)


@pytest.mark.parametrize(
    "asked", [{"portions": 4}, {"rematerialize": True}], ids=["portions", "again"]
)
@pytest.mark.parametrize("name", NETWORKS)
def test_what_saves_memory_changes_nothing_but_rounding(
    name: str, asked: dict[str, Any], tmp_path: Path
) -> None:
    data, network = NETWORKS[name]
    plain, _ = ended(briefly(network, data, precision="float64"), tmp_path / "plain")
    saving, _ = ended(briefly(network, data, precision="float64", **asked), tmp_path / "saving")
    assert plain.keys() == saving.keys()
    for held, array in plain.items():
        assert array.dtype == np.float64
        np.testing.assert_allclose(saving[held], array, rtol=1e-9, atol=1e-12, err_msg=held)


def test_portions_count_rows_that_only_fill_the_batch_as_nothing(tmp_path: Path) -> None:
    # 60 rows in batches of 16: of the last one 4 rows fill it, and a portion holds nothing else.
    network = MLP(hidden=(8,))
    plain, _ = ended(briefly(network, MOONS, precision="float64"), tmp_path / "plain")
    cut, _ = ended(briefly(network, MOONS, precision="float64", portions=8), tmp_path / "cut")
    for held, array in plain.items():
        np.testing.assert_allclose(cut[held], array, rtol=1e-9, err_msg=held)


def test_rows_that_fill_a_portion_are_not_seen_by_its_layers() -> None:
    network = Sequential(layers=(BatchNormalization(), Dense(units=2)))
    x = jax.random.normal(jax.random.key(0), (8, 3))
    variables = network.init(jax.random.key(1), x)
    weights = jnp.array([1, 1, 1, 1, 1, 0, 0, 0.0])

    def outputs(x: jax.Array) -> jax.Array:
        context = Context("train", weights=weights)
        return forward(network, Arithmetic(portions=2), variables, x, context)[0][:5]

    np.testing.assert_array_equal(outputs(x), outputs(x.at[5:].set(1e6)))


def test_half_precision_is_that_of_inputs_parameters_and_outputs() -> None:
    network, x = Sequential(layers=(Dense(units=4),)), jnp.linspace(-1, 1, 24).reshape(8, 3)
    variables = network.init(jax.random.key(1), x)
    outputs, _ = forward(network, Arithmetic("bfloat16"), variables, x, Context("evaluate"))
    assert outputs.dtype == jnp.float32
    x, kernel = (
        np.asarray(each.astype(jnp.bfloat16), np.float64)
        for each in (x, variables.parameters["dense_0"]["kernel"])
    )
    np.testing.assert_array_equal(outputs, outputs.astype(jnp.bfloat16).astype(jnp.float32))
    np.testing.assert_allclose(outputs, x @ kernel, rtol=2**-8, atol=1e-7)


def softmax_step(
    x: np.ndarray, y: np.ndarray, kernel: np.ndarray, bias: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """One step of descent on the mean cross-entropy of a softmax layer."""
    z = x @ kernel + bias
    z = z - z.max(axis=1, keepdims=True)
    slope = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) - np.eye(len(bias))[y]
    return kernel - rate * x.T @ slope / len(x), bias - rate * slope.mean(axis=0)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("float64", 1e-11)])
def test_descent_in_the_precision_asked_for_is_that_of_numpy(
    precision: Any, tolerance: float, tmp_path: Path
) -> None:
    linear = Sequential(layers=(Dense(kernel=Zero()),))
    made = recipe(
        data=Digits(split=(1.0, 0.0, 0.0)),
        network=linear,
        loss=CategoricalCrossEntropy(),
        optimizer=GradientDescent(learning_rate=0.001),
        training={"epochs": 60, "batch_size": "full", "precision": precision},
    )
    arrays, _ = ended(made, tmp_path)
    (job,) = jobs([made])
    x, y = job.dataset.inputs.astype(np.float64), job.dataset.targets
    kernel, bias = np.zeros((64, 10)), np.zeros(10)
    for _ in range(60):
        kernel, bias = softmax_step(x, y, kernel, bias, 0.001)
    found = {name.rpartition(".")[2]: array for name, array in arrays.items()}
    assert found["kernel"].dtype == precision
    np.testing.assert_allclose(found["kernel"], kernel, rtol=0, atol=tolerance * abs(kernel).max())
    np.testing.assert_allclose(found["bias"], bias, rtol=0, atol=tolerance * abs(bias).max())


def test_half_precision_rounds_what_layers_compute_and_keeps_the_rest(tmp_path: Path) -> None:
    linear = Sequential(layers=(Dense(),))
    data = Digits(split=(1.0, 0.0, 0.0))

    def after(epochs: int, precision: Any) -> dict[str, np.ndarray]:
        made = recipe(
            data=data,
            network=linear,
            loss=CategoricalCrossEntropy(),
            optimizer=GradientDescent(learning_rate=0.001),
            training={"epochs": epochs, "batch_size": "full", "precision": precision},
        )
        arrays, _ = ended(made, tmp_path / f"{precision}{epochs}")
        return {name.rpartition(".")[2]: array for name, array in arrays.items()}

    half, single = after(1, "bfloat16"), after(1, "float32")
    assert half["kernel"].dtype == np.float32
    # The kernel itself is not rounded: its numbers have more than 8 bits.
    assert (half["kernel"] != half["kernel"].astype(jnp.bfloat16).astype(np.float32)).any()
    # A step on rounded numbers is another one, by about as much as they are rounded.
    moved = abs(half["kernel"] - single["kernel"]).max()
    assert 0 < moved < 0.01 * abs(single["kernel"]).max()


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("attention", "both")])
def test_every_family_learns_in_half_precision(name: str, tmp_path: Path) -> None:
    data, network = NETWORKS[name]
    given = {"epochs": 2, "batch_size": 16}
    _, single = ended(recipe(data=data, network=network, training=given), tmp_path / "single")
    half_recipe = recipe(data=data, network=network, training={**given, "precision": "bfloat16"})
    arrays, half = ended(half_recipe, tmp_path / "half")
    assert {array.dtype for array in arrays.values() if array.dtype.kind == "f"} == {np.dtype("f4")}
    assert half["train.loss"] == pytest.approx(single["train.loss"], rel=0.05)
    assert half["train.loss"] != single["train.loss"]


def test_data_sets_are_held_once_for_each_precision() -> None:
    members = [
        briefly(MLP(hidden=(4,)), MOONS, precision=precision)
        for precision in ("float32", "float64")
    ]
    wanted = jobs(members)
    pools = Pools(group(wanted))
    assert [int(pools.rows(job).train.max()) < 120 for job in wanted] == [True, True]


@pytest.mark.parametrize(
    ("training", "sentence"),
    [
        ({"portions": 5}, "Training.portions must divide a mini-batch, got 5 for 16 rows"),
        ({"portions": 0}, "Training.portions must be >= 1, got 0"),
        ({"precision": "float16"}, "Training.precision must be"),
    ],
)
def test_what_cannot_be_computed_is_refused(training: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        check_network(jobs([briefly(MLP(hidden=(4,)), MOONS, **training)])[0])
