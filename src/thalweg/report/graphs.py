"""Graphs as pictures: nodes as boxes by kind, edges with arrows and labels, groups as frames.

Downwards where that fits, otherwise to the right where that takes less width. ``layout`` says where
everything stands; here it is said how large things are and how they look.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from thalweg.report.colours import Theme
from thalweg.report.frame import LABEL, title
from thalweg.report.layout import Layout, Path, Room, Run, Sketch, Spacing, lay_out
from thalweg.report.parts import GraphEdge, GraphNode, GraphPanel, NodeKind
from thalweg.report.svg import Drawing, element, group, text, text_width, wrap

__all__ = ["MOST_NODES", "draw_graph", "edge_lines", "node_lines", "paths_of", "refuse_many"]

MOST_NODES = 300
NAME, VALUE = 13.0, 11.0
NAME_LINE, VALUE_LINE = 16.0, 14.0
# Wider names and values are broken over several lines.
WIDEST, WIDEST_LABEL = 190.0, 120.0
SIDE, TOP = 9.0, 5.0
RADIUS = 12.0
STACK = 4.0
BESIDE = 5.0
ARROW = 7.0
# Between the tips of two arrows at one node.
NEAREST = 9.0
# Written in a circle: operations whose sign says it all.
SIGNS = frozenset("+-−*×·/÷⊕⊗⊙")
SPACING = Spacing(across=20, lines=9, along=36, beside=14, slope=0.2, widest=70, pad=9, port=13)
KINDS: dict[NodeKind, str] = {
    "input": "input",
    "constant": "constant",
    "operation": "computed",
    "output": "output",
    "fold": "several, folded",
}

# From places across and along to places on the page.
Turn = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True)
class _Shape:
    """How a node is drawn: its words, the size of its box, and whether that is round and a sign."""

    node: GraphNode
    names: tuple[str, ...]
    values: tuple[str, ...]
    width: float
    height: float
    sign: bool = False

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
    down = True
    layout = _laid_out(room, True)
    if layout.across > width:
        beside = _laid_out(room, False)
        if beside.along < layout.across:
            down, layout = False, beside
    size = (layout.across, layout.along) if down else (layout.along, layout.across)
    width = max(width, size[0] + 2)
    left = (width - size[0]) / 2

    def turn(across: float, along: float) -> tuple[float, float]:
        x, y = (across, along) if down else (along, across)
        return left + x, top + 1 + y

    shapes = _shapes(room, down)
    lit = frozenset(panel.highlighted)
    frames = [_frame(room, layout, path, turn, down, theme) for path in layout.boxes]
    edges = [
        _edge(panel.edges[number], number, layout, shapes, turn, down, lit, theme)
        for number in range(len(panel.edges))
    ]
    nodes = [
        _node(node, shapes[node.name], turn(*layout.nodes[node.name]), down, lit, theme)
        for node in panel.nodes
    ]
    keys, below = _keys(panel, top + size[1] + 18, width, theme)
    body = "".join([heading, *frames, *edges, *nodes, keys])
    return Drawing(width, top + size[1] + 4 + below, body)


def refuse_many(panel: GraphPanel) -> None:
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
    return tuple(wrap(label, WIDEST_LABEL, VALUE)) if label else ()


def paths_of(panel: GraphPanel) -> dict[str, Path]:
    """The groups of every node that is in one."""
    return {node.name: node.groups for node in panel.nodes if node.groups}


# --------------------------------------------------------------------------------- what things take


@lru_cache(maxsize=32)
def _laid_out(panel: GraphPanel, down: bool) -> Layout:
    """Where everything stands; kept, as a page draws a graph at several widths."""
    refuse_many(panel)
    paths = paths_of(panel)
    names = {path[:depth] for path in paths.values() for depth in range(1, len(path) + 1)}
    sketch = Sketch(
        nodes={name: _room(shape, down) for name, shape in _shapes(panel, down).items()},
        edges=tuple((edge.source, edge.target) for edge in panel.edges),
        groups=paths,
        labels={
            number: _label_room(edge_lines(edge.label), down)
            for number, edge in enumerate(panel.edges)
            if edge.label
        },
        titles={path: _title_room(path, down) for path in names},
        strips=not down,
    )
    return lay_out(sketch, SPACING)


def _shapes(panel: GraphPanel, down: bool) -> dict[str, _Shape]:
    """How every node is drawn, each with room for the arrows that end at it."""
    arrows = Counter(edge.target for edge in panel.edges)
    return {node.name: _shape(node, arrows[node.name], down) for node in panel.nodes}


def _shape(node: GraphNode, arrows: int, down: bool) -> _Shape:
    names = tuple(wrap(node.label, WIDEST, NAME))
    values = node_lines(node.lines)
    sign = node.kind == "operation" and node.label in SIGNS
    if sign:
        width = height = 2 * RADIUS
    else:
        words = [text_width(name, NAME) for name in names]
        words += [text_width(value, VALUE) for value in values]
        width = max(max(words) + 2 * SIDE, 30.0)
        height = NAME_LINE * len(names) + VALUE_LINE * len(values) + 2 * TOP
    least = (arrows - 1) * NEAREST + RADIUS
    width, height = (max(width, least), height) if down else (width, max(height, least))
    return _Shape(node, names, values, width, height, sign)


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
    more = STACK if shape.node.kind == "fold" else 0.0
    return Room(half, half + more, 2 * (shape.half(not down) + more), spread)


def _label_room(lines: Sequence[str], down: bool) -> Room:
    wide = max(text_width(line, VALUE) for line in lines)
    high = VALUE_LINE * len(lines)
    return Room(0.0, BESIDE + wide, high) if down else Room(0.0, high + 1, wide)


def _title_room(path: Path, down: bool) -> Room:
    wide = text_width(path[-1], LABEL, bold=True)
    # In a strip the name begins as far from the border as everything else.
    return Room(0.0, wide, 15.0) if down else Room(0.0, 15.0, wide + 2 * SPACING.pad)


# ------------------------------------------------------------------------------------ how they look


def _frame(
    panel: GraphPanel, layout: Layout, path: Path, turn: Turn, down: bool, theme: Theme
) -> str:
    """The frame of a group, with its name."""
    box = layout.boxes[path]
    (x1, y1), (x2, y2) = turn(box.across, box.along), turn(box.across_end, box.along_end)
    x, y = turn(*layout.titles[path]) if down else (x1 + SPACING.pad, y1 + SPACING.pad + 5)
    name = text(x, y + 4, path[-1], size=LABEL, font_weight=600, fill=theme("muted"))
    size = {"width": x2 - x1, "height": y2 - y1, "rx": 8}
    return element("rect", x=x1, y=y1, **size, fill=theme("card"), stroke=theme("faint")) + name


def _edge(
    edge: GraphEdge,
    number: int,
    layout: Layout,
    shapes: dict[str, _Shape],
    turn: Turn,
    down: bool,
    lit: frozenset[str],
    theme: Theme,
) -> str:
    """An edge with its arrow and its label."""
    runs = _trimmed(layout, number, shapes[edge.source], shapes[edge.target], down)
    tip = runs[-1].across, runs[-1].end
    # A bend ends before the arrow begins.
    start = min(runs[-1].start, tip[1] - ARROW - 2)
    runs[-1] = runs[-1]._replace(start=start, end=tip[1] - ARROW + 1)
    on = edge.name in lit
    colour = theme("accent" if on else "muted")
    way = element(
        "path", d=_way(runs, turn), fill="none", stroke=colour, stroke_width=2.4 if on else 1.2
    )
    corners = (tip, (tip[0] - 3.4, tip[1] - ARROW), (tip[0] + 3.4, tip[1] - ARROW))
    points = "L".join("{:.1f} {:.1f}".format(*turn(*corner)) for corner in corners)
    parts = [way, element("path", d=f"M{points}Z", fill=colour)]
    if number in layout.labels:
        parts.append(_label(edge, number, layout, turn, down, theme("accent" if on else "ink")))
    return group(parts, data_edge=edge.name)


def _trimmed(layout: Layout, number: int, source: _Shape, target: _Shape, down: bool) -> list[Run]:
    """The runs of an edge from the border of its source as it is drawn to that of its target."""
    runs = list(layout.ways[number])
    middle, below = layout.nodes[source.node.name][1], layout.nodes[target.node.name]
    more = STACK if source.node.kind == "fold" else 0.0
    runs[0] = runs[0]._replace(start=middle + source.half(not down) + more)
    half = target.half(not down)
    if target.sign:
        # Beyond the straight part of its border a sign is round.
        off = abs(runs[-1].across - below[0]) - (target.half(down) - RADIUS)
        half = math.sqrt(RADIUS**2 - min(max(off, 0.0), RADIUS) ** 2)
    runs[-1] = runs[-1]._replace(end=below[1] - half - 1.5)
    return runs


def _way(runs: Sequence[Run], turn: Turn) -> str:
    """Straight pieces along, and bends between them where they stand apart across."""

    def point(across: float, along: float) -> str:
        return "{:.1f} {:.1f}".format(*turn(across, along))

    parts = [f"M{point(runs[0].across, runs[0].start)}"]
    for one, other in pairwise(runs):
        if abs(one.across - other.across) > 0.05:
            half = (one.end + other.start) / 2
            bend = (one.across, half), (other.across, half), (other.across, other.start)
            parts.append(f"L{point(one.across, one.end)}C{' '.join(point(*p) for p in bend)}")
    return "".join([*parts, f"L{point(runs[-1].across, runs[-1].end)}"])


def _label(
    edge: GraphEdge, number: int, layout: Layout, turn: Turn, down: bool, colour: str
) -> str:
    """What is said beside an edge, on the side where room is kept for it."""
    lines = edge_lines(edge.label)
    x, y = turn(*layout.labels[number])
    before = number in layout.before
    if down:
        first = y - VALUE_LINE * (len(lines) - 1) / 2 + 4
        x, anchor = (x - BESIDE, "end") if before else (x + BESIDE, "start")
    else:
        first = y - VALUE_LINE * (len(lines) - 1) - 4 if before else y + VALUE_LINE - 2
        anchor = "middle"
    return "".join(
        text(x, first + VALUE_LINE * index, line, size=VALUE, anchor=anchor, fill=colour)
        for index, line in enumerate(lines)
    )


def _node(
    node: GraphNode,
    shape: _Shape,
    middle: tuple[float, float],
    down: bool,
    lit: frozenset[str],
    theme: Theme,
) -> str:
    """A node: its box or circle, its label, and the lines under or beside it."""
    x, y = middle
    values = node_lines(node.lines)
    parts = [_outline(shape, x, y, node.name in lit, theme)]
    colour = theme("muted" if node.kind == "constant" else "ink")
    anchor = "middle"
    if shape.sign:
        parts.append(text(x, y + 5, node.label, size=15, anchor="middle", fill=colour))
        first = y + shape.half(False) + VALUE_LINE - 2
        if down:
            x, anchor = x + shape.half(True) + BESIDE, "start"
            first = y - VALUE_LINE * (len(shape.values) - 1) / 2 + 4
    else:
        y -= shape.height / 2 - TOP
        parts += [
            text(x, y + NAME_LINE * (index + 1) - 4, name, size=NAME, anchor="middle", fill=colour)
            for index, name in enumerate(shape.names)
        ]
        first = y + NAME_LINE * len(shape.names) + VALUE_LINE - 4
    parts += [
        text(x, first + VALUE_LINE * index, value, size=VALUE, anchor=anchor, fill=theme("muted"))
        for index, value in enumerate(values)
    ]
    return group(parts, data_node=node.name)


def _outline(shape: _Shape, x: float, y: float, on: bool, theme: Theme) -> str:
    """The box or circle of a node, which shows its kind without colour too."""
    kind = shape.node.kind
    colour = {"input": "accent", "output": "good", "constant": "axis"}.get(kind, "muted")
    ink = {
        "fill": theme("paper"),
        "stroke": theme("accent" if on else colour),
        "stroke_width": 2.6 if on else 1.3,
    }
    left, top = x - shape.width / 2, y - shape.height / 2
    size = {"width": shape.width, "height": shape.height}
    radius = min(shape.height / 2, RADIUS) if kind == "input" or shape.sign else 4.0
    dashes = "3 3" if kind == "constant" else None
    box = element("rect", x=left, y=top, **size, rx=radius, stroke_dasharray=dashes, **ink)
    if kind == "fold":
        box = element("rect", x=left + STACK, y=top + STACK, **size, rx=radius, **ink) + box
    if kind == "output":
        inner = {"width": shape.width - 6, "height": shape.height - 6}
        box += element("rect", x=left + 3, y=top + 3, **inner, rx=2, **ink | {"stroke_width": 1})
    return box


def _keys(panel: GraphPanel, top: float, width: float, theme: Theme) -> tuple[str, float]:
    """What the kinds of boxes stand for, where there are several, and the height that takes."""
    kinds = [kind for kind in KINDS if any(node.kind == kind for node in panel.nodes)]
    if len(kinds) < 2:
        return "", 0.0
    parts, x, y = [], 2.0, top
    for kind in kinds:
        needed = text_width(KINDS[kind], LABEL) + 50
        if x > 2 and x + needed > width:
            x, y = 2.0, y + 20
        shape = _Shape(GraphNode("", "", (), kind), (), (), 22, 13)
        parts += [
            _outline(shape, x + 11, y + 8, False, theme),
            text(x + 32, y + 12, KINDS[kind], size=LABEL, fill=theme("muted")),
        ]
        x += needed
    return "".join(parts), y - top + 36
