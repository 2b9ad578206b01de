"""Dropout: silencing random units while training."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue import draws
from thalweg.catalogue.context import Context, Variables
from thalweg.part import Number, number, part

__all__ = ["Dropout", "drawn"]

LEVELS = 2**24


@part
class Dropout:
    """Silences each unit with a given probability, in training only.

    Formula: a ← a · m / (1 − rate), m ~ Bernoulli(1 − rate); the identity in evaluation
    Numbers: rate: probability of silence
    Shapes: any → the same
    Watch for: the division keeps the mean, so evaluation needs no factor (some texts multiply by
        1 − rate there instead). A silenced weight still moves under momentum, Adam and decay. The
        rate is rounded to a multiple of 2⁻²⁴.
    Source: Srivastava et al., Dropout, 2014, section 4 (inverted form, section 10)
    Example:
        >>> import jax
        >>> layer, x = Dropout(rate=0.5), jnp.ones(1000)
        >>> y, _ = layer.apply(Variables({}, {}), x, Context("train", jax.random.key(0)))
        >>> sorted(set(y.tolist())), bool(abs(y.mean() - 1) < 0.1)
        ([0.0, 2.0], True)
    """

    rate: Number = number(default=0.5, low=0, below=1, search=(0, 0.8))

    def init(self, key: Array, example: Any) -> Variables:
        return Variables({}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        if context.mode != "train":
            return x, {}
        if context.key is None:
            raise ValueError("Dropout needs a key in training; pass Context('train', key)")
        kept, factor = drawn(context.key, self.rate, x.shape)
        return jnp.where(kept, x * factor.astype(x.dtype), jnp.zeros_like(x)), {}


def drawn(key: Array, rate: Number, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Which values are kept, and by which factor these are to be multiplied."""
    # The factor comes from the rounded rate, as the mask does, so that the mean is kept whatever
    # the rate.
    silenced = jnp.clip(jnp.round(rate * LEVELS), 0, LEVELS - 1).astype(jnp.uint32)
    factor = LEVELS / (LEVELS - silenced).astype(jnp.float32)
    return draws.bits(key, shape) >> 8 >= silenced, factor
