"""Probes: what is seen in every layer at one step, without disturbing the run.

A probe differentiates the objective of the step that is about to be taken, with taps, and keeps
numbers only. Training itself runs the same program whether anybody looks or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.clipping import norm
from thalweg.catalogue.layers.sequence import by_layer
from thalweg.engine.lanes import Lane, Pool, Shape, State, objective_at, progress_at, rows_at

__all__ = ["look"]

# A unit counts as saturated within this distance of a limit of its activation.
SATURATED_WITHIN = 0.01


def look(
    lane: Lane, pool: Pool, shape: Shape, state: State, step: Array, told: Array
) -> dict[str, Array]:
    """Scalars by name, ``<quantity>.<layer>``.

    For every layer with parameters: ``gradient_norm`` (before clipping) and ``weight_norm``. For
    every activation: ``activation_mean``, ``activation_deviation``, ``zero_share`` (of all
    outputs), ``saturated_share`` (outputs close to a limit), ``dead_units`` (share of units that
    are zero on the whole mini-batch).
    """
    rows, progress = rows_at(lane, shape, step), progress_at(shape, step, told)
    objective = objective_at(lane, pool, shape, state.network_state, step, rows, progress, {})
    gradient, (_, taps) = jax.grad(objective, has_aux=True)(state.parameters)
    seen: dict[str, Array] = {}
    for layer, slope in by_layer(gradient):
        seen[f"gradient_norm.{layer}"] = norm(slope)
    for layer, weights in by_layer(state.parameters):
        seen[f"weight_norm.{layer}"] = norm(weights)
    limits = dict(_limits(lane.network))
    for name, value in taps.items():
        layer, _, kind = name.rpartition(".")
        if kind == "a":
            seen |= _activation(layer, value, limits.get(layer, ()))
    return seen


def _activation(layer: str, value: Array, limits: tuple[float, ...]) -> dict[str, Array]:
    zero = value == 0
    seen = {
        f"activation_mean.{layer}": value.mean(),
        f"activation_deviation.{layer}": value.std(),
        f"zero_share.{layer}": zero.mean(dtype=value.dtype),
        f"dead_units.{layer}": zero.all(axis=0).mean(dtype=value.dtype),
    }
    if limits:
        distance = jnp.min(jnp.stack([jnp.abs(value - limit) for limit in limits]), axis=0)
        near = distance < SATURATED_WITHIN
        seen[f"saturated_share.{layer}"] = near.mean(dtype=value.dtype)
    return seen


def _limits(network: Any, prefix: str = "") -> Iterator[tuple[str, tuple[float, ...]]]:
    """For each activation layer of a network, the finite limits of its function."""
    layers = network.named_layers() if hasattr(network, "named_layers") else ()
    for name, layer in layers:
        if hasattr(layer, "function"):
            yield prefix + name, layer.function.saturates_at
        yield from _limits(layer, f"{prefix}{name}.")
