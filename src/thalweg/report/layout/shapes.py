"""What is asked of a layout, and what it answers.

``along`` is the direction of reading, in which layers follow one another; ``across`` is the other
one, in which the nodes of a layer stand beside one another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

__all__ = ["Box", "Layout", "Path", "Room", "Run", "Sketch", "Spacing"]

# The names of the groups around a node, outermost first.
Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Room:
    """What something takes.

    Args:
        before, after: across, on either side of its anchor.
        along: in all, half of it on either side of its anchor.
        spread: how far apart across the first and the last of the edges into it may end.
    """

    before: float
    after: float
    along: float
    spread: float = 0.0


@dataclass(frozen=True)
class Spacing:
    """Distances.

    Args:
        across: between nodes that stand beside one another.
        lines: across, between edges or names, and to what stands beside them.
        along: between two layers of nodes, at least.
        beside: along, between a layer of nodes and one of labels, at least.
        slope: how much more along an edge has for every unit that it goes across.
        widest: how much more at most.
        pad: between the border of a group and what is in it.
        port: between the ends of two edges into one node.
    """

    across: float
    lines: float
    along: float
    beside: float
    slope: float
    widest: float
    pad: float
    port: float


@dataclass(frozen=True)
class Sketch:
    """A graph to be laid out.

    Args:
        nodes: what each takes, by name, in an order in which they can be computed.
        edges: source and target of each.
        groups: the path of every node that is in a group.
        labels: what labels take, by number of the edge.
        titles: what the names of groups take, by path.
        strips: whether the name of a group stands across from its nodes, in a strip as long as the
            group, and not along from them, in a layer of its own.
    """

    nodes: Mapping[str, Room]
    edges: tuple[tuple[str, str], ...]
    groups: Mapping[str, Path] = field(default_factory=dict)
    labels: Mapping[int, Room] = field(default_factory=dict)
    titles: Mapping[Path, Room] = field(default_factory=dict)
    strips: bool = False


class Run(NamedTuple):
    """A straight piece of an edge, along; between two of them it goes across."""

    across: float
    start: float
    end: float


class Box(NamedTuple):
    """The border of a group: where it begins and ends, across and along."""

    across: float
    along: float
    across_end: float
    along_end: float


@dataclass(frozen=True)
class Layout:
    """Where everything is, from (0, 0) on; places are across and along.

    Args:
        nodes: anchors of nodes, by name.
        ways: the runs of each edge, from its source to its target.
        labels: anchors of labels, by number of the edge.
        before: numbers of the edges whose labels stand before them, and not after.
        titles: anchors of the names of groups, where they do not stand in strips.
        boxes: borders of groups, outer ones first.
        across, along: the size of the whole.
    """

    nodes: Mapping[str, tuple[float, float]]
    ways: tuple[tuple[Run, ...], ...]
    labels: Mapping[int, tuple[float, float]]
    before: frozenset[int]
    titles: Mapping[Path, tuple[float, float]]
    boxes: Mapping[Path, Box]
    across: float
    along: float
