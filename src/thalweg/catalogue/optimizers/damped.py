"""Optimizers that trust their quadratic model as far as it has proved right.

After each trial the gain ratio, the fall that happened over the fall that the model promised, says
whether to damp less or more next time; a step that does not descend is not taken at all.
"""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree

from thalweg.catalogue.curvature import dense, gauss_newton_product, require_room, truncated_solve
from thalweg.catalogue.curvature.products import differentiated
from thalweg.catalogue.optimizers.newton import composite, directed
from thalweg.catalogue.optimizers.optimizer import Clip, Objective, Step, as_is
from thalweg.part import Number, choice, number, part

__all__ = ["HessianFree", "LevenbergMarquardt"]

State = dict[str, Array]

# Beyond these the damping is as good as none, or as good as standing still.
LEAST, MOST = 1e-12, 1e12


def _begun(rule: LevenbergMarquardt | HessianFree, parameters: Any) -> State:
    kind = ravel_pytree(parameters)[0].dtype
    return {"damping": jnp.asarray(rule.damping, kind)}


def _tried(
    rule: LevenbergMarquardt | HessianFree,
    objective: Objective,
    parameters: Any,
    state: State,
    value: Array,
    direction: Array,
    promised: Array,
) -> tuple[Any, State, Array]:
    """Parameters and state after a trial, and the gain ratio."""
    flat, unravel = ravel_pytree(parameters)
    reached, _ = objective(unravel(flat + direction))
    ratio = (value - reached) / promised
    damping = state["damping"]
    damping = jnp.where(ratio > 0.75, damping / rule.factor, damping)
    damping = jnp.where(ratio >= 0.25, damping, damping * rule.factor)  # also where it is NaN
    moved = jnp.where((reached < value) & jnp.isfinite(direction).all(), flat + direction, flat)
    return unravel(moved), {"damping": jnp.clip(damping, LEAST, MOST)}, ratio


@part
class LevenbergMarquardt:
    """Solves Gauss-Newton systems, damped as much as the model has been wrong.

    Formula: d = −(G + λD)⁻¹ g;  θ ← θ + d where J falls;
        ρ = (J(θ) − J(θ + d)) / −(gᵀd + ½ dᵀGd);  λ ← λ / κ where ρ > ¾, λ κ where ρ < ¼
    Numbers: damping: λ at the start; factor: κ
    Choices: scaling: D is I (``identity``, Levenberg) or the diagonal of G (``diagonal``,
        Marquardt), which does not depend on the units of the parameters
    Shapes: those of the parameters; one number of state, P by P numbers inside each step
    Watch for: made for squared errors, sound for any convex loss of the outputs. One evaluation
        more per step. With mini-batches ρ is judged on the batch that made the step, which
        flatters it.
    Source: Marquardt, 1963; Fletcher, A Modified Marquardt Subroutine, 1971; Nocedal & Wright,
        Numerical Optimization, 2006, section 10.3
    Example:
        >>> from thalweg.catalogue.objective import Composite
        >>> cube = Composite(lambda w: (w**3 - 8, None), lambda y: (y**2).sum())
        >>> rule, w = LevenbergMarquardt(damping=1), jnp.array([1.6])
        >>> step = rule.step(cube, w, rule.start(w), 1)
        >>> step.parameters.round(3), step.state["damping"].round(3)
        (Array([2.104], dtype=float32), Array(0.333, dtype=float32))
    """

    damping: Number = number(default=1.0, above=0, scale="log", search=(1e-3, 1e3))
    factor: Number = number(default=3.0, above=1, scale="log", search=(1.5, 10))
    scaling: Literal["identity", "diagonal"] = choice(default="identity")
    takes_second_derivatives = True

    def start(self, parameters: Any) -> State:
        require_room(parameters, type(self).__name__)
        return _begun(self, parameters)

    def step(
        self, objective: Objective, parameters: Any, state: State, count: Array, clip: Clip = as_is
    ) -> Step:
        known = composite(objective, self)
        (value, auxiliary), gradient = jax.value_and_grad(known, has_aux=True)(parameters)
        gradient = clip(gradient)
        slope, unravel = ravel_pytree(gradient)
        matrix = dense(gauss_newton_product(known, parameters), parameters)
        diagonal = jnp.ones_like(slope)
        if self.scaling == "diagonal":
            # A parameter without influence would leave the matrix singular.
            diagonal = jnp.diagonal(matrix)
            diagonal = jnp.maximum(diagonal, jnp.finfo(diagonal.dtype).eps * diagonal.max())
        damped = matrix + state["damping"] * jnp.diag(diagonal)
        direction = -jax.scipy.linalg.solve(damped, slope, assume_a="pos")
        promised = -(slope @ direction + 0.5 * direction @ matrix @ direction)
        moved, kept, ratio = _tried(self, known, parameters, state, value, direction, promised)
        quantities = {"by_parameter": directed(unravel(direction)), "gain_ratio": ratio, **kept}
        return Step(moved, kept, value, auxiliary, gradient, quantities)


