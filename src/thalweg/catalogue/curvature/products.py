"""Products of curvature matrices with directions, at the cost of a few gradients each.

Every function here returns a *product*: a linear function from a tree of the shape of the
parameters to another. What does not depend on the direction is computed once, when the product
is made, so that hundreds of directions (Lanczos, conjugate gradients) share it.

``hessian_product`` is the true curvature, of either sign. ``gauss_newton_product`` leaves out the
curvature of the network itself and is never negative where the loss is convex.
``fisher_product`` is the covariance of the model's own score; for the losses that are the
negative logarithm of the same likelihood it is the Gauss-Newton matrix.
``empirical_fisher_product`` takes the scores of the observed targets instead, which is another
matrix unless the model fits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.objective import Composite

__all__ = [
    "Likelihood",
    "Product",
    "differentiated",
    "empirical_fisher_product",
    "fisher_product",
    "gauss_newton_product",
    "hessian_product",
]

Tree = Any
Product: TypeAlias = Callable[[Tree], Tree]
Likelihood = Literal["normal", "bernoulli", "categorical"]


def hessian_product(objective: Callable[[Tree], Array], parameters: Tree) -> Product:
    """v ↦ Hv, exact: the derivative of the gradient along v (Pearlmutter, 1994).

    Args:
        objective: maps parameters to a scalar.
        parameters: where the Hessian is taken.

    Example:
        >>> hessian_product(lambda w: w[0] ** 2 * w[1], jnp.array([1.0, 2.0]))(jnp.array([1.0, 0]))
        Array([4., 2.], dtype=float32)
    """
    return jax.linearize(jax.grad(objective), parameters)[1]


def differentiated(
    objective: Callable[[Tree], tuple[Array, Any]], parameters: Tree
) -> tuple[Array, Any, Tree, Product]:
    """Value, auxiliary results, gradient and Hessian product, sharing all work.

    Args:
        objective: maps parameters to a scalar and auxiliary results.
        parameters: where it is differentiated.
    """

    def gradient_first(point: Tree) -> tuple[Tree, Any]:
        (value, auxiliary), gradient = jax.value_and_grad(objective, has_aux=True)(point)
        return gradient, (value, auxiliary)

    gradient, product, (value, auxiliary) = jax.linearize(gradient_first, parameters, has_aux=True)
    return value, auxiliary, gradient, product


def gauss_newton_product(objective: Composite, parameters: Tree) -> Product:
    """v ↦ (Jᵀ L J + P) v, with L and P the Hessians of loss and penalty, J of the outputs.

    Args:
        objective: says where its outputs end and its loss begins.
        parameters: where the matrix is taken.
    """
    outputs, forward = jax.linearize(lambda p: objective.outputs(p)[0], parameters)
    backward = jax.linear_transpose(forward, parameters)
    curved = hessian_product(objective.loss, outputs)
    penalty = hessian_product(lambda p: jnp.asarray(objective.beside(p), outputs.dtype), parameters)

    def product(direction: Tree) -> Tree:
        (through,) = backward(curved(forward(direction)))
        return jax.tree.map(jnp.add, through, penalty(direction))

    return product


def fisher_product(
    outputs: Callable[[Tree], Array], parameters: Tree, likelihood: Likelihood
) -> Product:
    """v ↦ Fv, F the mean over rows of the covariance of ∂ log p(y | x, θ), y drawn from the model.

    Args:
        outputs: maps parameters to outputs [row, output]: means (``normal``, of variance 1) or
            logits.
        parameters: where the matrix is taken.
        likelihood: what the outputs are parameters of.
    """
    at, forward = jax.linearize(outputs, parameters)
    backward = jax.linear_transpose(forward, parameters)

    def weighted(moved: Array) -> Array:
        if likelihood == "normal":
            return moved
        if likelihood == "bernoulli":
            return jax.nn.sigmoid(at) * jax.nn.sigmoid(-at) * moved
        p = jax.nn.softmax(at)
        return p * (moved - (p * moved).sum(axis=-1, keepdims=True))

    return lambda direction: backward(weighted(forward(direction)) / at.shape[0])[0]


def empirical_fisher_product(losses: Callable[[Tree], Array], parameters: Tree) -> Product:
    """v ↦ (Σ gᵢgᵢᵀ / n) v, gᵢ the gradient of the loss of row i.

    Args:
        losses: maps parameters to one loss per row.
        parameters: where the matrix is taken.
    """
    at, forward = jax.linearize(losses, parameters)
    backward = jax.linear_transpose(forward, parameters)
    return lambda direction: backward(forward(direction) / at.shape[0])[0]
