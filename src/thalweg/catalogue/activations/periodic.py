"""Waves and bumps: activations that rise and fall again."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from thalweg.part import Number, number, part

__all__ = ["Gaussian", "Sinc", "Sinusoid"]


@part
class Sinusoid:
    """Oscillates for ever.

    Formula: f(z) = sin(frequency · z);  f′ = frequency · cos(frequency · z)
    Numbers: frequency: in radians per unit of z
    Shapes: any → the same
    Watch for: many z have the same value and the gradient changes its sign, so training is
        unsteady at high frequencies unless weights start small.
    Source: Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions,
        2020, equation 5
    Example:
        >>> Sinusoid(frequency=2)(jnp.array([0.0, 1.0])).round(4)
        Array([0.    , 0.9093], dtype=float32)
    """

    frequency: Number = number(default=1.0, above=0, scale="log", search=(0.1, 30), unit="radians")
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return jnp.sin(self.frequency * z)

    def derivative(self, z: Array) -> Array:
        return self.frequency * jnp.cos(self.frequency * z)


# Within this distance of zero the quotients of sinc lose digits, and five terms of its series are
# exact to double precision.
NEAR = 0.25


@part
class Sinc:
    """Oscillates and dies away.

    Formula: f(z) = sin(z) / z, 1 at z = 0;  f′ = cos(z) / z − sin(z) / z², 0 at z = 0
    Shapes: any → the same
    Watch for: not the sin(πz) / (πz) of signal processing. Largest at 0 with no gradient there,
        where small starting weights put every unit.
    Source: standard; Abramowitz & Stegun, Handbook of Mathematical Functions, 1964, 4.3.97
    Example:
        >>> Sinc()(jnp.array([0.0, 2.0])).round(4)
        Array([1.    , 0.4546], dtype=float32)
    """

    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        near = jnp.abs(z) < NEAR
        far, s = jnp.where(near, 1, z), jnp.where(near, z, 0) ** 2
        series = 1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72)))
        return jnp.where(near, series, jnp.sin(far) / far)

    def derivative(self, z: Array) -> Array:
        near = jnp.abs(z) < NEAR
        far, s = jnp.where(near, 1, z), jnp.where(near, z, 0) ** 2
        series = -z / 3 * (1 - s / 10 * (1 - s / 28 * (1 - s / 54)))
        return jnp.where(near, series, (jnp.cos(far) - jnp.sin(far) / far) / far)


@part
class Gaussian:
    """Answers to values near zero only.

    Formula: f(z) = e^(−z²);  f′ = −2 z e^(−z²)
    Shapes: any → the same
    Watch for: beyond |z| ≈ 3 neither value nor gradient is left; no gradient at 0 either.
    Source: Broomhead & Lowe, Multivariable Functional Interpolation and Adaptive Networks, 1988
    Example:
        >>> Gaussian()(jnp.array([0.0, 1.0])).round(4)
        Array([1.    , 0.3679], dtype=float32)
    """

    saturates_at = (0.0,)

    def __call__(self, z: Array) -> Array:
        return jnp.exp(-z * z)

    def derivative(self, z: Array) -> Array:
        return -2 * z * jnp.exp(-z * z)
