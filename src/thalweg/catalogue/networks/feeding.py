"""Decoders that are fed, now and then, what they said themselves: scheduled sampling.

Trained on targets alone, a decoder never meets its own mistakes before it writes. ``Feeding`` is a
cell around a cell: at steps that are drawn, the vector of the token it would have said stands in
the place of that of the target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.cells.cell import Cell, State, StepContext
from thalweg.catalogue.context import Context

__all__ = ["Feeding"]


class Feeding(NamedTuple):
    """A cell that may be fed what it said at the step before.

    Args:
        cell: what a step does.
        vectors: of the target tokens as they were given, [batch, time, feature].
        table: vectors of all tokens, [token, feature].
        readout: from what the cell gives out to logits of tokens.
        itself: at which steps it is fed what it said, bool [batch, time].
        key: of what it says.
    """

    cell: Cell
    vectors: Array
    table: Array
    readout: Callable[[Array], Array]
    itself: Array
    key: Array

    @property
    def gates(self) -> tuple[str, ...]:
        return self.cell.gates

    def states(self, units: int) -> dict[str, int]:
        return {**self.cell.states(units), "said": 1, "count": 1}

    def draw(self, key: Array, inputs: int, units: int) -> dict[str, Array]:
        return self.cell.draw(key, inputs, units)

    def project(self, parameters: Mapping[str, Array], x: Array, context: Context) -> Array:
        return self.cell.project(parameters, x, context)

    def step(self, step: StepContext, projected: Array, state: State) -> State:
        names = self.cell.states(1)
        rows, count = jnp.arange(len(projected)), state["count"][:, 0].astype(jnp.int32)
        said = state["said"][:, 0].astype(jnp.int32)
        # Projections are linear, so one is moved by what the other vector makes of it.
        moved = self.table[said] - self.vectors[rows, count]
        moved = moved @ step.parameters["input_kernel"][: moved.shape[-1]]
        itself = self.itself[rows, count] & (count > 0)
        projected = projected + jnp.where(itself[:, None], moved, 0)
        new = self.cell.step(step, projected, {name: state[name] for name in names})
        logits = jax.lax.stop_gradient(self.readout(new[next(iter(names))]))
        # Single precision whatever the numbers, so that both draw the same.
        logits = logits.astype(jnp.float32)
        drawn = jax.random.categorical(jax.random.fold_in(self.key, count.max()), logits)
        return {
            **new,
            "said": drawn[:, None].astype(projected.dtype),
            "count": state["count"] + 1,
        }
