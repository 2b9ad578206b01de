"""Activations that look at several units at once."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["Max", "Maxout", "Softmax"]

Ties = Literal["first", "equal"]


def _shares(z: Array, ties: Ties, axis: int) -> Array:
    """The derivative of the maximum along an axis, shaped like the argument."""
    if ties == "first":
        return jax.nn.one_hot(jnp.argmax(z, axis), z.shape[axis], dtype=z.dtype, axis=axis)
    largest = (z == z.max(axis, keepdims=True)).astype(z.dtype)
    return largest / largest.sum(axis, keepdims=True)


def _largest(z: Array, ties: Ties, axis: int) -> Array:
    """The maximum along an axis, whose derivative obeys the tie rule."""
    if ties == "equal":
        return z.max(axis)  # which JAX differentiates so
    chosen = jnp.expand_dims(jnp.argmax(z, axis), axis)
    places = jnp.expand_dims(jnp.arange(z.shape[axis]), tuple(range(1, -axis)))
    return jnp.where(places == chosen, z, 0).sum(axis)


@part
class Maxout:
    """Gives each unit several linear pieces and takes the largest.

    Formula: a_i = max(z_i1, …, z_ik), z_ij = w_ij · x + b_ij;
        ∂a_i/∂z_ij = 1 for the largest piece, 0 for the others
    Choices: pieces: k, pieces of every unit; ties: where pieces are equally large the ``first``
        gets the whole gradient, or all of them ``equal`` shares
    Shapes: [..., pieces · unit] → [..., unit]; the first pieces of all units, then the second, …
    Watch for: each unit owns k weight vectors and k biases, so a network has k times the
        parameters and overfits sooner. Convex functions only: two pieces are ReLU, leaky ReLU or
        the absolute value, not ELU or GELU.
    Source: Goodfellow, Warde-Farley, Mirza, Courville & Bengio, Maxout Networks, 2013, equation 1
    Example:
        >>> Maxout(pieces=2)(jnp.array([1.0, -3.0, 0.5, 4.0]))
        Array([1., 4.], dtype=float32)
    """

    pieces: int = choice(default=2, low=2)
    ties: Ties = choice(default="first")
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return _largest(self._apart(z), self.ties, -2)

    def derivative(self, z: Array) -> Array:
        """∂a/∂z of every pre-activation for the one unit it belongs to, shaped like z."""
        return _shares(self._apart(z), self.ties, -2).reshape(z.shape)

    def _apart(self, z: Array) -> Array:
        """As [..., piece, unit]."""
        width = z.shape[-1]
        if width % self.pieces:
            raise SpecError(
                f"Maxout.pieces must divide the number of pre-activations, got {self.pieces} "
                f"pieces for {width}"
            )
        return z.reshape(*z.shape[:-1], self.pieces, width // self.pieces)


@part
class Max:
    """Takes the largest of all units.

    Formula: a = max(z_1, …, z_n);  ∂a/∂z_j = 1 for the largest, 0 for the others
    Choices: ties: where units are equally large the ``first`` gets the whole gradient, or all of
        them ``equal`` shares
    Shapes: [..., unit] → [..., 1]
    Watch for: a layer becomes one number; for several maxima of a layer take Maxout.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 9.3
    Example:
        >>> Max()(jnp.array([1.0, 3.0, 3.0])), Max(ties="equal").derivative(jnp.array([1.0, 3, 3]))
        (Array([3.], dtype=float32), Array([0. , 0.5, 0.5], dtype=float32))
    """

    ties: Ties = choice(default="first")
    saturates_at = ()

    def __call__(self, z: Array) -> Array:
        return _largest(z, self.ties, -1)[..., None]

    def derivative(self, z: Array) -> Array:
        """∂a/∂z of every unit, shaped like z."""
        return _shares(z, self.ties, -1)


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
        >>> Softmax().derivative(jnp.array([0.0, 1.0])).round(4)
        Array([[ 0.1966, -0.1966],
               [-0.1966,  0.1966]], dtype=float32)
    """

    saturates_at = (0.0, 1.0)

    def __call__(self, z: Array) -> Array:
        return jax.nn.softmax(z, axis=-1)

    def derivative(self, z: Array) -> Array:
        """The whole Jacobian, [..., class, class]: ∂f_i/∂z_j in row i."""
        p = self(z)
        return p[..., :, None] * (jnp.eye(z.shape[-1], dtype=z.dtype) - p[..., None, :])
