"""Conjugate gradients as optimizers: steps that do not undo one another."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree

from thalweg.catalogue.curvature.products import differentiated
from thalweg.catalogue.line_searches import LineSearch, WolfeSearch, search_along
from thalweg.catalogue.optimizers.newton import directed
from thalweg.catalogue.optimizers.optimizer import Clip, Objective, Step, as_is
from thalweg.part import choice, part

__all__ = ["ConjugateGradients", "NonlinearConjugateGradients"]

State = dict[str, Array]


def _share(above: Array, below: Array) -> Array:
    """above / below, and 0 where that is no number."""
    share = above / below
    return jnp.where(jnp.isfinite(share), share, 0)


@part
class ConjugateGradients:
    """Goes to the minimum along each of a sequence of directions conjugate under the Hessian.

    Formula: α = −gᵀd / dᵀHd;  θ ← θ + α d;  d ← −g + (gᵀHd₋ / d₋ᵀHd₋) d₋
    Shapes: those of the parameters; one array of state per parameter
    Watch for: made for quadratics, where it ends after as many steps as there are parameters, or
        distinct curvatures. Where curvature along d is not positive it runs uphill; use
        ``NonlinearConjugateGradients`` or ``HessianFree`` then. Needs the full batch: on another
        objective the old direction is not conjugate to anything.
    Source: Hestenes & Stiefel, 1952; Daniel, The Conjugate Gradient Method for Linear and
        Nonlinear Operator Equations, 1967, for objectives that are not quadratic
    Example:
        >>> rule, w = ConjugateGradients(), jnp.array([4.0, 1.0])
        >>> rule.step(lambda w: (w[0]**2 + 4 * w[1]**2, None), w, rule.start(w), 1).parameters
        Array([ 2.4, -0.6], dtype=float32)
    """

    takes_second_derivatives = True

    def start(self, parameters: Any) -> State:
        return {"direction": jnp.zeros_like(ravel_pytree(parameters)[0])}

    def step(
        self, objective: Objective, parameters: Any, state: State, count: Array, clip: Clip = as_is
    ) -> Step:
        value, auxiliary, gradient, product = differentiated(objective, parameters)
        gradient = clip(gradient)
        flat, unravel = ravel_pytree(parameters)
        slope = ravel_pytree(gradient)[0]

        def image(vector: Array) -> Array:
            return ravel_pytree(product(unravel(vector)))[0]

        before = state["direction"]
        bent = image(before)
        direction = -slope + _share(slope @ bent, before @ bent) * before
        rate = _share(-slope @ direction, direction @ image(direction))
        moved, kept = unravel(flat + rate * direction), {"direction": direction}
        return Step(moved, kept, value, auxiliary, gradient, directed(unravel(direction)))


Beta = Literal["fletcher_reeves", "polak_ribiere", "hestenes_stiefel"]


@part
class NonlinearConjugateGradients:
    """Bends each descent direction by the one before, and searches along it.

    Formula: d ← −g + β d₋;  θ ← θ + α d, α by a line search;
        β = gᵀg / g₋ᵀg₋ (``fletcher_reeves``);  max(0, gᵀ(g − g₋) / g₋ᵀg₋) (``polak_ribiere``);
        max(0, gᵀ(g − g₋) / d₋ᵀ(g − g₋)) (``hestenes_stiefel``)
    Choices: beta: the same on quadratics, if the search is exact; search: how α is found; what it
        tries first is a step as long as its own first number says in the first step, and later
        one that would fall as far as the step before
    Shapes: those of the parameters; two arrays of state per parameter
    Watch for: starts again from the gradient where d would not descend. Fletcher-Reeves can
        take many short steps in a row after a bad one; Polak-Ribière is cut at 0, which starts it
        again by itself. Needs the full batch. A step costs two gradients or more.
    Source: Fletcher & Reeves, 1964; Polak & Ribière, 1969; Nocedal & Wright, Numerical
        Optimization, 2006, equations 5.41, 5.45 and 5.46
    Example:
        >>> from thalweg.catalogue.line_searches import ExactSearch
        >>> rule, w = NonlinearConjugateGradients(search=ExactSearch()), jnp.array([4.0, 1.0])
        >>> bowl = lambda w: (w[0]**2 + 4 * w[1]**2, None)
        >>> first = rule.step(bowl, w, rule.start(w), 1)
        >>> abs(rule.step(bowl, first.parameters, first.state, 2).parameters).max() < 1e-4
        Array(True, dtype=bool)
    """

    beta: Beta = choice(default="polak_ribiere")
    search: LineSearch = choice(default=WolfeSearch(flat=0.1))

    def start(self, parameters: Any) -> State:
        zeros = jnp.zeros_like(ravel_pytree(parameters)[0])
        return {"gradient": zeros, "direction": zeros, "fall": jnp.zeros((), zeros.dtype)}

    def step(
        self, objective: Objective, parameters: Any, state: State, count: Array, clip: Clip = as_is
    ) -> Step:
        (value, auxiliary), gradient = jax.value_and_grad(objective, has_aux=True)(parameters)
        slopes, unravel = ravel_pytree(gradient)
        clipped = clip(gradient)
        down = -ravel_pytree(clipped)[0]
        direction = down + self._beta(slopes, state) * state["direction"]
        direction = jnp.where(slopes @ direction < 0, direction, down)
        slope = slopes @ direction
        # The step before promised a fall of rate · slope; so shall what is tried first.
        unit = _share(jnp.ones_like(slope), jnp.linalg.norm(direction))
        scale = jnp.where(state["fall"] < 0, _share(state["fall"], slope), unit)
        tried = unravel(scale * direction)
        moved, length = search_along(
            self.search, objective, parameters, tried, value, scale * slope
        )
        kept = {"gradient": slopes, "direction": direction, "fall": length * scale * slope}
        quantities = directed(unravel(direction))
        return Step(moved, kept, value, auxiliary, clipped, quantities)

    def _beta(self, gradient: Array, state: State) -> Array:
        before = state["gradient"]
        if self.beta == "fletcher_reeves":
            return _share(gradient @ gradient, before @ before)
        change = gradient - before
        below = before @ before if self.beta == "polak_ribiere" else state["direction"] @ change
        return jnp.maximum(0, _share(gradient @ change, below))
