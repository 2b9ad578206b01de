"""Graphs as pictures: nodes as boxes by kind, edges with arrows and labels, groups as frames.

Downwards where that fits, otherwise to the right where that takes less width. ``layout`` says where
everything stands; here it is said how large things are and how they look.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from thalweg.report.colours import Theme
from thalweg.report.frame import LABEL, title
from thalweg.report.layout import Layout, Path, Room, Run, Sketch, Spacing, lay_out
from thalweg.report.parts import NODE_KINDS, GraphEdge, GraphNode, GraphPanel
from thalweg.report.svg import Drawing, element, group, text, text_width, wrap

__all__ = ["MOST_NODES", "SIGNS", "draw_graph", "edge_lines", "node_lines"]

MOST_NODES = 300
NAME, VALUE = 13.0, 11.0
NAME_LINE, VALUE_LINE = 16.0, 14.0
# Wider names and values are broken over several lines.
WIDEST, WIDEST_LABEL = 190.0, 120.0
SIDE, TOP = 9.0, 5.0
RADIUS = 12.0
STACK = 4.0
# How far a loop goes beside its node, and half of how far apart its ends are.
LOOP, APART = 22.0, 7.0
BESIDE = 5.0
# The colour of what stands out.
LIT = "series-1"
ARROW = 7.0
# Between the tips of two arrows at one node.
NEAREST = 9.0
# Written in a circle: operations whose sign says it all.
SIGNS = frozenset("+-−*×·/÷⊕⊗⊙")
SPACING = Spacing(across=20, lines=9, along=36, beside=14, slope=0.2, widest=70, pad=9, port=13)


@dataclass(frozen=True)
class _Shape:
    """How a node is drawn.

    Args:
        node: which.
        names, values: its words, line by line.
        width, height: of its box.
        sign: whether it is round, and a sign in it says all.
        loop: what is said beside its loop, line by line; None where it has none.
    """

    node: GraphNode
    names: tuple[str, ...]
    values: tuple[str, ...]
    width: float
    height: float
    sign: bool = False
    loop: tuple[str, ...] | None = None

    def half(self, horizontal: bool) -> float:
        """Half of the width, or of the height."""
        return (self.width if horizontal else self.height) / 2


def draw_graph(
    panel: GraphPanel, width: float, theme: Theme, room: GraphPanel | None = None
) -> Drawing:
    """A graph, ``width`` pixels wide, or wider where it could not be read otherwise.

    Args:
        panel: what to draw.
        width: in pixels.
        theme: which colours.
        room: the same graph with the most that its nodes and edges may have to say, where what they
            say changes while everything stays in its place.

    Raises:
        ValueError: if the graph has more nodes than can be read, or goes in a circle.
    """
    room = room or panel
    heading, top = title(panel.title, width, theme)
    layout, down = _laid_out(room, True), True
    if layout.across > width:
        beside = _laid_out(room, False)
        if beside.along < layout.across:
            layout, down = beside, False
    across, along = (layout.across, layout.along) if down else (layout.along, layout.across)
    width = max(width, across + 2)
    shapes = _shapes(room, down)
    picture = _Picture(layout, shapes, down, (width - across) / 2, top + 1, theme)
    lit = frozenset(panel.highlighted)
    body = [heading, *map(picture.frame, layout.boxes)]
    edges = [both for both in zip(panel.edges, room.edges, strict=True) if not both[0].loops]
    for number, (edge, most) in enumerate(edges):
        body.append(picture.edge(number, edge, len(edge_lines(most.label)), edge.name in lit))
    body += [picture.loop(edge, edge.name in lit) for edge in panel.edges if edge.loops]
    body += [picture.node(node, node.name in lit) for node in panel.nodes]
    keys, below = _keys(panel, top + along + 18, width, theme)
    return Drawing(width, top + along + 4 + below, "".join([*body, keys]))


def _refuse_many(panel: GraphPanel) -> None:
    """Refuse a graph that nobody could read.

    Raises:
        ValueError: if it has more nodes than that.
    """
    if len(panel.nodes) > MOST_NODES:
        raise ValueError(
            f"a graph of {len(panel.nodes):,} nodes is too large to be drawn (at most {MOST_NODES} "
            "can be read); fold named parts of it, or the steps of a loop, into one node each"
        )


def node_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines under the label of a node as they are drawn, long ones broken."""
    return tuple(piece for line in lines for piece in wrap(line, WIDEST, VALUE))


def edge_lines(label: str) -> tuple[str, ...]:
    """The label of an edge as it is drawn, broken where it is long."""
    lines = label.strip().splitlines()
    return tuple(piece for line in lines for piece in wrap(line, WIDEST_LABEL, VALUE))


