"""Probes of recurrent layers: what of earlier steps reaches the last, which gates are stuck.

Taken on a few sequences of the mini-batch of the step that is about to be taken, each by itself,
forwards only.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables, Visit
from thalweg.catalogue.layers import Recurrent
from thalweg.catalogue.layers.flow import norms_by_lag, state_jacobians, step_bound
from thalweg.catalogue.layers.lengths import counted_steps
from thalweg.catalogue.schedules import settled
from thalweg.engine.lanes import Lane, Pool, Shape, State, progress_at, rows_at, training_batch
from thalweg.engine.look import SATURATED_WITHIN

__all__ = ["recall", "recalls"]

# Sequences looked at: a Jacobian of every step is taken for each.
ROWS = 8


def recalls(layer: Any) -> bool:
    """Whether a layer has states to be asked for."""
    return isinstance(layer, Recurrent) and layer.direction != "backward"


def recall(
    lane: Lane, pool: Pool, shape: Shape, state: State, step: Array, told: Array
) -> dict[str, Array]:
    """Scalars by name, for every recurrent layer that runs forwards.

    ``state_gradient.<layer>.lag_<k>``: ‖∂s_T/∂s_{T−k}‖, the mean over sequences of so many steps;
    ``state_gradient_bound.<layer>.lag_<k>``: δ^k, which it cannot exceed, of plain cells;
    ``saturated_share.<layer>.<gate>``: outputs of a gate that are close to one of its limits.
    """
    progress = progress_at(shape, step, told)
    rows = pool.places(rows_at(lane, shape, step)[:ROWS])
    batch = training_batch(lane, pool, rows, progress)
    visits: list[Visit] = []
    variables = Variables(state.parameters, state.network_state)
    context = Context("evaluate", visits=visits)
    settled(lane.network, progress).apply(variables, batch.inputs, context)
    seen: dict[str, Array] = {}
    for visit in visits:
        if recalls(visit.layer):
            seen |= _by_lag(visit) | _stuck(visit)
    return seen


def _by_lag(visit: Visit) -> dict[str, Array]:
    layer, parameters, x = visit.layer, visit.variables.parameters, visit.input
    lags = tuple(2**power for power in range(x.shape[1].bit_length()))
    jacobians = state_jacobians(layer, parameters, x, visit.lengths)
    found = norms_by_lag(jacobians, visit.lengths, lags)
    seen = {f"state_gradient.{visit.name}.lag_{lag}": norm for lag, norm in found.items()}
    bound = step_bound(layer, parameters)
    if bound is not None:
        seen |= {f"state_gradient_bound.{visit.name}.lag_{lag}": bound**lag for lag in lags}
    return seen


def _stuck(visit: Visit) -> dict[str, Array]:
    """Shares of gate outputs near a limit, over the steps that count."""
    layer, x = visit.layer, visit.input
    taps: dict[str, Array] = {}
    layer.run(visit.variables.parameters, x, Context("evaluate", None, taps, lengths=visit.lengths))
    counts = jnp.ones(x.shape[:2], bool)
    if visit.lengths is not None:
        counts = counted_steps(visit.lengths, x.shape[1])
    prefix, seen = "forward." if layer.direction == "both" else "", {}
    for gate in (*layer.cell.gates, *layer.cell.states(1)):
        limits = _limits(layer.cell, gate)
        if limits and prefix + gate in taps:
            value = taps[prefix + gate]
            distance = jnp.min(jnp.stack([jnp.abs(value - limit) for limit in limits]), axis=0)
            near = ((distance < SATURATED_WITHIN) & counts[..., None]).sum()
            seen[f"saturated_share.{visit.name}.{gate}"] = near / (counts.sum() * value.shape[-1])
    return seen


def _limits(cell: Any, gate: str) -> tuple[float, ...]:
    """The finite limits of what a gate, or a plain cell's hidden values, can be."""
    gated = hasattr(cell, "gate_activation")
    if gated and gate in cell.gates:
        return (cell.activation if gate == "candidate" else cell.gate_activation).saturates_at
    plain = gate == "hidden" and not gated and getattr(cell, "applied", "after") == "after"
    return cell.activation.saturates_at if plain else ()