@part
class HessianFree:
    """Solves damped Newton systems by conjugate gradients, without any matrix.

    Formula: (C + λI) d ≈ −g;  θ ← θ + d where J falls;
        λ ← λ / κ where ρ > ¾, λ κ where ρ < ¼, ρ the fall over the fall promised
    Numbers: damping: λ at the start; factor: κ; tolerance: of the residual, relative to g
    Choices: curvature: C is the Gauss-Newton matrix or the Hessian; iterations: most products
        with C per step
    Shapes: those of the parameters; one number of state
    Watch for: with the Hessian a solve stops where curvature along a direction is not positive.
        Each product costs about two gradients. Martens' preconditioner, his warm start of the
        solve and his separate batches for curvature are left out.
    Source: Martens, Deep Learning via Hessian-free Optimization, 2010, sections 3 and 4
    Example:
        >>> rule, w = HessianFree(curvature="hessian", damping=1e-6), jnp.array([4.0, 1.0])
        >>> step = rule.step(lambda w: (w[0]**2 + 4 * w[1]**2, None), w, rule.start(w), 1)
        >>> abs(step.parameters).max() < 1e-4
        Array(True, dtype=bool)
    """

    damping: Number = number(default=1.0, above=0, scale="log", search=(1e-3, 1e3))
    factor: Number = number(default=1.5, above=1, scale="log", search=(1.2, 10))
    tolerance: Number = number(default=1e-3, low=0, below=1, scale="log", search=(1e-5, 0.5))
    curvature: Literal["gauss_newton", "hessian"] = choice(default="gauss_newton")
    iterations: int = choice(default=50, low=1)
    takes_second_derivatives = True

    def start(self, parameters: Any) -> State:
        return _begun(self, parameters)

    def step(
        self, objective: Objective, parameters: Any, state: State, count: Array, clip: Clip = as_is
    ) -> Step:
        if self.curvature == "hessian":
            value, auxiliary, gradient, product = differentiated(objective, parameters)
        else:
            known = composite(objective, self)
            (value, auxiliary), gradient = jax.value_and_grad(known, has_aux=True)(parameters)
            product = gauss_newton_product(known, parameters)
        gradient = clip(gradient)
        slope, unravel = ravel_pytree(gradient)

        def image(vector: Array) -> Array:
            return ravel_pytree(product(unravel(vector)))[0]

        def damped(vector: Array) -> Array:
            return image(vector) + state["damping"] * vector

        solved = truncated_solve(damped, -slope, self.iterations, self.tolerance)
        direction = solved.point
        promised = -(slope @ direction + 0.5 * direction @ image(direction))
        moved, kept, ratio = _tried(self, objective, parameters, state, value, direction, promised)
        quantities = {
            "by_parameter": directed(unravel(direction)),
            "gain_ratio": ratio,
            "iterations": solved.iterations,
            **kept,
        }
        return Step(moved, kept, value, auxiliary, gradient, quantities)
