"""Graphs drawn with characters: boxes, lines between them, arrows.

``layout`` says what stands where, in columns. Between two ranks every line goes down from where it
begins to a row of its own, along that to above its ends, and down again; lines that would touch lie
in different rows (the left-edge algorithm of channel routing, Hashimoto and Stevens 1971). Where
two lines cross, the one that goes down is drawn.
"""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from thalweg.report.graphs import SIGNS
from thalweg.report.layout import Layout, Room, Run, Sketch, Spacing, lay_out
from thalweg.report.parts import NODE_KINDS, GraphEdge, GraphNode, GraphPanel, NodeKind

__all__ = ["graph_lines"]

# Larger graphs are tables: a picture of many screens shows less than a list.
MOST_NODES = 40
WIDEST, WIDEST_LABEL = 24, 14
SPACING = Spacing(across=3, lines=2, along=1, beside=1, slope=0, widest=0, pad=1, port=2)
# Corners and sides of boxes, and where a line leaves one.
BORDERS: dict[NodeKind, str] = {
    "input": "╭─╮│╰╯┬",
    "constant": "┌╌┐╎└┘┬",
    "operation": "┌─┐│└┘┬",
    "output": "╔═╗║╚╝╤",
    "fold": "┏━┓┃┗┛┯",
}
# By whether a line goes up, right, down and left.
JOINTS = {
    (True, False, True, False): "│",
    (False, True, False, True): "─",
    (True, True, False, False): "└",
    (True, False, False, True): "┘",
    (False, True, True, False): "┌",
    (False, False, True, True): "┐",
    (True, True, True, False): "├",
    (True, False, True, True): "┤",
    (False, True, True, True): "┬",
    (True, True, False, True): "┴",
    (True, True, True, True): "┼",
}


def graph_lines(panel: GraphPanel) -> list[str] | None:
    """A graph as lines of text; None where it is large or characters cannot show it.

    Raises:
        ValueError: if the graph goes in a circle.
    """
    if not 0 < len(panel.nodes) <= MOST_NODES:
        return None
    edges = [edge for edge in panel.edges if not edge.loops]
    loops = {edge.source: edge.label for edge in panel.edges if edge.loops}
    arrows = Counter(edge.target for edge in edges)
    blocks = {
        node.name: _block(node, arrows[node.name], loops.get(node.name)) for node in panel.nodes
    }
    labels = {
        number: textwrap.wrap(edge.label, WIDEST_LABEL)
        for number, edge in enumerate(edges)
        if edge.label.strip()
    }
    layout = lay_out(_sketch(edges, blocks, labels), SPACING)
    channels = _channels(layout)
    if not all(channel.routed() for channel in channels.values()):
        return None
    canvas = _Canvas(channels)
    tops = {
        name: canvas.row(along - len(blocks[name].rows) / 2)
        for name, (_, along) in layout.nodes.items()
    }
    for number, edge in enumerate(edges):
        source = blocks[edge.source]
        foot = tops[edge.source] + (1 if source.sign else len(source.rows))
        canvas.draw_way(layout.ways[number], foot)
        if number in labels:
            before = number in layout.before
            canvas.draw_label(labels[number], *layout.labels[number], before)
    for name, block in blocks.items():
        column = _column(layout.nodes[name][0])
        canvas.draw_block(block, tops[name], column)
        if not block.sign and any(edge.source == name for edge in edges):
            canvas.write(tops[name] + len(block.rows) - 1, column, BORDERS[block.kind][-1])
    return [*canvas.lines(), *_keys(panel)]


@dataclass(frozen=True)
class _Block:
    """A node as characters: its rows, how far they reach about its column, and where it ends."""

    kind: NodeKind
    rows: tuple[str, ...]
    before: int
    after: int
    sign: bool


