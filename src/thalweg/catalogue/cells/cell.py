"""The contract every cell keeps, and what a recurrence lends it for one step.

``StepContext`` is to one step what a context is to one pass: it holds the parameters, multiplies,
and takes taps. ``drawn`` starts the kernels of a cell, ``projected`` is how most of them read
their inputs, ``check_activation`` refuses the activations that cannot stand in a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array
from jax.ad_checkpoint import checkpoint_name

from thalweg.catalogue.context import Context
from thalweg.catalogue.joined import times
from thalweg.catalogue.products import product
from thalweg.errors import SpecError

__all__ = [
    "KEPT",
    "Cell",
    "State",
    "StepContext",
    "apart",
    "check_activation",
    "drawn",
    "projected",
]

State = dict[str, Array]

# The name of what a recurrence keeps of every step for the gradient.
KEPT = "kept"


class StepContext(NamedTuple):
    """What a cell may ask for during one step.

    Args:
        parameters: of the cell.
        context: of the pass; a cell asks it for the mode.
        normalize: what is done to values of a name, such as the product ``recurrent``.
        mask: factors on what recurrent products are given, the same at every step; None for 1.
        nudges: values to add at taps of this step, by name.
        taps: a dictionary to fill with the values at taps.
        beside: what the cell asked for beside its projected inputs, of this step.
    """

    parameters: Mapping[str, Array]
    context: Context
    normalize: Callable[[str, Array], Array]
    mask: Array | None
    nudges: Mapping[str, Array]
    taps: dict[str, Array]
    beside: Any = None

    def product(self, name: str, h: Array) -> Array:
        """h W for the kernel W of this name, silenced before and normalized after."""
        h = h if self.mask is None else h * self.mask
        made = checkpoint_name(times(h, self.parameters[f"{name}_kernel"]), KEPT)
        return self.normalize(name, made)

    def tap(self, name: str, value: Array) -> Array:
        """Offer a value under a name and get it back, nudged if somebody asked for that."""
        if name in self.nudges:
            value = value + self.nudges[name]
        self.taps[name] = value
        return value


@jax.custom_jvp
def apart(*gates: Array) -> tuple[Array, ...]:
    """The gates as they are, each made by a loop of its own over its units.

    A loop in which XLA makes several of them is too long for its compiler to use the vector
    instructions of a processor: 22 in place of 7 µs for an LSTM of 64 units and 32 rows. Gradients
    may be made together.
    """
    return jax.lax.optimization_barrier(gates)


@apart.defjvp
def _(gates: Any, tangents: Any) -> Any:
    return apart(*gates), tangents


@runtime_checkable
class Cell(Protocol):
    """What one step of a recurrence does.

    Laws: ``gates`` names the parts of the projected inputs, each as wide as there are units;
    ``states`` gives the width of every state by name, and the first is what the cell gives out.
    ``draw`` starts the parameters: ``input_kernel`` [input, gate · unit], which only ``project``
    reads, ``bias`` [gate · unit], which the recurrence adds, and whatever else the cell has.
    ``project`` maps inputs [time, batch, input] of all steps at once, ``step`` one step of that
    and a state to the next state. Every gate and every state is a tap of its name. A cell that
    needs more of its inputs than their projection has ``beside``, which maps them to any tree of
    arrays [time, batch, ...], or to None.
    """

    @property
    def gates(self) -> tuple[str, ...]: ...

    def states(self, units: int) -> dict[str, int]: ...

    def draw(self, key: Array, inputs: int, units: int) -> dict[str, Array]: ...

    def project(self, parameters: Mapping[str, Array], x: Array, context: Context) -> Array: ...

    def step(self, step: StepContext, projected: Array, state: State) -> State: ...


def projected(cell: Any, parameters: Mapping[str, Array], x: Array, context: Context) -> Array:
    """x U for the inputs of all steps, one product: ``Cell.project``."""
    return product(x, parameters["input_kernel"], by_time=True)


def drawn(
    cell: Any, key: Array, inputs: int, units: int, products: Mapping[str, int]
) -> dict[str, Array]:
    """Where the kernels and the bias of a cell start, every gate drawn alone.

    Args:
        cell: has ``kernel``, ``recurrent_kernel``, ``bias`` and ``gates``.
        products: number of gates that each recurrent kernel feeds, by name.
    """
    gates = len(cell.gates)
    for_inputs, for_bias, *others = jax.random.split(key, 2 + len(products))
    parameters = {"input_kernel": side_by_side(cell.kernel, for_inputs, (inputs, units), gates)}
    for own, (name, count) in zip(others, products.items(), strict=True):
        kernel = side_by_side(cell.recurrent_kernel, own, (units, units), count)
        parameters[f"{name}_kernel"] = kernel
    if cell.bias is not None:
        parameters["bias"] = side_by_side(cell.bias, for_bias, (units,), gates)
    return parameters


def side_by_side(start: Any, key: Array, shape: tuple[int, ...], count: int) -> Array:
    """As many draws as there are gates, next to one another."""
    draws = [start.sample(own, shape) for own in jax.random.split(key, count)]
    return jnp.concatenate(draws, axis=-1)


def check_activation(owner: Any, field: str, units: int) -> None:
    """Refuse an activation that learns, draws or couples units: it has no place within a step."""
    function: Any = getattr(owner, field)
    example = jax.ShapeDtypeStruct((1, units), jnp.float32)
    plain = not hasattr(function, "init_parameters")
    if not plain or jax.eval_shape(function, example).shape != example.shape:
        raise SpecError(
            f"{type(owner).__name__}.{field} must keep the number of units and hold no "
            f"parameters, got {function!r}; put it after the recurrent layer"
        )
