"""The sum over all paths: every way from one value to the output, with its product.

    dL/dw  =  Σ over paths p from w to L  Π over edges (i, j) of p  z(i, j)

This is what the backward pass rearranges. The number of paths can grow exponentially with depth, so
they are counted, which is cheap, before they are listed, and not listed where there are too many.

Source: Aggarwal, Neural Networks and Deep Learning, 2018, section 3.2, lemma 3.2.1
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from thalweg.errors import SpecError
from thalweg.explain.backward import with_direction
from thalweg.explain.graphs import Edge, Graph

__all__ = ["MOST_PATHS", "Cost", "Path", "cost_of_backward", "cost_of_paths", "count", "paths"]

#: How many are listed if nothing else is said.
MOST_PATHS = 2_000


@dataclass(frozen=True, eq=False)
class Path:
    """One way to the output.

    Args:
        edges: from the value on.
        product: what comes back along it: the product of its local derivatives, for arrays times
            the direction at the output.
    """

    edges: tuple[Edge, ...]
    product: np.ndarray


@dataclass(frozen=True)
class Cost:
    """What a way of computing one gradient takes; multiplications by 1 are not counted."""

    multiplications: int
    additions: int


def count(graph: Graph, source: int) -> int:
    """How many paths there are from a value to the output."""
    return _counts(graph)[source]


def paths(
    graph: Graph, source: int, direction: Any = None, most: int = MOST_PATHS
) -> tuple[Path, ...]:
    """All paths from a value to the output, with what comes back along each.

    Args:
        graph: a computation.
        source: number of the value.
        direction: as in ``backward``.
        most: how many are listed at most.

    Raises:
        SpecError: there are more.
    """
    there = count(graph, source)
    if there > most:
        raise SpecError(
            f"there are {there:,} paths from {graph.values[source].name} to the output, more than "
            f"the {most:,} that are listed; the backward pass has their sum"
        )
    found = _gone_back(graph, source, with_direction(graph, direction))
    return tuple(sorted(found, key=lambda path: [edge.target for edge in path.edges]))


def cost_of_paths(graph: Graph, source: int) -> Cost:
    """What the sum over all paths takes, were each multiplied out for itself."""
    counts = _counts(graph)

    @cache
    def length(number: int) -> int:
        """Edges of all paths from a value, taken together."""
        return sum(counts[edge.target] + length(edge.target) for edge in graph.readers[number])

    for number in range(graph.output, source - 1, -1):  # so that no call goes deep
        length(number)
    there = counts[source]
    return Cost(max(length(source) - there, 0), max(there - 1, 0))


def cost_of_backward(graph: Graph, source: int) -> Cost:
    """What the backward pass takes as far as the gradient of one value needs it."""
    edges = edges_between(graph, source)
    ends = [edge for edge in edges if edge.target == graph.output]
    readers = {edge.source for edge in edges}
    return Cost(len(edges) - len(ends), len(edges) - len(readers))


def edges_between(graph: Graph, source: int) -> list[Edge]:
    """Edges that lie on any path from a value to the output."""
    counts, reached, found = _counts(graph), {source}, []
    for number in range(source, graph.output):
        if number in reached:
            own = [edge for edge in graph.readers[number] if counts[edge.target]]
            reached.update(edge.target for edge in own)
            found += own
    return found


def _counts(graph: Graph) -> list[int]:
    counts = [0] * len(graph.values)
    counts[graph.output] = 1
    for number in range(graph.output - 1, -1, -1):
        counts[number] = sum(counts[edge.target] for edge in graph.readers[number])
    return counts


def _gone_back(graph: Graph, source: int, start: np.ndarray) -> Iterator[Path]:
    """Paths from the output back, so that what comes back along a part is shared by all on it."""
    between: dict[int, list[Edge]] = {}
    for edge in edges_between(graph, source):
        between.setdefault(edge.target, []).append(edge)
    # Without recursion: graphs may be deep.
    waiting: list[tuple[int, tuple[Edge, ...], np.ndarray]] = [(graph.output, (), start)]
    while waiting:
        number, way, gradient = waiting.pop()
        if number == source:
            yield Path(way, np.asarray(gradient))
            continue
        for edge in between.get(number, ()):
            slope = graph.slopes.get(edge)
            own = graph.passed(edge, gradient) if slope is None else gradient * slope
            waiting.append((edge.source, (edge, *way), own))
