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
    """loss(outputs(θ)) + penalty(θ), called like any other objective.

    Args:
        outputs: maps parameters to outputs and whatever else the caller wants back.
        loss: maps outputs to a scalar.
        penalty: maps parameters to a scalar; 0 where there is none.
    """

    outputs: Callable[[Any], tuple[Array, Any]]
    loss: Callable[[Array], Array]
    penalty: Callable[[Any], Any] = lambda parameters: 0.0

    def __call__(self, parameters: Any) -> tuple[Array, Any]:
        outputs, auxiliary = self.outputs(parameters)
        return self.loss(outputs) + self.penalty(parameters), auxiliary
