"""Initializers: where parameters start.

A part of this family is called with a key and a shape and returns an array. Kernels have shape
[..., fan_in, fan_out] with any leading (spatial) axes counted into both fans.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.part import Number, choice, number, part

__all__ = ["Constant", "Fan", "Glorot", "He", "Normal", "Orthogonal", "Uniform", "Zero"]

Distribution = Literal["normal", "uniform"]


@runtime_checkable
class Initializer(Protocol):
    """A distribution of starting values.

    Laws: the same key and shape give the same values; values are finite, of the default float
    type; scaling the part's numbers scales the values and changes nothing else.
    """

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array: ...


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Number of inputs and outputs of one unit of a kernel of this shape."""
    if len(shape) < 2:
        length = shape[0] if shape else 1
        return length, length
    spatial = math.prod(shape[:-2])
    return spatial * shape[-2], spatial * shape[-1]


def _spread(
    key: Array, shape: tuple[int, ...], distribution: Distribution, deviation: Array | float
) -> Array:
    """Values with mean 0 and the given standard deviation."""
    if distribution == "normal":
        return deviation * jax.random.normal(key, shape)
    bound = math.sqrt(3) * deviation
    return bound * jax.random.uniform(key, shape, minval=-1, maxval=1)


@part
class Zero:
    """Starts at zero.

    Formula: w = 0
    Shapes: any
    Watch for: right for biases; as a kernel it makes every unit of a layer the same, and with
        ReLU or tanh no gradient ever reaches it.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 8.4
    Example:
        >>> Zero().sample(jax.random.key(0), (2,))
        Array([0., 0.], dtype=float32)
    """

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jnp.zeros(shape)


@part
class Constant:
    """Starts at one value everywhere.

    Formula: w = value
    Numbers: value: the common value
    Shapes: any
    Watch for: as a kernel it leaves the units of a layer identical for ever.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 8.4
    Example:
        >>> Constant(value=0.1).sample(jax.random.key(0), (2,))
        Array([0.1, 0.1], dtype=float32)
    """

    value: Number = number(default=0.1, search=(-1, 1))

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jnp.full(shape, self.value, float)


@part
class Normal:
    """Draws from a normal distribution.

    Formula: w ~ N(0, deviation²)
    Numbers: deviation: standard deviation
    Shapes: any
    Watch for: a fixed deviation fits one width; He and Glorot follow the width.
    Source: standard
    Example:
        >>> float(Normal(deviation=2.0).sample(jax.random.key(0), (10_000,)).std().round(1))
        2.0
    """

    deviation: Number = number(default=0.05, low=0, scale="log", search=(1e-3, 3))

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return _spread(key, shape, "normal", self.deviation)


@part
class Uniform:
    """Draws uniformly between −bound and bound.

    Formula: w ~ U(−bound, bound)
    Numbers: bound: largest absolute value
    Shapes: any
    Watch for: its standard deviation is bound / √3.
    Source: standard
    Example:
        >>> bool(abs(Uniform(bound=0.5).sample(jax.random.key(0), (100,))).max() <= 0.5)
        True
    """

    bound: Number = number(default=0.05, low=0, scale="log", search=(1e-3, 3))

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return self.bound * jax.random.uniform(key, shape, minval=-1, maxval=1)


@part
class Fan:
    """Draws with a variance that falls with the number of inputs.

    Formula: Var w = gain² / fan_in; uniform: w ~ U(−b, b) with b = gain √(3 / fan_in)
    Numbers: gain: factor on the standard deviation; 1/√3 with ``uniform`` gives U(±1/√fan_in)
    Choices: distribution: normal or uniform
    Shapes: kernels [..., fan_in, fan_out]; a vector counts its own length as both
    Watch for: U(±1/√m) for m inputs is the usual rule; the U(±1/m) in some lecture notes is too
        small by √m.
    Source: LeCun, Bottou, Orr & Müller, Efficient BackProp, 1998, section 4.6
    Example:
        >>> float(Fan().sample(jax.random.key(0), (100, 400)).std().round(2))
        0.1
    """

    gain: Number = number(default=1.0, low=0, scale="log", search=(0.1, 3))
    distribution: Distribution = choice(default="normal")

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        inputs, _ = fans(shape)
        return _spread(key, shape, self.distribution, self.gain * math.sqrt(1 / inputs))


@part
class Glorot:
    """Balances the variance of activations and of gradients.

    Formula: Var w = 2 gain² / (fan_in + fan_out); uniform bound gain √(6 / (fan_in + fan_out))
    Numbers: gain: factor on the standard deviation
    Choices: distribution: uniform (as in the paper) or normal
    Shapes: kernels [..., fan_in, fan_out]
    Watch for: derived for units that are linear near zero, such as tanh; ReLU wants He.
    Source: Glorot & Bengio, Understanding the Difficulty of Training Deep Feedforward Neural
        Networks, 2010, equation 16
    Example:
        >>> float(Glorot().sample(jax.random.key(0), (300, 500)).std().round(2))
        0.05
    """

    gain: Number = number(default=1.0, low=0, scale="log", search=(0.1, 3))
    distribution: Distribution = choice(default="uniform")

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return _spread(key, shape, self.distribution, self.gain * math.sqrt(2 / sum(fans(shape))))


@part
class He:
    """Keeps the variance of activations through rectifiers.

    Formula: Var w = 2 gain² / fan_in
    Numbers: gain: factor on the standard deviation
    Choices: distribution: normal (as in the paper) or uniform
    Shapes: kernels [..., fan_in, fan_out]
    Watch for: with tanh it starts too large and saturates deep layers.
    Source: He, Zhang, Ren & Sun, Delving Deep into Rectifiers, 2015, equation 10
    Example:
        >>> float(He().sample(jax.random.key(0), (200, 500)).std().round(2))
        0.1
    """

    gain: Number = number(default=1.0, low=0, scale="log", search=(0.1, 3))
    distribution: Distribution = choice(default="normal")

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        inputs, _ = fans(shape)
        return _spread(key, shape, self.distribution, self.gain * math.sqrt(2 / inputs))


@part
class Orthogonal:
    """Draws a random rotation, which preserves the length of what passes through.

    Formula: WᵀW = gain² I (or WWᵀ, for the shorter side)
    Numbers: gain: length by which every vector is multiplied; √2 suits ReLU
    Shapes: kernels [..., fan_in, fan_out], leading axes folded into fan_in
    Watch for: the law holds for the linear map alone; the activation after it still shrinks.
    Source: Saxe, McClelland & Ganguli, Exact Solutions to the Nonlinear Dynamics of Learning in
        Deep Linear Neural Networks, 2014, section 4
    Example:
        >>> w = Orthogonal().sample(jax.random.key(0), (3, 3))
        >>> bool(jnp.allclose(w.T @ w, jnp.eye(3), atol=1e-5))
        True
    """

    gain: Number = number(default=1.0, low=0, scale="log", search=(0.1, 3))

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        if len(shape) < 2:
            return _spread(key, shape, "normal", self.gain)
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        q, r = jnp.linalg.qr(jax.random.normal(key, tall))
        # The signs of the diagonal of R make the factorization unique, and so Q uniform over all
        # rotations (Mezzadri 2007).
        q = q * jnp.where(jnp.diagonal(r) < 0, -1, 1)
        return self.gain * (q if rows >= columns else q.T).reshape(shape)
