"""The multilayer perceptron."""

from __future__ import annotations

from typing import Any

from jax import Array

from thalweg.catalogue.activations import Activation, ReLU
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import He, Initializer, Zero
from thalweg.catalogue.layers import Activate, Dense, Dropout
from thalweg.catalogue.layers.sequence import apply_sequence, init_sequence
from thalweg.part import Number, choice, number, part

__all__ = ["MLP"]


@part
class MLP:
    """Stacks dense layers with an activation after each but the last.

    Formula: a_0 = x;  a_l = f(a_{l−1} W_l + b_l) for l < L;  y = a_{L−1} W_L + b_L
    Numbers: dropout: rate after every hidden activation; without it there is no such layer
    Choices: hidden: widths of the hidden layers, in order; activation: f, whose pieces multiply
        the dense widths where it has several, as Maxout has; kernel: where weights start; bias:
        where biases start; outputs: width of the last layer, taken from the task where not given
    Shapes: [batch, input] → [batch, output]
    Watch for: the outputs are logits or plain values; the loss applies sigmoid or softmax.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, chapter 6
    Example:
        >>> import jax, jax.numpy as jnp
        >>> network = MLP(hidden=(32, 16), outputs=2)
        >>> variables = network.init(jax.random.key(0), jnp.ones((1, 2)))
        >>> sum(leaf.size for leaf in jax.tree.leaves(variables.parameters))
        658
    """

    hidden: tuple[int, ...] = choice(default=(32, 16), low=1)
    activation: Activation = choice(default=ReLU())
    kernel: Initializer = choice(default=He())
    bias: Initializer = choice(default=Zero())
    dropout: Number = number(default=None, low=0, below=1, search=(0, 0.8))
    outputs: int | None = choice(default=None, low=1)

    def layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        if self.outputs is None:
            raise ValueError("MLP.outputs is open: give it, or let an experiment take it from data")
        layers: list[tuple[str, Any]] = []
        pieces = getattr(self.activation, "pieces", 1)
        for i, units in enumerate((*(pieces * units for units in self.hidden), self.outputs)):
            layers.append((f"dense_{i}", Dense(units=units, kernel=self.kernel, bias=self.bias)))
            if i < len(self.hidden):
                layers.append((f"activation_{i}", Activate(function=self.activation)))
                if self.dropout is not None:
                    layers.append((f"dropout_{i}", Dropout(rate=self.dropout)))
        return tuple(layers)

    def init(self, key: Array, example: Any) -> Variables:
        return init_sequence(self.layers(), key, example)

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return apply_sequence(self.layers(), variables, x, context)
