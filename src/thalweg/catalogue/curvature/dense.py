"""Curvature matrices written out, for networks small enough that they fit."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.flatten_util import ravel_pytree

from thalweg.catalogue.curvature.products import Product
from thalweg.errors import SpecError

__all__ = ["LARGEST", "bytes_in_words", "dense", "require_room"]

# Bytes of one matrix: 23,000 parameters in single precision. Solving with it takes a minute by
# then, so that more memory would not help.
LARGEST = 2**31

# Columns computed together: enough for wide products, few enough to keep activations small.
COLUMNS = 32


def bytes_in_words(size: float) -> str:
    """``640 kB``, ``12 MB``, ``3.4 GB``, ``4 TB``."""
    units = ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12)
    unit, scale = next((one for one in reversed(units) if size >= one[1]), units[0])
    return f"{size / scale:.3g} {unit}"


def require_room(parameters: Any, owner: str, largest: int = LARGEST) -> None:
    """Refuse a matrix of parameters by parameters that would not fit; needs shapes only.

    Args:
        parameters: a tree of arrays, tracers or shapes.
        owner: who wants the matrix, for the message.
        largest: bytes it may take.

    Raises:
        SpecError: with the bytes that it would take.
    """
    leaves = jax.tree.leaves(parameters)
    count = sum(math.prod(leaf.shape) for leaf in leaves)
    size = count * count * max((leaf.dtype.itemsize for leaf in leaves), default=0)
    if size > largest:
        raise SpecError(
            f"{owner} on {count:,} parameters would take {bytes_in_words(size)} for each matrix of "
            f"parameters by parameters, where at most {bytes_in_words(largest)} are allowed; use a "
            "smaller network, or LBFGS, HessianFree or NonlinearConjugateGradients, which keep no "
            "such matrix"
        )


def dense(product: Product, parameters: Any, largest: int = LARGEST) -> Array:
    """The matrix of a product [parameter, parameter], in the order of ``ravel_pytree``.

    Args:
        product: maps a tree of the shape of the parameters to another, linearly.
        parameters: a tree of arrays.
        largest: bytes the matrix may take.

    Raises:
        SpecError: it would take more.
    """
    require_room(parameters, "a dense matrix of curvature", largest)
    flat, unravel = ravel_pytree(parameters)

    def column(direction: Array) -> Array:
        return ravel_pytree(product(unravel(direction)))[0]

    identity = jnp.eye(flat.size, dtype=flat.dtype)
    return lax.map(column, identity, batch_size=min(COLUMNS, flat.size)).T
