"""Steepest descent: the gradient gives the direction, a line search the length of the step."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.line_searches import ExactSearch, LineSearch, search_along
from thalweg.catalogue.optimizers.optimizer import Clip, Objective, Step, as_is
from thalweg.part import choice, part

__all__ = ["SteepestDescent"]


@part
class SteepestDescent:
    """Goes against the gradient, as far as a line search says.

    Formula: θ ← θ − t g, with t from the search along −g
    Choices: search: how t is found
    Shapes: those of the parameters; no state
    Watch for: for the full batch: of a mini-batch it finds the minimum along a line, which
        overfits that batch. After an exact search the next gradient is orthogonal to this one,
        so that in a narrow valley it zigzags.
    Source: Cauchy, 1847; Nocedal & Wright, Numerical Optimization, 2006, section 3.3
    Example:
        >>> w = jnp.array([4.0, 1.0])
        >>> bowl = lambda w: (w[0] ** 2 + 4 * w[1] ** 2, None)
        >>> SteepestDescent().step(bowl, w, (), 1).parameters.round(3)
        Array([ 2.4, -0.6], dtype=float32)
    """

    search: LineSearch = choice(default=ExactSearch())

    def start(self, parameters: Any) -> Any:
        return ()

    def step(
        self, objective: Objective, parameters: Any, state: Any, count: Array, clip: Clip = as_is
    ) -> Step:
        (value, auxiliary), gradient = jax.value_and_grad(objective, has_aux=True)(parameters)
        used = clip(gradient)
        products = jax.tree.map(jnp.vdot, gradient, used)
        slope = -sum(jax.tree.leaves(products), jnp.zeros_like(value))
        direction = jax.tree.map(jnp.negative, used)
        moved, length = search_along(self.search, objective, parameters, direction, value, slope)
        return Step(moved, state, value, auxiliary, used, {"step_length": length})
