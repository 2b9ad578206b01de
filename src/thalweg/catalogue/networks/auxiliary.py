"""A second output, read from a hidden layer."""

from __future__ import annotations

from copy import copy
from typing import Any

import jax
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Fan, Initializer, Zero
from thalweg.catalogue.layers import Dense
from thalweg.catalogue.networks.mlp import MLP
from thalweg.catalogue.networks.network import Network
from thalweg.catalogue.networks.outputs import given_outputs, with_outputs
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["AuxiliaryHead"]


@part
class AuxiliaryHead:
    """Reads a second output from a hidden layer of a network.

    Formula: head = h W + b, h the values at a tap of the network; the output is the network's own
    Choices: network: what the head is put on; tap: name of the hidden values; kernel: where W
        starts; bias: where b starts; outputs: width of the output and of the head, taken from the
        task where not given
    Shapes: [batch, input] → [batch, output], and the tap ``head.z`` [batch, output]
    Watch for: the head learns only if a loss is attached to it, as DeepSupervision does.
    Source: Szegedy et al., Going Deeper with Convolutions, 2015, section 5 (auxiliary classifiers)
    Example:
        >>> import jax.numpy as jnp
        >>> network = AuxiliaryHead(network=MLP(hidden=(8,)), outputs=2)
        >>> variables = network.init(jax.random.key(0), jnp.ones((1, 2)))
        >>> variables.parameters["head"]["kernel"].shape
        (8, 2)
    """

    network: Network = choice(default=MLP())
    tap: str = choice(default="activation_0.a")
    kernel: Initializer = choice(default=Fan())
    bias: Initializer = choice(default=Zero())
    outputs: int | None = choice(default=None, low=1)

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers of the network inside, where it is made of layers."""
        inner: Any = self._inner()
        return inner.named_layers() if hasattr(inner, "named_layers") else ()

    def init(self, key: Array, example: Any) -> Variables:
        parameters, state = self._inner().init(key, example)
        variables = Variables(parameters, state)

        def hidden(x: Array) -> Array:
            taps: dict[str, Array] = {}
            self._inner().apply(variables, x, Context("evaluate", taps=taps))
            return self._read(taps, "")

        read = jax.eval_shape(hidden, example)
        head = self._head().init(jax.random.fold_in(key, 1), read)
        return Variables({**parameters, "head": head.parameters}, state)

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        seen = {} if context.taps is None else context.taps
        inside = copy(context)
        inside.taps = seen
        outputs, state = self._inner().apply(variables, x, inside)
        own = Variables(variables.parameters["head"], {})
        self._head().apply(own, self._read(seen, context.prefix), context.within("head"))
        return outputs, state

    def _inner(self) -> Network:
        return with_outputs(self.network, given_outputs(self))

    def _head(self) -> Dense:
        return Dense(units=given_outputs(self), kernel=self.kernel, bias=self.bias)

    def _read(self, taps: dict[str, Array], prefix: str) -> Array:
        """The hidden values as one vector per example."""
        if prefix + self.tap not in taps:
            names = ", ".join(name.removeprefix(prefix) for name in taps)
            raise SpecError(f"AuxiliaryHead.tap must be one of {names}, got {self.tap!r}")
        values = taps[prefix + self.tap]
        return values.reshape(values.shape[0], -1)
