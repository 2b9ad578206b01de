"""Named layers, alone and one after the other; whatever is made of layers calls these functions.

``numbered`` names them, ``init_layer`` and ``apply_layer`` start and run one under its name, and
``init_sequence`` and ``apply_sequence`` many. A network that is its ``named_layers`` takes
``init, apply = init_named, apply_named`` as its methods. ``by_layer`` finds in a tree of parameters
the layers that hold them.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables, Visit
from thalweg.catalogue.layers.lengths import lengths_behind
from thalweg.errors import SpecError
from thalweg.part import part_name

__all__ = [
    "apply_layer",
    "apply_named",
    "apply_sequence",
    "apply_stretch",
    "by_layer",
    "init_layer",
    "init_named",
    "init_sequence",
    "numbered",
    "output_of",
    "visited",
]

Named = Sequence[tuple[str, Any]]


def numbered(layers: Iterable[Any]) -> tuple[tuple[str, Any], ...]:
    """Layers, or their classes, with names made of kind and number: ``dense_0``, ``dense_1``."""
    counts: dict[str, int] = {}
    named = []
    for layer in layers:
        kind = getattr(layer, "kind", None) or part_name(layer)
        number = counts[kind] = counts.get(kind, -1) + 1
        named.append((f"{kind}_{number}", layer))
    return tuple(named)


def init_layer(name: str, layer: Any, key: Array, example: Any) -> Variables:
    """Variables of a layer; its randomness comes from its name, so adding one changes no other."""
    try:
        return layer.init(jax.random.fold_in(key, zlib.crc32(name.encode())), example)
    except SpecError as error:
        raise _placed(name, error) from None


def apply_layer(
    name: str, layer: Any, variables: Variables, x: Any, context: Context
) -> tuple[Array, Any]:
    """Outputs and new state of a layer that finds its own among the variables by its name."""
    own = Variables(variables.parameters.get(name, {}), variables.state.get(name, {}))
    try:
        with jax.named_scope(name):  # in profiles and in graphs of computations
            y, state = layer.apply(own, x, context.within(name))
    except SpecError as error:
        raise _placed(name, error) from None
    visited(name, layer, own, x, y, context)
    return y, state


def visited(
    name: str, layer: Any, variables: Variables, x: Any, y: Array, context: Context
) -> None:
    """Tell whoever wants to know that a layer was run; ``apply_layer`` does."""
    if context.visits is not None:
        visit = Visit(context.prefix + name, layer, variables, x, y, context.lengths)
        context.visits.append(visit)


def init_sequence(layers: Named, key: Array, example: Any) -> Variables:
    """Variables of all layers, each started on the shape the layers before it produce.

    Args:
        layers: names and layers, in order.
        key: random key.
        example: an input with a batch axis, or its shape and type.
    """
    parameters, state = {}, {}
    for name, layer in layers:
        own = init_layer(name, layer, key, example)
        parameters[name], state[name] = own
        example = output_of(name, layer, own, example)
    return Variables(filled(parameters), filled(state))


def apply_sequence(
    layers: Named, variables: Variables, x: Array, context: Context
) -> tuple[Array, Any]:
    """Outputs of the last layer and the new state of all."""
    state = {}
    for stretch in _stretches(layers) if context.can_rematerialize else (layers,):
        x, own, lengths = apply_stretch(stretch, variables, x, context)
        state |= own
        context = context.of_lengths(lengths)
    return x, filled(state)


def apply_stretch(
    layers: Named, variables: Variables, x: Any, context: Context
) -> tuple[Array, dict[str, Any], Array | None]:
    """Outputs of the last layer, the new state of all, and how many steps of sequences count then.

    Where the context asks for it, all that layers make is made again for the gradient, at once.
    """
    remakes = context.can_rematerialize
    inside = context.rematerializing(False) if remakes else context

    def run(variables: Variables, x: Any) -> tuple[Array, dict[str, Any], Array | None]:
        own, state = inside, {}
        for name, layer in layers:
            x, state[name] = apply_layer(name, layer, variables, x, own)
            own = _after(layer, x, own)
        return x, state, own.lengths

    return (jax.checkpoint(run) if remakes else run)(variables, x)


def _stretches(layers: Named) -> Iterator[Named]:
    """Layers in stretches, of which only the inputs are kept: those made of layers one by one, and
    n others between them in √n, which keeps the least (Chen et al., Training Deep Nets with
    Sublinear Memory Cost, 2016, section 4.1).
    """
    for made_of_layers, some in groupby(layers, lambda named: hasattr(named[1], "named_layers")):
        group = list(some)
        size = 1 if made_of_layers else math.ceil(math.sqrt(len(group)))
        for begin in range(0, len(group), size):
            yield group[begin : begin + size]


def _after(layer: Any, y: Array, context: Context) -> Context:
    """The context behind a layer that gave y, which may have changed how long sequences are."""
    if context.lengths is None:
        return context
    if y.ndim == 2 and jnp.issubdtype(y.dtype, jnp.floating):
        return context.of_lengths(None)  # there is no time any more
    return context.of_lengths(lengths_behind((layer,), context.lengths))


def init_named(network: Any, key: Array, example: Any) -> Variables:
    """Variables of a network that is a list of layers: ``Network.init``."""
    return init_sequence(network.named_layers(), key, example)


def apply_named(
    network: Any, variables: Variables, x: Array, context: Context
) -> tuple[Array, Any]:
    """What a network that is a list of layers makes of inputs: ``Network.apply``."""
    return apply_sequence(network.named_layers(), variables, x, context)


def output_of(name: str, layer: Any, variables: Variables, example: Any) -> Any:
    """Shape and type of what a layer makes of an example."""

    def evaluate(variables: Variables, x: Array) -> Array:
        return layer.apply(variables, x, Context("evaluate"))[0]

    try:
        return jax.eval_shape(evaluate, variables, example)
    except SpecError as error:
        raise _placed(name, error) from None


def filled(by_name: Mapping[str, Any]) -> dict[str, Any]:
    """Without the entries of layers that hold nothing."""
    return {name: held for name, held in by_name.items() if jax.tree.leaves(held)}


def by_layer(parameters: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The innermost layers in a tree of parameters, each with its full name and what it holds."""
    for name, held in parameters.items():
        inner = isinstance(held, Mapping) and any(isinstance(x, Mapping) for x in held.values())
        if inner:
            own = {key: x for key, x in held.items() if not isinstance(x, Mapping)}
            if own:
                yield prefix + name, own
            within = {key: x for key, x in held.items() if isinstance(x, Mapping)}
            yield from by_layer(within, f"{prefix}{name}.")
        else:
            yield prefix + name, held


def _placed(name: str, error: SpecError) -> SpecError:
    """The same error, its problems led by the name of the layer that has them."""
    return SpecError(*(f"{name}: {problem}" for problem in error.problems))
