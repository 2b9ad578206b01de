"""Smooth relatives of the rectifier: like it far from zero, bent where it has its kink."""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.part import Number, choice, number, part

__all__ = [
    "ELU",
    "GELU",
    "ISRLU",
    "SELU",
    "BentIdentity",
    "Mish",
    "SiLU",
    "SoftExponential",
    "Softplus",
    "Swish",
]


def _elu(z: Array) -> Array:
    # The argument of the exponential is held at 0 on the positive side, where the branch is not
    # used, so that an overflow there cannot reach the gradient. Not by a minimum, whose derivative
    # at z = 0 is one half.
    return jnp.expm1(jnp.where(z > 0, 0, z))


@part
class ELU:
    """Bends smoothly to −alpha below zero.

    Formula: f(z) = z for z > 0, alpha (e^z − 1) otherwise;  f′ = 1, or f + alpha
    Numbers: alpha: depth of the negative plateau
    Shapes: any → the same
    Watch for: the derivative is continuous only for alpha = 1; f′(0) = alpha. Far below zero it is
        e^z, not zero, but as good as zero.
    Source: Clevert, Unterthiner & Hochreiter, Exponential Linear Units, 2016, equation 15
    Example:
        >>> ELU()(jnp.array([-1.0, 2.0])).round(4)
        Array([-0.6321,  2.    ], dtype=float32)
    """

    alpha: Number = number(default=1.0, low=0, search=(0.1, 2))
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return jnp.where(z > 0, z, self.alpha * _elu(z))

    def derivative(self, z: Array) -> Array:
        return jnp.where(z > 0, jnp.ones_like(z), self.alpha * jnp.exp(jnp.where(z > 0, 0, z)))


# The pair for which mean 0 and variance 1 are a fixed point: equation 14 of the paper.
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848


@part
class SELU:
    """Scales ELU so that mean 0 and variance 1 are kept from layer to layer.

    Formula: f(z) = λ z for z > 0, λ α (e^z − 1) otherwise, λ = 1.0507, α = 1.6733;
        f′ = λ, or f + λ α
    Shapes: any → the same
    Watch for: the promise holds for weights of variance 1/fan_in, not for those of He or Glorot,
        and breaks under plain dropout. f′(0) = λ α.
    Source: Klambauer et al., Self-Normalizing Neural Networks, 2017, equations 2 and 14
    Example:
        >>> SELU()(jnp.array([-1.0, 2.0])).round(4)
        Array([-1.1113,  2.1014], dtype=float32)
    """

    saturates_at = (-SELU_SCALE * SELU_ALPHA,)

    def __call__(self, z: Array) -> Array:
        return SELU_SCALE * jnp.where(z > 0, z, SELU_ALPHA * _elu(z))

    def derivative(self, z: Array) -> Array:
        below = SELU_ALPHA * jnp.exp(jnp.where(z > 0, 0, z))
        return SELU_SCALE * jnp.where(z > 0, jnp.ones_like(z), below)


@part
class ISRLU:
    """Bends to −1/√alpha below zero by an inverse square root.

    Formula: f(z) = z / √(1 + alpha z²) for z < 0, z for z ≥ 0;
        f′ = 1 / √(1 + alpha z²)³ for z < 0, 1 for z ≥ 0
    Numbers: alpha: how soon it bends; 0 is the identity
    Shapes: any → the same
    Watch for: like ELU with two continuous derivatives and no exponential.
    Source: Carlile et al., Improving Deep Learning by Inverse Square Root Linear Units, 2017,
        equation 1
    Example:
        >>> ISRLU()(jnp.array([-1.0, 2.0])).round(4)
        Array([-0.7071,  2.    ], dtype=float32)
    """

    alpha: Number = number(default=1.0, low=0, search=(0.1, 3))
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        below = jnp.where(z < 0, z, 0)
        return z / jnp.sqrt(1 + self.alpha * below * below)

    def derivative(self, z: Array) -> Array:
        below = jnp.where(z < 0, z, 0)
        return 1 / jnp.sqrt(1 + self.alpha * below * below) ** 3


