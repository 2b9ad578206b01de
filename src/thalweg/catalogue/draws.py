"""Cheap random numbers for noise: a hash of a counter and the key, in place of a cipher.

Threefry, which JAX has for all that is random, takes a dozen times as long as the noise itself on a
processor, and its bits are kept until the gradient is taken. These bits are eight instructions a
word, so XLA makes them where they are needed, and makes them again for the gradient. Keys are made
by Threefry, so that steps, layers and runs have streams that have nothing to do with one another.
The values are the same in single and double precision.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

__all__ = ["bits", "mixed", "normal", "uniform"]

LEVELS = 2**23


def mixed(x: Array) -> Array:
    """A 32-bit integer hash whose every output bit depends on every input bit (Wellons, Hash
    Prospector, 2018).
    """
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def bits(key: Array, shape: tuple[int, ...]) -> Array:
    """Random words, uint32: of the n-th, hash(hash(n + first word of the key) XOR second)."""
    first, second, *_ = jax.random.key_data(key)
    count = lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    return mixed(mixed(count + first) ^ second)


def uniform(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Numbers spread evenly over (0, 1), each the middle of one of 2²³ equal intervals."""
    # In single precision at least: half of it would round the last of them to 1.
    own = jnp.promote_types(dtype, jnp.float32)
    return (((bits(key, shape) >> 9).astype(own) + 0.5) / LEVELS).astype(dtype)


def normal(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Standard normal numbers, none beyond 5.3 standard deviations."""
    own = jnp.promote_types(dtype, jnp.float32)
    return (2**0.5 * lax.erf_inv(2 * uniform(key, shape, own) - 1)).astype(dtype)
