"""The backward pass, step by step: gradients of one value with respect to all others.

With S(i) for the gradient of the output with respect to value i, and z(i, j) for the local
derivative of value j with respect to value i,

    S(output) = 1,    S(i) = Σ z(i, j) S(j)  over all j that read i,

taken in the reverse of the order of computation, so that every S(j) is known when it is needed:
dynamic programming. Each edge is gone through once, where the sum over all paths, of which it is a
rearrangement, goes through an edge once for every path on which it lies. For arrays z(i, j) S(j)
is a product with the transpose of the local Jacobian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.errors import SpecError
from thalweg.explain.graphs import Edge, Graph

__all__ = ["Arrival", "Backward", "backward", "with_direction"]


@dataclass(frozen=True, eq=False)
class Arrival:
    """What comes back to a value through one of its uses."""

    edge: Edge
    gradient: np.ndarray


@dataclass(frozen=True, eq=False)
class Step:
    """The gradient of one value, as the sum of what arrives.

    Args:
        number: of the value.
        arrivals: through its uses, the last computed first; none for the output.
        gradient: their sum.
    """

    number: int
    arrivals: tuple[Arrival, ...]
    gradient: np.ndarray


@dataclass(frozen=True, eq=False)
class Backward:
    """A backward pass.

    Args:
        graph: what it goes through.
        direction: the gradient at the output, 1 for a number.
        steps: from the output back; values from which no gradient passes have none.
    """

    graph: Graph
    direction: np.ndarray
    steps: tuple[Step, ...]

    @property
    def gradients(self) -> dict[int, np.ndarray]:
        """Gradients by the number of the value."""
        return {step.number: step.gradient for step in self.steps}

    def of_inputs(self) -> dict[str, np.ndarray]:
        """Gradients of the inputs by name; zeros where the output does not depend on one."""
        found, values = self.gradients, self.graph.values
        return {
            values[number].name: found.get(number, np.zeros_like(values[number].value))
            for number in self.graph.inputs
            if values[number].has_gradient
        }


def backward(graph: Graph, direction: Any = None) -> Backward:
    """Go back from the output.

    Args:
        graph: a computation.
        direction: where the output is an array, the weights of its entries in the number whose
            gradient is asked for; as large as the output.

    Raises:
        SpecError: the output is an array and no direction is given, or one of another size.
    """
    start = with_direction(graph, direction)
    gradients: dict[int, np.ndarray] = {}
    pulled: dict[int, Sequence[np.ndarray | None]] = {}
    steps = []
    for number in range(graph.output, -1, -1):
        arrivals = []
        for edge in reversed(graph.readers[number]):
            if edge.target not in gradients:
                continue  # nothing of the output goes through this use
            if edge.target not in pulled:
                pulled[edge.target] = graph.values[edge.target].pull(gradients[edge.target])
            own = pulled[edge.target][edge.place]
            if own is not None:
                arrivals.append(Arrival(edge, own))
        if number != graph.output and not arrivals:
            continue
        own = start if number == graph.output else sum(each.gradient for each in arrivals)
        gradients[number] = np.asarray(own)
        steps.append(Step(number, tuple(arrivals), gradients[number]))
    return Backward(graph, start, tuple(steps))


def with_direction(graph: Graph, direction: Any = None) -> np.ndarray:
    """The gradient at the output; see ``backward``."""
    output = graph.values[graph.output]
    if not output.has_gradient:
        raise SpecError(f"the output is of type {output.value.dtype}, which has no gradient")
    if direction is None:
        if not output.is_number:
            shape = " × ".join(map(str, output.value.shape))
            raise SpecError(
                f"the output is an array, {shape}, and not a number; give a direction of that "
                "size, or explain a sum or one entry of it"
            )
        return np.ones_like(output.value)
    given = np.asarray(direction, output.value.dtype)
    if given.shape != output.value.shape:
        raise SpecError(
            f"a direction must have the shape of the output, {output.value.shape}, "
            f"got {given.shape}"
        )
    return given
