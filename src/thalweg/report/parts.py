"""What a page is made of, as data: text, tables and figures that say nothing about how they look.

``build`` makes these from a record; ``html``, ``markdown`` and ``text`` render them. Between the
two a page can be looked at, tested and changed without a browser.

Read in this order: the parts of a page, then the panels of a figure. Numbers in text and tables
are already words here (rounded, with their units); numbers in figures are numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

__all__ = [
    "NODE_KINDS",
    "VERDICTS",
    "Arrow",
    "Axis",
    "BoundaryPanel",
    "Code",
    "ContourPanel",
    "Facts",
    "Figure",
    "Formula",
    "GraphEdge",
    "GraphNode",
    "GraphPanel",
    "HeatCell",
    "HeatPanel",
    "IntervalPanel",
    "IntervalRow",
    "LatticeNode",
    "LatticePanel",
    "Line",
    "LinePanel",
    "Mark",
    "MarkKind",
    "NodeKind",
    "Page",
    "Panel",
    "Paragraph",
    "Part",
    "PicturePanel",
    "Section",
    "Step",
    "Stepper",
    "Table",
    "Trail",
    "Verdict",
    "VerdictKind",
]

# mixed: the contexts of an experiment answer differently; partly: so do the pairs with a baseline.
VerdictKind: TypeAlias = Literal["better", "tied", "undecided", "none", "mixed", "partly"]
VERDICTS: dict[VerdictKind, str] = {
    "better": "Better",
    "tied": "Tied",
    "undecided": "Undecided",
    "none": "No verdict",
    "mixed": "Depends on the context",
    "partly": "Partly decided",
}

# --------------------------------------------------------------------------------- parts of a page


@dataclass(frozen=True)
class Paragraph:
    """Running text; a ``warning`` must be seen, a ``note`` may be skipped."""

    text: str
    tone: Literal["plain", "note", "warning"] = "plain"


@dataclass(frozen=True)
class Verdict:
    """The answer to the question, in one or two sentences."""

    sentence: str
    kind: VerdictKind = "none"


@dataclass(frozen=True)
class Table:
    """Rows of words under named columns.

    Args:
        columns: names of the columns.
        rows: one tuple per row, as long as ``columns``.
        alignment: ``l`` (left) or ``r`` (right) for each column, ``"lrr"``; all left where empty.
        caption: what the table shows.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    alignment: str = ""
    caption: str = ""

    def __post_init__(self) -> None:
        wrong = [row for row in self.rows if len(row) != len(self.columns)]
        if wrong or len(self.alignment) not in (0, len(self.columns)):
            raise ValueError(f"a table needs {len(self.columns)} cells per row, got {wrong[:1]}")

    @property
    def sides(self) -> str:
        """The alignment of every column."""
        return self.alignment or "l" * len(self.columns)


