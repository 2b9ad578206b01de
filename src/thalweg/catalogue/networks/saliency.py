"""Saliency: how much every input matters to the score of a class."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables

__all__ = ["saliency"]


def saliency(network: Any, variables: Variables, x: Array, classes: Array) -> Array:
    """The gradient of a class score with respect to the inputs.

    Its absolute value, the largest over the channels, is the saliency map of Simonyan, Vedaldi &
    Zisserman, Deep Inside Convolutional Networks, 2014, section 3.

    Args:
        network, variables: in evaluation, so that every example is alone.
        x: inputs [batch, ...].
        classes: whose score, before softmax, is differentiated, int [batch].

    Returns:
        Gradients shaped like the inputs.
    """

    def scores(x: Array) -> Array:
        outputs, _ = network.apply(variables, x, Context("evaluate"))
        return jnp.take_along_axis(outputs, classes[:, None], axis=-1).sum()

    return jax.grad(scores)(x)
