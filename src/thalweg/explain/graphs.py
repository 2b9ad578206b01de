"""Computational graphs: what a computation made, of what, and how each step passes gradients back.

A graph is a list of values in the order in which they were computed. A value knows what it was
made of (its *sources*) and can *pull* a gradient: from dL/dvalue to what it contributes to
dL/dsource, for each source. For numbers the pull of 1 is the local derivative that textbooks write
on an edge, z(i, j) = ∂y(j)/∂y(i); for arrays it is a product with the local Jacobian.

Graphs are changed by making new ones: ``folded`` puts all values of a named part into one, and
``without_plumbing`` leaves out what only changes shapes. What a fold pulls is what goes through it
by all ways, so all that is said of gradients holds for folded graphs too.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np

from thalweg.errors import SpecError

__all__ = ["Compute", "Edge", "Graph", "Operand", "Pull", "Value"]

#: From a gradient of a value to what it contributes to each source; None where none passes.
Pull: TypeAlias = Callable[[np.ndarray], Sequence[np.ndarray | None]]
#: Carries an operation out on other operands.
Compute: TypeAlias = Callable[..., Any]
#: The number of a value of the graph, or an array that does not depend on the arguments.
Operand: TypeAlias = int | np.ndarray


@dataclass(frozen=True, eq=False)
class Value:
    """One value of a graph.

    Args:
        name: its own, as formulas refer to it.
        operation: what made it: the name of a primitive of JAX, ``input`` or ``fold``.
        operands: what it was made of, in the order of the operation.
        value: what it is.
        pull: passes gradients back to those operands that are values, in their order.
        compute: carries the operation out on other arrays in place of its operands; of a fold, on
            others in place of its sources.
        groups: named parts of the computation around it, the outermost first.
        label: the operation in words or signs, with the constants in it.
        settings: of the operation.
        kink: what is said where it has no derivative here, but one was used; empty elsewhere.
    """

    name: str
    operation: str
    operands: tuple[Operand, ...]
    value: np.ndarray
    pull: Pull = field(default=lambda gradient: (), repr=False)
    compute: Compute = field(default=lambda *operands: operands[0], repr=False)
    groups: tuple[str, ...] = ()
    label: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    kink: str = ""

    @property
    def sources(self) -> tuple[int, ...]:
        """Numbers of the values it was made of; one that was used twice stands there twice."""
        return tuple(operand for operand in self.operands if isinstance(operand, int))

    @property
    def is_number(self) -> bool:
        """Whether it is a single number."""
        return self.value.ndim == 0

    @property
    def has_gradient(self) -> bool:
        """Whether it is of a kind that has gradients: neither a truth value nor an integer."""
        return np.issubdtype(self.value.dtype, np.floating)


@dataclass(frozen=True)
class Edge:
    """One use of a value: the ``place``-th source of ``target`` is ``source``."""

    source: int
    target: int
    place: int


@dataclass(frozen=True, eq=False)
class Graph:
    """A computation.

    Args:
        values: in an order in which they can be computed; sources come before what is made of them.
        output: number of the value that the computation is for.
    """

    values: tuple[Value, ...]
    output: int

    @property
    def inputs(self) -> tuple[int, ...]:
        """Numbers of the inputs."""
        return tuple(
            number for number, value in enumerate(self.values) if value.operation == "input"
        )

    @cached_property
    def readers(self) -> tuple[tuple[Edge, ...], ...]:
        """For each value, its uses through which gradients come back."""
        readers: list[list[Edge]] = [[] for _ in self.values]
        for edge in self.edges():
            readers[edge.source].append(edge)
        return tuple(map(tuple, readers))

    def edges(self) -> Iterator[Edge]:
        """All uses through which gradients pass, in the order of what they go to."""
        for number, value in enumerate(self.values):
            if value.has_gradient and value.operation != "stop_gradient":
                for place, source in enumerate(value.sources):
                    if self.values[source].has_gradient:
                        yield Edge(source, number, place)

    def passed(self, edge: Edge, gradient: np.ndarray) -> np.ndarray:
        """What a gradient of the target of an edge contributes to that of its source."""
        source = self.values[edge.source].value
        found = self.values[edge.target].pull(gradient)[edge.place]
        return np.zeros_like(source) if found is None else found

    @cached_property
    def slopes(self) -> Mapping[Edge, float]:
        """The local derivatives ∂target/∂source of all edges between two numbers."""
        return {
            edge: float(self.passed(edge, np.ones(())))
            for edge in self.edges()
            if self.values[edge.source].is_number and self.values[edge.target].is_number
        }

    def jacobian(self, edge: Edge) -> np.ndarray:
        """The local derivatives ∂target/∂source of an edge, [*target, *source].

        Raises:
            SpecError: there are more than a million.
        """
        target, source = self.values[edge.target].value, self.values[edge.source].value
        if target.size * source.size > 1_000_000:
            raise SpecError(
                f"the derivatives of {self.values[edge.target].name} by "
                f"{self.values[edge.source].name} are {target.size:,} × {source.size:,} numbers; "
                "at most a million are shown"
            )
        rows = [self.passed(edge, row.reshape(target.shape)) for row in np.eye(target.size)]
        return np.reshape(rows, (*target.shape, *source.shape))

    def number_of(self, name: str) -> int:
        """The number of the value of a name.

        Raises:
            SpecError: there is none.
        """
        for number, value in enumerate(self.values):
            if value.name == name:
                return number
        known = ", ".join(value.name for value in self.values[:10])
        raise SpecError(f"there is no value {name!r} in the graph; there are {known}")

    @cached_property
    def first_nan(self) -> int | None:
        """Number of the value that was NaN first, made of values none of which was; or None."""
        for number, value in enumerate(self.values):
            if value.has_gradient and np.isnan(value.value).any():
                return number
        return None

    # -------------------------------------------------------------------------------- other graphs

    def without_plumbing(self) -> Graph:
        """Without values that only change shape or type of another: their readers read that."""
        plumbing = {n for n, value in enumerate(self.values) if _is_plumbing(value)}
        return _bypassed(self, plumbing - {self.output}).renamed()

    def renamed(self) -> Graph:
        """With values that have no name of their own called v1, v2 and so on, in order."""
        own = {value.name for value in self.values if not _UNNAMED.fullmatch(value.name)}
        taken = own | {self.values[number].name for number in self.inputs}
        free = (name for name in (f"v{n}" for n in itertools.count(1)) if name not in taken)
        return Graph(
            tuple(
                value if value.name in taken else replace(value, name=next(free))
                for value in self.values
            ),
            self.output,
        )

    def folded(self, *names: str) -> Graph:
        """With each part of one of these names as one value for everything that leaves it.

        Args:
            names: of groups, such as ``dense_0``, or ``step 1``; all of that name.

        Raises:
            SpecError: there is no such part.
        """
        missing = [n for n in names if not any(n in value.groups for value in self.values)]
        if missing:
            known = ", ".join(dict.fromkeys(g for value in self.values for g in value.groups))
            raise SpecError(f"there is no part {missing[0]!r}; there are {known or 'none'}")

        def part_of(number: int) -> tuple[str, ...]:
            groups = self.values[number].groups
            depths = [depth for depth, group in enumerate(groups, 1) if group in names]
            return groups[: depths[0]] if depths else ()

        by_part = sorted(range(len(self.values)), key=part_of)
        parts = [(part, set(held)) for part, held in groupby(by_part, part_of) if part]
        graph = self
        for part, held in parts:
            names_held = {self.values[number].name for number in held}
            graph = _contracted(graph, part, names_held)
        return graph.renamed()


# What a value is called that was given no name.
_UNNAMED = re.compile(r"v\d+")


def _is_plumbing(value: Value) -> bool:
    return value.label == "" and len(value.sources) == 1


def _bypassed(graph: Graph, left_out: Collection[int]) -> Graph:
    """Without some values of one source each, whose readers get that source in their place."""

    def resolved(number: int) -> tuple[int, list[Value]]:
        through: list[Value] = []
        while number in left_out:
            through.append(graph.values[number])
            (number,) = graph.values[number].sources
        return number, through

    def rerouted(value: Value) -> Value:
        found = [resolved(source) for source in value.sources]
        if not any(through for _, through in found):
            return value

        def pull(gradient: np.ndarray) -> list[np.ndarray | None]:
            return [
                _through(own, through)
                for own, (_, through) in zip(value.pull(gradient), found, strict=True)
            ]

        by_place = iter(found)
        ways = [next(by_place) if isinstance(o, int) else (o, []) for o in value.operands]

        def compute(*given: Any) -> Any:
            return value.compute(
                *(_forward(own, through) for own, (_, through) in zip(given, ways, strict=True))
            )

        return replace(value, operands=tuple(o for o, _ in ways), pull=pull, compute=compute)

    kept = [number for number in range(len(graph.values)) if number not in left_out]
    return _renumbered(graph, kept, {number: rerouted(graph.values[number]) for number in kept})


def _through(gradient: np.ndarray | None, left_out: Sequence[Value]) -> np.ndarray | None:
    for value in left_out:
        if gradient is None:
            return None
        (gradient,) = value.pull(gradient)
    return gradient


def _forward(array: Any, left_out: Sequence[Value]) -> Any:
    for value in reversed(left_out):
        array = value.compute(
            *(array if isinstance(operand, int) else operand for operand in value.operands)
        )
    return array


def _contracted(graph: Graph, part: tuple[str, ...], names: Collection[str]) -> Graph:
    """With the values of these names as one for each of them that is read elsewhere."""
    inside = {number for number, value in enumerate(graph.values) if value.name in names}
    inside -= set(graph.inputs)
    exits = sorted(
        {
            source
            for number, value in enumerate(graph.values)
            if number not in inside
            for source in value.sources
            if source in inside
        }
        | ({graph.output} & inside)
    )
    made = {number: _fold(graph, inside, number, part) for number in exits}
    kept = [n for n in range(len(graph.values)) if n not in inside or n in made]
    return _renumbered(graph, kept, {n: made.get(n, graph.values[n]) for n in kept})


def _fold(graph: Graph, inside: Collection[int], leaves: int, part: tuple[str, ...]) -> Value:
    """One value of a part of a graph, made of what went into the part."""
    needed = {leaves}
    for number in range(leaves, -1, -1):
        if number in needed & set(inside):
            needed.update(graph.values[number].sources)
    entries = sorted(needed - set(inside))
    body = sorted(needed & set(inside), reverse=True)

    def pull(gradient: np.ndarray) -> list[np.ndarray | None]:
        arrived: dict[int, np.ndarray] = {leaves: gradient}
        for number in body:
            if number not in arrived:
                continue
            value = graph.values[number]
            for source, own in zip(value.sources, value.pull(arrived[number]), strict=True):
                if own is not None:
                    arrived[source] = arrived[source] + own if source in arrived else own
        return [arrived.get(number) for number in entries]

    def compute(*given: Any) -> Any:
        held: dict[int, Any] = dict(zip(entries, given, strict=True))
        for number in reversed(body):
            value = graph.values[number]
            own = (held[o] if isinstance(o, int) else o for o in value.operands)
            held[number] = value.compute(*own)
        return held[leaves]

    passing = {leaves}
    for number in body:
        if number in passing and graph.values[number].operation != "stop_gradient":
            passing.update(graph.values[number].sources)
    kinks = [graph.values[number].kink for number in reversed(body) if number in passing]
    return replace(
        graph.values[leaves],
        operation="fold",
        operands=tuple(entries),
        pull=pull,
        compute=compute,
        groups=part[:-1],
        label=part[-1],
        settings={"values": len(body)},
        kink="; ".join(filter(None, kinks)),
    )


def _renumbered(graph: Graph, kept: Sequence[int], values: Mapping[int, Value]) -> Graph:
    """A graph of some values of another, whose sources are numbered as they were there."""
    numbers = {old: new for new, old in enumerate(kept)}

    def moved(value: Value) -> Value:
        return replace(
            value,
            operands=tuple(
                numbers[operand] if isinstance(operand, int) else operand
                for operand in value.operands
            ),
        )

    return Graph(tuple(moved(values[old]) for old in kept), numbers[graph.output])
