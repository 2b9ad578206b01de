"""How long sequences are that were padded to one length.

A batch of token sequences is int32 [batch, time], padded at the end with ``PADDING``. A network
that is given one tells its layers by ``context.lengths`` how many steps count; layers that treat
every step alike need not ask. A layer that makes sequences longer or shorter says how long they are
then by ``lengths_after``, which those behind it are told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context

__all__ = [
    "PADDING",
    "aware_of_padding",
    "counted_steps",
    "lengths_behind",
    "lengths_of",
    "places_of",
    "without_padding",
]


#: Stands where a sequence has ended, and for a target where nothing is to be predicted.
PADDING = -1


def lengths_of(tokens: Array) -> Array:
    """Number of tokens that are not padding, int32 [batch]; tokens [batch, time]."""
    return (tokens >= 0).sum(axis=-1, dtype=jnp.int32)


def counted_steps(lengths: Array, time: int) -> Array:
    """Which of so many steps of each sequence count, bool [batch, time]."""
    return jnp.arange(time) < lengths[:, None]


def lengths_behind(layers: Iterable[Any], lengths: Array) -> Array:
    """How many steps count behind layers, one after the other, that say so by ``lengths_after``."""
    for layer in layers:
        asked = getattr(layer, "lengths_after", None)
        lengths = lengths if asked is None else asked(lengths)
    return lengths


def without_padding(context: Context, x: Array) -> Array:
    """Inputs [batch, time, feature] of which steps that do not count are 0."""
    if context.lengths is None or x.ndim != 3:
        return x
    return jnp.where(counted_steps(context.lengths, x.shape[1])[..., None], x, 0)


def aware_of_padding(context: Context, x: Array) -> Context:
    """The context with the lengths of the inputs, where these are tokens and nobody gave them."""
    if context.lengths is None and x.ndim == 2 and jnp.issubdtype(x.dtype, jnp.integer):
        return context.of_lengths(lengths_of(x))
    return context


def places_of(context: Context, x: Array) -> Array:
    """Where the steps of inputs stand in their sequences, from 0: [time], or [batch, time] where
    they go on from a past, which then counts the real ones of them.
    """
    batch, time = x.shape[:2]
    if context.past is None:
        return jnp.arange(time)
    before = context.remembered({"count": jnp.zeros(batch, jnp.int32)})["count"]
    context.remember({"count": before + (time if context.lengths is None else context.lengths)})
    return before[:, None] + jnp.arange(time)
