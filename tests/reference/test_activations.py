"""Activations and their derivatives against torch, at extremes and at zero too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from thalweg.catalogue.activations import (
    ELU,
    GELU,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)

torch = pytest.importorskip("torch")
functional = torch.nn.functional

POINTS = np.concatenate([np.linspace(-9, 9, 361), [-1e3, -40.0, 40.0, 1e3]])  # 0 is among them


def rounded_gelu(z: Any) -> Any:
    return 0.5 * z * (1 + torch.tanh(np.sqrt(2 / np.pi) * (z + 0.045 * z**3)))


PAIRS: list[tuple[Any, Callable[[Any], Any]]] = [
    (Identity(), lambda z: 1 * z),
    (Sigmoid(), torch.sigmoid),
    (Tanh(), torch.tanh),
    (ReLU(), functional.relu),
    (LeakyReLU(), functional.leaky_relu),
    (LeakyReLU(slope=0.3), lambda z: functional.leaky_relu(z, 0.3)),
    (LeakyReLU(slope=1.5), lambda z: functional.leaky_relu(z, 1.5)),
    (ELU(), functional.elu),
    (ELU(alpha=0.4), lambda z: functional.elu(z, 0.4)),
    (GELU(), functional.gelu),
    (GELU(form="tanh"), lambda z: functional.gelu(z, approximate="tanh")),
    (GELU(form="tanh_rounded"), rounded_gelu),
    (Softmax(), lambda z: torch.softmax(z, -1)),
]
every_pair = pytest.mark.parametrize(
    ("activation", "other"), PAIRS, ids=[repr(activation) for activation, _ in PAIRS]
)


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)


def arguments(activation: Any) -> np.ndarray:
    """Rows of scores where units are coupled, single values elsewhere."""
    return POINTS.reshape(-1, 5) if isinstance(activation, Softmax) else POINTS


@every_pair
def test_values_and_derivatives_are_those_of_torch(
    activation: Any, other: Callable[[Any], Any]
) -> None:
    at = arguments(activation)
    weights = np.random.default_rng(0).normal(size=at.shape)  # any pullback, not the sum alone
    values, pull = jax.vjp(jax.jit(activation), jnp.asarray(at))
    z = torch.tensor(at, requires_grad=True)
    expected = other(z)
    expected.backward(torch.tensor(weights))
    close(values, expected.detach().numpy())
    close(pull(jnp.asarray(weights))[0], z.grad.numpy())


@every_pair
def test_lanes_are_the_single_activations(activation: Any, other: Callable[[Any], Any]) -> None:
    at = arguments(activation)
    lanes = [jax.tree.map(lambda x, s=share: s * x, activation) for share in (1.0, 0.5, 0.1)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *lanes)

    def both(own: Any) -> Any:
        values, pull = jax.vjp(own, jnp.asarray(at))
        return values, pull(jnp.ones_like(values))[0]

    together = jax.vmap(both, axis_size=3)(stacked)
    for i, lane in enumerate(lanes):
        jax.tree.map(close, both(lane), jax.tree.map(lambda x, i=i: x[i], together))
    close(together[0][0], other(torch.tensor(at)).numpy())


def test_relu_with_the_other_derivative_at_zero_differs_nowhere_else() -> None:
    slope = jax.vmap(jax.grad(ReLU(derivative_at_zero=1)))(jnp.asarray(POINTS))
    close(slope, np.heaviside(POINTS, 1.0))
    close(ReLU(derivative_at_zero=1)(jnp.asarray(POINTS)), np.maximum(POINTS, 0))


def test_sigmoid_is_that_of_scipy() -> None:
    close(Sigmoid()(jnp.asarray(POINTS)), expit(POINTS))