def _block(node: GraphNode, arrows: int, loop: str | None) -> _Block:
    spread = 2 * max(arrows - 1, 0)
    values = [piece for line in node.lines for piece in textwrap.wrap(line, WIDEST)]
    if node.kind == "operation" and node.label in SIGNS and loop is None:
        half = max(spread // 2, 1)
        sign = f"({node.label:^{2 * half - 1}})"
        below = [" " * (2 * half + 1)] * (len(values) - 1)
        beside = values or [""]
        rows = [f"{a} {b}".rstrip() for a, b in zip([sign, *below], beside, strict=True)]
        return _Block(node.kind, tuple(rows), half, max(map(_length, rows)) - half - 1, True)
    said = [*textwrap.wrap(node.label, WIDEST), *values]
    inner = max([spread + 1, *(_length(line) + 2 for line in said)])
    left, line, right, side, foot, end, _ = BORDERS[node.kind]
    rows = [
        left + line * inner + right,
        *(side + _centred(line, inner) + side for line in said),
        foot + line * inner + end,
    ]
    if loop is not None:
        rows[1] += f"◄┐ {loop}".rstrip()
        rows[2] += "─┘"
    before = (inner + 1) // 2
    return _Block(node.kind, tuple(rows), before, max(map(_length, rows)) - 1 - before, False)


def _length(line: str) -> int:
    """How many columns a text takes: accents written after their letter take none."""
    return sum(not unicodedata.combining(character) for character in line)


def _centred(line: str, width: int) -> str:
    spare = width - _length(line)
    return " " * (spare // 2) + line + " " * (spare - spare // 2)


def _sketch(
    edges: Sequence[GraphEdge], blocks: Mapping[str, _Block], labels: Mapping[int, Sequence[str]]
) -> Sketch:
    """What everything takes, in columns and rows; groups are not drawn."""
    return Sketch(
        nodes={
            name: Room(block.before, block.after, len(block.rows), math.inf)
            for name, block in blocks.items()
        },
        edges=tuple((edge.source, edge.target) for edge in edges),
        labels={
            number: Room(0, 1 + max(map(_length, lines)), len(lines))
            for number, lines in labels.items()
        },
    )


def _column(across: float) -> int:
    # What is kept apart by whole numbers stays so when all is rounded alike.
    return math.floor(across + 0.5 + 1e-6)


# ------------------------------------------------------------------------------------------- lines


@dataclass
class _Net:
    """Lines with a common beginning: its column, those of its ends, and its row in the channel."""

    start: int
    ends: set[int] = field(default_factory=set)
    row: int | None = None

    @property
    def straight(self) -> bool:
        return self.ends == {self.start}

    @property
    def low(self) -> int:
        return min(self.start, *self.ends)

    @property
    def high(self) -> int:
        return max(self.start, *self.ends)


@dataclass
class _Channel:
    """What lies between two ranks: lines, by where they begin, and whether they lead to nodes."""

    nets: dict[int, _Net] = field(default_factory=dict)
    to_nodes: bool = False
    rows: int = 0

    def routed(self) -> bool:
        """Give every line its row; false where two would each have to lie above the other."""
        pending = sorted((n for n in self.nets.values() if not n.straight), key=lambda n: n.low)
        row = 0
        while pending:
            # What goes down in a column lies above what comes down to the end of that column.
            below = {net.start for net in pending}
            free = [n for n in pending if not (n.ends - {n.start}) & below]
            if not free:
                return False
            end = -2
            for net in free:
                if net.low > end + 1:
                    net.row, end = row, net.high
            pending = [net for net in pending if net.row is None]
            row += 1
        self.rows = row + self.to_nodes
        return True


def _channels(layout: Layout) -> dict[float, _Channel]:
    """What lies between ranks, by where the upper one ends."""
    channels: dict[float, _Channel] = {}
    for way in layout.ways:
        for index, (one, other) in enumerate(pairwise(way)):
            channel = channels.setdefault(one.end, _Channel())
            start = _column(one.across)
            channel.nets.setdefault(start, _Net(start)).ends.add(_column(other.across))
            channel.to_nodes |= index == len(way) - 2
    return dict(sorted(channels.items()))


class _Canvas:
    """A field of characters, and the rows at which what has been laid out stands."""

    def __init__(self, channels: Mapping[float, _Channel]) -> None:
        self.channels = channels
        self.field: dict[tuple[int, int], str] = {}
        for start, channel in channels.items():
            self._draw_channel(self.row(start), channel)

    def row(self, along: float) -> int:
        """The row of a place: a channel has one row in the layout, and here what it needs."""
        more = sum(c.rows - 1 for start, c in self.channels.items() if start < along)
        return math.floor(along) + more

    def write(self, row: int, column: int, said: str) -> None:
        """Put a text into a row; spaces leave what is there."""
        for character in said:
            if unicodedata.combining(character):
                self.field[row, column - 1] = self.field.get((row, column - 1), " ") + character
                continue
            if character != " ":
                self.field[row, column] = character
            column += 1

    def draw_way(self, way: Sequence[Run], foot: int) -> None:
        """The pieces of a line within ranks, from the first row under its source, and its arrow."""
        for index, run in enumerate(way):
            for row in range(self.row(run.start) if index else foot, self.row(run.end)):
                self.write(row, _column(run.across), "│")
        self.write(self.row(way[-1].end) - 1, _column(way[-1].across), "▼")

    def draw_label(self, lines: Sequence[str], across: float, along: float, before: bool) -> None:
        """What is said beside a line."""
        for row, line in enumerate(lines, self.row(along - len(lines) / 2)):
            column = _column(across)
            self.write(row, column - 1 - _length(line) if before else column + 2, line)

    def draw_block(self, block: _Block, top: int, column: int) -> None:
        """A node about its column."""
        for row, line in enumerate(block.rows, top):
            self.write(row, column - block.before, line)

    def lines(self) -> list[str]:
        """The rows as text."""
        rows = 1 + max(row for row, _ in self.field)
        columns = 1 + max(column for _, column in self.field)
        return [
            "".join(self.field.get((row, column), " ") for column in range(columns)).rstrip()
            for row in range(rows)
        ]

    def _draw_channel(self, top: int, channel: _Channel) -> None:
        """The lines between two ranks."""
        bottom = top + channel.rows
        across: dict[tuple[int, int], str] = {}
        down: dict[tuple[int, int], str] = {}
        for net in channel.nets.values():
            turn = bottom if net.row is None else top + net.row
            down |= {(row, net.start): "│" for row in range(top, turn)}
            if net.row is None:
                continue
            down |= {(row, end): "│" for end in net.ends for row in range(turn + 1, bottom)}
            for column in range(net.low, net.high + 1):
                up, ends = column == net.start, column in net.ends
                joint = JOINTS[up, column < net.high, ends, column > net.low]
                across[turn, column] = joint
        self.field |= across | down


def _keys(panel: GraphPanel) -> list[str]:
    """What the kinds of boxes stand for, where there are several."""
    if len(panel.kinds) < 2:
        return []
    return ["", "   ".join(f"{BORDERS[kind][:3]} {NODE_KINDS[kind]}" for kind in panel.kinds)]
