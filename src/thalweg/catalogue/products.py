"""Products with a kernel."""

from __future__ import annotations

import jax
from jax import Array, lax

from thalweg.catalogue.joined import joined, taken_apart

__all__ = ["product", "product_of_columns"]


def product(x: Array, kernel: Array, *, by_time: bool = False) -> Array:
    """x W for x [..., input] and W [input, output]: [..., output].

    All axes but the last are joined to one of rows, so that the gradient of W is a plain product
    of matrices too, Xᵀ Δ; of several axes it would be one for which XLA moves Δ about in memory.

    Args:
        by_time: whether the mini-batch is the last of the axes that are joined, not the first.
    """
    if by_time:
        return taken_apart(joined(x, 0, x.ndim - 1) @ kernel, 0, x.shape[:-1])
    rows = x.reshape(-1, x.shape[-1])
    return (rows @ kernel).reshape(*x.shape[:-1], kernel.shape[-1])


@jax.custom_jvp
def product_of_columns(kernel: Array, columns: Array) -> Array:
    """Wᵀ X for W [input, output] and X [input, column]: [output, column]."""
    # Turned by a copy: XLA leaves a product to its faster library only if it sums over the last
    # axis of the first factor.
    return lax.optimization_barrier(kernel.T) @ columns


@product_of_columns.defjvp
def _slope(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (kernel, columns), (kernel_tangent, columns_tangent) = primals, tangents
    # Backwards, this barrier has the gradient of W made before that of X, so that the memory of X,
    # the largest array of a convolution, serves for its gradient: what does not fit into the caches
    # of a processor costs more time than the products.
    kernel_tangent, by_columns = lax.optimization_barrier(
        (kernel_tangent, kernel.T @ columns_tangent)
    )
    return product_of_columns(kernel, columns), kernel_tangent.T @ columns + by_columns