# --------------------------------------------------------------------------------- what things take


@lru_cache(maxsize=32)
def _laid_out(panel: GraphPanel, down: bool) -> Layout:
    """Where everything stands; kept, as a page draws a graph at several widths."""
    _refuse_many(panel)
    paths = {node.name: node.groups for node in panel.nodes if node.groups}
    # In the order of the nodes, as an order by chance would make another picture every time.
    names = dict.fromkeys(p[:depth] for p in paths.values() for depth in range(1, len(p) + 1))
    edges = [edge for edge in panel.edges if not edge.loops]
    sketch = Sketch(
        nodes={name: _room(shape, down) for name, shape in _shapes(panel, down).items()},
        edges=tuple((edge.source, edge.target) for edge in edges),
        groups=paths,
        labels={
            number: _label_room(edge_lines(edge.label), down)
            for number, edge in enumerate(edges)
            if edge_lines(edge.label)
        },
        titles={path: _title_room(path, down) for path in names},
        strips=not down,
    )
    return lay_out(sketch, SPACING)


def _shapes(panel: GraphPanel, down: bool) -> dict[str, _Shape]:
    """How every node is drawn, each with room for the arrows that end at it."""
    arrows = Counter(edge.target for edge in panel.edges if not edge.loops)
    loops = {edge.source: edge_lines(edge.label) for edge in panel.edges if edge.loops}
    return {
        node.name: _shape(node, arrows[node.name], loops.get(node.name), down)
        for node in panel.nodes
    }


def _shape(node: GraphNode, arrows: int, loop: tuple[str, ...] | None, down: bool) -> _Shape:
    names = tuple(wrap(node.label, WIDEST, NAME))
    values = node_lines(node.lines)
    sign = node.kind == "operation" and node.label in SIGNS and loop is None
    if sign:
        width = height = 2 * RADIUS
    else:
        words = [text_width(name, NAME) for name in names]
        words += [text_width(value, VALUE) for value in values]
        width = max(max(words) + 2 * SIDE, 30.0)
        height = NAME_LINE * len(names) + VALUE_LINE * len(values) + 2 * TOP
    least = (arrows - 1) * NEAREST + RADIUS
    width, height = (max(width, least), height) if down else (width, max(height, least))
    return _Shape(node, names, values, width, height, sign, loop)


def _room(shape: _Shape, down: bool) -> Room:
    """What a node takes across and along, with the words beside a sign."""
    half, spread = shape.half(down), 2 * shape.half(down) - RADIUS
    if shape.sign:
        wide = max((text_width(value, VALUE) for value in shape.values), default=0.0)
        high = VALUE_LINE * len(shape.values)
        if down:
            beside = BESIDE + wide if wide else 0.0
            return Room(half, half + beside, max(2 * RADIUS, high), spread)
        return Room(half, half + high, max(2 * RADIUS, wide), spread)
    return Room(half, half + _loop_room(shape, down), 2 * shape.half(not down), spread)


def _loop_room(shape: _Shape, down: bool) -> float:
    """What a loop takes across beside its node, with what is said beside it."""
    if shape.loop is None:
        return 0.0
    return STACK + LOOP + (_label_room(shape.loop, down).after if shape.loop else 0.0)


def _label_room(lines: Sequence[str], down: bool) -> Room:
    wide = max(text_width(line, VALUE) for line in lines)
    high = VALUE_LINE * len(lines)
    return Room(0.0, BESIDE + wide, high) if down else Room(0.0, high + 1, wide)


def _title_room(path: Path, down: bool) -> Room:
    wide = text_width(path[-1], LABEL, bold=True)
    # In a strip the name begins as far from the border as everything else.
    return Room(0.0, wide, 15.0) if down else Room(0.0, 15.0, wide + 2 * SPACING.pad)


# ------------------------------------------------------------------------------------ how they look


