"""Cheap random numbers for noise: made of 16 random bits each, half the price of the usual 32.

On a processor the bits are what random numbers cost. The values are the same in single and double
precision.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["normal", "uniform"]

LEVELS = 65536


def uniform(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Numbers spread evenly over (0, 1), each the middle of one of 65536 equal intervals."""
    bits = jax.random.bits(key, shape, jnp.uint16)
    return (bits.astype(dtype) + 0.5) / LEVELS


def normal(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Standard normal numbers, none beyond 4.4 standard deviations."""
    return 2**0.5 * jax.lax.erf_inv(2 * uniform(key, shape, dtype) - 1)