@part
class Softplus:
    """Rounds off the kink of ReLU.

    Formula: f(z) = 1/beta · ln(1 + e^(beta z));  f′ = 1 / (1 + e^(−beta z))
    Numbers: beta: sharpness of the bend
    Shapes: any → the same
    Watch for: never zero, so nothing is sparse. Without the factor 1/beta, which some texts drop,
        f′ would carry a factor beta.
    Source: Dugas et al., Incorporating Second-Order Functional Knowledge for Better Option
        Pricing, 2001, equation 3
    Example:
        >>> Softplus()(jnp.array([0.0, 2.0])).round(4)
        Array([0.6931, 2.1269], dtype=float32)
    """

    beta: Number = number(default=1.0, above=0, scale="log", search=(0.1, 10))
    saturates_at = (0.0,)

    def __call__(self, z: Array) -> Array:
        return jax.nn.softplus(self.beta * z) / self.beta

    def derivative(self, z: Array) -> Array:
        return jax.nn.sigmoid(self.beta * z)


@part
class GELU:
    """Weighs a value by the chance that a standard normal lies below it.

    Formula: f(z) = z Φ(z);  f′ = Φ(z) + z φ(z);
        tanh form: z/2 · (1 + tanh(√(2/π) (z + c z³)))
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
        return 0.5 * z * (1 + jnp.tanh(self._inner(z)))

    def derivative(self, z: Array) -> Array:
        if self.form == "erf":
            density = jnp.exp(-z * z / 2) / math.sqrt(2 * math.pi)
            return jax.scipy.special.erfc(-z / math.sqrt(2)) / 2 + z * density
        bend = jnp.tanh(self._inner(z))
        slope = math.sqrt(2 / math.pi) * (1 + 3 * self._cubic * z * z)
        return 0.5 * (1 + bend) + 0.5 * z * (1 - bend * bend) * slope

    @property
    def _cubic(self) -> float:
        return 0.044715 if self.form == "tanh" else 0.045

    def _inner(self, z: Array) -> Array:
        return math.sqrt(2 / math.pi) * (z + self._cubic * z**3)


@part
class Swish:
    """Weighs a value by its own sigmoid.

    Formula: f(z) = z σ(beta z);  f′ = σ(beta z) (1 + beta z (1 − σ(beta z)))
    Numbers: beta: sharpness; 1 is SiLU, 0 half the identity, and large values approach ReLU
    Shapes: any → the same
    Watch for: not monotone: it dips to −0.28/beta near z = −1.28/beta.
    Source: Ramachandran, Zoph & Le, Searching for Activation Functions, 2017, section 4
    Example:
        >>> Swish(beta=2)(jnp.array([-1.0, 2.0])).round(4)
        Array([-0.1192,  1.964 ], dtype=float32)
    """

    beta: Number = number(default=1.0, low=0, search=(0.1, 10))
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return z * jax.nn.sigmoid(self.beta * z)

    def derivative(self, z: Array) -> Array:
        gate = jax.nn.sigmoid(self.beta * z)
        return gate * (1 + self.beta * z * (1 - gate))


@part(name="silu")
class SiLU:
    """Weighs a value by its own sigmoid, without a number to choose.

    Formula: f(z) = z σ(z);  f′ = σ(z) (1 + z (1 − σ(z)))
    Shapes: any → the same
    Watch for: Swish with beta = 1; many texts use the two names for one function.
    Source: Elfwing, Uchibe & Doya, Sigmoid-Weighted Linear Units for Neural Network Function
        Approximation in Reinforcement Learning, 2018, equation 8
    Example:
        >>> SiLU()(jnp.array([-1.0, 2.0])).tolist()
        [-0.2689, 1.7616]
    """

    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return z * jax.nn.sigmoid(z)

    def derivative(self, z: Array) -> Array:
        gate = jax.nn.sigmoid(z)
        return gate * (1 + z * (1 - gate))


@part
class Mish:
    """Weighs a value by the tanh of its softplus.

    Formula: f(z) = z tanh(s), s = ln(1 + e^z);  f′ = tanh(s) + z σ(z) (1 − tanh²(s))
    Shapes: any → the same
    Watch for: not monotone: it dips to −0.31 near z = −1.19. Costs three times a ReLU or more.
    Source: Misra, Mish: A Self Regularized Non-Monotonic Activation Function, 2020, equation 1
    Example:
        >>> Mish()(jnp.array([-1.0, 2.0])).round(4)
        Array([-0.3034,  1.944 ], dtype=float32)
    """

    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return z * jnp.tanh(jax.nn.softplus(z))

    def derivative(self, z: Array) -> Array:
        gate = jnp.tanh(jax.nn.softplus(z))
        return gate + z * jax.nn.sigmoid(z) * (1 - gate * gate)


@part
class BentIdentity:
    """Bends the identity from slope ½ to slope 3/2.

    Formula: f(z) = (√(z² + 1) − 1) / 2 + z;  f′ = z / (2 √(z² + 1)) + 1
    Shapes: any → the same
    Watch for: tables that print √(z² + 1) − 1 + z lose the ½: that function has another derivative
        than the one beside it.
    Source: standard; half a hyperbola added to the identity
    Example:
        >>> BentIdentity()(jnp.array([-1.0, 0.0, 2.0])).round(4)
        Array([-0.7929,  0.    ,  2.618 ], dtype=float32)
    """

    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return (jnp.sqrt(z * z + 1) - 1) / 2 + z

    def derivative(self, z: Array) -> Array:
        return z / (2 * jnp.sqrt(z * z + 1)) + 1


@part
class SoftExponential:
    """Goes from a logarithm through the identity to an exponential.

    Formula: f(z) = −ln(1 − alpha (z + alpha)) / alpha for alpha < 0;
        z for alpha = 0;  (e^(alpha z) − 1) / alpha + alpha for alpha > 0;
        f′ = 1 / (1 − alpha (z + alpha)) for alpha < 0, e^(alpha z) for alpha ≥ 0
    Numbers: alpha: −1 is a logarithm, 0 the identity, 1 the exponential
    Shapes: any → the same
    Watch for: for alpha < 0 the function ends at z = 1/alpha − alpha and is NaN below: a run that
        gets there has diverged. Tables that print no "+ alpha" in the third branch make it jump
        at alpha = 1 from e^z to e^z − 1.
    Source: Godfrey & Gashler, A Continuum Among Logarithmic, Linear, and Exponential Functions,
        and Its Potential to Improve Generalization in Neural Networks, 2015, equation 1
    Example:
        >>> SoftExponential(alpha=1)(jnp.array([0.0, 1.0])).round(4)
        Array([1.    , 2.7183], dtype=float32)
    """

    alpha: Number = number(default=0.1, low=-1, high=1)
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        # Each branch sees harmless arguments where it is not used, so that its gradient is zero
        # there and not NaN.
        alpha = jnp.asarray(self.alpha, jnp.result_type(z))
        bent = jnp.where(alpha == 0, 1, alpha)
        logarithm = -jnp.log1p(jnp.where(alpha < 0, -alpha * (z + alpha), 0)) / bent
        exponential = jnp.expm1(jnp.where(alpha > 0, alpha * z, 0)) / bent + alpha
        return jnp.where(alpha > 0, exponential, jnp.where(alpha < 0, logarithm, z))

    def derivative(self, z: Array) -> Array:
        alpha = jnp.asarray(self.alpha, jnp.result_type(z))
        left = jnp.where(alpha < 0, 1 - alpha * (z + alpha), 1)
        within = jnp.where(left > 0, 1 / left, jnp.nan)
        return jnp.where(alpha < 0, within, jnp.exp(jnp.where(alpha > 0, alpha * z, 0)))
