"""Layers and starts on examples whose numbers are known: normalization, dropout, depth, symmetry.

More of them stand beside the layers: in ``tests/reference/test_layers.py``.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.activations import ReLU, Sigmoid, Tanh
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Constant, Glorot, He, Zero
from thalweg.catalogue.layers import Activate, BatchNormalization, Dense, Dropout
from thalweg.catalogue.losses import CategoricalCrossEntropy, SquaredError
from thalweg.catalogue.networks import MLP, Sequential
from thalweg.catalogue.optimizers import GradientDescent, Momentum
from thalweg.catalogue.regularizers import DecoupledDecay
from thalweg.engine.penalties import after_step

KEY = jax.random.key(0)


# ------------------------------------------------------------------------ batches and dropped units


@pytest.mark.parametrize(
    ("size", "published"), [(2, 0.706), (8, 0.351), (32, 0.177), (128, 0.091), (512, 0.043)]
)
def test_means_of_batches_scatter_with_the_root_of_their_size(size: int, published: float) -> None:
    layer = BatchNormalization(momentum=0.0)
    draws = 4000

    @jax.vmap
    def mean_of(x: Any) -> Any:
        return layer.apply(layer.init(KEY, x), x, Context("train"))[1]["mean"][0]

    x = np.random.default_rng(size).normal(size=(draws, size, 1))
    deviation = float(mean_of(jnp.asarray(x)).std())
    assert deviation == pytest.approx(1 / np.sqrt(size), rel=4 / np.sqrt(2 * draws))
    assert deviation == pytest.approx(published, rel=0.07)


@pytest.mark.parametrize(
    ("rule", "decay", "moves"),
    [
        (GradientDescent(learning_rate=0.1), 0.0, "nothing"),
        (Momentum(learning_rate=0.1, momentum=0.9), 0.0, "the last velocity"),
        (GradientDescent(learning_rate=0.1), 0.1, "the decay"),
    ],
    ids=["descent", "momentum", "decay"],
)
def test_weights_of_dropped_units_may_still_move(rule: Any, decay: float, moves: str) -> None:
    """ "They are simply not updated" is true of plain descent alone."""
    network = Sequential(layers=(Dropout(rate=0.5), Dense(units=1)))
    x, y = jnp.array([[1.0, 2.0, -1.0, 0.5, 3.0, 1.5]]), jnp.array([[0.7]])
    before = network.init(KEY, x).parameters
    regularizers = [DecoupledDecay(strength=decay)]

    def objective(key: Any, w: Any) -> Any:
        outputs, _ = network.apply(Variables(w, {}), x, Context("train", key))
        return SquaredError()(outputs, y).mean(), None

    w, state, moved, slopes = before, rule.start(before), [], []
    for count in (1, 2):
        step = rule.step(partial(objective, jax.random.key(2 + count)), w, state, count)
        after = after_step(regularizers, step.parameters, w, rule.learning_rate, None)
        slopes.append(np.asarray(step.gradient["dense_0"]["kernel"])[:, 0])
        moved.append(np.asarray(after["dense_0"]["kernel"] - w["dense_0"]["kernel"])[:, 0])
        held, w, state = np.asarray(w["dense_0"]["kernel"])[:, 0], after, step.state
    dropped = (slopes[0] != 0) & (slopes[1] == 0)
    assert 0 < dropped.sum() < 6
    expected = {
        "nothing": 0 * held,
        "the last velocity": 0.9 * moved[0],
        "the decay": -0.1 * rule.learning_rate * held,
    }[moves]
    np.testing.assert_allclose(moved[1][dropped], expected[dropped], atol=1e-15)
    if moves != "nothing":
        assert (moved[1][dropped] != 0).all()


# ------------------------------------------------------------------------------- twenty layers deep

WIDTH, DEPTH, SEEDS = 256, 20, 8


@cache
def length(activation: Any) -> Any:
    """The length of the gradient that a unit slope becomes on its way back through all layers."""
    both = Sequential(layers=(Dense(units=WIDTH, bias=None), Activate(function=activation)))

    def layer(x: Any, kernel: Any) -> Any:
        held = Variables({"dense_0": {"kernel": kernel}}, {})
        return both.apply(held, x, Context("train"))[0], None

    def back(weights: Any, x: Any, slope: Any) -> Any:
        _, pull = jax.vjp(lambda x: jax.lax.scan(layer, x, weights)[0], x)
        return jnp.linalg.norm(pull(slope / jnp.linalg.norm(slope))[0])

    return jax.jit(back)


def lengths(activation: Any, kernel: Any, times: float) -> np.ndarray:
    """Lengths of the gradient with weights so many times those of a start, over seeds."""
    found = []
    for seed in range(SEEDS):
        for_weights, for_rest = jax.random.split(jax.random.key(seed))
        draw = jax.vmap(lambda key: kernel.sample(key, (WIDTH, WIDTH)))
        weights = times * draw(jax.random.split(for_weights, DEPTH))
        found.append(length(activation)(weights, *jax.random.normal(for_rest, (2, WIDTH))))
    return np.array(found)


@pytest.mark.parametrize(
    ("activation", "kernel", "times", "published"),
    [
        (Sigmoid(), Glorot(), 1, 2.5e-13),
        (Tanh(), Glorot(), 1, 0.18),
        (ReLU(), He(), 1, 0.80),
        (ReLU(), Glorot(), 1, 7.8e-4),
        (ReLU(), He(), 3, 2.8e9),
        (Tanh(), He(), 3, 8.7e3),
        (Sigmoid(), He(), 3, 1.2e-4),
    ],
    ids=repr,
)
def test_gradients_through_twenty_layers(
    activation: Any, kernel: Any, times: float, published: float
) -> None:
    """Tables that let sigmoids explode and ReLU not have it backwards: ReLU explodes the most."""
    found = np.log(lengths(activation, kernel, times))
    assert abs(np.log(published) - found.mean()) < 4 * found.std(ddof=1)
    assert found.std(ddof=1) < 0.8  # no seed is far from the others


# ------------------------------------------------------------------------------- starts of symmetry

DRAWS = np.random.default_rng(0)
INPUTS = DRAWS.normal(size=(64, 5))
# Twenty-nine of one class: a constant can predict no better than an entropy of 0.6887.
SCORES = INPUTS[:, 0] * INPUTS[:, 1]
CLASSES = np.isin(np.arange(64), SCORES.argsort()[-29:]).astype(int)


def trained(activation: Any, kernel: Any, steps: int = 300) -> tuple[Any, Any, list[float]]:
    """The gradient at the start, the parameters at the end, and the losses at both."""
    network = MLP(hidden=(8, 8), activation=activation, kernel=kernel, outputs=2)
    start = network.init(KEY, INPUTS[:1]).parameters
    rule = GradientDescent(learning_rate=0.1)

    def objective(w: Any) -> Any:
        outputs, _ = network.apply(Variables(w, {}), jnp.asarray(INPUTS), Context("train"))
        return CategoricalCrossEntropy()(outputs, jnp.asarray(CLASSES)).mean(), None

    def advance(held: Any, count: Any) -> Any:
        step = rule.step(objective, *held, count)
        return (step.parameters, step.state), None

    held = (start, rule.start(start))
    after, _ = jax.jit(lambda held: jax.lax.scan(advance, held, jnp.arange(1, steps + 1)))(held)
    losses = [float(objective(w)[0]) for w in (start, after[0])]
    return jax.grad(lambda w: objective(w)[0])(start), after[0], losses


@pytest.mark.parametrize("activation", [ReLU(), Tanh(), Sigmoid()], ids=repr)
def test_from_zero_only_the_output_learns(activation: Any) -> None:
    """ "Zero gradients" is not quite so: the bias of the output has one, and learns the classes."""
    slope, after, losses = trained(activation, Zero())
    bias = np.abs(slope["dense_2"]["bias"])
    np.testing.assert_allclose(bias, 0.5 - 29 / 64, rtol=1e-12)
    assert bias[0] == pytest.approx(4.7e-2, rel=5e-3)
    halves = 0.5 * (0.5 - 29 / 64) if isinstance(activation, Sigmoid) else 0.0
    np.testing.assert_allclose(np.abs(slope["dense_2"]["kernel"]), halves, atol=1e-15)
    assert all((leaf == 0).all() for leaf in jax.tree.leaves((slope["dense_0"], slope["dense_1"])))
    assert losses == pytest.approx([0.6931, 0.6887], abs=5e-5)
    if not isinstance(activation, Sigmoid):
        inner = after["dense_0"], after["dense_1"], after["dense_2"]["kernel"]
        assert all((leaf == 0).all() for leaf in jax.tree.leaves(inner))


def test_units_that_start_alike_stay_alike() -> None:
    """All units of a layer are one; weights from different inputs do part."""
    _, after, alike = trained(ReLU(), Constant(value=0.1))
    for name in ("dense_0", "dense_1"):
        kernel = np.asarray(after[name]["kernel"])  # [input, unit]
        np.testing.assert_allclose(kernel, np.broadcast_to(kernel[:, :1], kernel.shape), rtol=1e-9)
    assert np.ptp(np.asarray(after["dense_0"]["kernel"])[:, 0]) > 0.01
    *_, apart = trained(ReLU(), He())
    assert apart[1] < 0.5 < alike[1] < 0.6887