@dataclass(frozen=True)
class _Picture:
    """A layout as it is drawn, downwards or to the right, from a corner of the page on."""

    layout: Layout
    shapes: dict[str, _Shape]
    down: bool
    left: float
    top: float
    theme: Theme

    def at(self, across: float, along: float) -> tuple[float, float]:
        """A place on the page."""
        x, y = (across, along) if self.down else (along, across)
        return self.left + x, self.top + y

    def frame(self, path: Path) -> str:
        """The frame of a group, with its name."""
        box = self.layout.boxes[path]
        x1, y1 = self.at(box.across, box.along)
        x2, y2 = self.at(box.across_end, box.along_end)
        x, y = x1 + SPACING.pad, y1 + SPACING.pad + 5
        if self.down:
            x, y = self.at(*self.layout.titles[path])
        size = {"width": x2 - x1, "height": y2 - y1, "rx": 8}
        ink = {"fill": self.theme("card"), "stroke": self.theme("faint")}
        name = {"size": LABEL, "font_weight": 600, "fill": self.theme("muted")}
        return element("rect", x=x1, y=y1, **size, **ink) + text(x, y + 4, path[-1], **name)

    def edge(self, number: int, edge: GraphEdge, lines: int, on: bool) -> str:
        """An edge with its arrow, and its label in the room that is kept for so many lines."""
        runs = self._runs(number, self.shapes[edge.source], self.shapes[edge.target])
        across, tip = runs[-1].across, runs[-1].end
        # A bend ends before the arrow begins.
        start = min(runs[-1].start, tip - ARROW - 2)
        runs[-1] = runs[-1]._replace(start=start, end=tip - ARROW + 1)
        colour = self.theme(LIT if on else "muted")
        line = {"fill": "none", "stroke": colour, "stroke_width": 2.4 if on else 1.2}
        corners = (across, tip), (across - 3.4, tip - ARROW), (across + 3.4, tip - ARROW)
        arrow = "L".join(self._point(*corner) for corner in corners)
        parts = [
            element("path", d=self._way(runs), **line),
            element("path", d=f"M{arrow}Z", fill=colour),
        ]
        if lines:
            parts.append(self._label(number, edge, lines, on))
        return group(parts, data_edge=edge.name)

    def loop(self, edge: GraphEdge, on: bool) -> str:
        """An edge that leads from beside its node back to it."""
        shape = self.shapes[edge.source]
        across, along = self.layout.nodes[edge.source]
        border = across + shape.half(self.down) + STACK * (shape.node.kind == "fold")
        # A curve goes three quarters of the way to the points that bend it.
        far, tip = border + LOOP / 0.75, border + 1.5
        bend = (far, along + APART), (far, along - APART), (tip + ARROW - 1, along - APART)
        corners = (tip, -APART), (tip + ARROW, -APART - 3.4), (tip + ARROW, -APART + 3.4)
        arrow = "L".join(self._point(x, along + off) for x, off in corners)
        colour = self.theme(LIT if on else "muted")
        line = {"fill": "none", "stroke": colour, "stroke_width": 2.4 if on else 1.2}
        way = " ".join(self._point(*place) for place in bend)
        parts = [
            element("path", d=f"M{self._point(border, along + APART)}C{way}", **line),
            element("path", d=f"M{arrow}Z", fill=colour),
        ]
        lines = shape.loop or ()
        x, y = self.at(border + LOOP, along)
        ink = self.theme(LIT if on else "ink")
        if self.down:
            x, y, anchor = x + BESIDE, y - VALUE_LINE * (len(lines) - 1) / 2 + 4, "start"
        else:
            y, anchor = y + VALUE_LINE - 2, "middle"
        parts.append(_said(x, y, edge_lines(edge.label), len(lines), anchor, ink))
        return group(parts, data_edge=edge.name)

    def _runs(self, number: int, source: _Shape, target: _Shape) -> list[Run]:
        """The runs of an edge from the border of its source as drawn to that of its target."""
        nodes, down = self.layout.nodes, self.down
        runs = list(self.layout.ways[number])
        runs[0] = runs[0]._replace(start=nodes[source.node.name][1] + source.half(not down))
        across, along = nodes[target.node.name]
        half = target.half(not down)
        if target.sign:
            # Beyond the straight part of its border a sign is round.
            off = abs(runs[-1].across - across) - (target.half(down) - RADIUS)
            half = math.sqrt(RADIUS**2 - min(max(off, 0.0), RADIUS) ** 2)
        runs[-1] = runs[-1]._replace(end=along - half - 1.5)
        return runs

    def _way(self, runs: Sequence[Run]) -> str:
        """Straight pieces along, and bends between them where they stand apart across."""
        parts = [f"M{self._point(runs[0].across, runs[0].start)}"]
        for one, other in pairwise(runs):
            if abs(one.across - other.across) > 0.05:
                half = (one.end + other.start) / 2
                bend = (one.across, half), (other.across, half), (other.across, other.start)
                parts.append(f"L{self._point(one.across, one.end)}C")
                parts.append(" ".join(self._point(*place) for place in bend))
        return "".join([*parts, f"L{self._point(runs[-1].across, runs[-1].end)}"])

    def _point(self, across: float, along: float) -> str:
        return "{:.1f} {:.1f}".format(*self.at(across, along))

    def _label(self, number: int, edge: GraphEdge, lines: int, on: bool) -> str:
        """What is said beside an edge, on the side where room is kept for it."""
        x, y = self.at(*self.layout.labels[number])
        before = number in self.layout.before
        if self.down:
            y -= VALUE_LINE * (lines - 1) / 2 - 4
            x, anchor = (x - BESIDE, "end") if before else (x + BESIDE, "start")
        else:
            y += -VALUE_LINE * (lines - 1) - 4 if before else VALUE_LINE - 2
            anchor = "middle"
        colour = self.theme(LIT if on else "ink")
        return _said(x, y, edge_lines(edge.label), lines, anchor, colour)

    def node(self, node: GraphNode, on: bool) -> str:
        """A node: its box or circle, its label, and the lines under or beside it."""
        shape, theme = self.shapes[node.name], self.theme
        x, y = self.at(*self.layout.nodes[node.name])
        parts = [_outline(shape, x, y, on, theme)]
        colour = theme("muted" if node.kind == "constant" else "ink")
        lines, anchor = len(shape.values), "middle"
        if shape.sign:
            parts.append(text(x, y + 5, node.label, size=15, anchor="middle", fill=colour))
            first = y + shape.half(False) + VALUE_LINE - 2
            if self.down:
                x, anchor = x + shape.half(True) + BESIDE, "start"
                first = y - VALUE_LINE * (lines - 1) / 2 + 4
        else:
            first = y - shape.half(False) + TOP + NAME_LINE - 4
            for index, name in enumerate(shape.names):
                below = first + NAME_LINE * index
                parts.append(text(x, below, name, size=NAME, anchor="middle", fill=colour))
            first += NAME_LINE * len(shape.names) - 2
        parts.append(_said(x, first, node_lines(node.lines), lines, anchor, theme("muted")))
        return group(parts, data_node=node.name)


