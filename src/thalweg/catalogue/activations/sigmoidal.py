"""Sigmoidal activations: monotone, between two limits."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.part import Number, number, part

__all__ = [
    "ISRU",
    "SQNL",
    "ArcTan",
    "BinaryStep",
    "HardTanh",
    "Sigmoid",
    "SoftClipping",
    "Softsign",
    "Tanh",
]


@part
class BinaryStep:
    """Says whether its argument is positive; cannot be trained.

    Formula: f(z) = 0 for z < 0, 1 for z ≥ 0;  f′ = 0, undefined at z = 0
    Shapes: any → the same
    Watch for: the derivative is zero wherever it exists (and taken as zero at 0), so nothing
        before this activation ever learns.
    Source: McCulloch & Pitts, A Logical Calculus of the Ideas Immanent in Nervous Activity, 1943
    Example:
        >>> BinaryStep()(jnp.array([-1.0, 0.0, 2.0]))
        Array([0., 1., 1.], dtype=float32)
    """

    saturates_at = (0.0, 1.0)

    def __call__(self, z: Array) -> Array:
        return (z >= 0).astype(z.dtype)

    def derivative(self, z: Array) -> Array:
        return jnp.zeros_like(z)


@part
class Sigmoid:
    """Squashes to (0, 1).

    Formula: f(z) = 1 / (1 + e^(−z));  f′ = f (1 − f)
    Shapes: any → the same
    Watch for: f′ ≤ 1/4 and outputs are never negative, so deep stacks learn slowly. Its inverse,
        ln(p / (1 − p)), is the logit; some texts use the two names for one function.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 3.10
    Example:
        >>> Sigmoid()(jnp.array([0.0, 2.0])).round(4)
        Array([0.5   , 0.8808], dtype=float32)
    """

    saturates_at = (0.0, 1.0)

    def __call__(self, z: Array) -> Array:
        return jax.nn.sigmoid(z)

    def derivative(self, z: Array) -> Array:
        return self(z) * (1 - self(z))


@part
class Tanh:
    """Squashes to (−1, 1), centred on zero.

    Formula: f(z) = (e^z − e^(−z)) / (e^z + e^(−z));  f′ = 1 − f²
    Shapes: any → the same
    Watch for: saturates beyond |z| ≈ 3; start with weights that keep z small.
    Source: LeCun, Bottou, Orr & Müller, Efficient BackProp, 1998, section 4.4
    Example:
        >>> Tanh()(jnp.array([0.0, 1.0])).round(4)
        Array([0.    , 0.7616], dtype=float32)
    """

    saturates_at = (-1.0, 1.0)

    def __call__(self, z: Array) -> Array:
        return jnp.tanh(z)

    def derivative(self, z: Array) -> Array:
        return 1 - jnp.tanh(z) ** 2


@part
class HardTanh:
    """Clips to [−1, 1].

    Formula: f(z) = min(max(z, −1), 1);  f′ = 1 for |z| < 1, else 0
    Shapes: any → the same
    Watch for: outside the interval no gradient passes at all, so a unit can die on either side.
        f′(±1) = 0 by convention: it has no jumps, yet no derivative there, as a function without
        discontinuities need not be differentiable.
    Source: Collobert, Large Scale Machine Learning (thesis), 2004, section 5.4.3
    Example:
        >>> HardTanh()(jnp.array([-3.0, 0.5]))
        Array([-1. ,  0.5], dtype=float32)
    """

    saturates_at = (-1.0, 1.0)

    def __call__(self, z: Array) -> Array:
        return jnp.where(jnp.abs(z) < 1, z, jnp.sign(z))

    def derivative(self, z: Array) -> Array:
        return (jnp.abs(z) < 1).astype(z.dtype)


@part(name="arctan")
class ArcTan:
    """Squashes to (−π/2, π/2) by the angle of a slope.

    Formula: f(z) = arctan z;  f′ = 1 / (1 + z²)
    Shapes: any → the same
    Watch for: saturates much more slowly than tanh: f′ falls with 1/z², not exponentially.
    Source: standard; inverse of the tangent
    Example:
        >>> ArcTan()(jnp.array([0.0, 1.0])).round(4)
        Array([0.    , 0.7854], dtype=float32)
    """

    saturates_at = (-math.pi / 2, math.pi / 2)

    def __call__(self, z: Array) -> Array:
        return jnp.arctan(z)

    def derivative(self, z: Array) -> Array:
        return 1 / (1 + z * z)


@part
class Softsign:
    """Squashes to (−1, 1) without an exponential.

    Formula: f(z) = z / (1 + |z|);  f′ = 1 / (1 + |z|)²
    Shapes: any → the same
    Watch for: also called ElliotSig. Without the bars (some texts lose them) the function has a
        pole at −1. The second derivative jumps at 0.
    Source: Elliott, A Better Activation Function for Artificial Neural Networks, 1993
    Example:
        >>> Softsign()(jnp.array([-1.0, 3.0]))
        Array([-0.5 ,  0.75], dtype=float32)
    """

    saturates_at = (-1.0, 1.0)

    def __call__(self, z: Array) -> Array:
        return z / (1 + jnp.abs(z))

    def derivative(self, z: Array) -> Array:
        return 1 / (1 + jnp.abs(z)) ** 2


@part
class ISRU:
    """Squashes by an inverse square root.

    Formula: f(z) = z / √(1 + alpha z²);  f′ = 1 / √(1 + alpha z²)³
    Numbers: alpha: how soon it bends; the limits are ±1/√alpha, and 0 is the identity
    Shapes: any → the same
    Watch for: the limits move with alpha, so a sweep over it changes the scale of the layer too.
    Source: Carlile et al., Improving Deep Learning by Inverse Square Root Linear Units, 2017,
        equation 4
    Example:
        >>> ISRU()(jnp.array([-1.0, 2.0])).round(4)
        Array([-0.7071,  0.8944], dtype=float32)
    """

    alpha: Number = number(default=1.0, low=0, search=(0.1, 3))
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return z / jnp.sqrt(1 + self.alpha * z * z)

    def derivative(self, z: Array) -> Array:
        return 1 / jnp.sqrt(1 + self.alpha * z * z) ** 3


@part
class SQNL:
    """Squashes to [−1, 1] by two pieces of a parabola.

    Formula: f(z) = z − z |z| / 4 for |z| ≤ 2, else the sign of z;
        f′ = 1 − |z| / 2 for |z| ≤ 2, else 0
    Shapes: any → the same
    Watch for: tables that print f′ = 1 ∓ z/2 for every z are wrong beyond ±2, where no gradient
        passes.
    Source: Wuraola & Patel, SQNL: A New Computationally Efficient Activation Function, 2018
    Example:
        >>> SQNL()(jnp.array([-3.0, 1.0]))
        Array([-1.  ,  0.75], dtype=float32)
    """

    saturates_at = (-1.0, 1.0)

    def __call__(self, z: Array) -> Array:
        within = jnp.clip(z, -2, 2)
        return within - within * jnp.abs(within) / 4

    def derivative(self, z: Array) -> Array:
        return 1 - jnp.abs(jnp.clip(z, -2, 2)) / 2


@part
class SoftClipping:
    """Clips to (0, 1) with rounded corners.

    Formula: f(z) = 1/alpha · ln((1 + e^(alpha z)) / (1 + e^(alpha (z − 1))));
        f′ = ½ sinh(alpha/2) sech(alpha z/2) sech(alpha (1 − z)/2)
    Numbers: alpha: sharpness of the corners
    Shapes: any → the same
    Watch for: centred on z = ½, where f = ½. Texts that print p in the derivative mean alpha.
    Source: Klimek & Perelstein, Neural Network-Based Approach to Phase Space Integration, 2018
    Example:
        >>> SoftClipping()(jnp.array([-1.0, 0.0, 0.5, 2.0])).round(4)
        Array([0.    , 0.0693, 0.5   , 1.    ], dtype=float32)
    """

    alpha: Number = number(default=10.0, above=0, scale="log", search=(1, 100))
    saturates_at = (0.0, 1.0)

    def __call__(self, z: Array) -> Array:
        # Both corners look alike, so the upper one is drawn as the lower one: far from zero the
        # two terms would be large and their difference lost to rounding.
        lower = jnp.where(z > 0.5, 1 - z, z)
        rise = jax.nn.softplus(self.alpha * lower) - jax.nn.softplus(self.alpha * (lower - 1))
        return jnp.where(z > 0.5, 1 - rise / self.alpha, rise / self.alpha)

    def derivative(self, z: Array) -> Array:
        # The product of hyperbolic functions, which overflow, as a difference of two sigmoids.
        lower = jnp.where(z > 0.5, 1 - z, z)
        return jax.nn.sigmoid(self.alpha * lower) - jax.nn.sigmoid(self.alpha * (lower - 1))
