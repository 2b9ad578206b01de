"""An activation as a layer of its own."""

from __future__ import annotations

from typing import Any

import jax
from jax import Array

from thalweg.catalogue.activations import Activation, ReLU
from thalweg.catalogue.context import Context, Variables
from thalweg.part import choice, part, part_name

__all__ = ["Activate"]


@part
class Activate:
    """Applies an activation.

    Formula: a = f(z)
    Choices: function: the activation
    Shapes: any → the same, but for activations that couple units
    Watch for: has parameters only where the activation learns them, as PReLU does; the linear map
        before it is a layer of its own. Taking the two apart is for clarity: the gradients are
        those of one layer that does both, and flow no better.
    Source: standard
    Example:
        >>> import jax.numpy as jnp
        >>> Activate().apply(Variables({}, {}), jnp.array([-1.0, 2.0]), Context("evaluate"))[0]
        Array([0., 2.], dtype=float32)
    """

    function: Activation = choice(default=ReLU())
    kind = "activation"

    def init(self, key: Array, example: Any) -> Variables:
        function: Any = self.function
        held = function.init_parameters(key, example) if _is_applied(function) else {}
        return Variables(held, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        function: Any = self.function
        # Its name is seen in profiles, and where computations are explained.
        with jax.named_scope(part_name(type(function))):
            if _is_applied(function):
                a = function.apply(variables.parameters, x, context)
            else:
                a = function(x)
        return context.tap("a", a), {}


def _is_applied(function: Activation) -> bool:
    """Whether it learns or draws, and so needs parameters or a context."""
    return hasattr(function, "init_parameters")
