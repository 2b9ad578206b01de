"""The contract every attention keeps, and how scores become what is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["Attention", "mean_of", "weighed"]


@runtime_checkable
class Attention(Protocol):
    """How well every vector of a memory fits a query.

    Laws: ``draw`` starts the parameters for queries and memories of these widths; ``keys`` is what
    can be made of the memory before there is a query, [batch, memory time, ...]; ``scores`` of
    queries [batch, time, query] are [batch, time, memory time], or of several heads [batch, head,
    time, memory time], and those of one query and one vector depend on no other. ``read`` is what
    the weights that they become make of the memory, as wide as it.
    """

    def draw(self, key: Array, queries: int, memory: int) -> dict[str, Array]: ...

    def keys(self, parameters: Mapping[str, Array], memory: Array) -> Array: ...

    def scores(self, parameters: Mapping[str, Array], queries: Array, keys: Array) -> Array: ...

    def read(
        self, parameters: Mapping[str, Array], weights: Array, memory: Array, keys: Array
    ) -> Array: ...


def mean_of(
    attention: Any, parameters: Mapping[str, Array], weights: Array, memory: Array, keys: Array
) -> Array:
    """Σ_j α_tj m_j, [batch, time, memory]: ``Attention.read``, where there are no heads."""
    return jnp.einsum("btj,bjf->btf", weights, memory)


def weighed(scores: Array, allowed: Array | None) -> Array:
    """Softmax of scores over what is allowed; 0 elsewhere, and everywhere where nothing is.

    Args:
        scores: [..., time, memory time].
        allowed: whether a query may look there, of the same shape or one that broadcasts to it.
    """
    if allowed is None:
        return jax.nn.softmax(scores, axis=-1)
    # A large finite number, not infinity: where nothing is allowed, gradients must be numbers.
    least = jnp.finfo(scores.dtype).min / 2
    weights = jax.nn.softmax(jnp.where(allowed, scores, least), axis=-1)
    return jnp.where(allowed, weights, 0)
