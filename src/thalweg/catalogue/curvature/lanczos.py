"""Eigenvalues and traces of matrices known by their products alone.

Lanczos' method keeps its whole basis and orthogonalizes against all of it, twice. So it finds
each eigenvalue once, and it needs memory for ``steps`` vectors of parameters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.flatten_util import ravel_pytree

from thalweg.catalogue.curvature.products import Product

__all__ = ["Estimate", "Spectrum", "extreme_eigenvalues", "spectrum", "trace"]


class Spectrum(NamedTuple):
    """Eigenvalues as seen from one or more random directions.

    Args:
        values: estimates of eigenvalues, rising [probe, step]; the outermost converge first.
        weights: share of the spectrum that each stands for [probe, step]; their mean over probes
            estimates the density of all eigenvalues (a quadrature of Gauss).
        errors: for each, some true eigenvalue is no further away than this [probe, step].
    """

    values: Array
    weights: Array
    errors: Array


class Estimate(NamedTuple):
    """A mean over random probes and its standard error."""

    mean: Array
    standard_error: Array


def spectrum(
    product: Product, parameters: Any, key: Array, steps: int, probes: int = 1
) -> Spectrum:
    """Eigenvalues of a symmetric matrix by Lanczos' method (Golub & Meurant, 2010, chapter 4).

    Args:
        product: v ↦ Hv.
        parameters: a tree of arrays, for its shape.
        key: random key, for the directions to start from.
        steps: products per probe; as many as parameters give all eigenvalues.
        probes: random directions.

    Example:
        >>> matrix, key = jnp.diag(jnp.array([1.0, 2.0, 9.0])), jax.random.key(0)
        >>> spectrum(lambda v: matrix @ v, jnp.zeros(3), key, 3).values.round(3)
        Array([[1., 2., 9.]], dtype=float32)
    """
    flat, unravel = ravel_pytree(parameters)
    steps = min(steps, flat.size)

    def image(vector: Array) -> Array:
        return ravel_pytree(product(unravel(vector)))[0]

    def probe(key: Array) -> Spectrum:
        diagonal, beside = _tridiagonal(image, flat, key, steps)
        between = beside[:-1]
        matrix = jnp.diag(diagonal) + jnp.diag(between, 1) + jnp.diag(between, -1)
        values, vectors = jnp.linalg.eigh(matrix)
        return Spectrum(values, vectors[0] ** 2, jnp.abs(beside[-1] * vectors[-1]))

    return lax.map(probe, jax.random.split(key, probes))


def _tridiagonal(image: Any, like: Array, key: Array, steps: int) -> tuple[Array, Array]:
    """Diagonal and off-diagonal [step] of the matrix in Lanczos' basis."""

    def orthogonal(vector: Array, basis: Array) -> Array:
        for _ in range(2):  # once leaves rounding errors in, twice is enough
            vector = vector - basis.T @ (basis @ vector)
        return vector

    def unit(vector: Array) -> Array:
        return vector / jnp.linalg.norm(vector)

    def fresh(key: Array) -> Array:
        return jax.random.normal(key, like.shape, like.dtype)

    def body(held: tuple[Array, Array, Array], at: tuple[Array, Array]) -> Any:
        (basis, vector, scale), (i, key) = held, at
        basis = basis.at[i].set(vector)
        moved = image(vector)
        diagonal, scale = vector @ moved, jnp.maximum(scale, jnp.linalg.norm(moved))
        rest = orthogonal(moved, basis)
        beside = jnp.linalg.norm(rest)
        # The directions reached so far may be closed under the matrix; then another is drawn.
        closed = beside <= like.size * jnp.finfo(like.dtype).eps * scale
        following = lax.cond(
            closed, lambda: unit(orthogonal(fresh(key), basis)), lambda: rest / beside
        )
        return (basis, following, scale), (diagonal, jnp.where(closed, 0, beside))

    first, rest = jax.random.split(key)
    keys = jax.random.split(rest, steps)
    empty = jnp.zeros((steps, like.size), like.dtype)
    start = (empty, unit(fresh(first)), jnp.zeros((), like.dtype))
    return lax.scan(body, start, (jnp.arange(steps), keys))[1]


def extreme_eigenvalues(
    product: Product, parameters: Any, key: Array, steps: int = 40
) -> tuple[Array, Array]:
    """The smallest and the largest eigenvalue of a symmetric matrix.

    Args:
        product: v ↦ Hv.
        parameters: a tree of arrays, for its shape.
        key: random key, for the direction to start from.
        steps: products; ends of the spectrum that stand apart need few.
    """
    values = spectrum(product, parameters, key, steps).values[0]
    return values[0], values[-1]


def trace(product: Product, parameters: Any, key: Array, probes: int = 100) -> Estimate:
    """The trace of a matrix, as the mean of vᵀHv over random signs v (Hutchinson, 1990).

    Args:
        product: v ↦ Hv.
        parameters: a tree of arrays, for its shape.
        key: random key.
        probes: random sign vectors; exact with one where the matrix is diagonal.
    """
    flat, unravel = ravel_pytree(parameters)

    def probe(key: Array) -> Array:
        signs = jax.random.rademacher(key, flat.shape, flat.dtype)
        return signs @ ravel_pytree(product(unravel(signs)))[0]

    values = lax.map(probe, jax.random.split(key, probes))
    spread = values.std(ddof=1) if probes > 1 else jnp.full_like(values[0], jnp.nan)
    return Estimate(values.mean(), spread / probes**0.5)
