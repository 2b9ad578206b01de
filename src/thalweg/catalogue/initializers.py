"""Initializers: where parameters start.

A part of this family is called with a key and a shape and returns an array. Kernels have shape
[..., fan_in, fan_out] with any leading (spatial) axes counted into both fans. What starts from the
data instead is in ``starts``.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.activations import Activation, ReLU
from thalweg.catalogue.activations.gain import gain_of
from thalweg.errors import SpecError
from thalweg.part import Number, choice, number, part

__all__ = [
    "ActivationGain",
    "Averaging",
    "Constant",
    "Eye",
    "Fan",
    "Glorot",
    "He",
    "InputUniform",
    "Normal",
    "Orthogonal",
    "Sparse",
    "TruncatedNormal",
    "Uniform",
    "Zero",
]

Distribution = Literal["normal", "uniform", "truncated_normal"]


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
    if distribution == "truncated_normal":
        return deviation / _deviation_within(2.0) * jax.random.truncated_normal(key, -2, 2, shape)
    bound = math.sqrt(3) * deviation
    return bound * jax.random.uniform(key, shape, minval=-1, maxval=1)


def _deviation_within(limit: Array | float) -> Array:
    """Standard deviation of a standard normal variable that is cut off at ± limit."""
    inside = jax.scipy.special.erf(limit / math.sqrt(2))
    density = jnp.exp(-(limit**2) / 2) / math.sqrt(2 * math.pi)
    return jnp.sqrt(1 - 2 * limit * density / inside)


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
class TruncatedNormal:
    """Draws from a normal distribution without its tails.

    Formula: w ~ N(0, deviation²), drawn again where |w| > limit · deviation
    Numbers: deviation: standard deviation of the whole distribution; limit: where it is cut off, in
        deviations
    Choices: rescaled: whether draws are stretched so that deviation is that of what is left
    Shapes: any
    Watch for: cut off at 2, what is left has a deviation of 0.88 · deviation; libraries disagree
        whether to make up for it.
    Source: standard; Burkardt, The Truncated Normal Distribution, 2014
    Example:
        >>> start = TruncatedNormal(deviation=1.0)
        >>> bool(abs(start.sample(jax.random.key(0), (1000,))).max() <= 2)
        True
    """

    deviation: Number = number(default=0.05, low=0, scale="log", search=(1e-3, 3))
    limit: Number = number(default=2.0, above=0, search=(1, 4))
    rescaled: bool = choice(default=False)

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        draws = jax.random.truncated_normal(key, -self.limit, self.limit, shape)
        scale = 1 / _deviation_within(self.limit) if self.rescaled else 1.0
        return self.deviation * scale * draws


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
    """Draws with a variance that falls with the number of inputs (LeCun initialization).

    Formula: Var w = gain² / fan_in; uniform: w ~ U(−b, b) with b = gain √(3 / fan_in)
    Numbers: gain: factor on the standard deviation; 1/√3 with ``uniform`` gives U(±1/√fan_in)
    Choices: distribution: normal, uniform, or normal without what is beyond two deviations
    Shapes: kernels [..., fan_in, fan_out]; a vector counts its own length as both
    Watch for: keeps the variance of a linear map only; see ActivationGain for what follows it.
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
class InputUniform:
    """Draws uniformly between bounds that fall with the number of inputs.

    Formula: w ~ U(−b, b), b = gain / √fan_in or gain / fan_in
    Numbers: gain: factor on the bound
    Choices: bound: ``root`` for 1/√fan_in, ``inverse`` for 1/fan_in
    Shapes: kernels [..., fan_in, fan_out]; a vector counts its own length as both
    Watch for: both are in print as "uniform scaling", and ``inverse`` is too small: a layer of m
        inputs multiplies variances by 1/3 with ``root`` and by 1/(3m) with ``inverse``.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 8.4
    Example:
        >>> start = InputUniform(bound="inverse")
        >>> bool(abs(start.sample(jax.random.key(0), (100, 5))).max() <= 0.01)
        True
    """

    gain: Number = number(default=1.0, low=0, scale="log", search=(0.1, 3))
    bound: Literal["root", "inverse"] = choice(default="root")

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        inputs, _ = fans(shape)
        bound = self.gain / (math.sqrt(inputs) if self.bound == "root" else inputs)
        return bound * jax.random.uniform(key, shape, minval=-1, maxval=1)