def _said(x: float, y: float, lines: Sequence[str], count: int, anchor: str, colour: str) -> str:
    """Lines that may change, in as many places as there may be of them."""
    style = {"size": VALUE, "anchor": anchor, "class_": "said", "fill": colour}
    return "".join(
        text(x, y + VALUE_LINE * index, lines[index] if index < len(lines) else "", **style)
        for index in range(count)
    )


def _outline(shape: _Shape, x: float, y: float, on: bool, theme: Theme) -> str:
    """The box or circle of a node, which shows its kind without colour too."""
    kind = shape.node.kind
    colour = {"input": "accent", "output": "good", "constant": "axis"}.get(kind, "muted")
    ink = {
        "fill": theme("paper"),
        "stroke": theme(LIT if on else colour),
        "stroke_width": 2.6 if on else 1.3,
    }
    left, top = x - shape.width / 2, y - shape.height / 2
    radius = min(shape.height / 2, RADIUS) if kind == "input" or shape.sign else 4.0
    size = {"width": shape.width, "height": shape.height, "rx": radius}
    dashes = "3 3" if kind == "constant" else None
    box = element("rect", x=left, y=top, **size, stroke_dasharray=dashes, **ink)
    if kind == "fold":
        box = element("rect", x=left + STACK, y=top + STACK, **size, **ink) + box
    if kind == "output":
        inner = {"width": shape.width - 6, "height": shape.height - 6, "rx": 2.0}
        thin = {**ink, "stroke_width": 1.0}
        box += element("rect", x=left + 3, y=top + 3, **inner, **thin)
    if on or theme.name == "page":
        # On a page it waits for the step that it is about.
        fill, opacity = (theme(LIT), 0.14) if on else ("none", None)
        tint = {"class_": "tint", "fill": fill, "fill_opacity": opacity}
        box += element("rect", x=left, y=top, **size, **tint)
    return box


def _keys(panel: GraphPanel, top: float, width: float, theme: Theme) -> tuple[str, float]:
    """What the kinds of boxes stand for, where there are several, and the height that takes."""
    if len(panel.kinds) < 2:
        return "", 0.0
    parts, x, y = [], 2.0, top
    for kind in panel.kinds:
        needed = text_width(NODE_KINDS[kind], LABEL) + 50
        if x > 2 and x + needed > width:
            x, y = 2.0, y + 20
        shape = _Shape(GraphNode("", "", (), kind), (), (), 22, 13)
        parts += [
            _outline(shape, x + 11, y + 8, False, theme),
            text(x + 32, y + 12, NODE_KINDS[kind], size=LABEL, fill=theme("muted")),
        ]
        x += needed
    return "".join(parts), y - top + 36
