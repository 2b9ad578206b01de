"""Losses of distances between examples: what is alike shall be near, what is not, far."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.part import Number, choice, number, part

__all__ = ["Contrastive", "Triplet"]


@part
class Contrastive:
    """Draws examples of one class together, and pushes others apart up to a margin.

    Formula: ℓ = y d² / 2 + (1 − y) max(0, margin − d)² / 2, y = 1 for the same class
    Numbers: margin: distance from which different examples are far enough
    Shapes: distances [batch, 1], targets [batch] (1 the same, 0 different) → [batch]
    Watch for: the paper writes Y = 0 for the same class. Two examples are taken for the same where
        they are nearer than half the margin: the probability given is sigmoid(margin / 2 − d).
    Source: Hadsell, Chopra & LeCun, Dimensionality Reduction by Learning an Invariant Mapping,
        2006, equation 4
    Example:
        >>> import jax.numpy as jnp
        >>> Contrastive(margin=1.0)(jnp.array([[0.5], [0.75]]), jnp.array([1, 0]))
        Array([0.125  , 0.03125], dtype=float32)
    """

    margin: Number = number(default=1.0, above=0, scale="log", search=(0.1, 10))
    tasks = ("binary",)

    def __call__(self, outputs: Array, targets: Array) -> Array:
        d = outputs[..., 0]
        y = targets.astype(d.dtype).reshape(d.shape)
        missing = jnp.maximum(self.margin - d, 0)
        return (y * d**2 + (1 - y) * missing**2) / 2

    def outputs(self, targets: int) -> int:
        return 1

    def probabilities(self, outputs: Array) -> Array:
        p = jax.nn.sigmoid(self.margin / 2 - outputs)
        return jnp.concatenate([1 - p, p], axis=-1)


@part
class Triplet:
    """Asks that an example be nearer to one of its class than to another, by a margin.

    Formula: ℓ = max(0, d_like − d_unlike + margin), or of squares, d² in the place of d; of two
        distances that of the target is d_like
    Numbers: margin: by how much
    Choices: squared: whether distances are squared
    Shapes: distances [batch, 2] from the first example, targets [batch] (0 or 1: which of the two
        is like it) → [batch]
    Watch for: the paper squares distances between vectors of length 1; libraries do not square.
        Most triplets soon cost nothing; larger batches make no harder ones, as these are drawn
        beforehand. The probabilities given are a softmax of −d.
    Source: Schroff, Kalenichenko & Philbin, FaceNet, 2015, equation 3
    Example:
        >>> import jax.numpy as jnp
        >>> Triplet(margin=1.0)(jnp.array([[0.5, 1.2], [0.5, 2.0]]), jnp.array([0, 0])).round(3)
        Array([0.3, 0. ], dtype=float32)
    """

    margin: Number = number(default=1.0, above=0, scale="log", search=(0.1, 10))
    squared: bool = choice(default=False)
    tasks = ("binary",)

    def __call__(self, outputs: Array, targets: Array) -> Array:
        d = outputs**2 if self.squared else outputs
        nearer = d[..., 0] - d[..., 1]
        sign = 1 - 2 * targets.astype(d.dtype).reshape(nearer.shape)
        return jnp.maximum(sign * nearer + self.margin, 0)

    def outputs(self, targets: int) -> int:
        return 2

    def probabilities(self, outputs: Array) -> Array:
        return jax.nn.softmax(-outputs, axis=-1)
