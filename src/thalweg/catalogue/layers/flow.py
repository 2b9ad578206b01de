"""How much of what a recurrent layer knew arrives at later steps: ∂s_T/∂s_t, and what bounds it.

The state s is all that a cell carries, of an LSTM hidden values and cell together. By the chain
rule ∂s_T/∂s_t = J_T J_{T−1} ... J_{t+1}, J_t = ∂s_t/∂s_{t−1}; its norm is the spectral one, the
most by which a small change of s_t can be stretched. A padded step changes nothing: its J is the
unit matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.cells import RNN
from thalweg.catalogue.cells.cell import State
from thalweg.catalogue.context import Context
from thalweg.catalogue.layers.lengths import counted_steps
from thalweg.catalogue.layers.recurrent import Recurrent

__all__ = ["norms_by_lag", "state_jacobians", "states_before", "step_bound"]


def states_before(
    layer: Recurrent, parameters: Mapping[str, Any], x: Array, lengths: Array | None
) -> State:
    """The forward states of a layer before every step, [batch, time, unit] by name."""
    taps: dict[str, Array] = {}
    context = Context("evaluate", taps=taps, lengths=lengths)
    layer.run(parameters, x, context)
    nothing = x[:, :0]
    (start,) = (
        one.state
        for name, one in layer.run(parameters, nothing, Context("evaluate")).items()
        if name == "forward"
    )
    prefix = "forward." if layer.direction == "both" else ""
    return {
        name: jnp.concatenate([first[:, None], taps[prefix + name][:, :-1]], axis=1)
        for name, first in start.items()
    }


def state_jacobians(
    layer: Recurrent, parameters: Mapping[str, Any], x: Array, lengths: Array | None
) -> Array:
    """J_t of every step, [batch, time, state, state], the rows of J the state after the step."""
    batch, time = x.shape[:2]
    before = states_before(layer, parameters, x, lengths)
    # Every step of every example is a sequence of one step, or of none where it is padded.
    rows = x.reshape(batch * time, 1, *x.shape[2:])
    own = None
    if lengths is not None:
        own = counted_steps(lengths, time).reshape(-1).astype(jnp.int32)
    flat = {name: held.reshape(batch * time, -1) for name, held in before.items()}
    widths = [held.shape[-1] for held in flat.values()]

    def step(joined: Array) -> Array:
        pieces = jnp.split(joined, list(_ends(widths))[:-1], axis=-1)
        start = dict(zip(flat, pieces, strict=True))
        both = {"forward": start, "backward": start}
        context = Context("evaluate", lengths=own)
        after = layer.run(parameters, rows, context, both)["forward"].state
        return jnp.concatenate([after[name] for name in flat], axis=-1)

    joined = jnp.concatenate(list(flat.values()), axis=-1)

    # Rows do not mind each other, so one tangent serves them all.
    def column(direction: Array) -> Array:
        return jax.jvp(step, (joined,), (jnp.broadcast_to(direction, joined.shape),))[1]

    columns = jax.vmap(column, out_axes=-1)(jnp.eye(sum(widths), dtype=joined.dtype))
    return columns.reshape(batch, time, sum(widths), sum(widths))


def _ends(widths: list[int]) -> Any:
    total = 0
    for width in widths:
        total += width
        yield total


def norms_by_lag(
    jacobians: Array, lengths: Array | None, lags: tuple[int, ...]
) -> dict[int, Array]:
    """‖∂s_T/∂s_{T−k}‖ for every lag k, T the last step of each sequence; their mean over the
    sequences that are as long, or not a number where none is.

    Args:
        jacobians: [batch, time, state, state].
        lengths: of the sequences, [batch], or None where all are whole.
        lags: rising, none longer than time.
    """
    batch, time, width, _ = jacobians.shape
    ends = jnp.full(batch, time) if lengths is None else lengths

    def further(product: Array, lag: Array) -> tuple[Array, Array]:
        own = jnp.maximum(ends - 1 - lag, 0)
        product = product @ jacobians[jnp.arange(batch), own]
        return product, product

    whole = jnp.broadcast_to(jnp.eye(width, dtype=jacobians.dtype), (batch, width, width))
    _, products = jax.lax.scan(further, whole, jnp.arange(max(lags)))
    found = {}
    for lag in lags:
        norms, counts = jnp.linalg.norm(products[lag - 1], 2, axis=(-2, -1)), ends >= lag
        found[lag] = jnp.where(counts, norms, 0).sum() / counts.sum()
    return found


def step_bound(layer: Recurrent, parameters: Mapping[str, Any]) -> Array | None:
    """δ = γ ‖W‖ of a plain recurrent layer, γ the largest slope of its activation, so that
    ‖∂h_T/∂h_t‖ ≤ δ^(T−t); None for cells that have no such bound.

    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 10.7; Pascanu, Mikolov &
    Bengio, On the Difficulty of Training Recurrent Neural Networks, 2013, section 2.1.
    """
    if not isinstance(layer.cell, RNN) or layer.normalization is not None:
        return None
    own = parameters["forward"] if layer.direction == "both" else parameters
    activation: Any = layer.cell.activation
    # Common activations are steepest at 0 or far from it.
    slope = jnp.abs(activation.derivative(jnp.linspace(-8, 8, 1025))).max()
    return slope * jnp.linalg.norm(own["recurrent_kernel"], 2)
