"""Named layers run one after the other; networks that are such a list call these two functions."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
from jax import Array

from thalweg.catalogue.context import Context, Variables

__all__ = ["apply_sequence", "init_sequence"]

Named = Sequence[tuple[str, Any]]


def init_sequence(layers: Named, key: Array, example: Any) -> Variables:
    """Variables of all layers, each started on the shape the layers before it produce.

    Args:
        layers: names and layers, in order.
        key: random key; every layer gets its own by name, so adding one changes no other.
        example: an input with a batch axis, or its shape and type.
    """
    parameters, state = {}, {}
    for name, layer in layers:
        own = layer.init(jax.random.fold_in(key, zlib.crc32(name.encode())), example)
        parameters[name], state[name] = own
        example, _ = jax.eval_shape(partial(_evaluate, layer), own, example)
    return Variables(_filled(parameters), _filled(state))


def apply_sequence(
    layers: Named, variables: Variables, x: Array, context: Context
) -> tuple[Array, Any]:
    """Outputs of the last layer and the new state of all."""
    state = {}
    for name, layer in layers:
        own = Variables(variables.parameters.get(name, {}), variables.state.get(name, {}))
        x, state[name] = layer.apply(own, x, context.within(name))
    return x, _filled(state)


def _evaluate(layer: Any, variables: Variables, x: Array) -> tuple[Array, Any]:
    return layer.apply(variables, x, Context("evaluate"))


def _filled(by_name: dict[str, Any]) -> dict[str, Any]:
    """Without the entries of layers that hold nothing."""
    return {name: held for name, held in by_name.items() if jax.tree.leaves(held)}
