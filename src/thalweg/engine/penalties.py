"""What regularizers add to the objective of a step, and what they do after it.

Regularizers have only the methods they need (see their contract); here is where each method has
its say, on the layers that its regularizer names. Hidden activations are collected only where one
of them reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.regularizers.regularizer import Regularizer, in_place, of_layers

__all__ = [
    "after_step",
    "hidden",
    "of_activations",
    "of_parameters",
    "read_by",
    "reads_activations",
]


def reads_activations(regularizers: Sequence[Regularizer]) -> bool:
    """Whether any of them penalizes the activations of the pass itself."""
    return any(hasattr(type(one), "activity_penalty") for one in regularizers)


def hidden(taps: Mapping[str, Array], kind: str = "a") -> dict[str, Array]:
    """The hidden activations by layer, or what else they tap, out of all taps of a pass."""
    end = f".{kind}"
    return {name.removesuffix(end): value for name, value in taps.items() if name.endswith(end)}


def read_by(regularizer: Regularizer) -> str:
    """The kind of tap that a regularizer of activations reads."""
    return getattr(regularizer, "reads", "a")


def of_parameters(
    regularizers: Sequence[Regularizer],
    parameters: Any,
    activations_at: Callable[[Array], Mapping[str, Array]],
    inputs: Array,
    weights: Array | None,
    key: Array,
) -> Any:
    """The penalties of parameters, and of how hidden activations answer to inputs.

    Args:
        regularizers: their schedules already settled to numbers.
        parameters: of the network.
        activations_at: from inputs to hidden activations.
        inputs: of the pass, [row, ...].
        weights: of the rows, or None where all count alike.
        key: of what is random in the penalties.
    """
    total: Any = 0
    for number, regularizer in enumerate(regularizers):
        one: Any = regularizer
        if hasattr(type(one), "penalty"):
            total = total + one.penalty(of_layers(parameters, one.layers))
        if hasattr(type(one), "sensitivity_penalty"):
            own = jax.random.fold_in(key, number)
            chosen = partial(_of_layers_at, activations_at, one.layers)
            total = total + one.sensitivity_penalty(chosen, inputs, weights, own)
    return total


def _of_layers_at(
    activations_at: Callable[[Array], Mapping[str, Array]],
    layers: tuple[str, ...] | None,
    inputs: Array,
) -> Mapping[str, Array]:
    return of_layers(activations_at(inputs), layers)


def of_activations(
    regularizers: Sequence[Regularizer], taps: Mapping[str, Array], weights: Array | None
) -> Any:
    """The penalties of hidden activations.

    Args:
        regularizers: their schedules already settled to numbers.
        taps: of the pass.
        weights: of the rows, or None where all count alike.
    """
    ones: Sequence[Any] = regularizers
    return sum(
        one.activity_penalty(of_layers(hidden(taps, read_by(one)), one.layers), weights)
        for one in ones
        if hasattr(type(one), "activity_penalty")
    )


def after_step(
    regularizers: Sequence[Regularizer],
    parameters: Any,
    before: Any,
    learning_rate: Any,
    progress: Any,
) -> Any:
    """Parameters after the optimizer's update, shrunk, and then projected.

    Args:
        regularizers: their schedules already settled to numbers.
        parameters: after the update.
        before: parameters before it.
        learning_rate: of the step.
        progress: where the run is, this step not counted.
    """
    ones: Sequence[Any] = regularizers
    for one in ones:
        if hasattr(type(one), "shrinkage"):
            shrinkage = one.shrinkage(of_layers(before, one.layers), learning_rate)
            chosen = of_layers(parameters, one.layers)
            parameters = in_place(parameters, jax.tree.map(jnp.subtract, chosen, shrinkage))
    for one in ones:
        if hasattr(type(one), "project"):
            chosen, old = of_layers(parameters, one.layers), of_layers(before, one.layers)
            projected = one.project(chosen, old, learning_rate, progress)
            parameters = in_place(parameters, projected)
    return parameters
