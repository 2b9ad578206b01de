"""Optimizers that solve with a matrix of second derivatives, written out."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree

from thalweg.catalogue.curvature import dense, gauss_newton_product, require_room
from thalweg.catalogue.curvature.products import Product, differentiated
from thalweg.catalogue.objective import Composite
from thalweg.catalogue.optimizers.optimizer import Clip, Objective, Step, as_is
from thalweg.errors import SpecError
from thalweg.part import Number, number, part

__all__ = ["GaussNewton", "Newton"]  # the parts; other modules use `composite`, `directed` too

State = dict[str, Array]


def composite(objective: Objective, owner: object) -> Composite:
    """The objective, if it says where its outputs end and its loss begins.

    Raises:
        SpecError: it does not.
    """
    if not isinstance(objective, Composite):
        raise SpecError(
            f"{type(owner).__name__} must be given a Composite objective, got {objective!r}"
        )
    return objective


def directed(direction: Any) -> Any:
    """The direction of a step as quantities by parameter."""
    return jax.tree.map(lambda leaf: {"direction": leaf}, direction)


def _solved(
    product: Product, gradient: Any, rule: Newton | GaussNewton, parameters: Any
) -> tuple[Any, Any]:
    """Moved parameters, and the direction −(C + δI)⁻¹ g."""
    flat, unravel = ravel_pytree(parameters)
    matrix = dense(product, parameters)
    shifted = matrix + rule.damping * jnp.eye(flat.size, dtype=flat.dtype)
    direction = -jnp.linalg.solve(shifted, ravel_pytree(gradient)[0])
    return unravel(flat + rule.learning_rate * direction), unravel(direction)


@part
class Newton:
    """Jumps to where the quadratic model of the objective is stationary.

    Formula: θ ← θ − η (H + δI)⁻¹ g
    Numbers: learning_rate: η, 1 for the whole jump; damping: δ, 0 for the pure method
    Shapes: those of the parameters; no state, but P by P numbers inside each step for P of them
    Watch for: goes to saddles and maxima as readily as to minima, unless δ exceeds the size of
        every negative eigenvalue. H is that of the mini-batch: noise of small ones is amplified
        where curvature is small. Memory grows as P², time as P³.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, equations 8.27 and 8.28
    Example:
        >>> rule, w = Newton(), jnp.array([4.0, 1.0])
        >>> rule.step(lambda w: (w[0]**2 + 4 * w[1]**2, None), w, {}, 1).parameters
        Array([0., 0.], dtype=float32)
    """

    learning_rate: Number = number(default=1.0, low=0, scale="log", search=(1e-2, 1))
    damping: Number = number(default=0.0, low=0, scale="log", search=(1e-6, 10))
    takes_second_derivatives = True

    def start(self, parameters: Any) -> State:
        require_room(parameters, type(self).__name__)
        return {}

    def step(
        self, objective: Objective, parameters: Any, state: State, count: Array, clip: Clip = as_is
    ) -> Step:
        value, auxiliary, gradient, product = differentiated(objective, parameters)
        gradient = clip(gradient)
        moved, direction = _solved(product, gradient, self, parameters)
        return Step(moved, state, value, auxiliary, gradient, directed(direction))


@part
class GaussNewton:
    """Jumps like Newton, with the network taken for linear.

    Formula: θ ← θ − η (JᵀLJ + P + δI)⁻¹ g
    Numbers: learning_rate: η; damping: δ
    Shapes: those of the parameters; no state, but P by P numbers inside each step for P of them
    Watch for: J are the derivatives of the outputs, L and P the Hessians of loss and penalties.
        The matrix is never indefinite where the loss is convex, but singular wherever parameters
        outnumber outputs: then δ = 0 gives infinite steps. On squared errors of a linear network
        it is Newton.
    Source: Schraudolph, Fast Curvature Matrix-Vector Products, 2002, section 3.1
    Example:
        >>> from thalweg.catalogue.objective import Composite
        >>> line = Composite(lambda w: (w * jnp.array([1.0, 2.0]), None), lambda y: (y**2).sum())
        >>> GaussNewton(damping=0).step(line, jnp.array(3.0), {}, 1).parameters.round(4)
        Array(0., dtype=float32)
    """

    learning_rate: Number = number(default=1.0, low=0, scale="log", search=(1e-2, 1))
    damping: Number = number(default=1e-3, low=0, scale="log", search=(1e-6, 10))
    takes_second_derivatives = True

    def start(self, parameters: Any) -> State:
        require_room(parameters, type(self).__name__)
        return {}

    def step(
        self, objective: Objective, parameters: Any, state: State, count: Array, clip: Clip = as_is
    ) -> Step:
        known = composite(objective, self)
        (value, auxiliary), gradient = jax.value_and_grad(known, has_aux=True)(parameters)
        gradient = clip(gradient)
        product = gauss_newton_product(known, parameters)
        moved, direction = _solved(product, gradient, self, parameters)
        return Step(moved, state, value, auxiliary, gradient, directed(direction))
