"""Derivatives that lecture notes work out by hand: of polynomials, of chains, by several paths."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.activations import Identity, Sinusoid
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.networks import MLP


@pytest.mark.parametrize(
    ("function", "slopes"),
    [
        (
            lambda x, y, z: 2 * x**4 - 7 * y**20 + z + 5,  # the exponent is 20 or 0, badly printed
            lambda x, y, z: (8 * x**3, -140 * y**19, 1),
        ),
        (lambda x, y, z: 2 * x**4 - 7 * y**0 + z + 5, lambda x, y, z: (8 * x**3, 0, 1)),
        (lambda x, y, z: x - 3 + 2 * y, lambda x, y, z: (1, 2, 0)),  # its answer was left blank
        (
            lambda x, y, z: jnp.sin(x) * jnp.cos(x),
            lambda x, y, z: (np.cos(x) ** 2 - np.sin(x) ** 2, 0, 0),
        ),
        (lambda x, y, z: x**2 + 3 * x + 1, lambda x, y, z: (2 * x + 3, 0, 0)),
        (lambda x, y, z: 0 * x + 7, lambda x, y, z: (0, 0, 0)),
        (lambda x, y, z: 9 * x, lambda x, y, z: (9, 0, 0)),
    ],
)
def test_rules_of_differentiation(function: Any, slopes: Any) -> None:
    for at in itertools.product((-0.7, 0.4), (0.9, -1.1), (0.3,)):
        found = jax.grad(function, argnums=(0, 1, 2))(*at)
        assert [float(slope) for slope in found] == pytest.approx(slopes(*at), abs=1e-12)


def test_a_chain_and_the_sum_over_its_paths() -> None:
    """cos(w²) + sin(w²): the first path was printed as ∂f/∂g, and is ∂f/∂w."""
    w, quarter = jnp.asarray(0.8), np.pi / 2

    def path(shift: float) -> Any:
        return lambda w: Sinusoid()(w**2 + shift)  # cos y = sin(y + π/2)

    first, second = jax.grad(path(quarter))(w), jax.grad(path(0.0))(w)
    assert float(first) == pytest.approx(-0.955513, abs=5e-7)
    assert float(second) == pytest.approx(1.283353, abs=5e-7)
    whole = jax.grad(lambda w: path(quarter)(w) + path(0.0)(w))(w)
    assert float(whole) == pytest.approx(0.327841, abs=1e-6)
    by_rule = Sinusoid().derivative(w**2 + quarter) * 2 * w
    assert float(by_rule) == pytest.approx(float(first), abs=1e-12)


def test_ten_layers_of_two_have_a_thousand_paths_and_forty_edges() -> None:
    """With all weights 1 a derivative counts paths; back-propagation visits every edge once."""
    network = MLP(hidden=(2,) * 10, activation=Identity(), outputs=1)
    start = network.init(jax.random.key(0), jnp.ones((1, 1)))
    ones = jax.tree.map(jnp.ones_like, start.parameters)
    kernels = [ones[f"dense_{i}"]["kernel"] for i in range(11)]
    zero = {
        name: {"kernel": held["kernel"], "bias": jnp.zeros_like(held["bias"])}
        for name, held in ones.items()
    }

    def output(x: Any) -> Any:
        return network.apply(Variables(zero, start.state), x, Context("evaluate"))[0].sum()

    assert float(jax.grad(output)(jnp.ones((1, 1)))[0, 0]) == 2**10 == 1024
    # Nine steps between the ten layers, one from the source and one to the sink.
    assert sum(kernel.size for kernel in kernels) == 9 * 4 + 2 + 2 == 40
