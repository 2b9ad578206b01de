"""How far across everything stands: edges straight, nodes amid their neighbours, nothing too near.

A linear programme: the weighted distances that edges go across are least in sum, the more so the
longer an edge is, while neighbours in a rank keep their distance and groups hold what is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple

from thalweg.report.layout.optimum import Differences
from thalweg.report.layout.shapes import Path, Room, Sketch, Spacing
from thalweg.report.layout.vertices import NOTHING, Vertex, Web

__all__ = ["Placed", "place_across"]

# What a unit across costs a piece of an edge from a node to a node, from one, to one, and between.
# With 1, 2, 2 and 8 long edges come out straight (Gansner et al. 1993); with these an edge also
# arrives straight, with its label, rather than leaves so.
STRAIGHT = {(True, True): 1.0, (True, False): 1.5, (False, True): 3.0, (False, False): 8.0}
# A piece at a node that goes farther across than so many distances between nodes costs so much more
# for the rest of its way, so that several edges share what they have to go.
FAR, FARTHER = 1.5, 0.8
# Where edges leave a choice, nodes stand amid their neighbours, and the whole is narrow.
AMID, NARROW = 0.15, 0.01


@dataclass(frozen=True)
class Placed:
    """Where vertices stand across, where edges end, and where groups begin and end.

    Args:
        rooms: what each vertex takes, labels on the side on which they stand.
        across: of each vertex.
        ends: by number of the segment, how far from the anchor of its lower vertex it ends.
        before: numbers of the edges whose labels stand before them.
        borders: of each group.
        width: of the whole.
    """

    rooms: list[Room]
    across: list[float]
    ends: list[float]
    before: frozenset[int]
    borders: dict[Path, tuple[float, float]]
    width: float


def place_across(
    web: Web, rows: Sequence[Sequence[int]], sketch: Sketch, spacing: Spacing
) -> Placed:
    """The places that cost least."""
    arrivals = _arrivals(web, rows)
    ends, before = _ends(web, arrivals, spacing)
    rooms = [_sided(vertex, before) for vertex in web.vertices]
    problem = Differences()
    across = [problem.variable() for _ in web.vertices]
    borders = {path: (problem.variable(), problem.variable()) for path in web.spans}
    walls = problem.variable(), problem.variable()
    problem.apart(*walls, 0.0)
    problem.near(*walls, NARROW)
    for border in borders.values():
        problem.near(*border, NARROW)
    for row in rows:
        posts = [_Post(walls[0], "wall"), *_posts(web, row, rooms, across, borders, sketch)]
        for one, other in pairwise([*posts, _Post(walls[1], "wall")]):
            least = one.after + _gap(one, other, spacing) + other.before
            problem.apart(one.variable, other.variable, least)
    for number, segment in enumerate(web.segments):
        above, below = (bool(web.vertices[v].node) for v in segment[:2])
        wanted = across[segment.below], [across[segment.above]], ends[number]
        problem.close(*wanted, weight=STRAIGHT[above, below])
        if above or below:
            problem.close(*wanted, weight=FARTHER, free=FAR * spacing.across)
    for neighbours in (web.above, web.below):
        for vertex, others in enumerate(neighbours):
            if len(others) > 1:
                reached = [across[_beyond(web, v, neighbours)] for v in others]
                problem.close(across[vertex], reached, weight=AMID)
    for number, vertex in enumerate(web.vertices):
        if vertex.title:
            problem.near(borders[vertex.path][0], across[number], NARROW)
    found = problem.solved()
    start = found[walls[0]]
    return Placed(
        rooms,
        [found[variable] - start for variable in across],
        ends,
        before,
        {path: (found[low] - start, found[high] - start) for path, (low, high) in borders.items()},
        found[walls[1]] - start,
    )


def _beyond(web: Web, vertex: int, neighbours: Sequence[Sequence[int]]) -> int:
    """Where the way through a vertex comes to the next rank of nodes."""
    while not web.holds_nodes[web.vertices[vertex].rank]:
        (vertex,) = neighbours[vertex]
    return vertex


def _arrivals(web: Web, rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """The segments into each vertex, in order."""
    place = {vertex: index for row in rows for index, vertex in enumerate(row)}
    found: list[list[int]] = [[] for _ in web.vertices]
    for number, segment in enumerate(web.segments):
        found[segment.below].append(number)
    for numbers in found:
        numbers.sort(key=lambda number: place[web.segments[number].above])
    return found


def _ends(
    web: Web, arrivals: Sequence[Sequence[int]], spacing: Spacing
) -> tuple[list[float], frozenset[int]]:
    """Where segments end, side by side on their node, and the edges with their labels before."""
    ends = [0.0] * len(web.segments)
    before: set[int] = set()
    for vertex, numbers in zip(web.vertices, arrivals, strict=True):
        if len(numbers) > 1:
            step = min(spacing.port, vertex.room.spread / (len(numbers) - 1))
            for index, number in enumerate(numbers):
                ends[number] = (index - (len(numbers) - 1) / 2) * step
            # Labels on the outer sides leave the edges near to one another.
            before |= {web.segments[number].edge for number in numbers[: len(numbers) // 2]}
    return ends, frozenset(before)


def _sided(vertex: Vertex, before: frozenset[int]) -> Room:
    """What a vertex takes; a label that stands before its edge takes it there."""
    room = vertex.room
    if vertex.edge in before and room is not NOTHING:
        return replace(room, before=room.after, after=room.before)
    return room


class _Post(NamedTuple):
    """Something that stands in a rank beside others: a vertex, or the border of a group."""

    variable: int
    kind: Literal["node", "line", "start", "end", "wall"]
    before: float = 0.0
    after: float = 0.0


def _posts(
    web: Web,
    row: Sequence[int],
    rooms: Sequence[Room],
    across: Sequence[int],
    borders: Mapping[Path, tuple[int, int]],
    sketch: Sketch,
) -> Iterator[_Post]:
    """What stands in a rank, with the borders of the groups that begin and end between."""
    path: Path = ()
    for number in [*row, None]:
        reached = () if number is None else web.vertices[number].path
        shared = sum(path[:depth] == reached[:depth] for depth in range(1, len(path) + 1))
        for depth in range(len(path), shared, -1):
            yield _Post(borders[path[:depth]][1], "end")
        for depth in range(shared + 1, len(reached) + 1):
            title = sketch.titles.get(reached[:depth], NOTHING)
            strip = title.before + title.after if sketch.strips else 0.0
            yield _Post(borders[reached[:depth]][0], "start", after=strip)
        if number is not None:
            room = rooms[number]
            kind = "node" if web.vertices[number].node else "line"
            yield _Post(across[number], kind, room.before, room.after)
        path = reached


def _gap(one: _Post, other: _Post, spacing: Spacing) -> float:
    """What is left free between two neighbours."""
    kinds = one.kind, other.kind
    if "wall" in kinds:
        return 0.0
    if one.kind == "start" or other.kind == "end":
        return spacing.pad
    return spacing.lines if "line" in kinds else spacing.across
