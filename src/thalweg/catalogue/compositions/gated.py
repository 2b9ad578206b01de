"""A composition with gates: what is kept of each child is decided anew at every node."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.activations import Activation, Sigmoid, Tanh
from thalweg.catalogue.cells.cell import check_activation, side_by_side
from thalweg.catalogue.initializers import Constant, Glorot, Initializer, Zero
from thalweg.part import choice, part

__all__ = ["TreeLSTM"]


@part
class TreeLSTM:
    """Keeps a cell beside the hidden values, with a forget gate for each child.

    Formula: i, f_left, f_right, o = σ(U [h_left, h_right] + b), each with its own U;  g =
        φ(U [h_left, h_right] + b);  c = i ⊙ g + f_left ⊙ c_left + f_right ⊙ c_right;  h = o ⊙ φ(c);
        of a leaf i, o = σ(x W + b), g = φ(x W + b), c = i ⊙ g, h = o ⊙ φ(c)
    Choices: activation: φ; gate_activation: σ; kernel: where U and W start; bias: where the biases
        of i, g and o start, no bias at all without; forget_bias: where that of f starts
    Shapes: children [node, 2 unit], hidden values and cell → [node, 2 unit]; U [2 unit, 5 unit] in
        the order i, f_left, f_right, g, o; W [feature, 3 unit] in the order i, g, o; b [4 unit] in
        the order i, f, g, o
    Watch for: leaves and inner nodes share their biases, and the forget gates theirs. This is the
        tree-LSTM with two children in order; the sum over children for trees of dependencies is
        another. A chain of nodes with a leaf for every right child is an LSTM but for its inputs.
    Source: Tai, Socher & Manning, Improved Semantic Representations From Tree-Structured Long
        Short-Term Memory Networks, 2015, equations 9 to 14, for two children
    Example:
        >>> parameters = TreeLSTM().draw(jax.random.key(0), features=3, units=2)
        >>> {name: held.shape for name, held in parameters.items()}
        {'leaf_kernel': (3, 6), 'kernel': (4, 10), 'bias': (8,)}
    """

    activation: Activation = choice(default=Tanh())
    gate_activation: Activation = choice(default=Sigmoid())
    kernel: Initializer = choice(default=Glorot())
    bias: Initializer | None = choice(default=Zero())
    forget_bias: Initializer = choice(default=Constant(value=1.0))

    def width(self, units: int) -> int:
        return 2 * units

    def draw(self, key: Array, features: int, units: int) -> dict[str, Array]:
        check_activation(self, "activation", units)
        check_activation(self, "gate_activation", units)
        for_leaf, for_kernel, for_bias, for_forget = jax.random.split(key, 4)
        parameters = {
            "leaf_kernel": side_by_side(self.kernel, for_leaf, (features, units), 3),
            "kernel": side_by_side(self.kernel, for_kernel, (2 * units, units), 5),
        }
        if self.bias is not None:
            bias = side_by_side(self.bias, for_bias, (units,), 4)
            forget = self.forget_bias.sample(for_forget, (units,))
            parameters["bias"] = bias.at[units : 2 * units].set(forget)
        return parameters

    def leaf(self, parameters: Mapping[str, Array], x: Array) -> Array:
        z = jnp.split(x @ parameters["leaf_kernel"], 3, axis=-1)
        if self.bias is not None:
            bias = jnp.split(parameters["bias"], 4)
            z = [one + own for one, own in zip(z, (bias[0], *bias[2:]), strict=True)]
        into, candidate, out = z
        return self._state(into, candidate, out, 0.0)

    def compose(self, parameters: Mapping[str, Array], left: Array, right: Array) -> Array:
        (h_left, c_left), (h_right, c_right) = (jnp.split(x, 2, axis=-1) for x in (left, right))
        z = jnp.concatenate([h_left, h_right], axis=-1) @ parameters["kernel"]
        z = jnp.split(z, 5, axis=-1)
        if self.bias is not None:
            into, forget, candidate, out = jnp.split(parameters["bias"], 4)
            biases = (into, forget, forget, candidate, out)
            z = [one + own for one, own in zip(z, biases, strict=True)]
        into, forget_left, forget_right, candidate, out = z
        kept = self.gate_activation(forget_left) * c_left
        kept = kept + self.gate_activation(forget_right) * c_right
        return self._state(into, candidate, out, kept)

    def _state(self, into: Array, candidate: Array, out: Array, kept: Array | float) -> Array:
        cell = self.gate_activation(into) * self.activation(candidate) + kept
        hidden = self.gate_activation(out) * self.activation(cell)
        return jnp.concatenate([hidden, cell], axis=-1)
