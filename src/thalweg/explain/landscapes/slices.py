"""Slices: a loss of very many parameters along a line, or over a plane.

A plane through parameters is an origin and two directions. ``random_plane`` takes directions by
chance, each filter as long as that of the network (Li et al., Visualizing the Loss Landscape of
Neural Nets, 2018); ``principal_plane`` takes the two in which a way of training spreads most. What
lies beside a plane is not seen in it: ``Plane.distances`` says how far points are from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from thalweg.errors import SpecError

__all__ = [
    "Plane",
    "along_line",
    "filter_normalized",
    "gradients_on",
    "over_plane",
    "principal_plane",
    "random_plane",
]

Loss = Callable[[Any], jax.Array]
#: Points of a slice that are computed together.
TOGETHER = 64


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane in the space of parameters.

    Args:
        origin: a point of it [parameter].
        directions: two that span it [2, parameter].
        explained: share of the variance of what it was laid through, along each direction.
    """

    origin: np.ndarray
    directions: np.ndarray
    explained: tuple[float, ...] = ()

    def coordinates(self, points: np.ndarray) -> np.ndarray:
        """Where in the plane points are, or what is nearest to them [point, 2].

        Args:
            points: [point, parameter].
        """
        return np.linalg.lstsq(self.directions.T, (points - self.origin).T, rcond=None)[0].T

    def distances(self, points: np.ndarray) -> np.ndarray:
        """How far points lie from the plane [point]."""
        inside = self.origin + self.coordinates(points) @ self.directions
        return np.linalg.norm(points - inside, axis=1)


def principal_plane(points: np.ndarray) -> Plane:
    """The plane nearest to points, through their mean, by principal components.

    Args:
        points: [point, parameter], at least three.

    Raises:
        SpecError: there are fewer, or all are on one line.
    """
    points = np.asarray(points, float)
    if len(points) < 3 or points.shape[1] < 2:
        raise SpecError("a plane needs three points or more, of two parameters or more")
    mean = points.mean(axis=0)
    _, lengths, directions = np.linalg.svd(points - mean, full_matrices=False)
    variances = lengths**2
    if variances[1] <= 1e-24 * variances[0]:
        raise SpecError("the points lie on one line; they span no plane")
    shares = variances / variances.sum()
    return Plane(mean, directions[:2], (float(shares[0]), float(shares[1])))


def filter_normalized(direction: Any, parameters: Any) -> Any:
    """A direction with every filter as long as the parameters' own, and no part along biases.

    A filter is what leads to one unit: weights with the same last index.

    Args:
        direction, parameters: trees of arrays of the same shapes.
    """

    def one(d: jax.Array, w: jax.Array) -> jax.Array:
        if w.ndim < 2:
            return jnp.zeros_like(d)
        axes = tuple(range(w.ndim - 1))
        length = jnp.sqrt((d**2).sum(axes, keepdims=True))
        own = jnp.sqrt((w**2).sum(axes, keepdims=True))
        return d * own / jnp.where(length == 0, 1, length)

    return jax.tree.map(one, direction, parameters)


def random_plane(parameters: Any, seed: int = 0) -> Plane:
    """A plane through parameters along two random directions, normalized filter by filter.

    Args:
        parameters: a tree of arrays.
        seed: of the directions.
    """
    with jax.enable_x64(True):
        flat, unravel = ravel_pytree(_doubles(parameters))
        keys = jax.random.split(jax.random.key(seed, impl="threefry2x32"), 2)
        directions = [
            ravel_pytree(filter_normalized(unravel(jax.random.normal(key, flat.shape)), parameters))
            for key in keys
        ]
        return Plane(np.asarray(flat), np.stack([np.asarray(own) for own, _ in directions]))


def along_line(
    loss: Loss, one: Any, other: Any, shares: Sequence[float] | np.ndarray
) -> np.ndarray:
    """The loss between two solutions, and beyond: at (1 − s) one + s other for every share s.

    Args:
        loss: of a tree of parameters.
        one, other: trees of the same shapes.
        shares: 0 is at the one, 1 at the other.
    """
    with jax.enable_x64(True):
        first, unravel = ravel_pytree(_doubles(one))
        last, _ = ravel_pytree(_doubles(other))

        def at(share: jax.Array) -> jax.Array:
            return loss(unravel(first + share * (last - first)))

        return np.asarray(_each(at, jnp.asarray(np.asarray(shares, float))))


def over_plane(
    loss: Loss, like: Any, plane: Plane, across: np.ndarray, up: np.ndarray
) -> np.ndarray:
    """The loss over a plane: [row, column], rows following the second coordinate.

    Args:
        loss: of a tree of parameters.
        like: a tree of their shapes.
        plane: where.
        across, up: coordinates of the columns and of the rows.
    """
    with jax.enable_x64(True):
        at = _point_of(plane, like)
        grid = jnp.stack(jnp.meshgrid(jnp.asarray(across), jnp.asarray(up)), -1).reshape(-1, 2)
        values = _each(lambda place: loss(at(place)), grid)
        return np.asarray(values).reshape(len(up), len(across))


def gradients_on(loss: Loss, like: Any, plane: Plane, places: np.ndarray) -> np.ndarray:
    """The gradient in the coordinates of a plane, at places in it [place, 2].

    Args:
        loss, like, plane: as in ``over_plane``.
        places: coordinates [place, 2].
    """
    with jax.enable_x64(True):
        at = _point_of(plane, like)
        slope = jax.grad(lambda place: loss(at(place)))
        return np.asarray(_each(slope, jnp.asarray(places)))


def _each(function: Callable[[jax.Array], jax.Array], places: jax.Array) -> jax.Array:
    """A function of every place, as many at once as fit, in one compiled program."""

    def all_of(own: jax.Array) -> jax.Array:
        return jax.lax.map(function, own, batch_size=min(TOGETHER, len(own)))

    return jax.jit(all_of)(places)


def _point_of(plane: Plane, like: Any) -> Callable[[jax.Array], Any]:
    """Parameters at coordinates of a plane."""
    _, unravel = ravel_pytree(_doubles(like))
    origin, directions = jnp.asarray(plane.origin), jnp.asarray(plane.directions)
    return lambda place: unravel(origin + place @ directions)


def _doubles(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), tree)
