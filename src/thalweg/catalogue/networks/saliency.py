"""Saliency: how much every input matters to the score of a class."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables

__all__ = ["saliency", "saliency_map"]


def saliency(network: Any, variables: Variables, x: Array, classes: Array) -> Array:
    """The gradient of a class score with respect to the inputs.

    Args:
        network, variables: in evaluation, so that every example is alone.
        x: inputs [batch, ...].
        classes: whose score, before softmax, is differentiated, int [batch].

    Returns:
        Gradients shaped like the inputs.

    Example:
        >>> from thalweg.catalogue.layers import Dense
        >>> layer, x = Dense(units=2, bias=None), jnp.ones((1, 2))
        >>> variables = Variables({"kernel": jnp.array([[1.0, -3.0], [2.0, 4.0]])}, {})
        >>> saliency(layer, variables, x, jnp.array([1]))
        Array([[-3.,  4.]], dtype=float32)
    """

    def scores(x: Array) -> Array:
        outputs, _ = network.apply(variables, x, Context("evaluate"))
        return jnp.take_along_axis(outputs, classes[:, None], axis=-1).sum()

    return jax.grad(scores)(x)


def saliency_map(network: Any, variables: Variables, x: Array, classes: Array) -> Array:
    """How much every pixel matters to a class score: the largest size of a gradient there.

    Sizes, as a score that falls with a pixel depends on it too; the largest over the channels, as
    one is enough to change the pixel (Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional
    Networks, 2014, section 3.1).

    Args:
        network, variables: in evaluation, so that every example is alone.
        x: inputs [batch, ..., channel]; vectors [batch, feature] have no channels.
        classes: whose score, before softmax, is differentiated, int [batch].

    Returns:
        Sizes, not negative: [batch, ...] without channels; of vectors [batch, feature].

    Example:
        >>> from thalweg.catalogue.layers import Dense
        >>> layer, x = Dense(units=2, bias=None), jnp.ones((1, 2))
        >>> variables = Variables({"kernel": jnp.array([[1.0, -3.0], [2.0, 4.0]])}, {})
        >>> saliency_map(layer, variables, x, jnp.array([1]))
        Array([[3., 4.]], dtype=float32)
    """
    sizes = jnp.abs(saliency(network, variables, x, classes))
    return sizes if sizes.ndim == 2 else sizes.max(axis=-1)
