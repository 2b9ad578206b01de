"""A layout as a whole: ranks, their order, places across, and then places along."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from thalweg.report.layout.ordering import rows_of
from thalweg.report.layout.placing import Placed, place_across
from thalweg.report.layout.shapes import Box, Layout, Path, Run, Sketch, Spacing
from thalweg.report.layout.vertices import NOTHING, Web, web_of

__all__ = ["lay_out"]


def lay_out(sketch: Sketch, spacing: Spacing) -> Layout:
    """Where everything is.

    Raises:
        ValueError: if the edges make a circle.
    """
    web = web_of(sketch)
    placed = place_across(web, rows_of(web), sketch, spacing)
    ranks = _Ranks(web, sketch, placed, spacing)
    nodes, labels, titles = {}, {}, {}
    for vertex, across in zip(web.vertices, placed.across, strict=True):
        place = across, (ranks.starts[vertex.rank] + ranks.stops[vertex.rank]) / 2
        if vertex.node:
            nodes[vertex.node] = place
        elif vertex.title:
            titles[vertex.path] = place
        elif vertex.edge >= 0 and vertex.room is not NOTHING:
            labels[vertex.edge] = place
    boxes = {
        path: Box(low, ranks.begins[path], high, ranks.ends[path])
        for path, (low, high) in placed.borders.items()
    }
    ways = _ways(web, sketch, placed, ranks)
    return Layout(nodes, ways, labels, placed.before, titles, boxes, placed.width, ranks.along)


class _Ranks:
    """Where every rank, and every group, begins and ends along."""

    def __init__(self, web: Web, sketch: Sketch, placed: Placed, spacing: Spacing) -> None:
        lengths = [0.0] * len(web.holds_nodes)
        for vertex in web.vertices:
            lengths[vertex.rank] = max(lengths[vertex.rank], vertex.room.along)
        gaps = _gaps(web, placed, spacing)
        levels = _levels(web.spans)
        self.starts: list[float] = []
        self.stops: list[float] = []
        self.begins: dict[Path, float] = {}
        self.ends: dict[Path, float] = {}
        place = 0.0
        for rank, (gap, length) in enumerate(zip(gaps, lengths, strict=True)):
            begun = [path for path, (first, _) in web.spans.items() if first == rank]
            place += gap + spacing.pad * max((levels[path] for path in begun), default=0)
            self.starts.append(place)
            self.begins |= {path: place - spacing.pad * levels[path] for path in begun}
            self.stops.append(place + length)
            place = self._close(web.spans, sketch, spacing.pad)
        self.along = place

    def _close(self, spans: Mapping[Path, tuple[int, int]], sketch: Sketch, pad: float) -> float:
        """End the groups that end with the last rank, the inner ones first; the end of them all."""
        rank, stop = len(self.stops) - 1, self.stops[-1]
        ended = [path for path in sorted(spans, key=len, reverse=True) if spans[path][1] == rank]
        for path in ended:
            inner = [self.ends[other] for other in ended if other[:-1] == path]
            self.ends[path] = max([stop, *inner]) + pad
            if sketch.strips and path in sketch.titles:
                least = self.begins[path] + sketch.titles[path].along
                self.ends[path] = max(self.ends[path], least)
        return max([stop, *(self.ends[path] for path in ended)])


def _gaps(web: Web, placed: Placed, spacing: Spacing) -> list[float]:
    """What is left free before each rank, the more the farther across its edges go."""
    gaps = [0.0] * len(web.holds_nodes)
    for rank, pair in enumerate(pairwise(web.holds_nodes), 1):
        gaps[rank] = spacing.along if all(pair) else spacing.beside
    for segment, end in zip(web.segments, placed.ends, strict=True):
        rank = web.vertices[segment.below].rank
        far = abs(placed.across[segment.below] + end - placed.across[segment.above])
        bend = spacing.beside + min(spacing.slope * far, spacing.widest)
        gaps[rank] = max(gaps[rank], bend if far > 0.05 else 0.0)
    return gaps


def _levels(spans: Mapping[Path, tuple[int, int]]) -> dict[Path, int]:
    """How many borders begin with the first rank of each group, from its own inwards."""
    levels: dict[Path, int] = {}
    for path in sorted(spans, key=len, reverse=True):
        within = (
            level
            for inner, level in levels.items()
            if inner[:-1] == path and spans[inner][0] == spans[path][0]
        )
        levels[path] = 1 + max(within, default=0)
    return levels


def _ways(web: Web, sketch: Sketch, placed: Placed, ranks: _Ranks) -> tuple[tuple[Run, ...], ...]:
    """The runs of every edge, from the border of its source to that of its target."""
    ways: list[list[Run]] = [[] for _ in sketch.edges]
    for segment, end in zip(web.segments, placed.ends, strict=True):
        above, below = web.vertices[segment.above], web.vertices[segment.below]
        way = ways[segment.edge]
        if above.node:
            middle = (ranks.starts[above.rank] + ranks.stops[above.rank]) / 2
            start = middle + above.room.along / 2
            way.append(Run(placed.across[segment.above], start, ranks.stops[above.rank]))
        across, start, stop = (
            placed.across[segment.below] + end,
            *(places[below.rank] for places in (ranks.starts, ranks.stops)),
        )
        if below.node:
            stop = (start + stop) / 2 - below.room.along / 2
        way.append(Run(across, start, stop))
    return tuple(map(tuple, ways))
