"""Gains: by which factor weights make up for what an activation takes from the spread of values.

For pre-activations with standard normal distribution and weights of variance gain² / fan_in, the
next pre-activations have variance gain² · E[f(Z)²]. The gain is where this is 1: √2 for ReLU,
√(2 / (1 + slope²)) for a leaky ReLU, 1.59 for tanh (for which 5/3 is often printed, which LeCun
chose for another reason).
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import ndtr

from thalweg.catalogue.activations.activation import Activation
from thalweg.catalogue.activations.coupled import Max, Maxout, Softmax
from thalweg.errors import SpecError

__all__ = ["gain_of", "normal_mean"]

# Gauss-Legendre on panels of a quarter: the kinks of the catalogue lie between panels, so the rule
# converges on either side of them, and beyond ±10 a normal has less than rounding.
PANEL, NODES, END = 0.25, 16, 10


def _rule() -> tuple[np.ndarray, np.ndarray]:
    """Places and weights for means over a standard normal."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    middles = np.arange(-END + PANEL / 2, END, PANEL)
    places = (middles[:, None] + PANEL / 2 * x).ravel()
    density = np.exp(-(places**2) / 2) / np.sqrt(2 * np.pi)
    return places, np.tile(w, len(middles)) * PANEL / 2 * density


PLACES, WEIGHTS = _rule()


def normal_mean(values: Array) -> Array:
    """The mean of a function of a standard normal, from its values at ``PLACES``."""
    return (values * jnp.asarray(WEIGHTS, values.dtype)).sum()


def gain_of(activation: Activation) -> Array:
    """The factor on weights that keeps the variance of a standard normal input.

    Numbers of the activation may be tracers. A PReLU counts as it starts, an RReLU with its mean
    slope; the pieces of a Maxout count as independent.

    Raises:
        SpecError: the activation maps a layer as a whole, so that no such factor exists.
    """
    if isinstance(activation, Max | Softmax):
        name = type(activation).__name__
        raise SpecError(
            f"{name} has no gain: it maps a layer as a whole; give the gain as a number"
        )
    z = jnp.asarray(PLACES, float)
    if isinstance(activation, Maxout):
        # The density of the largest of k standard normals is k Φ^(k−1) times theirs.
        square = z * z * activation.pieces * ndtr(z) ** (activation.pieces - 1)
    else:
        square = activation(z) ** 2
    return 1 / jnp.sqrt(normal_mean(square))
