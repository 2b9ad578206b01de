"""In what numbers, and in what portions, a network is computed.

The loss is a sum over rows, so a mini-batch may be computed in portions, one after the other, whose
gradients add up: memory for what layers make is then that of one portion. Parameters, gradients and
optimizers are in single precision where networks are computed in half of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from thalweg.catalogue.context import Context, Variables
from thalweg.spec.experiment import Precision

__all__ = ["USUAL", "Arithmetic", "data_type", "each_within", "forward", "in_precision"]

T = TypeVar("T")


@dataclass(frozen=True)
class Arithmetic:
    """How a network is computed.

    Args:
        precision: of what layers compute.
        portions: parts of a mini-batch that are computed one after the other.
        rematerializes: whether what layers make is made again for the gradient.
    """

    precision: Precision = "float32"
    portions: int = 1
    rematerializes: bool = False


USUAL = Arithmetic()


def data_type(own: np.dtype, precision: Precision) -> np.dtype:
    """The type of data in a program that are of some type where they come from."""
    doubles = precision == "float64" and own == np.float32
    return np.dtype(np.float64) if doubles else own


def in_precision(precision: Precision) -> AbstractContextManager[Any]:
    """Where programs are made and called whose numbers are of this precision or below."""
    return jax.enable_x64(precision == "float64")


def each_within(
    context: Callable[[], AbstractContextManager[Any]], values: Iterator[T]
) -> Iterator[T]:
    """The same values, each made within a context that whoever takes them is not in."""
    while True:
        with context():
            try:
                value = next(values)
            except StopIteration:
                return
        yield value


def forward(
    network: Any, arithmetic: Arithmetic, variables: Variables, inputs: Array, context: Context
) -> tuple[Array, Any]:
    """Outputs and new state of a network: ``network.apply``, computed as asked.

    Portions are taken in training alone. Each has random numbers of its own; layers that look at
    all of a mini-batch, as batch normalization does, see a portion at a time, one after the other.
    """
    once = partial(_once, network, arithmetic)
    if arithmetic.portions == 1 or context.mode != "train":
        return once(variables, inputs, context)
    return _in_portions(once, arithmetic.portions, variables, inputs, context)


def _once(
    network: Any, arithmetic: Arithmetic, variables: Variables, inputs: Array, context: Context
) -> tuple[Array, Any]:
    if arithmetic.rematerializes:
        context = context.rematerializing()
    if arithmetic.precision != "bfloat16":
        return network.apply(variables, inputs, context)
    narrow = partial(_cast, jnp.bfloat16)
    if context.past is not None:
        context = context.after(context.past._replace(held=narrow(context.past.held)))
    variables = variables._replace(parameters=narrow(variables.parameters))
    outputs, state = network.apply(variables, narrow(inputs), context)
    for dictionary in (context.taps, context.past and context.past.after):
        if dictionary:
            dictionary |= _cast(jnp.float32, dictionary)
    return _cast(jnp.float32, (outputs, state))


def _cast(dtype: Any, tree: Any) -> Any:
    """Numbers of another precision; tokens and flags as they are."""

    def one(leaf: Any) -> Any:
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(one, tree)


def _in_portions(
    once: Callable[..., tuple[Array, Any]],
    portions: int,
    variables: Variables,
    inputs: Array,
    context: Context,
) -> tuple[Array, Any]:
    collects = context.taps is not None

    def portion(state: Any, given: tuple[Array, Array, Array | None]) -> tuple[Any, Any]:
        number, rows, weights = given
        taps: dict[str, Array] | None = {} if collects else None
        own = context.of_portion(number, weights, taps)
        outputs, state = once(variables._replace(state=state), rows, own)
        return state, (outputs, taps)

    # Every portion has rows from all over the batch, so devices that share it share each portion.
    def apart(values: Array) -> Array:
        return values.reshape(-1, portions, *values.shape[1:]).swapaxes(0, 1)

    def together(values: Array) -> Array:
        return values.swapaxes(0, 1).reshape(-1, *values.shape[2:])

    weights = None if context.weights is None else apart(context.weights)
    given = (jnp.arange(portions), apart(inputs), weights)
    # What a portion made is made again when its gradient is taken, and not kept until then.
    again = jax.checkpoint(portion, prevent_cse=False)
    state, (outputs, taps) = lax.scan(again, variables.state, given)
    if context.taps is not None:
        context.taps |= jax.tree.map(together, taps)
    return together(outputs), state
