"""The recurrence: any cell, along time. Everything recurrent runs through ``unroll``.

The inputs of all steps are projected at once, outside of the loop, and features are the last axis
throughout. A step beyond the end of its sequence leaves the state as it is and gives out 0;
backwards such steps come first, so that every sequence is reversed within its own length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.cells.cell import KEPT, Cell, State, StepContext
from thalweg.catalogue.context import Context
from thalweg.catalogue.joined import for_each_device
from thalweg.catalogue.layers.lengths import counted_steps
from thalweg.catalogue.layers.repetition import with_bias

__all__ = ["Unrolled", "as_is", "unroll"]


class Unrolled(NamedTuple):
    """What a recurrence gave.

    Args:
        outputs: of every step, [batch, time, unit]; 0 after the end of a sequence.
        state: after the last step of every sequence, [batch, ...] by name.
    """

    outputs: Array
    state: State


def as_is(name: str, values: Array) -> Array:
    """No normalization."""
    return values


def unroll(
    cell: Cell,
    parameters: Mapping[str, Array],
    x: Array,
    context: Context,
    start: State,
    *,
    backward: bool = False,
    normalize: Callable[[str, Array], Array] = as_is,
    mask: Array | None = None,
    truncation: int | None = None,
) -> Unrolled:
    """Run a cell along time.

    Args:
        parameters: of the cell.
        x: inputs [batch, time, input].
        context: of the layer; its lengths say where sequences end.
        start: state before the first step (backwards: after the last), by name.
        backward: whether time runs backwards; outputs stand in the order of the inputs.
        normalize: what is done to products and to states that are not given out, by name.
        mask: factors on what recurrent products are given, at every step the same.
        truncation: steps of a stretch, from one to the next of which the state is carried and no
            gradient goes back.
    """
    batch, time = x.shape[:2]
    live = None
    if context.lengths is not None:
        live = counted_steps(context.lengths, time).T[..., None]
    by_time = jnp.moveaxis(x, 1, 0)
    # What stands in padding must not reach a gradient, not even as 0 times a not-a-number.
    by_time = by_time if live is None else jnp.where(live, by_time, 0)
    projected = normalize("input", cell.project(parameters, by_time, context))
    if "bias" in parameters:
        projected = with_bias(projected, parameters["bias"], by_time=True)
    parameters = _kernels_for_devices(parameters, batch)
    given_out = next(iter(cell.states(1)))
    nudges = _own_nudges(cell, context, (batch, time))
    asked: Any = getattr(cell, "beside", None)
    beside = asked and asked(by_time, context)
    begins = None
    if truncation is not None:
        begins = (jnp.arange(time) + backward) % truncation == 0

    def advance(state: State, given: Any) -> tuple[State, Any]:
        projected, live, nudges, begins, beside = given
        if begins is not None:
            cut = jax.lax.stop_gradient(state)
            state = jax.tree.map(lambda own, cut: jnp.where(begins, cut, own), state, cut)
        taps: dict[str, Array] = {}
        step = StepContext(parameters, context, normalize, mask, nudges, taps, beside)
        new = cell.step(step, projected, state)
        # Taps that nobody asked for must not be kept for every step.
        seen = (new[given_out], {} if context.taps is None else taps)
        if live is not None:
            new = {name: jnp.where(live, held, state[name]) for name, held in new.items()}
            seen = jax.tree.map(lambda held: jnp.where(_as_rows(live, held), held, 0), seen)
        return new, seen

    start = {name: held.astype(projected.dtype) for name, held in start.items()}
    given = projected, live, nudges, begins, beside
    # Of every step its products are kept for the gradient, and all else is made again of them: that
    # takes no longer, and half of the memory.
    kept = jax.checkpoint_policies.save_only_these_names(KEPT)
    lean = jax.checkpoint(advance, policy=kept, prevent_cse=False)
    state, seen = jax.lax.scan(lean, start, given, reverse=backward)
    outputs, taps = jax.tree.map(lambda held: jnp.moveaxis(held, 0, 1), seen)
    if context.taps is not None:
        context.taps |= {context.prefix + name: held for name, held in taps.items()}
    return Unrolled(outputs, state)


def _kernels_for_devices(parameters: Mapping[str, Array], batch: int) -> dict[str, Array]:
    """Parameters whose kernels the devices that share a batch have one each of."""
    return {
        name: for_each_device(held, batch) if name.endswith("_kernel") else held
        for name, held in parameters.items()
    }


def _as_rows(live: Array, held: Array) -> Array:
    """[batch, 1] as a mask of values [batch, ...]."""
    return live.reshape(-1, *(1,) * (held.ndim - 1))


def _own_nudges(cell: Cell, context: Context, batch_and_time: tuple[int, int]) -> State:
    """The nudges at taps within steps, [time, batch, unit] by name."""
    found = {}
    for name in (*cell.gates, *cell.states(1)):
        if context.prefix + name in context.nudges:
            nudge = context.nudges[context.prefix + name]
            found[name] = jnp.moveaxis(
                jnp.broadcast_to(nudge, (*batch_and_time, nudge.shape[-1])), 1, 0
            )
    return found
