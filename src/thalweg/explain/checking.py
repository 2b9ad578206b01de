"""Checking gradients: what the graph says beside automatic differentiation and differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import SpecError
from thalweg.explain.backward import backward, with_direction
from thalweg.explain.graphs import Graph
from thalweg.explain.paths import count, paths
from thalweg.explain.tracing import in_doubles

__all__ = ["Check", "checked", "differences"]


@dataclass(frozen=True, eq=False)
class Check:
    """One gradient by four ways; None where a way is too long to go.

    Args:
        name: of the input.
        by_backward: of the graph.
        by_paths: their sum.
        by_jax: automatic differentiation of the function as a whole.
        by_differences: central differences, extrapolated.
    """

    name: str
    by_backward: np.ndarray
    by_paths: np.ndarray | None
    by_jax: np.ndarray
    by_differences: np.ndarray | None

    @property
    def largest_difference(self) -> float:
        """Between the backward pass and any other way, relative to the gradient or to 1."""
        others = [self.by_paths, self.by_jax, self.by_differences]
        scale = max(1.0, float(np.max(np.abs(self.by_backward), initial=0.0)))
        return max(
            float(np.max(np.abs(self.by_backward - other), initial=0.0)) / scale
            for other in others
            if other is not None
        )


def checked(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    graph: Graph,
    direction: Any = None,
    most: int = 200,
) -> tuple[Check, ...]:
    """The gradients of all inputs by all ways.

    Args:
        function, arguments: what the graph is of.
        graph: as ``tracing.graph`` makes it.
        direction: as in ``backward``.
        most: the most paths, and the most entries of an input, that are gone through.
    """
    start = with_direction(graph, direction)
    by_backward = backward(graph, direction).of_inputs()
    with jax.enable_x64(True):
        leaves, structure = jax.tree.flatten(tuple(arguments))
        given = [in_doubles(leaf) for leaf in leaves]
        of_floats = [n for n, a in enumerate(given) if jnp.issubdtype(a.dtype, np.floating)]
        if len(of_floats) != len(by_backward):
            raise SpecError("the arguments are not those of the graph")

        def weighted(*floats: Any) -> jax.Array:
            own = dict(zip(of_floats, floats, strict=True))
            mixed = [own.get(n, a) for n, a in enumerate(given)]
            result = function(*structure.unflatten(mixed))
            return jnp.sum(jnp.asarray(result) * start)

        floats = [given[n] for n in of_floats]
        by_jax = jax.grad(weighted, tuple(range(len(floats))))(*floats)
        compiled = jax.jit(weighted)
        numbers = [n for n in graph.inputs if graph.values[n].has_gradient]
        return tuple(
            Check(
                graph.values[number].name,
                by_backward[graph.values[number].name],
                _by_paths(graph, number, start, most),
                np.asarray(by_jax[place]),
                differences(compiled, floats, place) if floats[place].size <= most else None,
            )
            for place, number in enumerate(numbers)
        )


def _by_paths(graph: Graph, number: int, start: np.ndarray, most: int) -> np.ndarray | None:
    if count(graph, number) > most:
        return None
    found = paths(graph, number, start, most)
    return sum((path.product for path in found), np.zeros_like(graph.values[number].value))


def differences(
    function: Callable[..., Any], arguments: Sequence[Any], place: int, step: float = 0.02
) -> np.ndarray:
    """The gradient of a number with respect to one argument, by central differences.

    Differences for steps h, h/2, h/4 and so on are extrapolated to h = 0, and the one of the
    triangle that changes least is taken.

    Args:
        function: gives a number.
        arguments: what it is given.
        place: of the argument.
        step: the largest h, relative to 1 or the entry, whichever is larger.

    Source: Ridders, Accurate computation of F′(x) and F′(x)F″(x), 1982
    """
    where = np.asarray(arguments[place], np.float64)
    found = np.empty_like(where)

    def at(entry: Any, moved: float) -> float:
        other = where.copy()
        other[entry] += moved
        return float(function(*arguments[:place], other, *arguments[place + 1 :]))

    for entry in np.ndindex(where.shape):
        size = step * max(1.0, abs(float(where[entry])))
        found[entry] = _settled(lambda h, e=entry: (at(e, h) - at(e, -h)) / (2 * h), size)
    return found


# The largest steps that are tried, as shares of the largest, until extrapolation settles: small
# ones are needed close to a kink alone, as rounding tells more in them.
_SHARES = (1, 1 / 30, 1 / 900)
_SETTLED = 1e-9


def _settled(slope: Callable[[float], float], size: float) -> float:
    """A slope for steps to 0, by extrapolation that settles, or comes closest to that."""
    tried = []
    for share in _SHARES:
        value, error = _extrapolated(slope, size * share)
        if error <= _SETTLED * max(1.0, abs(value)):
            return value
        tried.append((error, value))
    return min(tried)[1]


def _extrapolated(slope: Callable[[float], float], size: float) -> tuple[float, float]:
    """A slope for steps to 0, and how much the last extrapolation changed it."""
    best, error = slope(size), np.inf
    last = [best]
    for _ in range(8):
        size /= 2
        row = [slope(size)]
        for order, before in enumerate(last, 1):
            row.append(row[-1] + (row[-1] - before) / (4**order - 1))
            changed = max(abs(row[-1] - row[-2]), abs(row[-1] - before))
            if changed <= error:
                best, error = row[-1], changed
        last = row
    return best, error
