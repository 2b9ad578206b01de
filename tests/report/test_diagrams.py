"""Graphs drawn with characters: read back, they say what the graph says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from tests.report.graphs_by_chance import by_chance

from thalweg.report import to_text
from thalweg.report.diagrams import graph_lines
from thalweg.report.parts import Figure, GraphEdge, GraphNode, GraphPanel, Page, Section

SQUARE = GraphPanel(
    "",
    (
        GraphNode("w", "w", ("1.5", "m̂ 3"), "input"),
        GraphNode("m", "×", ("2.25", "adjoint 1")),
        GraphNode("k", "2", (), "constant"),
        GraphNode("s", "sum", ("4.25",), "output"),
    ),
    (
        GraphEdge("w", "m", "1.5"),
        GraphEdge("w", "m", "1.5"),
        GraphEdge("m", "s", "1"),
        GraphEdge("k", "s"),
    ),
)
DRAWN = """\
  ╭─────╮
  │  w  │
  │ 1.5 │
  │ m̂ 3 │
  ╰──┬──╯
    ┌┴┐
1.5 │ │ 1.5
    ▼ ▼
    (×) 2.25       ┌╌╌╌┐
     │  adjoint 1  ╎ 2 ╎
     │             └╌┬╌┘
     └──────┐ ┌──────┘
          1 │ │
            ▼ ▼
          ╔══════╗
          ║ sum  ║
          ║ 4.25 ║
          ╚══════╝

╭─╮ input   ┌╌┐ constant   ┌─┐ computed   ╔═╗ output"""

# Which way a line goes on that comes from above, from the left or from the right.
DOWN, RIGHT, LEFT = (1, 0), (0, 1), (0, -1)
ONWARD = {
    "│": {DOWN: (DOWN,), RIGHT: (RIGHT,), LEFT: (LEFT,)},  # across it, a line that crosses
    "─": {RIGHT: (RIGHT,), LEFT: (LEFT,)},
    "└": {DOWN: (RIGHT,)},
    "┘": {DOWN: (LEFT,)},
    "┌": {LEFT: (DOWN,)},
    "┐": {RIGHT: (DOWN,)},
    "├": {DOWN: (DOWN, RIGHT), LEFT: (DOWN,)},
    "┤": {DOWN: (DOWN, LEFT), RIGHT: (DOWN,)},
    "┬": {RIGHT: (DOWN, RIGHT), LEFT: (DOWN, LEFT)},
    "┴": {DOWN: (LEFT, RIGHT)},
    "┼": {DOWN: (LEFT, DOWN, RIGHT), RIGHT: (RIGHT, DOWN), LEFT: (LEFT, DOWN)},
}


def boxes(lines: list[str], names: list[str]) -> dict[str, tuple[int, int, int, int]]:
    """Top, left, bottom and right of the box in which each name stands."""
    found = {}
    for row, line in enumerate(lines):
        for name in names:
            at = line.find(f" {name} ")
            if at < 0:
                continue
            left = max(line.rfind(side, 0, at + 1) for side in "│╎║┃")
            right = min(p for side in "│╎║┃" if (p := line.find(side, at)) >= 0)
            bottom = next(r for r in range(row, len(lines)) if lines[r][left] in "└╰╚┗")
            found[name] = (row - 1, left, bottom, right)
    return found


def read(lines: list[str], names: list[str]) -> Counter[tuple[str, str]]:
    """Follow every line from the box that it leaves to the arrow at which it ends."""
    held = boxes(lines, names)
    assert set(held) == set(names)
    wide = max(map(len, lines))
    field = [line.ljust(wide) for line in lines]
    edges: Counter[tuple[str, str]] = Counter()
    for name, (_, left, bottom, right) in held.items():
        starts = [c for c in range(left, right) if field[bottom][c] in "┬╤┯"]
        pending = [(bottom + 1, column, DOWN) for column in starts]
        while pending:
            row, column, way = pending.pop()
            character = field[row][column]
            if character == "▼":
                edges[name, box_at(held, row + 1, column)] += 1
                continue
            for down, across in ONWARD[character][way]:
                pending.append((row + down, column + across, (down, across)))
    return edges


def box_at(held: dict[str, tuple[int, int, int, int]], row: int, column: int) -> str:
    (name,) = (
        name for name, (top, left, _, right) in held.items()
        if top == row and left < column < right
    )  # fmt: skip
    return name


def test_a_picture() -> None:
    lines = graph_lines(SQUARE)
    assert lines is not None
    assert "\n".join(lines) == DRAWN


LOOP = GraphPanel(
    "",
    (GraphNode("x", "x(t)", (), "input"), GraphNode("h", "+", ("h(t)",))),
    (GraphEdge("x", "h"), GraphEdge("h", "h", "h(t−1)")),
)


def test_a_loop() -> None:
    lines = graph_lines(LOOP)
    assert lines is not None
    assert (
        "\n".join(lines[:8])
        == """\
╭──────╮
│ x(t) │
╰──┬───╯
   ▼
┌──────┐
│  +   │◄┐ h(t−1)
│ h(t) │─┘
└──────┘"""
    )


@pytest.mark.parametrize("seed", range(40))
def test_what_is_read_is_what_is_meant(seed: int) -> None:
    panel = by_chance(seed, largest=16)
    nodes = tuple(replace(node, label=f"<{node.name}>") for node in panel.nodes)
    panel = replace(panel, nodes=nodes)
    lines = graph_lines(panel)
    if lines is None:  # some tangles need lines that leave their column twice
        pytest.skip("characters cannot show this one")
    names = {f"<{node.name}>": node.name for node in nodes}
    found = {(names[a], names[b]): n for (a, b), n in read(lines, list(names)).items()}
    assert found == Counter((edge.source, edge.target) for edge in panel.edges)
    words = [word for edge in panel.edges for word in edge.label.split()]
    assert all(word in "\n".join(lines) for word in words)


def test_most_graphs_can_be_drawn() -> None:
    drawn = [graph_lines(by_chance(seed, largest=16)) for seed in range(60)]
    assert sum(lines is not None for lines in drawn) >= 54


def test_a_picture_too_wide_or_too_large_is_a_table() -> None:
    def text(panel: GraphPanel, width: int) -> str:
        figure = Figure("F", "What is made from what.", (panel,))
        return to_text(Page("P", (Section("S", (figure,)),)), width)

    assert "▼" in text(SQUARE, 80)
    assert max(map(len, DRAWN.splitlines()[:-2])) < 40
    narrow = text(SQUARE, 22)
    assert "▼" not in narrow
    assert "made from" in narrow
    names = [f"n{number}" for number in range(60)]
    chain = GraphPanel(
        "",
        tuple(GraphNode(name, name) for name in names),
        tuple(GraphEdge(a, b) for a, b in pairwise(names)),
    )
    assert "▼" not in text(chain, 80)
    assert "n59" in text(chain, 80)
    assert graph_lines(GraphPanel("", (), ())) is None
