"""What an optimizer costs, counted from what it does: the memory it keeps, the work of a step."""

from __future__ import annotations

import math
from collections import Counter
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.catalogue.networks.summary import cost as cost_of_program
from thalweg.catalogue.objective import Composite
from thalweg.catalogue.optimizers.apart import ByLayer
from thalweg.catalogue.optimizers.optimizer import Optimizer

__all__ = ["Cost", "State", "cost", "forms_matrix"]

STEPS = 4
# Of numpy: nothing is computed by JAX before its devices are prepared.
START = np.linspace(-1.0, 1.0, 16, dtype=np.float32).reshape(4, 4)
CURVATURES = np.linspace(0.5, 2.0, 16, dtype=np.float32).reshape(4, 4)


class State(NamedTuple):
    """Numbers kept from step to step for a parameter that is a square matrix of P numbers.

    Args:
        squares: multiples of P².
        multiples: multiples of P.
        sides: multiples of √P, the length of a row or a column.
        others: numbers that do not depend on P.
    """

    squares: int
    multiples: int
    sides: int
    others: int

    def __str__(self) -> str:
        """The terms that matter: ``2 P``, ``P²``; the number itself where none grows with P."""
        terms = zip(self[:3], ("P²", "P", "√P"), strict=True)
        written = [unit if times == 1 else f"{times} {unit}" for times, unit in terms if times]
        return " + ".join(written) or f"{self.others}"


class Cost(NamedTuple):
    """What an optimizer needs, for a parameter that is a square matrix of P numbers.

    Args:
        state: numbers it keeps.
        matrix: whether a step computes with a matrix of P by P numbers.
        values: evaluations of the objective a step, those for gradients left out.
        gradients: gradients a step.
        products: products of the second derivative with a vector a step, for P = 16.
    """

    state: State
    matrix: bool
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
    parameters = jnp.asarray(START)
    state = optimizer.start(parameters)
    with jax.disable_jit():
        for count in range(1, STEPS + 1):
            step = optimizer.step(objective, parameters, state, jnp.asarray(count))
            parameters, state = step.parameters, step.state
    counted = (counts[name] / STEPS for name in ("value", "gradient", "product"))
    return Cost(_state(optimizer), forms_matrix(optimizer), *counted)


def _begun(optimizer: Optimizer, side: int) -> tuple[Any, Any]:
    """Shapes of a square parameter, and of what is kept for it."""
    parameter = jax.ShapeDtypeStruct((side, side), jnp.float32)
    return parameter, jax.eval_shape(optimizer.start, parameter)


def _state(optimizer: Optimizer) -> State:
    """How the state grows with the side of a parameter: in powers 4, 2, 1 and 0 of it."""
    sides, powers = np.array([10, 20, 30, 40]), np.array([4, 2, 1, 0])
    leaves = (jax.tree.leaves(_begun(optimizer, side)[1]) for side in sides.tolist())
    sizes = [sum(math.prod(leaf.shape) for leaf in found) for found in leaves]
    terms = np.linalg.solve(sides[:, None] ** powers * 1.0, np.array(sizes))
    return State(*(round(term) for term in terms.tolist()))


def forms_matrix(optimizer: Optimizer) -> bool:
    """Whether a step computes with a matrix of P by P numbers, for P parameters."""
    if isinstance(optimizer, ByLayer):
        return forms_matrix(optimizer.inner) or forms_matrix(optimizer.others)
    side = 16
    parameter, state = _begun(optimizer, side)
    bowl = Composite(lambda w: (w, None), lambda w: jnp.vdot(w, w))
    made = cost_of_program(partial(optimizer.step, bowl), parameter, state, jnp.asarray(1))
    return made.largest >= side**4


def _bowl(counts: Counter[str], w: Array) -> Array:
    """A quadratic that counts how often it, its gradient and its curvature are asked for."""

    def counted(directions: np.ndarray) -> np.ndarray:
        counts["product"] += directions.size // START.size
        return directions

    @jax.custom_jvp
    def slope(w: Any) -> Any:
        return CURVATURES * w

    # A product is made once and taken with many directions: those are counted, not the making.
    @slope.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (along,) = tangents
        seen = jax.pure_callback(counted, along, along, vmap_method="expand_dims")
        return slope(*primals), CURVATURES * seen

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
