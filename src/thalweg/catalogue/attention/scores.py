"""Scores of a query against a memory: by a small network, by a product, by a map between the two,
and by several products at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.attention.attention import mean_of
from thalweg.catalogue.initializers import Fan, Initializer
from thalweg.catalogue.products import product
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["AdditiveAttention", "DotAttention", "GeneralAttention", "HeadsAttention"]


@part
class AdditiveAttention:
    """Scores a query against a memory by a network with one hidden layer.

    Formula: e_j = vᵀ tanh(W q + U m_j);  α = softmax(e);  c = Σ_j α_j m_j
    Choices: units: width of the hidden layer; kernel: where W, U and v start
    Shapes: q [batch, time, query], m [batch, memory time, memory] → e [batch, time, memory time]
    Watch for: U m is computed once for all queries. It costs more than a product of the two.
    Source: Bahdanau, Cho & Bengio, Neural Machine Translation by Jointly Learning to Align and
        Translate, 2015, section 3.1 and appendix A.1.2
    Example:
        >>> attention = AdditiveAttention(units=4)
        >>> parameters = attention.draw(jax.random.key(0), queries=3, memory=2)
        >>> keys = attention.keys(parameters, jnp.ones((1, 5, 2)))
        >>> attention.scores(parameters, jnp.ones((1, 1, 3)), keys).shape
        (1, 1, 5)
    """

    units: int = choice(default=32, low=1)
    kernel: Initializer = choice(default=Fan())

    read = mean_of

    def draw(self, key: Array, queries: int, memory: int) -> dict[str, Array]:
        for_queries, for_memory, for_score = jax.random.split(key, 3)
        return {
            "query_kernel": self.kernel.sample(for_queries, (queries, self.units)),
            "memory_kernel": self.kernel.sample(for_memory, (memory, self.units)),
            "score_kernel": self.kernel.sample(for_score, (self.units, 1)),
        }

    def keys(self, parameters: Mapping[str, Array], memory: Array) -> Array:
        return product(memory, parameters["memory_kernel"])

    def scores(self, parameters: Mapping[str, Array], queries: Array, keys: Array) -> Array:
        mapped = product(queries, parameters["query_kernel"])
        hidden = jnp.tanh(mapped[..., :, None, :] + keys[..., None, :, :])
        return (hidden @ parameters["score_kernel"])[..., 0]


@part
class DotAttention:
    """Scores a query against a memory by their product.

    Formula: e_j = qᵀ m_j, or qᵀ m_j / √d;  α = softmax(e);  c = Σ_j α_j m_j
    Choices: scale: ``none``, or by the ``root`` of the width d
    Shapes: q [batch, time, d], m [batch, memory time, d] → e [batch, time, memory time]
    Watch for: queries and memory must be of one width. Products of wide vectors are large, and
        their softmax has hardly any slope: hence the root.
    Source: Luong, Pham & Manning, Effective Approaches to Attention-based Neural Machine
        Translation, 2015, equation 8 (dot); Vaswani et al., 2017, equation 1 (root)
    Example:
        >>> q, m = jnp.array([[[1.0, 0.0]]]), jnp.array([[[2.0, 5.0], [3.0, 7.0]]])
        >>> DotAttention(scale="none").scores({}, q, m)
        Array([[[2., 3.]]], dtype=float32)
    """

    scale: Literal["none", "root"] = choice(default="root")

    read = mean_of

    def draw(self, key: Array, queries: int, memory: int) -> dict[str, Array]:
        if queries != memory:
            raise SpecError(
                f"DotAttention needs queries as wide as the memory, got {queries} and {memory}; "
                "take GeneralAttention"
            )
        return {}

    def keys(self, parameters: Mapping[str, Array], memory: Array) -> Array:
        return memory

    def scores(self, parameters: Mapping[str, Array], queries: Array, keys: Array) -> Array:
        factor = 1 / math.sqrt(queries.shape[-1]) if self.scale == "root" else 1.0
        return factor * (queries @ keys.swapaxes(-1, -2))


@part
class GeneralAttention:
    """Scores a query against a memory by their product with a matrix between them.

    Formula: e_j = qᵀ W m_j;  α = softmax(e);  c = Σ_j α_j m_j
    Choices: kernel: where W starts
    Shapes: q [batch, time, query], m [batch, memory time, memory] → e [batch, time, memory time];
        W [memory, query], applied to the memory once for all queries
    Watch for: with W = I it is DotAttention without its scale.
    Source: Luong, Pham & Manning, Effective Approaches to Attention-based Neural Machine
        Translation, 2015, equation 8
    Example:
        >>> attention = GeneralAttention()
        >>> attention.draw(jax.random.key(0), queries=3, memory=2)["memory_kernel"].shape
        (2, 3)
    """

    kernel: Initializer = choice(default=Fan())

    read = mean_of

    def draw(self, key: Array, queries: int, memory: int) -> dict[str, Array]:
        return {"memory_kernel": self.kernel.sample(key, (memory, queries))}

    def keys(self, parameters: Mapping[str, Array], memory: Array) -> Array:
        return product(memory, parameters["memory_kernel"])

    def scores(self, parameters: Mapping[str, Array], queries: Array, keys: Array) -> Array:
        return queries @ keys.swapaxes(-1, -2)


@part
class HeadsAttention:
    """Reads from a memory in several ways at once, each with products of its own.

    Formula: per head: e_j = (W_Q q)ᵀ (W_K m_j) / √d, α = softmax(e), c = Σ_j α_j W_V m_j, d the
        width of a head;  what is read: W_O [c of all heads]
    Choices: heads: how many there are; kernel: where W start
    Shapes: q [batch, time, query], m [batch, memory time, memory] → e [batch, head, time, memory
        time]; W_Q [query, memory], all others [memory, memory], side by side by head
    Watch for: heads must divide the width of the memory. Unlike other scores, it maps what is read.
    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.2.2
    Example:
        >>> attention = HeadsAttention(heads=2)
        >>> parameters = attention.draw(jax.random.key(0), queries=3, memory=4)
        >>> keys = attention.keys(parameters, jnp.ones((1, 5, 4)))
        >>> attention.scores(parameters, jnp.ones((1, 1, 3)), keys).shape
        (1, 2, 1, 5)
    """

    heads: int = choice(default=4, low=1)
    kernel: Initializer = choice(default=Fan())

    def draw(self, key: Array, queries: int, memory: int) -> dict[str, Array]:
        if memory % self.heads:
            raise SpecError(
                f"HeadsAttention.heads must divide the {memory} features of the memory, "
                f"got {self.heads}"
            )
        shapes = {
            "query_kernel": (queries, memory),
            "memory_kernel": (memory, memory),
            "value_kernel": (memory, memory),
            "output_kernel": (memory, memory),
        }
        keys = jax.random.split(key, len(shapes))
        return {
            name: self.kernel.sample(own, shape)
            for own, (name, shape) in zip(keys, shapes.items(), strict=True)
        }

    def keys(self, parameters: Mapping[str, Array], memory: Array) -> Array:
        """Keys and values, side by side."""
        mapped = [product(memory, parameters[f"{name}_kernel"]) for name in ("memory", "value")]
        return jnp.concatenate(mapped, axis=-1)

    def scores(self, parameters: Mapping[str, Array], queries: Array, keys: Array) -> Array:
        mapped = product(queries, parameters["query_kernel"])
        own = self._apart(keys[..., : mapped.shape[-1]])
        return DotAttention().scores({}, self._apart(mapped), own)

    def read(
        self, parameters: Mapping[str, Array], weights: Array, memory: Array, keys: Array
    ) -> Array:
        values = self._apart(keys[..., memory.shape[-1] :])
        heads = (weights @ values).swapaxes(1, 2)
        return product(heads.reshape(*heads.shape[:2], -1), parameters["output_kernel"])

    def _apart(self, x: Array) -> Array:
        """[batch, time, feature] → [batch, head, time, feature of one]."""
        return x.reshape(*x.shape[:2], self.heads, -1).swapaxes(1, 2)
