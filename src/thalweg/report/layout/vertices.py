"""A graph in ranks: every edge in pieces from one rank to the next, with vertices between them.

Ranks are the layers of nodes and, where they are needed, ranks of labels and of names of groups
before them. What stands on the way of an edge or names a group is a vertex of its own, so that room
is kept for it as for a node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from thalweg.report.layout.layers import layers_of
from thalweg.report.layout.shapes import Path, Room, Sketch

__all__ = ["Segment", "Vertex", "Web", "web_of"]

NOTHING = Room(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Vertex:
    """Something that takes room in a rank.

    Args:
        rank: which.
        room: what it takes.
        path: the groups that it is in.
        node: its name, where it is a node.
        edge: the number of the edge on whose way it is, or -1.
        title: whether it is the name of its innermost group.
    """

    rank: int
    room: Room
    path: Path
    node: str = ""
    edge: int = -1
    title: bool = False


class Segment(NamedTuple):
    """A piece of an edge, from a vertex to one in the next rank."""

    above: int
    below: int
    edge: int


@dataclass
class Web:
    """Vertices and segments, the ranks that groups span, and which ranks hold nodes."""

    vertices: list[Vertex] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    spans: dict[Path, tuple[int, int]] = field(default_factory=dict)
    holds_nodes: list[bool] = field(default_factory=list)

    @property
    def above(self) -> list[list[int]]:
        """What is joined to each vertex from the rank before."""
        found: list[list[int]] = [[] for _ in self.vertices]
        for segment in self.segments:
            found[segment.below].append(segment.above)
        return found

    @property
    def below(self) -> list[list[int]]:
        """What is joined to each vertex from the rank behind."""
        found: list[list[int]] = [[] for _ in self.vertices]
        for segment in self.segments:
            found[segment.above].append(segment.below)
        return found


def web_of(sketch: Sketch) -> Web:
    """The graph in ranks."""
    layers = layers_of(list(sketch.nodes), sketch.edges, sketch.groups)
    ranks = _Ranks(sketch, layers)
    web = Web(spans=ranks.spans, holds_nodes=ranks.holds_nodes)
    numbers: dict[str, int] = {}
    for name, room in sketch.nodes.items():
        numbers[name] = len(web.vertices)
        path = sketch.groups.get(name, ())
        web.vertices.append(Vertex(ranks.of_layer[layers[name]], room, path, node=name))
    for edge, (source, target) in enumerate(sketch.edges):
        _lay_edge(web, sketch, ranks, edge, numbers[source], numbers[target])
    if not sketch.strips:
        for path, room in sketch.titles.items():
            web.vertices.append(Vertex(ranks.spans[path][0], room, path, title=True))
    _fill(web)
    return web


class _Ranks:
    """Which rank each layer becomes, and where labels and names of groups go."""

    def __init__(self, sketch: Sketch, layers: Mapping[str, int]) -> None:
        held: dict[Path, list[int]] = {}
        for name, path in sketch.groups.items():
            for depth in range(1, len(path) + 1):
                held.setdefault(path[:depth], []).append(layers[name])
        begins = {path: min(found) for path, found in held.items()}
        labelled = {layers[sketch.edges[edge][1]] for edge in sketch.labels}
        self.of_layer: list[int] = []
        self.of_labels: dict[int, int] = {}
        self.holds_nodes: list[bool] = []
        titles: dict[Path, int] = {}
        for layer in range(max(layers.values(), default=-1) + 1):
            for depth in range(1, max(map(len, begins), default=0) + 1):
                named = [p for p, first in begins.items() if first == layer and len(p) == depth]
                named = [p for p in named if p in sketch.titles and not sketch.strips]
                titles |= dict.fromkeys(named, len(self.holds_nodes))
                self.holds_nodes += [False] * bool(named)
            if layer in labelled:
                self.of_labels[layer] = len(self.holds_nodes)
                self.holds_nodes.append(False)
            self.of_layer.append(len(self.holds_nodes))
            self.holds_nodes.append(True)
        self.layers = layers
        self.spans = {
            path: (titles.get(path, self.of_layer[min(found)]), self.of_layer[max(found)])
            for path, found in sorted(held.items(), key=lambda entry: len(entry[0]))
        }


def _lay_edge(web: Web, sketch: Sketch, ranks: _Ranks, edge: int, source: int, target: int) -> None:
    """Put a vertex into every rank that an edge passes, and join them."""
    first, last = web.vertices[source], web.vertices[target]
    label = ranks.of_labels.get(ranks.layers[last.node]) if edge in sketch.labels else None
    before = source
    for rank in range(first.rank + 1, last.rank):
        path = _path_at(rank, first.path, last.path, ranks.spans)
        room = sketch.labels[edge] if rank == label else NOTHING
        web.vertices.append(Vertex(rank, room, path, edge=edge))
        web.segments.append(Segment(before, len(web.vertices) - 1, edge))
        before = len(web.vertices) - 1
    web.segments.append(Segment(before, target, edge))


def _path_at(rank: int, source: Path, target: Path, spans: Mapping[Path, tuple[int, int]]) -> Path:
    """The groups that an edge is in at a rank: those of its target as soon as they have begun."""
    for path, other in ((target, source), (source, target)):
        while path and not spans[path][0] <= rank <= spans[path][1]:
            path = path[:-1]
        if path != other[: len(path)]:
            return path
    return path


def _fill(web: Web) -> None:
    """Put something into every rank of every group, so that its border is kept everywhere."""
    held = {
        (vertex.path[:depth], vertex.rank)
        for vertex in web.vertices
        for depth in range(1, len(vertex.path) + 1)
    }
    for path, (first, last) in sorted(web.spans.items(), key=lambda span: -len(span[0])):
        for rank in range(first, last + 1):
            if (path, rank) not in held:
                web.vertices.append(Vertex(rank, NOTHING, path))
                held |= {(path[:depth], rank) for depth in range(1, len(path) + 1)}
