"""Meters of sparsity: the share of weights, activations and connections that are (near) zero.

Three things are called sparsity, and each can be had without the others. A weight or activation
counts as zero below a threshold, which is stated with every reading; a connection is removed only
where its weight is exactly zero. Dropout removes none: it silences units of single steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.regularizers.regularizer import held

__all__ = ["NEAR_ZERO", "activation_sparsity", "connection_sparsity", "weight_sparsity"]

#: Sizes up to this count as zero where no other threshold is given.
NEAR_ZERO = 1e-3


def weight_sparsity(parameters: Any, threshold: float = NEAR_ZERO, biases: bool = False) -> Array:
    """Share of weights of size up to a threshold.

    Args:
        parameters: a tree of arrays.
        threshold: largest size that counts as zero.
        biases: whether biases are counted.
    """
    return _share_within(held(parameters, biases), threshold)


def activation_sparsity(
    activations: Mapping[str, Array], threshold: float = NEAR_ZERO
) -> dict[str, Array]:
    """Share of activations of size up to a threshold, by layer.

    Args:
        activations: by layer, [row, ...].
        threshold: largest size that counts as zero.
    """
    return {layer: _share_within([values], threshold) for layer, values in activations.items()}


def connection_sparsity(parameters: Any) -> Array:
    """Share of connections that are removed: weights, biases apart, that are exactly zero."""
    return _share_within(held(parameters, False), 0.0)


def _share_within(arrays: list[Array], threshold: float) -> Array:
    small = sum((jnp.abs(array) <= threshold).sum() for array in arrays)
    return jnp.asarray(small) / sum(array.size for array in arrays)
