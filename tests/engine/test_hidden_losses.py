"""Losses on hidden layers: their gradients against the printed rule, and training with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.engine.laboratory_setup import jobs, recipe, trained

from thalweg.catalogue.activations import Sigmoid
from thalweg.catalogue.context import Variables
from thalweg.catalogue.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    DeepSupervision,
    PoissonLikelihood,
    SquaredError,
)
from thalweg.catalogue.networks import MLP, AuxiliaryHead
from thalweg.catalogue.optimizers import GradientDescent
from thalweg.catalogue.preprocessing import Standardize
from thalweg.catalogue.schedules import Progress
from thalweg.data import Diabetes
from thalweg.engine.lanes import Lane, Pool, Rows, Shape, objective_at
from thalweg.engine.plan import check_network, resolve
from thalweg.errors import SpecError

HEADED = AuxiliaryHead(network=MLP(hidden=(8, 8)), tap="activation_0.a")


def objective(network: Any, loss: Any, x: np.ndarray, y: np.ndarray, taps: Any = None) -> Any:
    """The objective of the engine on all rows, as a function of the parameters."""
    rows = np.arange(len(x), dtype=np.int32)
    order = np.zeros(2, np.uint32)
    lane = Lane(network, loss, None, (), None, np.uint32(0), order, Rows(rows, rows, rows), None)  # type: ignore[arg-type]
    shape, pool = Shape(len(x), len(x), 1, "regression"), Pool(jnp.asarray(x), jnp.asarray(y))
    return objective_at(lane, pool, shape, {}, jnp.asarray(0), rows, Progress(0, 1), taps)


@pytest.mark.parametrize("hidden", [AbsoluteError(), SquaredError(factor=0.5)], ids=repr)
def test_hidden_losses_join_on_the_way_back(hidden: Any) -> None:
    """δ_h = Φ′(a) (Σ w δ + weight · ∂ℓ_h/∂h), with the primes that one text lost."""
    with jax.enable_x64(True):
        draws = np.random.default_rng(4)
        x, y = draws.normal(size=(7, 3)), draws.normal(size=(7, 2))
        network = MLP(hidden=(2,), activation=Sigmoid(), outputs=2)
        parameters = {
            f"dense_{i}": {"kernel": draws.normal(size=shape), "bias": draws.normal(size=shape[1])}
            for i, shape in enumerate([(3, 2), (2, 2)])
        }
        loss = DeepSupervision(
            final=SquaredError(factor=0.5), hidden=hidden, tap="activation_0.a", weight=0.3
        )
        (value, _), found = jax.value_and_grad(objective(network, loss, x, y), has_aux=True)(
            parameters
        )
    first, last = parameters["dense_0"], parameters["dense_1"]
    h = 1 / (1 + np.exp(-(x @ first["kernel"] + first["bias"])))
    z = h @ last["kernel"] + last["bias"]
    delta = (z - y) / 2
    by_h = np.sign(h - y) / 2 if isinstance(hidden, AbsoluteError) else (h - y) / 2
    delta_h = h * (1 - h) * (delta @ last["kernel"].T + 0.3 * by_h)
    np.testing.assert_allclose(found["dense_1"]["kernel"], h.T @ delta / 7, rtol=1e-10)
    np.testing.assert_allclose(found["dense_0"]["kernel"], x.T @ delta_h / 7, rtol=1e-10)
    np.testing.assert_allclose(found["dense_0"]["bias"], delta_h.mean(0), rtol=1e-10)
    apart = abs(h - y).mean() if isinstance(hidden, AbsoluteError) else ((h - y) ** 2).mean() / 2
    assert float(value) == pytest.approx(((z - y) ** 2).mean() / 2 + 0.3 * apart, rel=1e-12)


def test_taps_are_collected_for_those_who_ask_too() -> None:
    x, y = np.ones((4, 3), "f"), np.ones((4, 2), "f")
    network = MLP(hidden=(2,), outputs=2)
    parameters = network.init(jax.random.key(0), x).parameters
    for loss in (
        SquaredError(),
        DeepSupervision(final=SquaredError(), hidden=SquaredError(), tap="dense_0.z"),
    ):
        _, (_, taps) = objective(network, loss, x, y, {})(parameters)
        assert list(taps) == ["dense_0.z", "activation_0.a", "dense_1.z"]


def test_heads_learn_from_the_loss_that_is_attached_to_them(tmp_path: Path) -> None:
    fields = {"network": HEADED, "optimizer": GradientDescent(learning_rate=0.3)}
    final = CategoricalCrossEntropy()
    attached = [DeepSupervision(final=final, tap="head.z", weight=w) for w in (0.0, 1.0)]
    plain, idle, busy = jobs([recipe(**fields, loss=loss) for loss in (final, *attached)])
    with trained([plain, idle, busy], tmp_path) as record:
        kernels = [record.arrays(job.id)["parameters.head.kernel"] for job in (plain, idle, busy)]
        first = [record.series("batch.loss", [job.id])[job.id][1][0] for job in (plain, idle, busy)]
        losses = [record.series("train.loss", [job.id])[job.id][1] for job in (plain, idle, busy)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert abs(kernels[2] - kernels[0]).max() > 1e-2
    assert first[2] > first[0]
    # Recorded losses are of the outputs alone, whatever is attached.
    assert losses[0][0] == losses[1][0] == losses[2][0]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_heads_are_outputs_of_their_own() -> None:
    network = AuxiliaryHead(network=MLP(hidden=(5, 4)), tap="activation_0.a", outputs=3)
    x = jnp.linspace(-1, 1, 12).reshape(4, 3)
    variables = network.init(jax.random.key(0), x)
    assert variables.parameters["head"]["kernel"].shape == (5, 3)
    from thalweg.catalogue.context import Context

    taps: dict[str, Any] = {}
    outputs, _ = network.apply(variables, x, Context("evaluate", taps=taps))
    inner = Variables({k: v for k, v in variables.parameters.items() if k != "head"}, {})
    alone, _ = MLP(hidden=(5, 4), outputs=3).apply(inner, x, Context("evaluate"))
    np.testing.assert_array_equal(outputs, alone)
    head = variables.parameters["head"]
    np.testing.assert_allclose(
        taps["head.z"], taps["activation_0.a"] @ head["kernel"] + head["bias"], rtol=1e-6
    )
    with pytest.raises(SpecError, match=r"AuxiliaryHead\.tap must be one of dense_0\.z, .*got 'x'"):
        AuxiliaryHead(tap="x", outputs=1).init(jax.random.key(0), x)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"tap": "dense_7.z"},
            "one of activation_0.a, dense_0.z, dense_1.z, got 'dense_7.z'",
        ),
        (
            {"tap": "dense_0.z"},
            r"DeepSupervision.tap must name values of shape \(1,\) for BinaryCrossEntropy, got "
            r"'dense_0.z' of shape \(8,\); an AuxiliaryHead reads",
        ),
    ],
)
def test_taps_that_do_not_fit_are_refused(fields: Any, problem: str) -> None:
    both = {"final": BinaryCrossEntropy(), "hidden": BinaryCrossEntropy()}
    (job,) = jobs([recipe(loss=DeepSupervision(**both, **fields))])
    with pytest.raises(SpecError, match=problem):
        check_network(job)


def test_counts_are_not_scaled_nor_negative() -> None:
    data = Diabetes()
    dataset = data.load()
    counts = recipe(data=data, loss=PoissonLikelihood())
    assert resolve(counts, dataset).loss == PoissonLikelihood()
    with pytest.raises(SpecError, match="PoissonLikelihood needs targets as they are"):
        resolve(
            recipe(data=data, loss=PoissonLikelihood(), target_preprocessing=Standardize()), dataset
        )
