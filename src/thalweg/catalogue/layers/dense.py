"""The dense layer: every output is a weighted sum of all inputs."""

from __future__ import annotations

from typing import Any

import jax
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import He, Initializer, Zero
from thalweg.catalogue.layers.repetition import with_bias
from thalweg.catalogue.products import product
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["Dense"]


@part
class Dense:
    """Maps inputs linearly to units.

    Formula: z = x W + b
    Choices: units: number of outputs; in the last layer of an experiment's network taken from the
        task where not given; kernel: where W starts; bias: where b starts, none without
    Shapes: [batch, ..., input] → [batch, ..., unit]; W [input, unit], b [unit]
    Watch for: texts that write z = W x store Wᵀ. With an activation after it each unit is an
        artificial neuron, likened to a biological one: weights to synapses, the sum to the charge
        of the cell, the activation to its rate of firing. The likeness ends there: it has no time,
        no spikes and no chemistry, its weights may change sign, and it learns by gradients that
        are passed back.
    Source: standard; Goodfellow, Bengio & Courville, Deep Learning, 2016, equation 6.40
    Example:
        >>> import jax, jax.numpy as jnp
        >>> layer = Dense(units=3)
        >>> variables = layer.init(jax.random.key(0), jnp.ones((1, 2)))
        >>> layer.apply(variables, jnp.ones((4, 2)), Context("evaluate"))[0].shape
        (4, 3)
    """

    units: int | None = choice(default=None, low=1)
    kernel: Initializer = choice(default=He())
    bias: Initializer | None = choice(default=Zero())

    def init(self, key: Array, example: Any) -> Variables:
        if self.units is None:
            raise SpecError(
                "Dense.units is open: give it, or let an experiment take it from data, which it "
                "does for the last dense layer of a network"
            )
        for_kernel, for_bias = jax.random.split(key)
        parameters = {"kernel": self.kernel.sample(for_kernel, (example.shape[-1], self.units))}
        if self.bias is not None:
            parameters["bias"] = self.bias.sample(for_bias, (self.units,))
        return Variables(parameters, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        z = product(x, variables.parameters["kernel"])
        if self.bias is not None:
            bias = variables.parameters["bias"]
            # The rows of one mini-batch are too few for it to matter how they are summed.
            z = z + bias if z.ndim == 2 else with_bias(z, bias)
        return context.tap("z", z), {}
