"""A value of every channel, repeated along its row: ``along_rows``; ``with_bias``."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["along_rows", "with_bias"]


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def along_rows(value: Array, columns: int) -> Array:
    """[channel] → [channel, column], the same in each column.

    Its gradient is a sum over very many columns. Written as a product, as here, it takes a third to
    a tenth of the time of XLA's own sums on processors.
    """
    return jnp.broadcast_to(value[:, None], (len(value), columns))


@along_rows.defjvp
def _slope(columns: int, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (value,), (tangent,) = primals, tangents
    # These ones are each run's own: shared by the runs of a chunk, XLA would make one product of
    # all runs, whose sums differ in the last bit by the place that a run has among the others.
    own = 0 * jax.lax.stop_gradient(value[:1])
    ones = jnp.ones((1, columns), tangent.dtype) + own.astype(tangent.dtype)
    return along_rows(value, columns), jnp.dot(tangent[:, None], ones, precision="highest")


def with_bias(z: Array, bias: Array) -> Array:
    """z + b for z [..., channel] and b [channel]."""
    return z + along_rows(bias, math.prod(z.shape[:-1])).T.reshape(z.shape)