@part
class Glorot:
    """Balances the variance of activations and of gradients.

    Formula: Var w = 2 gain² / (fan_in + fan_out); uniform bound gain √(6 / (fan_in + fan_out))
    Numbers: gain: factor on the standard deviation
    Choices: distribution: uniform (as in the paper), normal, or normal without what is beyond two
        deviations
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
    Choices: distribution: normal (as in the paper), uniform, or normal without what is beyond two
        deviations
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


@part
class ActivationGain:
    """Multiplies another start by the gain of an activation.

    Formula: w = gain_of(f) · start, gain_of(f) = 1 / √E f(z)² for z ~ N(0, 1)
    Choices: activation: f, which the kernel's inputs come through; start: what is multiplied
    Shapes: those of ``start``
    Watch for: computed by quadrature for any activation: √2 for ReLU, 1 for the identity, 1.59 for
        tanh, where tables recommend 5/3. Repeat the activation of the network here.
    Source: He, Zhang, Ren & Sun, Delving Deep into Rectifiers, 2015, section 2.2, for any function
    Example:
        >>> start = ActivationGain(activation=ReLU(), start=Constant(value=1.0))
        >>> start.sample(jax.random.key(0), (1,)).round(4)
        Array([1.4142], dtype=float32)
    """

    activation: Activation = choice(default=ReLU())
    start: Initializer = choice(default=Fan())

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return gain_of(self.activation) * self.start.sample(key, shape)


@part
class Sparse:
    """Connects every unit to a few inputs only.

    Formula: exactly ``nonzeros`` of the incoming weights of a unit are drawn, all others are 0
    Choices: nonzeros: connections of a unit; values: how they are drawn
    Shapes: kernels [..., fan_in, fan_out]; a vector is one unit
    Watch for: the scale of ``values`` is used as it is, so it should suit ``nonzeros`` inputs, not
        fan_in. Zeros are a start, not a constraint: training fills them.
    Source: Martens, Deep Learning via Hessian-Free Optimization, 2010, section 5
    Example:
        >>> w = Sparse(nonzeros=3).sample(jax.random.key(0), (10, 4))
        >>> (w != 0).sum(axis=0)
        Array([3, 3, 3, 3], dtype=int32)
    """

    nonzeros: int = choice(default=15, low=1)
    values: Initializer = choice(default=Normal(deviation=1.0))

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        units = shape[-1] if len(shape) > 1 else 1
        inputs = math.prod(shape) // units
        if self.nonzeros > inputs:
            raise SpecError(
                f"Sparse.nonzeros must be <= the {inputs} inputs of a unit, got {self.nonzeros}"
            )
        for_values, for_places = jax.random.split(key)
        # The order of random numbers is a random order; the first of it are connected.
        place = jax.random.uniform(for_places, (inputs, units)).argsort(axis=0).argsort(axis=0)
        values = self.values.sample(for_values, shape)
        return jnp.where(place.reshape(shape) < self.nonzeros, values, jnp.zeros_like(values))


@part
class Eye:
    """Starts as the map that changes nothing.

    Formula: W = gain I; with spatial axes, that at their centre and 0 elsewhere
    Numbers: gain: factor
    Shapes: kernels [..., fan_in, fan_out]; where the sides differ, the rest is 0
    Watch for: units are told apart by their inputs alone; beyond the shorter side they are dead.
    Source: Le, Jaitly & Hinton, A Simple Way to Initialize Recurrent Networks of Rectified Linear
        Units, 2015, section 3
    Example:
        >>> Eye().sample(jax.random.key(0), (2, 3))
        Array([[1., 0., 0.],
               [0., 1., 0.]], dtype=float32)
    """

    gain: Number = number(default=1.0, search=(0.1, 2))

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        if len(shape) < 2:
            raise SpecError(f"Eye is for kernels [..., input, output], got shape {shape}")
        centre = tuple(length // 2 for length in shape[:-2])
        return self.gain * jnp.zeros(shape).at[centre].set(jnp.eye(shape[-2], shape[-1]))


@part
class Averaging:
    """Starts near the mean of vectors that stand side by side in the inputs.

    Formula: W = gain (I + N) / k for each of k = ⌈fan_in / fan_out⌉ vectors, one above the other;
        N ~ U(−spread / √fan_out, spread / √fan_out)
    Numbers: gain: factor
    Choices: spread: of what tells the units and the vectors apart
    Shapes: kernels [..., fan_in, fan_out], leading axes folded into fan_in
    Watch for: for compositions of trees, whose nodes then say at first what their children say on
        average. Where k is not whole, the last vector is cut short.
    Source: R. Socher and others, Recursive Deep Models for Semantic Compositionality Over a
        Sentiment Treebank, 2013, as their program starts (SentimentModel of CoreNLP)
    Example:
        >>> Averaging(spread=0.0).sample(jax.random.key(0), (4, 2))
        Array([[0.5, 0. ],
               [0. , 0.5],
               [0.5, 0. ],
               [0. , 0.5]], dtype=float32)
    """

    gain: Number = number(default=1.0, search=(0.1, 2))
    spread: float = choice(default=0.5, low=0)

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        if len(shape) < 2:
            raise SpecError(f"Averaging is for kernels [..., input, output], got shape {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        count = math.ceil(rows / columns)
        bound = self.spread / math.sqrt(columns)
        noise = jax.random.uniform(key, (rows, columns), minval=-bound, maxval=bound)
        mean = jnp.tile(jnp.eye(columns), (count, 1))[:rows] + noise
        return (self.gain * mean / count).reshape(shape)
