"""Where arrays lie when one run is spread over all devices, and none has runs of its own.

A program says it, and XLA divides its operations accordingly and adds what devices must exchange:
a mean over a mini-batch is one over all devices. Where parameters are spread too, a step begins by
making them whole on every device; from step to step, each device holds its part of them, and of
what optimizers keep for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
from jax import Array
from jax.sharding import PartitionSpec

from thalweg.engine.devices import AXIS, EVERYWHERE, Spread, constrained, mesh
from thalweg.engine.lanes import State

__all__ = ["held", "placed"]

Tree = Any

# Numbers in the smallest array that is divided: an exchange takes longer than a few more to add.
LEAST = 1024


def held(spread: Spread, tree: Tree, leading: int = 0) -> Tree:
    """Within a program: what it hands on, as it lies between steps; see ``placed``."""
    return tree if spread is None else placed(spread, tree, constrained, leading)


def placed(
    spread: Spread, tree: Tree, put: Callable[[Any, PartitionSpec], Array], leading: int
) -> Tree:
    """A tree whose states are divided among the devices if parameters are; all else is on each.

    Args:
        spread: over what.
        tree: arrays, some of them in ``State``.
        put: places an array, given where.
        leading: axes before those of the arrays of one run.
    """

    def whole(leaf: Any) -> Array:
        return put(leaf, EVERYWHERE)

    def divided(leaf: Any) -> Array:
        return put(leaf, _along(leaf.shape, leading))

    def one(node: Any) -> Any:
        if not isinstance(node, State) or spread != "parameters":
            return jax.tree.map(whole, node)
        return State(
            jax.tree.map(divided, node.parameters),
            jax.tree.map(whole, node.network_state),
            jax.tree.map(divided, node.optimizer_state),
        )

    return jax.tree.map(one, tree, is_leaf=lambda node: isinstance(node, State))


def _along(shape: tuple[int, ...], leading: int) -> PartitionSpec:
    """Along the longest axis that divides among the devices; on each where that saves little."""
    fitting = [axis for axis in range(leading, len(shape)) if shape[axis] % mesh().size == 0]
    if not fitting or math.prod(shape) < LEAST:
        return EVERYWHERE
    axis = max(fitting, key=lambda axis: shape[axis])
    return PartitionSpec(*[None] * axis, AXIS)
