"""An activation as a layer of its own."""

from __future__ import annotations

from typing import Any

from jax import Array

from thalweg.catalogue.activations import Activation, ReLU
from thalweg.catalogue.context import Context, Variables
from thalweg.part import choice, part

__all__ = ["Activate"]


@part
class Activate:
    """Applies an activation to every unit.

    Formula: a = f(z)
    Choices: function: the activation
    Shapes: any → the same
    Watch for: has no parameters; keep it apart from the linear map before it.
    Source: standard
    Example:
        >>> import jax.numpy as jnp
        >>> Activate().apply(Variables({}, {}), jnp.array([-1.0, 2.0]), Context("evaluate"))[0]
        Array([0., 2.], dtype=float32)
    """

    function: Activation = choice(default=ReLU())
    kind = "activation"

    def init(self, key: Array, example: Any) -> Variables:
        return Variables({}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        return context.tap("a", self.function(x)), {}
