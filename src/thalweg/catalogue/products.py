"""Products with a kernel."""

from __future__ import annotations

from jax import Array

__all__ = ["product"]


def product(x: Array, kernel: Array) -> Array:
    """x W for x [..., input] and W [input, output]: [..., output].

    All axes but the last are joined to one of rows, so that the gradient of W is a plain product
    of matrices too, Xᵀ Δ; of several axes it would be one for which XLA moves Δ about in memory.
    """
    rows = x.reshape(-1, x.shape[-1])
    return (rows @ kernel).reshape(*x.shape[:-1], kernel.shape[-1])
