"""Conjugate gradients for linear systems Hx = b, and what makes them conjugate."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

__all__ = ["Path", "Solution", "conjugacy", "conjugate_directions", "truncated_solve"]

Matrix = Callable[[Array], Array]


class _Iterate(NamedTuple):
    """x, what is left of b, the next direction, and |residual|²."""

    point: Array
    residual: Array
    direction: Array
    square: Array

    @classmethod
    def first(cls, right: Array) -> _Iterate:
        return cls(jnp.zeros_like(right), right, right, right @ right)

    def next(self, image: Array) -> _Iterate:
        """One step, given H d; nothing moves any more once the residual is zero."""
        rate = _ratio(self.square, self.direction @ image)
        residual = self.residual - rate * image
        square = residual @ residual
        direction = residual + _ratio(square, self.square) * self.direction
        return _Iterate(self.point + rate * self.direction, residual, direction, square)


def _ratio(above: Array, below: Array) -> Array:
    """above / below, and 0 for 0 / 0."""
    return jnp.where(above == 0, 0, above / jnp.where(below == 0, 1, below))


class Path(NamedTuple):
    """Every step of a solve.

    Args:
        points: x after each step [step, parameter].
        directions: the direction taken [step, parameter].
        residuals: b − Hx after each step [step, parameter].
    """

    points: Array
    directions: Array
    residuals: Array


def conjugate_directions(product: Matrix, right: Array, steps: int) -> Path:
    """Solve Hx = b from x = 0 and keep every step (Hestenes & Stiefel, 1952).

    Args:
        product: x ↦ Hx on vectors, H symmetric and positive definite.
        right: b [parameter].
        steps: how many; the dimension of b suffices but for rounding.

    Example:
        >>> H = jnp.diag(jnp.array([1.0, 4.0]))
        >>> conjugate_directions(lambda x: H @ x, jnp.array([-4.0, -4.0]), 2).points[1]
        Array([-4., -1.], dtype=float32)
    """

    def body(at: _Iterate, _: None) -> tuple[_Iterate, Path]:
        after = at.next(product(at.direction))
        return after, Path(after.point, at.direction, after.residual)

    return lax.scan(body, _Iterate.first(right), length=steps)[1]


def conjugacy(directions: Array, product: Matrix) -> Array:
    """dᵢᵀ H dⱼ for every pair [direction, direction]: diagonal where directions are conjugate.

    Args:
        directions: [direction, parameter].
        product: x ↦ Hx on vectors.
    """
    return directions @ jax.vmap(product)(directions).T


class Solution(NamedTuple):
    """What a truncated solve found.

    Args:
        point: x [parameter].
        iterations: products spent.
        curved: whether every direction met had positive curvature.
    """

    point: Array
    iterations: Array
    curved: Array


def truncated_solve(
    product: Matrix, right: Array, iterations: int, tolerance: float | Array
) -> Solution:
    """Solve Hx = b as far as wanted; stop where the curvature along a direction is not positive.

    Args:
        product: x ↦ Hx on vectors, H symmetric.
        right: b [parameter]; it is returned itself where already its curvature is not positive,
            so that xᵀb > 0 always, and with b = −g a descent direction.
        iterations: most products to spend.
        tolerance: stops once the residual is below this share of b.
    """
    enough = tolerance**2 * (right @ right)

    def unfinished(held: tuple[_Iterate, Array, Array]) -> Array:
        at, count, curved = held
        return (count < iterations) & curved & (at.square > enough)

    def body(held: tuple[_Iterate, Array, Array]) -> tuple[_Iterate, Array, Array]:
        at, count, _ = held
        image = product(at.direction)
        curved = at.direction @ image > 0
        instead = at._replace(point=jnp.where(count == 0, right, at.point))
        after = jax.tree.map(lambda new, old: jnp.where(curved, new, old), at.next(image), instead)
        return after, count + 1, curved

    first = (_Iterate.first(right), jnp.zeros((), int), jnp.asarray(True))
    at, count, curved = lax.while_loop(unfinished, body, first)
    return Solution(at.point, count, curved)
