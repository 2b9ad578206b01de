"""Layers that change shapes and no values, or repeat them."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers.lengths import without_padding
from thalweg.catalogue.layers.windows import described
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["Flatten", "Repeat", "Reshape"]


@part
class Flatten:
    """Lays out everything about an example in a row.

    Formula: y = vec(x)
    Shapes: [batch, ...] → [batch, feature]
    Watch for: channels vary fastest, which differs from libraries that put channels first. Of
        padded sequences the steps that do not count are 0.
    Source: standard
    Example:
        >>> import jax.numpy as jnp
        >>> Flatten().apply(Variables({}, {}), jnp.ones((2, 4, 4, 3)), Context("evaluate"))[0].shape
        (2, 48)
    """

    def init(self, key: Array, example: Any) -> Variables:
        return Variables({}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        x = without_padding(context, x)
        return x.reshape(x.shape[0], math.prod(x.shape[1:])), {}


@part
class Repeat:
    """Gives every step of a sequence the same inputs.

    Formula: y_t = x for t = 1 ... steps
    Choices: steps: length of the sequence
    Shapes: [batch, ...] → [batch, step, ...]
    Watch for: before a recurrent layer it makes one input a sequence (one to many): what differs
        from step to step is the state alone.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, figure 10.9
    Example:
        >>> layer = Repeat(steps=5)
        >>> layer.apply(Variables({}, {}), jnp.ones((2, 3)), Context("evaluate"))[0].shape
        (2, 5, 3)
    """

    steps: int = choice(low=1)

    def init(self, key: Array, example: Any) -> Variables:
        return Variables({}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return jnp.broadcast_to(x[:, None], (len(x), self.steps, *x.shape[1:])), {}

    def lengths_after(self, lengths: Array) -> Array:
        """How many steps count of what is given out: all of them."""
        return jnp.full_like(lengths, self.steps)


@part
class Reshape:
    """Gives every example another shape.

    Formula: y = x, read in order
    Choices: shape: of an example, without the batch
    Shapes: [batch, ...] → [batch, shape ...]
    Watch for: makes images of flat pixels: (28, 28, 1) for MNIST.
    Source: standard
    Example:
        >>> import jax.numpy as jnp
        >>> layer = Reshape(shape=(28, 28, 1))
        >>> layer.apply(Variables({}, {}), jnp.ones((2, 784)), Context("evaluate"))[0].shape
        (2, 28, 28, 1)
    """

    shape: tuple[int, ...] = choice(low=1)

    def init(self, key: Array, example: Any) -> Variables:
        return Variables({}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        if math.prod(x.shape[1:]) != math.prod(self.shape):
            raise SpecError(
                f"Reshape.shape must hold {math.prod(x.shape[1:])} values, as the inputs "
                f"{described(x.shape)} do, got {self.shape}"
            )
        return x.reshape(x.shape[0], *self.shape), {}
