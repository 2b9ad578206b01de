"""Quasi-Newton methods: curvature learned from how the gradient changed over past steps."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.flatten_util import ravel_pytree

from thalweg.catalogue.curvature import require_room
from thalweg.catalogue.line_searches import LineSearch, WolfeSearch, search_along
from thalweg.catalogue.optimizers.newton import directed
from thalweg.catalogue.optimizers.optimizer import Clip, Objective, Step, as_is
from thalweg.part import Number, choice, number, part

__all__ = ["BFGS", "LBFGS"]

State = dict[str, Array]


def _shortened(fresh: Array, gradient: Array) -> Array:
    """1, or less while nothing is known of the curvature, so that no step is longer than 1."""
    length = jnp.abs(gradient).sum()
    return jnp.where(fresh & (length > 1), 1 / jnp.where(length > 0, length, 1), 1)


def _slopes(objective: Objective, point: Any) -> Array:
    """The gradient at another point [parameter]."""
    return ravel_pytree(jax.grad(objective, has_aux=True)(point)[0])[0]


def _curvature(step: Array, change: Array) -> tuple[Array, Array]:
    """sᵀy, and whether it is positive beyond rounding: only then may the pair be used."""
    along = step @ change
    sizes = jnp.linalg.norm(step) * jnp.linalg.norm(change)
    return along, along > jnp.finfo(step.dtype).eps * sizes


@part(name="bfgs")
class BFGS:
    """Keeps an estimate of the inverse Hessian that explains every change of the gradient.

    Formula: d = −B g;  s = α d, α by a line search;  θ ← θ + s;  y = g(θ + s) − g(θ);
        B ← (I − s yᵀ / yᵀs) B (I − y sᵀ / yᵀs) + s sᵀ / yᵀs
    Choices: search: how α is found; in the first step along −g / max(1, |g|₁)
    Shapes: those of the parameters; P by P numbers of state for P of them
    Watch for: made for the full batch: both gradients in y are of the batch of the step. B starts
        as I, scaled by sᵀy / yᵀy at the first update, and starts again after a step that leads
        nowhere. A pair with yᵀs ≤ 0, which only a search without Wolfe's condition on slopes
        lets pass, is left out.
    Source: Broyden, Fletcher, Goldfarb & Shanno, 1970; Nocedal & Wright, Numerical Optimization,
        2006, equations 6.17 and 6.20
    Example:
        >>> rule, w = BFGS(), jnp.array([4.0, 1.0])
        >>> state = rule.start(w)
        >>> for count in range(6):
        ...     w, state, *_ = rule.step(lambda w: (w[0]**2 + 4 * w[1]**2, None), w, state, count)
        >>> abs(w).max() < 1e-3
        Array(True, dtype=bool)
    """

    search: LineSearch = choice(default=WolfeSearch())

    def start(self, parameters: Any) -> State:
        require_room(parameters, "BFGS")
        flat, _ = ravel_pytree(parameters)
        return {"inverse": jnp.eye(flat.size, dtype=flat.dtype), "fresh": jnp.ones_like(flat[0])}

    def step(
        self, objective: Objective, parameters: Any, state: State, count: Array, clip: Clip = as_is
    ) -> Step:
        (value, auxiliary), gradient = jax.value_and_grad(objective, has_aux=True)(parameters)
        slopes, unravel = ravel_pytree(gradient)
        clipped = clip(gradient)
        scale = _shortened(state["fresh"] > 0, slopes)
        direction = -scale * (state["inverse"] @ ravel_pytree(clipped)[0])
        tried = unravel(direction)
        moved, length = search_along(
            self.search, objective, parameters, tried, value, slopes @ direction
        )
        kept = self._updated(state, length * direction, _slopes(objective, moved) - slopes)
        return Step(moved, kept, value, auxiliary, clipped, directed(tried))

    def _updated(self, state: State, step: Array, change: Array) -> State:
        along, sound = _curvature(step, change)
        along = jnp.where(sound, along, 1)
        inverse, identity = state["inverse"], jnp.eye(step.size, dtype=step.dtype)
        scale = along / jnp.where(sound, change @ change, 1)
        inverse = jnp.where(state["fresh"] > 0, scale * identity, inverse)
        bent = inverse @ change
        # Not over along², which underflows near a minimum.
        outer = (1 + change @ bent / along) * jnp.outer(step / along, step)
        mixed = jnp.outer(bent, step) / along
        better = inverse + outer - mixed - mixed.T
        stuck = ~(jnp.abs(step) > 0).any()
        return {
            "inverse": jnp.where(stuck, identity, jnp.where(sound, better, state["inverse"])),
            "fresh": jnp.where(stuck, 1, jnp.where(sound, 0, state["fresh"])),
        }


@part(name="lbfgs")
class LBFGS:
    """Remembers the last few steps and changes of the gradient in place of a matrix.

    Formula: d = −B g, B the matrix of BFGS after the last m pairs (s, y), started as
        (sᵀy / yᵀy) I;  θ ← θ + α d
    Numbers: learning_rate: multiplies d, and is α where there is no search
    Choices: memory: m; search: how α is found; in the first step along −g / max(1, |g|₁)
    Shapes: those of the parameters; 2 m arrays of state per parameter
    Watch for: made for the full batch: both gradients in y are of the batch of the step. Without
        a search nothing keeps it from diverging, and a step costs two gradients. In torch one
        call of ``step`` takes up to 20 of these.
    Source: Nocedal, Updating Quasi-Newton Matrices with Limited Storage, 1980; Nocedal & Wright,
        Numerical Optimization, 2006, algorithm 7.4
    Example:
        >>> rule, w = LBFGS(memory=3), jnp.array([4.0, 1.0])
        >>> state = rule.start(w)
        >>> for count in range(6):
        ...     w, state, *_ = rule.step(lambda w: (w[0]**2 + 4 * w[1]**2, None), w, state, count)
        >>> abs(w).max() < 1e-3
        Array(True, dtype=bool)
    """

    learning_rate: Number = number(default=1.0, above=0, scale="log", search=(1e-2, 1))
    memory: int = choice(default=10, low=1)
    search: LineSearch | None = choice(default=WolfeSearch())

    def start(self, parameters: Any) -> State:
        flat, _ = ravel_pytree(parameters)
        empty = jnp.zeros((self.memory, flat.size), flat.dtype)
        # Pairs from the oldest to the last; 1 / sᵀy is 0 where there is none yet.
        return {"steps": empty, "changes": empty, "inverses": jnp.zeros_like(empty[:, 0])}

    def step(
        self, objective: Objective, parameters: Any, state: State, count: Array, clip: Clip = as_is
    ) -> Step:
        (value, auxiliary), gradient = jax.value_and_grad(objective, has_aux=True)(parameters)
        slopes, unravel = ravel_pytree(gradient)
        clipped = clip(gradient)
        scale = self.learning_rate * _shortened(state["inverses"][-1] == 0, slopes)
        direction = -scale * _two_loops(state, ravel_pytree(clipped)[0])
        tried = unravel(direction)
        if self.search is None:
            moved, length = jax.tree.map(jnp.add, parameters, tried), jnp.ones_like(value)
        else:
            moved, length = search_along(
                self.search, objective, parameters, tried, value, slopes @ direction
            )
        kept = _remembered(state, length * direction, _slopes(objective, moved) - slopes)
        return Step(moved, kept, value, auxiliary, clipped, directed(tried))


def _two_loops(state: State, gradient: Array) -> Array:
    """B g, from the last pair to the oldest and back."""

    def back(vector: Array, pair: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        step, change, inverse = pair
        share = inverse * (step @ vector)
        return vector - share * change, share

    def forth(vector: Array, given: tuple[Array, tuple[Array, Array, Array]]) -> Any:
        share, (step, change, inverse) = given
        return vector + (share - inverse * (change @ vector)) * step, None

    pairs = (state["steps"], state["changes"], state["inverses"])
    vector, shares = lax.scan(back, gradient, pairs, reverse=True)
    last, inverse = state["changes"][-1], state["inverses"][-1]
    scale = jnp.where(inverse == 0, 1, 1 / jnp.where(inverse == 0, 1, inverse * (last @ last)))
    return lax.scan(forth, scale * vector, (shares, pairs))[0]


def _remembered(state: State, step: Array, change: Array) -> State:
    """The pairs with a new last one, if it is sound; none where the step led nowhere."""
    along, sound = _curvature(step, change)
    new = {"steps": step, "changes": change, "inverses": 1 / jnp.where(sound, along, 1)}
    stuck = ~(jnp.abs(step) > 0).any()

    def one(held: Array, last: Array) -> Array:
        with_last = jnp.concatenate([held[1:], last[None]])
        return jnp.where(stuck, jnp.zeros_like(held), jnp.where(sound, with_last, held))

    return {name: one(held, new[name]) for name, held in state.items()}
