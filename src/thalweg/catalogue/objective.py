"""Objectives that say what they are made of: outputs, a loss of the outputs, and penalties.

Most optimizers need only a value and its gradient, and any function of the parameters will do.
Gauss-Newton needs to know where the network ends and the loss begins: it keeps the curvature of
the loss and lets the network be linear.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jax import Array

__all__ = ["Composite"]


class Composite(NamedTuple):
    """loss(outputs(θ)) + penalty(θ) + of_pass(auxiliary(θ)), called like any other objective.

    Args:
        outputs: maps parameters to outputs and whatever else the caller wants back.
        loss: maps outputs to a scalar.
        penalty: maps parameters to a scalar; 0 where there is none.
        of_pass: maps what else came back to a scalar, where values inside the network are held to
            something too.
    """

    outputs: Callable[[Any], tuple[Array, Any]]
    loss: Callable[[Array], Array]
    penalty: Callable[[Any], Any] = lambda parameters: 0.0
    of_pass: Callable[[Any], Any] | None = None

    def __call__(self, parameters: Any) -> tuple[Array, Any]:
        outputs, auxiliary = self.outputs(parameters)
        value = self.loss(outputs) + self.penalty(parameters)
        if self.of_pass is not None:
            value = value + self.of_pass(auxiliary)
        return value, auxiliary

    def beside(self, parameters: Any) -> Any:
        """All of the objective but the loss of the outputs."""
        if self.of_pass is None:
            return self.penalty(parameters)
        return self.penalty(parameters) + self.of_pass(self.outputs(parameters)[1])
