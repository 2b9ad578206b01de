"""A value of every channel, repeated for each row: ``for_each_row``, ``with_bias``."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["for_each_row", "with_bias"]


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def for_each_row(value: Array, rows: int) -> Array:
    """[channel] → [row, channel], the same in each row.

    Its gradient is a sum over very many rows. Written as a product, as here, it takes a third to a
    tenth of the time of XLA's own sums on processors.
    """
    return jnp.broadcast_to(value, (rows, *value.shape))


@for_each_row.defjvp
def _slope(rows: int, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (value,), (tangent,) = primals, tangents
    ones = jnp.ones((rows, 1), tangent.dtype)
    return for_each_row(value, rows), jnp.dot(ones, tangent[None], precision="highest")


def with_bias(z: Array, bias: Array) -> Array:
    """z + b for z [..., channel] and b [channel]."""
    return z + for_each_row(bias, math.prod(z.shape[:-1])).reshape(z.shape)
