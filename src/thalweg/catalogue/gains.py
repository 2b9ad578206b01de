"""Gains: by what weights must be multiplied so that an activation keeps the scale of its input.

``gain_of`` computes it for any function, printed in a table or not.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import Array

__all__ = ["gain_of", "mean_over_normal"]

# Panels of width ½ out to 12 deviations, each with its own Gauss-Legendre rule: kinks and jumps at
# multiples of ½, where activations have theirs, then cost no accuracy, as they do with the
# Gauss-Hermite rule.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)
POINTS = (np.arange(-12, 12, 0.5)[:, None] + (NODES + 1) / 4).ravel()
DENSITIES = np.tile(WEIGHTS / 4, 48) * np.exp(-(POINTS**2) / 2) / np.sqrt(2 * np.pi)


def mean_over_normal(function: Callable[[Array], Array]) -> Array:
    """Mean of a function of a standard normal variable."""
    return jnp.sum(jnp.asarray(DENSITIES) * function(jnp.asarray(POINTS)))


def gain_of(function: Callable[[Array], Array]) -> Array:
    """The gain of an activation, ``1 / √E f(z)²`` for z ~ N(0, 1).

    With it a layer of variance gain² / fan_in turns units of second moment 1 into units of second
    moment 1. It is √2 for ReLU and 1 for the identity, exactly; for tanh it is 1.59, and the 5/3
    in common tables is a recommendation of another kind.
    """
    return 1 / jnp.sqrt(mean_over_normal(lambda z: function(z) ** 2))
