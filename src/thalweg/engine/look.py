"""Probes: what is seen in every layer at one step, without disturbing the run.

A probe differentiates the objective of the step that is about to be taken, with taps, and keeps
numbers only (``look``). Where asked to, it also tells how far that step moves the inputs of every
layer (``shift``). Training itself runs the same program whether anybody looks or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.clipping import norm
from thalweg.catalogue.context import Context, Variables, Visit
from thalweg.catalogue.layers.sequence import by_layer
from thalweg.catalogue.regularizers.regularizer import mean_over_rows
from thalweg.catalogue.schedules import settled
from thalweg.engine import streams
from thalweg.engine.arithmetic import forward
from thalweg.engine.lanes import (
    Lane,
    Pool,
    Shape,
    State,
    objective_at,
    past_at,
    progress_at,
    rows_at,
    training_batch,
    weights_at,
)

__all__ = ["look", "shift"]

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
    rows = pool.places(rows_at(lane, shape, step))
    progress = progress_at(shape, step, told)
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


def shift(
    lane: Lane,
    pool: Pool,
    shape: Shape,
    state: State,
    moved: Any,
    step: Array,
    told: Array,
) -> dict[str, Array]:
    """How far a step moves the inputs of layers, ``input_shift.<layer>``, on its own mini-batch.

    √(Σ_i (μ'_i − μ_i)² + (σ'_i − σ_i)²) / √(Σ_i σ_i²) over channels i, with moments before and
    after the step: the distance of normal distributions that have them (Dowson & Landau, 1982), in
    units of their spread. It measures what Ioffe & Szegedy (Batch Normalization, 2015) call
    internal covariate shift: inputs that change because layers below do. The outputs are what the
    loss reads, and count as the inputs of a layer of that name.

    Args:
        moved: parameters after the step; ``state`` is before it.
    """
    progress = progress_at(shape, step, told)
    rows = pool.places(rows_at(lane, shape, step))
    batch = training_batch(lane, pool, rows, progress)
    weights = weights_at(lane, shape, step, pool.number_type)
    network, key = settled(lane.network, progress), streams.noise_key(lane.seed, step)

    def moments_of(parameters: Any) -> dict[str, tuple[Array, Array]]:
        visits: list[Visit] = []
        past = past_at(shape, state.network_state, step)
        context = Context("train", key, weights=weights, visits=visits, past=past)
        variables = Variables(parameters, state.network_state)
        # All rows at once: what layers are given is looked at as a whole.
        whole = replace(shape.arithmetic, portions=1)
        outputs, _ = forward(network, whole, variables, batch.inputs, context)
        moved = [visit for visit in visits if _is_moved_and_acts(visit, batch.inputs)]
        # Of what reads a memory too, the inputs come first.
        read = {visit.name: jax.tree.leaves(visit.input)[0] for visit in moved}
        read["outputs"] = outputs
        return {name: _moments(values, weights) for name, values in read.items()}

    before, after = moments_of(state.parameters), moments_of(moved)
    seen = {}
    for layer, (mean, deviation) in before.items():
        mean_, deviation_ = after[layer]
        distance = jnp.sqrt(((mean_ - mean) ** 2 + (deviation_ - deviation) ** 2).sum())
        spread = jnp.sqrt((deviation**2).sum())
        seen[f"input_shift.{layer}"] = distance / jnp.maximum(spread, jnp.finfo(spread.dtype).tiny)
    return seen


def _is_moved_and_acts(visit: Visit, inputs: Array) -> bool:
    """Whether a layer stands behind others, and has parameters of its own or an activation."""
    held = visit.variables.parameters.values()
    inner = any(isinstance(value, Mapping) for value in held)
    acts = hasattr(visit.layer, "function") or (bool(held) and not inner)
    given = jax.tree.leaves(visit.input)[0]
    return acts and given is not inputs and jnp.issubdtype(given.dtype, jnp.floating)


def _moments(x: Array, weights: Array | None) -> tuple[Array, Array]:
    """Mean and standard deviation of every channel, over rows by their weights and over space."""
    apart = x.reshape(len(x), -1, x.shape[-1])
    mean = mean_over_rows(apart.mean(1), weights)
    return mean, jnp.sqrt(mean_over_rows(((apart - mean) ** 2).mean(1), weights))


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
