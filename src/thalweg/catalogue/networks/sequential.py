"""A network written as a list of layers."""

from __future__ import annotations

from typing import Any

from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers.lengths import aware_of_padding, lengths_behind
from thalweg.catalogue.layers.sequence import apply_named, init_named, numbered
from thalweg.catalogue.networks.network import Network
from thalweg.part import choice, part

__all__ = ["Sequential"]


@part
class Sequential:
    """Runs layers one after the other.

    Formula: y = F_L(... F_2(F_1(x)))
    Choices: layers: F, layers or networks, in order
    Shapes: what the first layer takes → what the last one gives
    Watch for: layers are named by kind and number, ``dense_0``, ``activation_0``, ``dense_1``; the
        last dense layer takes its units from the task where they are not given. One dense unit and
        a sigmoid are the artificial neuron. Inputs that are tokens [batch, time], whole numbers
        padded with -1 at the end, tell the layers how long each sequence is.
    Source: standard
    Example:
        >>> import jax, jax.numpy as jnp
        >>> from thalweg.catalogue.layers import Activate, Dense
        >>> network = Sequential(layers=(Dense(units=3), Activate(), Dense(units=1)))
        >>> network.init(jax.random.key(0), jnp.ones((1, 2))).parameters.keys()
        dict_keys(['dense_0', 'dense_1'])
    """

    layers: tuple[Network, ...] = choice()

    init = init_named

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return apply_named(self, variables, x, aware_of_padding(context, x))

    def lengths_after(self, lengths: Array) -> Array:
        """How many steps count of what is given out, where so many count of what goes in."""
        return lengths_behind(self.layers, lengths)

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        return numbered(self.layers)
