"""Multilayer perceptrons, plain and with ways around their layers; images they take as rows."""

from __future__ import annotations

from typing import Any

import jax
from jax import Array

from thalweg.catalogue.activations import Activation, ReLU
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import He, Initializer, Zero
from thalweg.catalogue.layers import Activate, Dense, Dropout, Residual
from thalweg.catalogue.layers.sequence import apply_named, init_named, numbered
from thalweg.catalogue.networks.network import Network
from thalweg.catalogue.networks.outputs import given_outputs
from thalweg.part import Number, choice, number, part

__all__ = ["MLP", "ResidualMLP"]


def before_normalization(normalization: Any, bias: Initializer | None) -> Initializer | None:
    """Where the biases before a normalization start: none, where it would take them away again."""
    return None if getattr(normalization, "centres", False) else bias


def _as_rows(x: Array) -> Array:
    """Every example as a row: [batch, ...] → [batch, input]."""
    return x.reshape(x.shape[0], -1)


def init_rows(network: Any, key: Array, example: Any) -> Variables:
    """Variables of a network of dense layers that takes examples of any shape: ``Network.init``."""
    return init_named(network, key, jax.eval_shape(_as_rows, example))


def apply_rows(network: Any, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
    """What a network of dense layers makes of examples of any shape: ``Network.apply``."""
    return apply_named(network, variables, _as_rows(x), context)


@part
class MLP:
    """Stacks dense layers with an activation after each but the last.

    Formula: a_0 = x;  a_l = f(N(a_{l−1} W_l + b_l)) for l < L;  y = a_{L−1} W_L + b_L
    Numbers: dropout: rate after every hidden activation; without it there is no such layer
    Choices: hidden: widths of the hidden layers, in order; activation: f, whose pieces multiply
        the dense widths where it has several, as Maxout has; normalization: N, a layer such as
        BatchNormalization, none where not given; kernel: where weights start; bias: where biases
        start, none without; outputs: width of the last layer, taken from the task where not given
    Shapes: [batch, ...], laid out in rows → [batch, output]
    Watch for: the outputs are logits or plain values; the loss applies sigmoid or softmax. Before
        batch normalization hidden layers have no bias, which it would take away again.
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
    normalization: Network | None = choice(default=None)
    kernel: Initializer = choice(default=He())
    bias: Initializer | None = choice(default=Zero())
    dropout: Number = number(default=None, low=0, below=1, search=(0, 0.8))
    outputs: int | None = choice(default=None, low=1)

    init, apply = init_rows, apply_rows

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        outputs, layers = given_outputs(self), []
        bias = before_normalization(self.normalization, self.bias)
        pieces = getattr(self.activation, "pieces", 1)
        for units in self.hidden:
            layers.append(Dense(units=pieces * units, kernel=self.kernel, bias=bias))
            if self.normalization is not None:
                layers.append(self.normalization)
            layers.append(Activate(function=self.activation))
            if self.dropout is not None:
                layers.append(Dropout(rate=self.dropout))
        return numbered([*layers, Dense(units=outputs, kernel=self.kernel, bias=self.bias)])


@part
class ResidualMLP:
    """Stacks blocks of two dense layers, each with a way around it.

    Formula: a_0 = x W + b;  a_l = a_{l−1} + W''_l f(N(W'_l f(N(a_{l−1}))));  y = f(N(a_L)) W + b
    Numbers: dropout: rate before W'' in every block; without it there is no such layer
    Choices: width: units of every hidden layer; blocks: L; activation: f; normalization: N, a layer
        such as LayerNormalization, none where not given; kernel: where weights start; bias: where
        biases start, none without; outputs: width of the last layer, taken from the task where not
        given
    Shapes: [batch, ...], laid out in rows → [batch, output]
    Watch for: without normalization the variance grows with every block. Dropout stands where Wide
        Residual Networks (2016) have it, between the two maps of a block.
    Source: He et al., Identity Mappings in Deep Residual Networks, 2016, equation 5 and figure 4(e)
    Example:
        >>> network = ResidualMLP(width=8, blocks=2, outputs=1)
        >>> [name for name, _ in network.named_layers()]
        ['dense_0', 'residual_0', 'residual_1', 'activation_0', 'dense_1']
    """

    width: int = choice(default=32, low=1)
    blocks: int = choice(default=2, low=0)
    activation: Activation = choice(default=ReLU())
    normalization: Network | None = choice(default=None)
    kernel: Initializer = choice(default=He())
    bias: Initializer | None = choice(default=Zero())
    dropout: Number = number(default=None, low=0, below=1, search=(0, 0.8))
    outputs: int | None = choice(default=None, low=1)

    init, apply = init_rows, apply_rows

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        outputs = given_outputs(self)
        dropout = () if self.dropout is None else (Dropout(rate=self.dropout),)
        normalization = () if self.normalization is None else (self.normalization,)
        ready = (*normalization, Activate(function=self.activation))
        bias = before_normalization(self.normalization, self.bias)
        inner = Dense(units=self.width, kernel=self.kernel, bias=bias)
        outer = Dense(units=self.width, kernel=self.kernel, bias=self.bias)
        block = Residual(layers=(*ready, inner, *ready, *dropout, outer))
        last = Dense(units=outputs, kernel=self.kernel, bias=self.bias)
        return numbered([outer, *([block] * self.blocks), *ready, last])
