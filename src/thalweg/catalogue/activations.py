"""Activations: the functions between linear maps, applied to every unit alone.

A part of this family is called on pre-activations z and returns activations a of the same shape.
Softmax is the exception that couples units; it is here because output layers use it.
"""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.part import Number, choice, number, part

__all__ = ["ELU", "GELU", "Identity", "LeakyReLU", "ReLU", "Sigmoid", "Softmax", "Tanh"]


@runtime_checkable
class Activation(Protocol):
    """A function of pre-activations.

    Laws: the result has the shape and type of the argument; it is finite wherever the argument is;
    the derivative that automatic differentiation yields is finite too.

    ``saturates_at`` lists finite limits of the function from which saturated units can be told by
    their activation alone; limits that depend on a number, or that the function also crosses
    elsewhere, are left out.
    """

    @property
    def saturates_at(self) -> tuple[float, ...]: ...

    def __call__(self, z: Array) -> Array: ...


@part
class Identity:
    """Passes its argument through.

    Formula: f(z) = z
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


@part(name="leaky_relu")
class LeakyReLU:
    """Lets a small share of negative values through.

    Formula: f(z) = max(0, z) + slope · min(0, z);  f′ = 1 for z > 0, slope for z < 0
    Numbers: slope: share that passes below zero; 0 is ReLU, 1 the identity
    Shapes: any → the same
    Watch for: max(z, slope · z) is the same function only for slope ≤ 1.
    Source: Maas, Hannun & Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models, 2013
    Example:
        >>> LeakyReLU(slope=0.1)(jnp.array([-1.0, 2.0]))
        Array([-0.1,  2. ], dtype=float32)
    """

    slope: Number = number(default=0.01, low=0, search=(0, 0.5))
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return jnp.where(z > 0, z, self.slope * z)


@part
class ELU:
    """Bends smoothly to −alpha below zero.

    Formula: f(z) = z for z > 0, alpha (e^z − 1) otherwise;  f′ = 1, or f + alpha
    Numbers: alpha: depth of the negative plateau
    Shapes: any → the same
    Watch for: the derivative is continuous only for alpha = 1.
    Source: Clevert, Unterthiner & Hochreiter, Exponential Linear Units, 2016, equation 15
    Example:
        >>> ELU()(jnp.array([-1.0, 2.0])).round(4)
        Array([-0.6321,  2.    ], dtype=float32)
    """

    alpha: Number = number(default=1.0, low=0, search=(0.1, 2))
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        # The argument of the exponential is held at 0 on the positive side, where the branch is
        # not used, so that an overflow there cannot reach the gradient. Not by a minimum, whose
        # derivative at z = 0 is one half.
        return jnp.where(z > 0, z, self.alpha * jnp.expm1(jnp.where(z > 0, 0, z)))


@part
class GELU:
    """Weighs a value by the chance that a standard normal lies below it.

    Formula: f(z) = z Φ(z);  tanh form: z/2 · (1 + tanh(√(2/π) (z + c z³)))
    Choices: form: ``erf`` is exact, ``tanh`` the usual approximation with c = 0.044715,
        ``tanh_rounded`` the one with c = 0.045 that some lecture notes print
    Shapes: any → the same
    Watch for: the three forms differ by up to 5e-4, more than rounding. GELU stands for Gaussian
        Error Linear Unit; "Gradient Error" is a misprint.
    Source: Hendrycks & Gimpel, Gaussian Error Linear Units, 2016, section 2
    Example:
        >>> GELU()(jnp.array([-1.0, 2.0])).tolist()
        [-0.1587, 1.9545]
    """

    form: Literal["erf", "tanh", "tanh_rounded"] = choice(default="erf")
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        if self.form == "erf":
            return jax.nn.gelu(z, approximate=False)
        cubic = 0.044715 if self.form == "tanh" else 0.045
        return 0.5 * z * (1 + jnp.tanh(jnp.sqrt(2 / jnp.pi).astype(z.dtype) * (z + cubic * z**3)))


@part
class Softmax:
    """Turns scores into probabilities over the last axis.

    Formula: f(z)_i = e^(z_i) / Σ_j e^(z_j);  ∂f_i/∂z_j = f_i ([i = j] − f_j)
    Shapes: [..., class] → [..., class], summing to 1
    Watch for: a loss "from logits" applies it itself; doing so twice flattens every gradient.
    Source: Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, 1990
    Example:
        >>> Softmax()(jnp.array([0.0, 1.0])).tolist()
        [0.2689, 0.7311]
    """

    saturates_at = (0.0, 1.0)

    def __call__(self, z: Array) -> Array:
        return jax.nn.softmax(z, axis=-1)