@dataclass(frozen=True)
class Code:
    """Text to be shown and copied as it is."""

    text: str
    language: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and what they are: ``(("device", "cpu"), ...)``."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Formula:
    """A line of mathematics.

    Args:
        latex: the line in LaTeX, without dollar signs.
        text: the same in Unicode, for terminals.
        reason: why it follows from the line above; empty in the first.
        checked: how it was checked, in words (``largest difference 2e-16 at 20 points``); empty
            where it was not.
        wrong: whether it is a line of a source document that does not hold.
    """

    latex: str
    text: str
    reason: str = ""
    checked: str = ""
    wrong: bool = False


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it; a folded section opens when asked for."""

    heading: str
    parts: tuple[Part, ...]
    folded: bool = False


@dataclass(frozen=True)
class Page:
    """A whole page.

    Args:
        title: the question, or what the page is about.
        sections: in reading order.
        subtitle: where the page comes from, in a few words.
    """

    title: str
    sections: tuple[Section, ...]
    subtitle: str = ""


# ------------------------------------------------------------------------------ panels of a figure


@dataclass(frozen=True)
class Axis:
    """What is measured along one side; limits that are None come from the data.

    Args:
        label: name and unit.
        scale: linear or logarithmic.
        low, high: limits.
        whole: whether only whole numbers mean anything.
    """

    label: str = ""
    scale: Literal["linear", "log"] = "linear"
    low: float | None = None
    high: float | None = None
    whole: bool = False


@dataclass(frozen=True)
class Line:
    """One curve, with a band about it where there is one.

    Args:
        name: its name in the legend.
        x, y: its points; a non-finite y interrupts it.
        low, high: the band, as long as ``y``; infinite where it leaves the panel, empty without.
        series: which of the distinct colours it has.
        place: for members of a sequence, such as layers: 0 (first) to 1 (last), in place of series.
        stairs: whether it keeps its value until the next point.
        dashed: whether it is drawn dashed.
        crosses: points (x, y) at which runs diverged; y may be non-finite (drawn at the edge).
        note: said after its name in the legend.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    series: int = 0
    place: float | None = None
    stairs: bool = False
    dashed: bool = False
    crosses: tuple[tuple[float, float], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class LinePanel:
    """Curves over common axes; ``band`` says what their bands are."""

    title: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    band: str = "10–90\xa0%"


@dataclass(frozen=True)
class HeatCell:
    """One cell of a heatmap.

    Args:
        value: what is written in it.
        runs: how many runs stand behind it.
        diverged: how many of those diverged.
        outlined: whether it stands out from its row.
        strength: how strongly it is coloured, 0 to 1; by its value where None.
        note: a second line.
    """

    value: float
    runs: int = 1
    diverged: int = 0
    outlined: bool = False
    strength: float | None = None
    note: str = ""


@dataclass(frozen=True)
class HeatPanel:
    """Values over two factors; a cell is None where nothing ran.

    Args:
        title: what the panel shows.
        rows, columns: names of the levels, top to bottom and left to right.
        cells: one tuple per row.
        row_label, column_label: the factors.
        value_label: what the values are.
        higher_is_better: which end of the values is the bright one.
        scale: how values spread over the colours.
        keys: what strengths of colour stand for, where cells have them.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[HeatCell | None, ...], ...]
    row_label: str = ""
    column_label: str = ""
    value_label: str = ""
    higher_is_better: bool = True
    scale: Literal["linear", "log"] = "linear"
    keys: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class IntervalRow:
    """One estimate with its interval and the single values behind it.

    Args:
        name: what is estimated.
        estimate, low, high: the estimate and its interval; NaN bounds where there is none.
        points: the single values; non-finite ones are counted in ``note`` and not drawn.
        median: a second mark, NaN to leave it out.
        series: which of the distinct colours it has.
        note: said at the end of the row.
    """

    name: str
    estimate: float
    low: float
    high: float
    points: tuple[float, ...] = ()
    median: float = float("nan")
    series: int = 0
    note: str = ""


@dataclass(frozen=True)
class IntervalPanel:
    """Estimates under one another along one axis."""

    title: str
    axis: Axis
    rows: tuple[IntervalRow, ...]


@dataclass(frozen=True, eq=False)
class BoundaryPanel:
    """What a classifier says over a plane, and the points it learned from.

    Args:
        title: whose boundary it is.
        grid: uint8 [G, G, classes], probabilities times 255; rows follow the second input upwards.
        extent: x of the first and last column, y of the first and last row.
        points: float [n, 2].
        labels: int [n], class of each point.
        seen: bool [n], whether the point was trained on.
        note: said under the title.
    """

    title: str
    grid: np.ndarray
    extent: tuple[float, float, float, float]
    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    seen: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    note: str = ""


@dataclass(frozen=True, eq=False)
class Trail:
    """A way over a plane.

    Args:
        name: its name in the legend.
        points: float [step, 2], from the start; those that are not finite are left out.
        series: which of the distinct colours it has.
        diverged: whether it ends because it diverged.
        ends: whether its start and its end are marked, and each step has a dot.
        dashed: whether it is drawn dashed.
        note: what became of it, in a few words.
    """

    name: str
    points: np.ndarray
    series: int = 0
    diverged: bool = False
    ends: bool = True
    dashed: bool = False
    note: str = ""


@dataclass(frozen=True)
class Arrow:
    """An arrow in a plane; arrows of one name are one entry of the legend.

    Args:
        name: what it is, such as ``velocity jump``.
        start, end: x and y.
        series: which of the distinct colours it has.
    """

    name: str
    start: tuple[float, float]
    end: tuple[float, float]
    series: int = 6


MarkKind: TypeAlias = Literal["minimum", "saddle", "maximum", "point"]


@dataclass(frozen=True)
class Mark:
    """A point of a plane that is named: what it is, and what stands beside it, if anything."""

    x: float
    y: float
    kind: MarkKind = "minimum"
    label: str = ""


@dataclass(frozen=True, eq=False)
class ContourPanel:
    """A function over a plane as lines of equal value, and what moves over it.

    Args:
        title: whose values they are.
        x, y: what the coordinates are; their limits are those of the grid.
        grid: float [row, column], values; rows follow y upwards; not finite where there is none.
        extent: x of the first and last column, y of the first and last row.
        levels: values at which lines are drawn, rising.
        trails, arrows, marks: what is drawn over it.
        note: said under the title.
        seconds: how long one turn takes of what moves along the trails on a page; 0 for nothing.
        seen_from: above, with lines of equal value; or the side, as hills, in pictures only.
    """

    title: str
    x: Axis
    y: Axis
    grid: np.ndarray
    extent: tuple[float, float, float, float]
    levels: tuple[float, ...]
    trails: tuple[Trail, ...] = ()
    arrows: tuple[Arrow, ...] = ()
    marks: tuple[Mark, ...] = ()
    note: str = ""
    seconds: float = 0.0
    seen_from: Literal["above", "side"] = "above"

    def __post_init__(self) -> None:
        if self.grid.ndim != 2 or min(self.grid.shape) < 2:
            raise ValueError(f"a grid has two rows and columns or more, got {self.grid.shape}")
        if list(self.levels) != sorted(set(self.levels)):
            raise ValueError(f"levels must rise, got {self.levels}")


@dataclass(frozen=True)
class PicturePanel:
    """Pictures side by side.

    Args:
        title: whose they are.
        pixels: uint8 [height, width, 3], all pictures as one.
        alternates: whether every second row is made of the one above it.
        note: said under the title.
    """

    title: str
    pixels: np.ndarray
    alternates: bool = False
    note: str = ""


@dataclass(frozen=True)
class LatticeNode:
    """A sequence that a search has tried.

    Args:
        word: its last.
        total: its log-probability.
        parent: the place, in the step before, of what it continues; -1 in the first step.
        kept: whether it went on, or was complete.
        won: whether it leads to what was found.
    """

    word: str
    total: float
    parent: int
    kept: bool = False
    won: bool = False


@dataclass(frozen=True)
class LatticePanel:
    """A search, step by step.

    Args:
        title: whose it is.
        steps: what was tried at each.
        left_out: how many others were pruned at each.
    """

    title: str
    steps: tuple[tuple[LatticeNode, ...], ...]
    left_out: tuple[int, ...]


NodeKind: TypeAlias = Literal["input", "constant", "operation", "output", "fold"]
NODE_KINDS: dict[NodeKind, str] = {
    "input": "input",
    "constant": "constant",
    "operation": "computed",
    "output": "output",
    "fold": "several, folded",
}


@dataclass(frozen=True)
class GraphNode:
    """A value of a computation.

    Args:
        name: unique in its graph; without ``>``.
        label: what it is: ``w``, ``sin``, ``×``.
        lines: short lines under the label, such as its value and its adjoint.
        kind: where it comes from; a fold stands for several.
        groups: names of the named parts around it, outermost first.
    """

    name: str
    label: str
    lines: tuple[str, ...] = ()
    kind: NodeKind = "operation"
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class GraphEdge:
    """That one value is computed from another, or from what it was itself a step before.

    Args:
        source, target: names of nodes; one of them twice makes a loop.
        label: said beside it, such as the local derivative.
    """

    source: str
    target: str
    label: str = ""

    @property
    def name(self) -> str:
        """What it is called among what is highlighted, changed or active: ``source>target``."""
        return f"{self.source}>{self.target}"

    @property
    def loops(self) -> bool:
        """Whether it leads back to the node that it comes from."""
        return self.source == self.target


@dataclass(frozen=True)
class GraphPanel:
    """A computation: which value is made from which.

    Args:
        title: what it computes.
        nodes: in an order in which they can be computed.
        edges: from operands to what is made of them; several may join the same two nodes, and
            share their name. A node has at most one loop.
        highlighted: names of nodes and edges that stand out.
    """

    title: str
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    highlighted: tuple[str, ...] = ()

    @property
    def kinds(self) -> list[NodeKind]:
        """The kinds that its nodes have, in the order of ``NODE_KINDS``."""
        held = {node.kind for node in self.nodes}
        return [kind for kind in NODE_KINDS if kind in held]

    def __post_init__(self) -> None:
        names = Counter(node.name for node in self.nodes)
        twice = [name for name, times in names.items() if times > 1]
        if twice:
            raise ValueError(f"names of nodes must differ; {twice[0]!r} is one of several")
        joined = [name for name in names if ">" in name]
        if joined:
            raise ValueError(f"names of nodes are without '>', as edges are a>b; got {joined[0]!r}")
        loops = Counter(edge.source for edge in self.edges if edge.loops)
        several = [name for name, times in loops.items() if times > 1]
        if several:
            raise ValueError(f"a node has at most one loop; {several[0]!r} has more")
        _all_known((end for edge in self.edges for end in (edge.source, edge.target)), names)
        _all_known(self.highlighted, [*names, *(edge.name for edge in self.edges)])


def _all_known(used: Iterable[str], known: Collection[str]) -> None:
    unknown = sorted(set(used).difference(known))
    if unknown:
        raise ValueError(f"a graph has no node or edge {unknown[0]!r}")


Panel: TypeAlias = (
    LinePanel
    | HeatPanel
    | IntervalPanel
    | BoundaryPanel
    | ContourPanel
    | PicturePanel
    | LatticePanel
    | GraphPanel
)


@dataclass(frozen=True)
class Figure:
    """One or more panels that are read together.

    Args:
        title: what is shown.
        caption: what to see in it.
        panels: in reading order.
        columns: how many panels stand side by side where there is room.
    """

    title: str
    caption: str
    panels: tuple[Panel, ...]
    columns: int = 1


@dataclass(frozen=True)
class Step:
    """What one step changes in a graph; it stays changed in later steps.

    Args:
        text: what happens, in a sentence.
        nodes: new lines of nodes, by name.
        edges: new labels of edges, by name (``source>target``).
        active: names of the nodes and edges that the step is about.
    """

    text: str
    nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    edges: Mapping[str, str] = field(default_factory=dict)
    active: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stepper:
    """A graph that is gone through step by step.

    Args:
        title: what is shown.
        caption: what to see in it.
        graph: as it is before the first step.
        steps: in order, at least one.
    """

    title: str
    caption: str
    graph: GraphPanel
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("a stepper needs at least one step")
        nodes = {node.name for node in self.graph.nodes}
        edges = {edge.name for edge in self.graph.edges}
        for step in self.steps:
            _all_known(step.nodes, nodes)
            _all_known(step.edges, edges)
            _all_known(step.active, nodes | edges)


Part: TypeAlias = Paragraph | Verdict | Table | Figure | Code | Facts | Formula | Stepper
