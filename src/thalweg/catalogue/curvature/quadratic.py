"""The quadratic model of an objective, and what eigenvalues of its Hessian imply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.curvature.products import Product, differentiated
from thalweg.part import Number

__all__ = [
    "QuadraticModel",
    "condition_number",
    "kept",
    "largest_stable_step",
    "penalized_minimum",
    "quadratic_model",
]


class QuadraticModel(NamedTuple):
    """J(θ + d) ≈ J + gᵀd + ½ dᵀHd, called with the displacement d.

    Args:
        value, gradient: J and g at θ.
        product: v ↦ Hv at θ.
    """

    value: Array
    gradient: Any
    product: Product

    def __call__(self, displacement: Any) -> Array:
        slope = _inner(self.gradient, displacement)
        return self.value + slope + 0.5 * _inner(displacement, self.product(displacement))


def _inner(one: Any, other: Any) -> Array:
    products = jax.tree.map(lambda a, b: (a * b).sum(), one, other)
    return sum(jax.tree.leaves(products), jnp.zeros(()))


def quadratic_model(objective: Callable[[Any], Array], parameters: Any) -> QuadraticModel:
    """The second-order Taylor model of an objective about some parameters.

    Args:
        objective: maps parameters to a scalar.
        parameters: a tree of arrays.

    Example:
        >>> float(quadratic_model(lambda w: w**3, jnp.array(1.0))(jnp.array(0.1)))
        1.33
    """
    value, _, gradient, product = differentiated(lambda p: (objective(p), None), parameters)
    return QuadraticModel(value, gradient, product)


def condition_number(eigenvalues: Array) -> Array:
    """Largest over smallest size of an eigenvalue; infinite for a singular matrix.

    Args:
        eigenvalues: all of them, or the extreme ones of a positive definite matrix.
    """
    sizes = jnp.abs(eigenvalues)
    return sizes.max() / sizes.min()


def largest_stable_step(largest_eigenvalue: Array | float, momentum: Number = 0.0) -> Array:
    """The learning rate beyond which descent on a quadratic diverges: 2 (1 + β) / λ.

    Args:
        largest_eigenvalue: λ, of the Hessian.
        momentum: β of Polyak's momentum; 0 for gradient descent.
    """
    return jnp.asarray(2 * (1 + momentum) / largest_eigenvalue)


def kept(eigenvalues: Array, strength: Number) -> Array:
    """λ / (λ + α): the share of w* that a penalty ½ α |w|² leaves along each eigenvector.

    Args:
        eigenvalues: λ, of the Hessian without the penalty.
        strength: α.
    """
    return eigenvalues / (eigenvalues + strength)


def penalized_minimum(hessian: Array, minimum: Array, strength: Number) -> Array:
    """(H + αI)⁻¹ H w*: where ½ (w − w*)ᵀ H (w − w*) + ½ α |w|² is least.

    Exact for a quadratic objective; for others it holds near w*.

    Args:
        hessian: H [parameter, parameter], at the minimum.
        minimum: w*, of the objective without the penalty.
        strength: α; it is the ``strength`` of ``L2`` where that has the factor ½.

    Example:
        >>> penalized_minimum(jnp.diag(jnp.array([3.0, 1.0])), jnp.array([1.0, 1.0]), 1.0)
        Array([0.75, 0.5 ], dtype=float32)
    """
    shifted = hessian + strength * jnp.eye(hessian.shape[0], dtype=hessian.dtype)
    return jnp.linalg.solve(shifted, hessian @ minimum)
