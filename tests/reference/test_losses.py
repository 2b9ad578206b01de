"""Losses and their gradients against torch and optax, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.losses import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Hinge,
    SquaredError,
)

torch = pytest.importorskip("torch")
optax = pytest.importorskip("optax")
functional = torch.nn.functional

BATCH, STEPS = 40, 100
DRAWS = np.random.default_rng(20240229)
INPUTS = DRAWS.normal(size=(BATCH, 3))
COIN = DRAWS.integers(2, size=BATCH)
CHANCE = DRAWS.uniform(size=BATCH)
CLASSES = DRAWS.integers(4, size=BATCH)
ONE_HOT = np.eye(4)[CLASSES]
SOFT = DRAWS.dirichlet(np.ones(4), size=BATCH)
VALUES = DRAWS.normal(size=(BATCH, 4))


class Case(NamedTuple):
    """A loss, the targets it is given, and what others say: in torch, and in optax or JAX."""

    loss: Any
    targets: np.ndarray
    outputs: int
    by_torch: Callable[[Any], Any]
    by_optax: Callable[[Any], Any]


def squared(share: float) -> Case:
    by_optax = optax.squared_error if share == 1 else optax.l2_loss
    return Case(
        SquaredError(factor=share),
        VALUES,
        4,
        lambda z: share * functional.mse_loss(z, torch.tensor(VALUES), reduction="none").mean(-1),
        lambda z: by_optax(z, VALUES).mean(-1),
    )


def binary(targets: np.ndarray, smoothing: float) -> Case:
    smooth = targets * (1 - smoothing) + smoothing / 2
    of_torch = functional.binary_cross_entropy_with_logits
    return Case(
        BinaryCrossEntropy(smoothing=smoothing),
        targets,
        1,
        lambda z: of_torch(z[:, 0], torch.tensor(smooth), reduction="none"),
        lambda z: optax.sigmoid_binary_cross_entropy(z[:, 0], smooth),
    )


def categorical(targets: np.ndarray, smoothing: float) -> Case:
    kwargs = {"reduction": "none", "label_smoothing": smoothing}
    spread = ONE_HOT if targets.ndim == 1 else targets
    return Case(
        CategoricalCrossEntropy(smoothing=smoothing),
        targets,
        4,
        lambda z: functional.cross_entropy(z, torch.tensor(targets), **kwargs),
        lambda z: optax.softmax_cross_entropy(
            z, optax.smooth_labels(jnp.asarray(spread), smoothing)
        ),
    )


def largest_violation(z: Any) -> Any:
    right = z.gather(1, torch.tensor(CLASSES)[:, None])
    others = (1 + z - right).masked_fill(torch.tensor(ONE_HOT, dtype=torch.bool), -torch.inf)
    return others.amax(-1).clamp(min=0)


def violations(z: Any) -> Any:
    right = jnp.take_along_axis(z, CLASSES[:, None], axis=1)
    return (jnp.maximum(0, 1 + z - right) * (1 - ONE_HOT)).sum(-1)


CASES = {
    "squared error": squared(1.0),
    "half squared error": squared(0.5),
    "binary": binary(COIN, 0.0),
    "binary, smoothed": binary(COIN, 0.2),
    "binary, probabilities": binary(CHANCE, 0.1),
    "categorical": categorical(CLASSES, 0.0),
    "categorical, smoothed": categorical(CLASSES, 0.2),
    "categorical, one-hot": categorical(ONE_HOT, 0.0),
    "categorical, one-hot, smoothed": categorical(ONE_HOT, 0.2),
    "categorical, soft": categorical(SOFT, 0.0),
    "categorical, soft, smoothed": categorical(SOFT, 0.2),
    "hinge": Case(
        Hinge(),
        COIN,
        1,
        lambda z: (1 - torch.tensor(2 * COIN - 1) * z[:, 0]).clamp(min=0),
        lambda z: optax.hinge_loss(z[:, 0], 2 * COIN - 1),
    ),
    # torch divides the sum by the number of classes.
    "hinge of several, sum": Case(
        Hinge(),
        CLASSES,
        4,
        lambda z: 4 * functional.multi_margin_loss(z, torch.tensor(CLASSES), reduction="none"),
        violations,
    ),
    "hinge of several, largest": Case(
        Hinge(several="largest"),
        CLASSES,
        4,
        largest_violation,
        lambda z: optax.losses.multiclass_hinge_loss(z, jnp.asarray(CLASSES)),
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


def outputs_of(case: Case, size: float = 1.0) -> np.ndarray:
    return size * np.random.default_rng(7).normal(size=(BATCH, case.outputs))


def by_torch(case: Case, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = torch.tensor(outputs, requires_grad=True)
    values = case.by_torch(z)
    values.sum().backward()
    return values.detach().numpy(), z.grad.numpy()


def by_jax(function: Callable[[Any], Any], outputs: np.ndarray) -> tuple[Any, Any]:
    values, pull = jax.vjp(function, jnp.asarray(outputs))
    return values, pull(jnp.ones(BATCH))[0]


@every_case
@pytest.mark.parametrize("size", [0.1, 3.0, 1e3])
def test_values_and_gradients_are_those_of_others(case: Case, size: float) -> None:
    outputs = outputs_of(case, size)
    values, gradients = by_jax(lambda z: case.loss(z, case.targets), outputs)
    assert np.isfinite(values).all()
    for other in (by_torch(case, outputs), by_jax(case.by_optax, outputs)):
        close(values, other[0])
        close(gradients, other[1])


@every_case
def test_lanes_are_the_single_losses(case: Case) -> None:
    lanes = [jax.tree.map(lambda _, s=smoothing: s, case.loss) for smoothing in (0.0, 0.1, 0.3)]
    outputs = np.stack([outputs_of(case, size) for size in (0.3, 1.0, 30.0)])

    def one(loss: Any, z: Any) -> Any:
        return by_jax(lambda y: loss(y, case.targets), z)

    stacked = jax.tree.map(lambda *numbers: jnp.stack(numbers), *lanes)
    together = jax.jit(jax.vmap(one))(stacked, outputs)
    for i, lane in enumerate(lanes):
        jax.tree.map(close, one(lane, outputs[i]), jax.tree.map(lambda x, i=i: x[i], together))


@every_case
def test_a_hundred_steps_of_descent_lead_to_the_same_weights(case: Case) -> None:
    start = np.random.default_rng(1).normal(size=(3, case.outputs))
    weights = torch.tensor(start, requires_grad=True)
    theirs = []
    for _ in range(STEPS):
        case.by_torch(torch.tensor(INPUTS) @ weights).mean().backward()
        with torch.no_grad():
            weights -= 0.1 * weights.grad
        weights.grad = None
        theirs.append(weights.detach().numpy().copy())

    def step(w: Any, _: Any) -> Any:
        slope = jax.grad(lambda w: case.loss(INPUTS @ w, case.targets).mean())(w)
        return (w - 0.1 * slope,) * 2

    close(jax.lax.scan(step, jnp.asarray(start), length=STEPS)[1], np.stack(theirs))


def test_smoothing_binary_classes_is_smoothing_two_classes() -> None:
    z = outputs_of(CASES["binary"])
    two = np.concatenate([np.zeros_like(z), z], axis=1)
    smoothed = functional.cross_entropy(
        torch.tensor(two), torch.tensor(COIN), reduction="none", label_smoothing=0.2
    )
    close(BinaryCrossEntropy(smoothing=0.2)(z, jnp.asarray(COIN)), smoothed.numpy())
