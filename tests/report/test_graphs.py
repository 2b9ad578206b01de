"""Graphs as drawn: no box or label upon another, nothing cut, and lines past both."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field, replace
from itertools import combinations

import pytest
from tests.report.graphs_by_chance import by_chance

from thalweg.report.colours import Theme
from thalweg.report.diagrams import graph_lines
from thalweg.report.fallback import figure_tables
from thalweg.report.figure import draw, figure_svg
from thalweg.report.graphs import MOST_NODES, draw_graph
from thalweg.report.parts import Figure, GraphEdge, GraphNode, GraphPanel
from thalweg.report.svg import Drawing, text_width

# Wide enough to be drawn downwards, and too narrow for it.
WIDTHS = (4000, 60)
SEEDS = range(24)

SQUARE = GraphPanel(
    "",
    (
        GraphNode("w", "w", ("1.5", "adjoint 3"), "input"),
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
    ("m", "w>m"),
)


@dataclass(frozen=True)
class Rectangle:
    left: float
    top: float
    right: float
    bottom: float

    def apart(self, other: Rectangle, slack: float = 0.3) -> bool:
        return (
            self.right <= other.left + slack
            or other.right <= self.left + slack
            or self.bottom <= other.top + slack
            or other.bottom <= self.top + slack
        )

    def holds(self, other: Rectangle, slack: float = 0.3) -> bool:
        return (
            self.left <= other.left + slack
            and self.top <= other.top + slack
            and other.right <= self.right + slack
            and other.bottom <= self.bottom + slack
        )


@dataclass
class Seen:
    """What a drawing shows: boxes of nodes, what is written in and beside them, frames, lines."""

    boxes: dict[str, Rectangle] = field(default_factory=dict)
    words: dict[str, list[Rectangle]] = field(default_factory=dict)
    labels: list[tuple[str, Rectangle]] = field(default_factory=list)
    titles: list[Rectangle] = field(default_factory=list)
    frames: list[Rectangle] = field(default_factory=list)
    lines: list[tuple[str, list[tuple[float, float]]]] = field(default_factory=list)


def rectangle(node: ElementTree.Element) -> Rectangle:
    x, y, width, height = (float(node.get(key, "")) for key in ("x", "y", "width", "height"))
    return Rectangle(x, y, x + width, y + height)


def written(node: ElementTree.Element) -> Rectangle:
    """Where a text is: as high as small letters with a stem, so that lines may follow closely."""
    size = float(node.get("font-size", ""))
    bold = node.get("font-weight") is not None
    width = text_width(node.text or "", size, bold=bold)
    x, y = float(node.get("x", "")), float(node.get("y", ""))
    left = x - {"middle": width / 2, "end": width}.get(node.get("text-anchor", ""), 0.0)
    return Rectangle(left, y - 0.72 * size, left + width, y + 0.2 * size)


def points(way: str) -> list[tuple[float, float]]:
    """Points along straight lines and cubic curves."""
    found: list[tuple[float, float]] = []
    for kind, numbers in re.findall(r"([MLC])([^MLCZ]*)", way):
        values = [float(number) for number in numbers.split()]
        pairs = list(zip(values[::2], values[1::2], strict=True))
        if kind == "M":
            found += pairs
            continue
        start = found[-1]
        for step in range(1, 13):
            t = step / 12
            if kind == "L":
                found.append(tuple(a + (b - a) * t for a, b in zip(start, pairs[0], strict=True)))
            else:
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
                places = zip(*(start, *pairs), strict=True)
                found.append(
                    tuple(sum(w * p for w, p in zip(weights, all_, strict=True)) for all_ in places)
                )
    return found


def seen(drawing: Drawing) -> Seen:
    found = Seen()
    for part in ElementTree.fromstring(f"<svg>{drawing.body}</svg>"):
        if (name := part.get("data-node")) is not None:
            rects = [rectangle(rect) for rect in part if rect.tag == "rect"]
            found.boxes[name] = Rectangle(
                min(r.left for r in rects), min(r.top for r in rects),
                max(r.right for r in rects), max(r.bottom for r in rects),
            )  # fmt: skip
            found.words[name] = [written(text) for text in part if text.tag == "text"]
        elif (name := part.get("data-edge")) is not None:
            ways = [path.get("d", "") for path in part if path.tag == "path"]
            found.lines.append((name, points(ways[0])))
            found.labels += [(name, written(text)) for text in part if text.tag == "text"]
        elif part.tag == "rect" and part.get("rx") == "8":
            found.frames.append(rectangle(part))
        elif part.tag == "text" and part.get("font-weight"):
            found.titles.append(written(part))
    return found


def check(drawing: Drawing, down: bool) -> None:
    found = seen(drawing)
    whole = Rectangle(0, 0, drawing.width, drawing.height)
    said = [rectangle for _, rectangle in found.labels] + found.titles
    for name, words in found.words.items():
        box = found.boxes[name]
        beside = [word for word in words if not box.holds(word)]
        assert all(box.apart(word) for word in beside), name
        assert not beside or box.holds(words[0]), name
        said += beside
    for one, other in combinations(found.boxes, 2):
        assert found.boxes[one].apart(found.boxes[other]), (one, other)
    for words in said:
        assert whole.holds(words), words
        assert all(words.apart(box) for box in found.boxes.values()), words
    for one, other in combinations(said, 2):
        assert one.apart(other), (one, other)
    # Where graphs go to the right, a line may pass behind the name of a group in its frame.
    free = [r for r in said if down or r not in found.titles]
    for name, line in found.lines:
        ends = name.split(">")
        for x, y in line:
            dot = Rectangle(x, y, x, y)
            assert all(dot.apart(r, 1) for key, r in found.boxes.items() if key not in ends), name
            assert all(dot.apart(words, 1) for words in free), name


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_lies_upon_anything_else(seed: int, width: float) -> None:
    panel = by_chance(seed)
    drawing = draw_graph(panel, width, Theme("page"))
    assert drawing.width >= width
    check(drawing, down=width > 1000)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("seed", range(0, 12, 3))
def test_loops_lie_beside_their_nodes(seed: int, width: float) -> None:
    panel = by_chance(seed)
    loops = tuple(GraphEdge(node.name, node.name, f"of {node.name}") for node in panel.nodes[::2])
    panel = replace(panel, edges=(*panel.edges, *loops))
    drawing = draw_graph(panel, width, Theme("page"))
    check(drawing, down=width > 1000)
    found = seen(drawing)
    said = {name for name, _ in found.labels}
    for loop in loops:
        assert loop.name in said
        box, line = found.boxes[loop.source], dict(found.lines)[loop.name]
        # Out of the box at its border, and nowhere in it.
        assert not box.apart(Rectangle(*line[0], *line[0]), slack=-1)
        assert all(box.apart(Rectangle(x, y, x, y), slack=1) for x, y in line)


@pytest.mark.parametrize("seed", range(1, 16, 2))
def test_frames_hold_the_nodes_of_their_group_and_no_others(seed: int) -> None:
    panel = by_chance(seed)
    for width in WIDTHS:
        found = seen(draw_graph(panel, width, Theme("light")))
        counts = sorted(
            sum(frame.holds(box) for box in found.boxes.values()) for frame in found.frames
        )
        paths = [node.groups for node in panel.nodes]
        groups = {p[:depth] for p in paths for depth in range(1, len(p) + 1)}
        assert counts == sorted(sum(p[: len(g)] == g for p in paths) for g in groups)


def test_all_words_are_there() -> None:
    long = replace(SQUARE.nodes[0], label="a name of more than a hundred characters, " * 3)
    last = GraphEdge("k", "s", "a label that needs more than one of the lines beside its edge")
    panel = replace(SQUARE, nodes=(long, *SQUARE.nodes[1:]), edges=(*SQUARE.edges[:3], last))
    for width in WIDTHS:
        root = ElementTree.fromstring(f"<svg>{draw(panel, width, Theme('page')).body}</svg>")
        texts = " ".join(text.text or "" for text in root.iter("text"))
        for node in panel.nodes:
            assert all(word in texts for word in [*node.label.split(), *node.lines])
        assert all(word in texts for word in last.label.split())
        assert texts.count("1.5") == 3  # the value, and the label of each of the two edges


def test_a_graph_too_wide_goes_to_the_right() -> None:
    names = [f"input {number}" for number in range(12)]
    nodes = (*(GraphNode(name, name, (), "input") for name in names), GraphNode("s", "+"))
    panel = GraphPanel("", nodes, tuple(GraphEdge(name, "s") for name in names))
    wide, narrow = (seen(draw_graph(panel, width, Theme("light"))) for width in (2000, 300))
    assert wide.boxes["s"].top > wide.boxes["input 0"].bottom
    assert narrow.boxes["s"].left > narrow.boxes["input 0"].right
    assert draw_graph(panel, 300, Theme("light")).width == 300


def test_a_picture_does_not_depend_on_chance() -> None:
    """Sets of words have another order in every process."""
    program = (
        "from tests.report.graphs_by_chance import by_chance\n"
        "from thalweg.report.figure import figure_svg\n"
        "from thalweg.report.parts import Figure\n"
        "print([figure_svg(Figure('', '', (by_chance(seed),))) for seed in range(1, 40, 2)])"
    )
    drawn = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(drawn) == 1


def test_kinds_and_what_stands_out_are_seen_without_colours() -> None:
    drawing = draw_graph(SQUARE, 400, Theme("light"))
    root = ElementTree.fromstring(f"<svg>{drawing.body}</svg>")
    held = {part.get("data-node") or part.get("data-edge"): part for part in root.iter("g")}
    assert len(held["s"].findall("rect")) == 2
    assert held["k"].find("rect").get("stroke-dasharray")
    wide = {name: float(part[0].get("stroke-width")) for name, part in held.items()}
    assert {name for name, width in wide.items() if width > 2} == {"m", "w>m"}
    names = [text.text for text in root.findall("text")]
    assert names == ["input", "constant", "computed", "output"]
    one = replace(SQUARE, nodes=SQUARE.nodes[:1], edges=(), highlighted=())
    assert "computed" not in draw_graph(one, 400, Theme("light")).body


def test_too_many_nodes_are_refused_with_what_to_do() -> None:
    nodes = tuple(GraphNode(str(number), "x") for number in range(MOST_NODES + 1))
    with pytest.raises(ValueError, match=r"301 nodes is too large .* fold named parts"):
        draw_graph(GraphPanel("", nodes, ()), 900, Theme("light"))


def test_nothing_is_drawn_of_nothing() -> None:
    drawing = draw_graph(GraphPanel("Nothing", (), ()), 300, Theme("light"))
    assert (drawing.width, drawing.height < 60) == (300, True)
    assert figure_tables(Figure("", "", (GraphPanel("", (), ()),))) == []


def test_a_file_of_a_graph_is_whole() -> None:
    for theme in ("light", "dark"):
        svg = figure_svg(Figure("Square", "Of a number.", (SQUARE,)), theme)
        assert "var(" not in svg
        assert ElementTree.fromstring(svg).get("viewBox")


def test_the_table_of_a_graph_says_what_is_made_from_what() -> None:
    (table,) = figure_tables(Figure("", "", (SQUARE,)))
    assert table.columns == ("", "node", "made from", "values")
    assert table.rows[1] == ("2", "×", "1\xa0(1.5), 1\xa0(1.5)", "2.25, adjoint 1")
    assert [row[2] for row in table.rows] == ["input", table.rows[1][2], "constant", "2\xa0(1), 3"]
    grouped = replace(SQUARE.nodes[0], groups=("layer", "inner"))
    (table,) = figure_tables(Figure("", "", (replace(SQUARE, nodes=(grouped, *SQUARE.nodes[1:])),)))
    assert table.rows[0][-1] == "layer / inner"


def test_graphs_that_are_none_are_refused() -> None:
    one = GraphNode("a", "a")
    with pytest.raises(ValueError, match="'a' is one of several"):
        GraphPanel("", (one, one), ())
    with pytest.raises(ValueError, match="no node or edge 'b'"):
        GraphPanel("", (one,), (GraphEdge("a", "b"),))
    with pytest.raises(ValueError, match="no node or edge 'a>b'"):
        GraphPanel("", (one,), (), ("a>b",))
    with pytest.raises(ValueError, match="got 'a>b'"):
        GraphPanel("", (GraphNode("a>b", ""),), ())
    with pytest.raises(ValueError, match="at most one loop; 'a' has more"):
        GraphPanel("", (one,), (GraphEdge("a", "a"), GraphEdge("a", "a")))


def test_empty_words_take_no_room_and_do_no_harm() -> None:
    nodes = (GraphNode("a", "", ("",), groups=("",)), GraphNode("b", " ", groups=("", "")))
    panel = GraphPanel("", nodes, (GraphEdge("a", "b", " "), GraphEdge("a", "b", "\n")))
    for width in WIDTHS:
        assert not seen(draw_graph(panel, width, Theme("page"))).labels
    assert graph_lines(panel)
