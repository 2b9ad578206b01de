"""Critical points: where the gradient is zero, and by the Hessian's eigenvalues what they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from thalweg.catalogue.curvature import dense, extreme_eigenvalues, hessian_product
from thalweg.explain.landscapes.functions import Landscape

__all__ = [
    "CriticalPoint",
    "Kind",
    "critical_points",
    "curvature_at",
    "index_of",
    "kind_of",
    "sharpness",
]

Kind: TypeAlias = Literal["minimum", "saddle", "maximum", "flat point"]

#: Eigenvalues smaller than this share of the largest (or of 1) have no sign.
SIGNLESS = 1e-7
#: Newton's steps from each point of the grid, and points of it along each coordinate.
STEPS, SEEDS = 60, 25


@dataclass(frozen=True, eq=False)
class CriticalPoint:
    """Where the gradient is zero.

    Args:
        at: the point [coordinate].
        value: of the function there.
        eigenvalues: of the Hessian, rising.
    """

    at: np.ndarray
    value: float
    eigenvalues: np.ndarray

    @property
    def index(self) -> int:
        """How many directions go down from it: negative eigenvalues."""
        return index_of(self.eigenvalues)

    @property
    def kind(self) -> Kind:
        """What it is, as far as the Hessian says."""
        return kind_of(self.eigenvalues)


def index_of(eigenvalues: np.ndarray) -> int:
    """How many eigenvalues are negative, beyond what rounding explains."""
    return int(np.sum(eigenvalues < -_small(eigenvalues)))


def kind_of(eigenvalues: np.ndarray) -> Kind:
    """What a point without slope is; a flat point where second derivatives do not say it."""
    down = index_of(eigenvalues)
    up = int(np.sum(eigenvalues > _small(eigenvalues)))
    if down and up:
        return "saddle"
    if down + up < len(eigenvalues):
        return "flat point"
    return "minimum" if up else "maximum"


def _small(eigenvalues: np.ndarray) -> float:
    return SIGNLESS * max(1.0, float(np.abs(eigenvalues).max()))


def curvature_at(function: Callable[[Any], jax.Array], point: Any) -> tuple[float, np.ndarray]:
    """Length of the gradient at some parameters, and all eigenvalues of the Hessian, rising.

    Args:
        function: of a tree of arrays.
        point: few enough parameters for a matrix of parameters by parameters.

    Raises:
        SpecError: there are too many.
    """
    with jax.enable_x64(True):
        at = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), point)
        gradient, _ = ravel_pytree(jax.grad(function)(at))
        hessian = dense(hessian_product(function, at), at)
        slope, matrix = float(jnp.linalg.norm(gradient)), np.asarray(hessian)
    if not np.all(np.isfinite(matrix)):  # at a tip or an edge
        return slope, np.full(len(matrix), np.nan)
    return slope, np.linalg.eigvalsh(matrix)


def sharpness(function: Callable[[Any], jax.Array], point: Any, steps: int = 40) -> float:
    """The largest eigenvalue of the Hessian, by Lanczos' method, for any number of parameters."""
    product = hessian_product(function, point)
    return float(extreme_eigenvalues(product, point, jax.random.key(0), steps)[1])


def critical_points(landscape: Landscape, seeds: int = SEEDS) -> tuple[CriticalPoint, ...]:
    """Points without slope in the window of a landscape, from the lowest to the highest.

    Newton's method goes to the nearest of any kind; it starts from a grid, all at once.

    Args:
        landscape: a function of one or two numbers.
        seeds: points of the grid along each coordinate.
    """
    axes = [np.linspace(low, high, seeds) for low, high in landscape.window]
    # A little beside round numbers, where symmetry would hold the method.
    grid = np.stack(np.meshgrid(*axes), -1).reshape(-1, len(axes)) + 1e-4 * np.sqrt(2)
    low, high = np.array(landscape.window).T
    reach = 0.1 * (high - low)

    def solved(point: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        def body(at: jax.Array, _: None) -> tuple[jax.Array, None]:
            slope, matrix = jax.grad(landscape)(at), jax.hessian(landscape)(at)
            step = jnp.linalg.lstsq(matrix, -slope)[0]
            # A step no longer than a tenth of the window stays near the point it looks for.
            return at + step * jnp.minimum(1, jnp.min(reach / (jnp.abs(step) + 1e-300))), None

        at, _ = jax.lax.scan(body, point, length=STEPS)
        slope, matrix = jax.grad(landscape)(at), jax.hessian(landscape)(at)
        return at, landscape(at), jnp.linalg.norm(slope), jnp.linalg.eigvalsh(matrix)

    with jax.enable_x64(True):
        ends = jax.jit(jax.vmap(solved))(jnp.asarray(grid))
        points, values, slopes, eigenvalues = map(np.asarray, ends)
    # How long a gradient may be that is zero but for rounding.
    known = np.abs(eigenvalues[np.isfinite(eigenvalues)])
    flat = 1e-8 * max(1.0, float(np.median(known)) if known.size else 1.0)
    inside = np.all((points >= low) & (points <= high), axis=1) & (slopes < flat)
    found: list[CriticalPoint] = []
    for place in np.flatnonzero(inside):
        near = 1e-4 * (high - low)
        if all(np.any(np.abs(points[place] - other.at) > near) for other in found):
            found.append(CriticalPoint(points[place], float(values[place]), eigenvalues[place]))
    return tuple(sorted(found, key=lambda point: (point.value, *point.at)))
