"""Gains of activations against closed forms, scipy's quadrature and torch's table."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from thalweg.catalogue.activations import (
    ELU,
    GELU,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Tanh,
)
from thalweg.catalogue.activations.gain import PLACES, gain_of, normal_mean

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("function", [ELU(), GELU(), Sigmoid(), Tanh(), jnp.sin], ids=repr)
def test_gains_are_those_of_scipy(function: Any) -> None:
    def weighted(z: float) -> float:
        return float(function(jnp.asarray(z))) ** 2 * stats.norm.pdf(z)

    parts = [integrate.quad(weighted, *ends, epsabs=1e-11)[0] for ends in ((-9, 0), (0, 9))]
    assert float(gain_of(function)) == pytest.approx(sum(parts) ** -0.5, rel=1e-9)


def test_gains_of_rectifiers_are_exact() -> None:
    for slope in (0.0, 0.01, 0.3, 1.0):
        theirs = torch.nn.init.calculate_gain("leaky_relu", slope)
        found = gain_of(LeakyReLU(slope=slope))
        np.testing.assert_allclose(found, theirs, rtol=1e-12)
        np.testing.assert_allclose(jax.jit(gain_of)(LeakyReLU(slope=slope)), theirs, rtol=1e-12)
    assert float(gain_of(Identity())) == pytest.approx(1.0, rel=1e-12)
    assert float(gain_of(ReLU())) == pytest.approx(np.sqrt(2), rel=1e-12)


def test_moments_of_the_normal() -> None:
    for power, moment in ((0, 1), (1, 0), (2, 1), (4, 3), (6, 15)):
        assert float(normal_mean(jnp.asarray(PLACES) ** power)) == pytest.approx(moment, abs=1e-11)
    clipped = stats.norm.cdf(1) - stats.norm.cdf(-1) - 2 * stats.norm.pdf(1)
    clipped += 2 * stats.norm.sf(1)
    found = normal_mean(jnp.clip(jnp.asarray(PLACES), -1, 1) ** 2)
    assert float(found) == pytest.approx(clipped, rel=1e-12)


def test_gains_undo_what_a_million_draws_lose() -> None:
    z = jax.random.normal(jax.random.key(1), (1_000_000,))
    for function in (Tanh(), GELU(), ReLU()):
        second = gain_of(function) ** 2 * function(z) ** 2
        assert abs(float(second.mean()) - 1) < 4 * float(second.std()) / 1000
