"""Rectifiers: two straight lines that meet at zero, and the identity, which is one."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.part import Number, choice, number, part

__all__ = ["GeneralizedRectifier", "HingeFunction", "Identity", "LeakyReLU", "ReLU"]


@part
class Identity:
    """Passes its argument through.

    Formula: f(z) = z;  f′ = 1
    Shapes: any → the same
    Watch for: a stack of dense layers with it is one linear map, however deep.
    Source: standard; Goodfellow, Bengio & Courville, Deep Learning, 2016, section 6.2.2.1
    Example:
        >>> Identity()(jnp.array([-1.0, 2.0]))
        Array([-1.,  2.], dtype=float32)
    """

    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return z

    def derivative(self, z: Array) -> Array:
        return jnp.ones_like(z)


@part(name="relu")
class ReLU:
    """Keeps positive values and silences negative ones.

    Formula: f(z) = max(0, z);  f′ = 1 for z > 0, 0 for z < 0
    Choices: derivative_at_zero: the value used for f′(0); both conventions are in print
    Shapes: any → the same
    Watch for: a unit whose z is negative on every example has no gradient and stays dead.
    Source: Nair & Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, 2010
    Example:
        >>> ReLU()(jnp.array([-1.0, 2.0]))
        Array([0., 2.], dtype=float32)
    """

    derivative_at_zero: Literal[0, 1] = choice(default=0)
    saturates_at = (0.0,)

    def __call__(self, z: Array) -> Array:
        if self.derivative_at_zero == 1:
            return jnp.where(z >= 0, z, jnp.zeros_like(z))
        return jax.nn.relu(z)

    def derivative(self, z: Array) -> Array:
        return (z >= 0 if self.derivative_at_zero == 1 else z > 0).astype(z.dtype)


@part(name="leaky_relu")
class LeakyReLU:
    """Lets a small share of negative values through.

    Formula: f(z) = max(0, z) + slope · min(0, z);  f′ = 1 for z > 0, slope for z ≤ 0
    Numbers: slope: share that passes below zero; 0 is ReLU, 1 the identity
    Shapes: any → the same
    Watch for: max(z, slope · z) is the same function only for slope ≤ 1. Texts that give the first
        branch to z ≥ 0 have f′(0) = 1.
    Source: Maas, Hannun & Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models, 2013
    Example:
        >>> LeakyReLU(slope=0.1)(jnp.array([-1.0, 2.0]))
        Array([-0.1,  2. ], dtype=float32)
    """

    slope: Number = number(default=0.01, low=0, search=(0, 0.5))
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return jnp.where(z > 0, z, self.slope * z)

    def derivative(self, z: Array) -> Array:
        return jnp.where(z > 0, jnp.ones_like(z), self.slope)


@part
class GeneralizedRectifier:
    """Gives negative values a slope of any sign.

    Formula: f(z) = max(0, z) + slope · min(0, z);  f′ = 1 for z > 0, slope for z ≤ 0
    Numbers: slope: 0 is ReLU, small and positive the leaky ReLU, −1 the absolute value
    Shapes: any → the same
    Watch for: a negative slope makes a valley, which maps z and −z to the same side. Where the
        slope shall be learned, take PReLU.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 6.3.1
    Example:
        >>> GeneralizedRectifier()(jnp.array([-3.0, 2.0]))
        Array([3., 2.], dtype=float32)
    """

    slope: Number = number(default=-1.0, search=(-1, 1))
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return jnp.where(z > 0, z, self.slope * z)

    def derivative(self, z: Array) -> Array:
        return jnp.where(z > 0, jnp.ones_like(z), self.slope)


@part
class HingeFunction:
    """Takes the larger of two lines through zero.

    Formula: f(z) = max(slope · z, z);  f′ = slope where slope · z > z, else 1
    Numbers: slope: of the second line; 1 is the identity
    Shapes: any → the same
    Watch for: below 1 it is a leaky ReLU. Above 1 the steep side is the positive one and negative
        values pass unchanged, which is no leaky unit, though texts that allow up to 2 call it one.
        f′(0) = 1.
    Source: Breiman, Hinging Hyperplanes for Regression, Classification, and Function
        Approximation, 1993, section 2
    Example:
        >>> HingeFunction(slope=1.5)(jnp.array([-2.0, 2.0]))
        Array([-2.,  3.], dtype=float32)
    """

    slope: Number = number(default=0.5, above=0, high=2)
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return jnp.where(self.slope * z > z, self.slope * z, z)

    def derivative(self, z: Array) -> Array:
        return jnp.where(self.slope * z > z, self.slope, jnp.ones_like(z))
