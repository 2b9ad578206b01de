"""Steps of the catalogue's optimizers, as derivations follow them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["Walk", "along_slopes", "first_step", "on_quadratic", "one_step"]


class Walk(NamedTuple):
    """Where an optimizer was after every step, the start first.

    Args:
        points: [step + 1, parameter].
        kept: its state after every step by name, [step, parameter].
        quantities: what it computed on the way, [step, parameter].
    """

    points: np.ndarray
    kept: dict[str, np.ndarray]
    quantities: dict[str, np.ndarray]


def on_quadratic(rule: Any, hessian: Any, start: Any, steps: int) -> Walk:
    """The way of an optimizer on ½ θᵀHθ."""
    return _walk(_on_quadratic(rule, jnp.asarray(hessian), jnp.asarray(start), steps), start)


def along_slopes(rule: Any, slopes: Any, start: Any) -> Walk:
    """The way of an optimizer that is given the gradients [step, parameter]."""
    return _walk(_along_slopes(rule, jnp.asarray(slopes), jnp.asarray(start)), start)


def first_step(rule: Any, objective: Callable[[Any], Any], start: Any) -> Any:
    """The parameters after the first step of an optimizer on an objective."""
    w = jnp.asarray(start)
    return rule.step(lambda w: (objective(w), None), w, rule.start(w), 1).parameters


def one_step(rule: Any, slope: Any, start: Any, state: dict[str, Any]) -> Any:
    """The parameters after a step with a given gradient and state."""
    w, slope = jnp.asarray(start), jnp.asarray(slope)
    return rule.step(lambda w: (slope @ w, None), w, [state], 1).parameters


@partial(jax.jit, static_argnames="steps")
def _on_quadratic(rule: Any, hessian: Any, start: Any, steps: int) -> Any:
    def objective(w: Any, _: Any) -> Any:
        return 0.5 * w @ hessian @ w

    return _scanned(rule, objective, start, jnp.zeros(steps))


@jax.jit
def _along_slopes(rule: Any, slopes: Any, start: Any) -> Any:
    return _scanned(rule, lambda w, slope: slope @ w, start, slopes)


def _scanned(rule: Any, objective: Any, start: Any, given: Any) -> Any:
    def advance(held: Any, now: Any) -> Any:
        count, own = now
        step = rule.step(lambda w: (objective(w, own), None), *held, count)
        return (step.parameters, step.state), (step.parameters, step.state, step.quantities)

    counted = (jnp.arange(1, len(given) + 1), given)
    return jax.lax.scan(advance, (start, rule.start(start)), counted)[1]


def _walk(found: Any, start: Any) -> Walk:
    points, (state,), quantities = jax.tree.map(np.asarray, found)
    return Walk(np.vstack([np.asarray(start)[None], points]), state, quantities)
