"""What a step of an optimizer costs, counted from what it does."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.objective import Composite
from thalweg.catalogue.optimizers.optimizer import Optimizer

__all__ = ["Cost", "cost"]

STEPS = 4
START = jnp.linspace(-1.0, 1.0, 16).reshape(4, 4)
CURVATURES = jnp.linspace(0.5, 2.0, 16).reshape(4, 4)


class Cost(NamedTuple):
    """What an optimizer needs, for a parameter that is a square matrix.

    Args:
        state: numbers it keeps for each number of the parameter.
        values: evaluations of the objective a step, those for gradients left out.
        gradients: gradients a step.
        products: products of the second derivative with a vector a step; at least so many, as
            those that share one linearization (Newton's, one for each parameter) are not counted
            one by one.
    """

    state: float
    values: float
    gradients: float
    products: float


def cost(optimizer: Optimizer) -> Cost:
    """Count what an optimizer does in a few steps on a quadratic bowl.

    The steps are taken in plain Python, so that every turn of a loop counts. How often a line
    search tries depends on the objective; what is counted on the bowl is a rough figure there.
    """
    counts: Counter[str] = Counter()
    objective = Composite(lambda w: (w, None), partial(_bowl, counts))
    large = jax.eval_shape(optimizer.start, jax.ShapeDtypeStruct((100, 100), jnp.float32))
    kept = sum(leaf.size for leaf in jax.tree.leaves(large)) / 100**2
    parameters, state = START, optimizer.start(START)
    with jax.disable_jit():
        for count in range(1, STEPS + 1):
            step = optimizer.step(objective, parameters, state, jnp.asarray(count))
            parameters, state = step.parameters, step.state
    return Cost(kept, *(counts[name] / STEPS for name in ("value", "gradient", "product")))


def _bowl(counts: Counter[str], w: Array) -> Array:
    """A quadratic that counts how often it, its gradient and its curvature are asked for."""

    @jax.custom_jvp
    def slope(w: Any) -> Any:
        return CURVATURES * w

    @slope.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        counts["product"] += 1
        return slope(*primals), CURVATURES * tangents[0]

    @jax.custom_jvp
    def value(w: Any) -> Any:
        counts["value"] += 1
        return 0.5 * jnp.vdot(CURVATURES * w, w)

    @value.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        counts["gradient"] += 1
        (w,) = primals
        return 0.5 * jnp.vdot(slope(w), w), jnp.vdot(slope(w), tangents[0])

    return value(w)
