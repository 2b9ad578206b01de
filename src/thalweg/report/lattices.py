"""Searches as pictures: what was tried at every step, what was kept of it, and what won.

Sequences that begin alike share their beginning, so a search is a tree. ``lattice`` makes the panel
of one; ``draw_lattice`` and ``lattice_lines`` draw it, both by ``_places``: steps are columns, and
what a sequence is best continued by stands in its own row, the way to the winner in the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol, TypeAlias

from thalweg.report.colours import Theme
from thalweg.report.frame import LABEL, title
from thalweg.report.parts import LatticeNode, LatticePanel
from thalweg.report.svg import Drawing, element, text, text_width
from thalweg.report.words import fixed

__all__ = ["SearchRecord", "TriedSequence", "draw_lattice", "lattice", "lattice_lines"]

# Of what was pruned at a step, only the best are shown.
PRUNED = 4
WORD = 12.5
ROW, ROOT = 25.0, 12.0
GAP, WIDEST_GAP = 42.0, 76.0
WON, KEPT, LOST = "●", "○", "·"

# Where a node stands among the steps: which step, and which of it.
Place: TypeAlias = tuple[int, int]


class TriedSequence(Protocol):
    """A sequence that a search has tried: tokens, log-probability, and whether it was kept."""

    @property
    def path(self) -> tuple[int, ...]: ...
    @property
    def total(self) -> float: ...
    @property
    def kept(self) -> bool: ...


class SearchRecord(Protocol):
    """What was tried at each step, and the tokens that were found."""

    @property
    def steps(self) -> Sequence[Sequence[TriedSequence]]: ...
    @property
    def best(self) -> tuple[int, ...]: ...


def lattice(search: SearchRecord, words: Sequence[str], title: str = "") -> LatticePanel:
    """The panel of a search.

    Args:
        search: what was tried.
        words: what tokens are called.
        title: whose search it is.
    """
    steps, left_out = [], []
    before: dict[tuple[int, ...], int] = {(): -1}
    for tried in search.steps:
        # Several hypotheses may hold the same sequence, as where they are drawn.
        each = {one.path: one for one in sorted(tried, key=lambda one: one.kept)}
        ranked = sorted(each.values(), key=lambda one: -one.total)
        pruned = [one for one in ranked if not one.kept]
        shown = [one for one in ranked if one.kept or one in pruned[:PRUNED]]
        steps.append(
            tuple(
                LatticeNode(
                    words[one.path[-1]],
                    one.total,
                    before[one.path[:-1]],
                    one.kept,
                    one.kept and search.best[: len(one.path)] == one.path,
                )
                for one in shown
            )
        )
        left_out.append(len(ranked) - len(shown))
        before = {one.path: place for place, one in enumerate(shown)}
    return LatticePanel(title, tuple(steps), tuple(left_out))


def _children(panel: LatticePanel, step: int, parent: int) -> list[Place]:
    """What continues a node: the way to the winner first, then what was kept, then the rest."""
    if step == len(panel.steps):
        return []
    found = [(n, node) for n, node in enumerate(panel.steps[step]) if node.parent == parent]
    found.sort(key=lambda entry: (not entry[1].won, not entry[1].kept, -entry[1].total))
    return [(step, n) for n, _ in found]


def _places(panel: LatticePanel) -> tuple[dict[Place, int], int]:
    """The row of every node, and how many rows there are."""
    rows: dict[Place, int] = {}

    def put(place: Place, row: int) -> int:
        """Put a node and all that continues it from a row on; the first row that is left."""
        rows[place] = row
        children = _children(panel, place[0] + 1, place[1])
        for child in children:
            row = put(child, row)
        return row if children else row + 1

    end = 0
    for root in _children(panel, 0, -1):
        end = put(root, end)
    return rows, end


# ----------------------------------------------------------------------------------------- drawing


def draw_lattice(panel: LatticePanel, width: float, theme: Theme) -> Drawing:
    """A search as a tree, ``width`` pixels wide, or wider where its words need more."""
    heading, top = title(panel.title, width, theme)
    rows, count = _places(panel)
    top += 24
    columns = _columns(panel, width)
    width = max(width, columns[-1][1] + 2)

    def middle(row: int) -> float:
        return top + (row + 0.5) * ROW

    lines: list[tuple[int, str]] = []
    marks = [_root(middle(0), theme)]
    for place, row in rows.items():
        step, node = place[0], panel.steps[place[0]][place[1]]
        start = ROOT + 5.0 if step == 0 else columns[step - 1][1] + 8
        above = 0 if step == 0 else rows[step - 1, node.parent]
        way = _elbow(start, middle(above), columns[step][0] - 12, middle(row))
        lines.append((node.kept + node.won, _edge(way, node, theme)))
        marks.append(_node(node, columns[step], middle(row), theme))
    headers = [
        text(x, top - 8, _header(panel, step), size=LABEL, fill=theme("muted"))
        for step, (x, _) in enumerate(columns)
    ]
    bottom = top + count * ROW + 12
    keys, height = _keys(bottom, theme)
    # The way to the winner lies over all others.
    body = [heading, *headers, *(line for _, line in sorted(lines)), *marks, keys]
    return Drawing(width, bottom + height, "".join(body))


def _columns(panel: LatticePanel, width: float) -> list[tuple[float, float]]:
    """Where words begin and log-probabilities end, at every step; loosely where there is room."""
    needed = [
        max(
            text_width(_header(panel, step), LABEL),
            max(text_width(node.word, WORD, bold=True) for node in nodes)
            + max(text_width(fixed(node.total, 2), LABEL, bold=True) for node in nodes)
            + 8,
        )
        for step, nodes in enumerate(panel.steps)
    ]
    spare = (width - ROOT - sum(needed)) / len(needed)
    gap = min(max(spare, GAP), WIDEST_GAP)
    ends = accumulate(needed, lambda end, room: end + gap + room, initial=ROOT)
    return [(end - room, end) for end, room in zip([*ends][1:], needed, strict=True)]


def _header(panel: LatticePanel, step: int) -> str:
    others = f", {panel.left_out[step]} more pruned" if panel.left_out[step] else ""
    return f"step {step + 1}{others}"


def _elbow(x1: float, y1: float, x2: float, y2: float) -> str:
    """A way to the right and then down, its corners round."""
    if y1 == y2:
        return f"M{x1:.1f} {y1:.1f}H{x2:.1f}"
    bend, r = x1 + 10, 6.0
    return f"M{x1:.1f} {y1:.1f}H{bend - r:.1f}q{r} 0 {r} {r}V{y2 - r:.1f}q0 {r} {r} {r}H{x2:.1f}"


def _edge(way: str, node: LatticeNode, theme: Theme) -> str:
    colour = theme("accent" if node.won else "muted" if node.kept else "axis")
    return element(
        "path",
        d=way,
        fill="none",
        stroke=colour,
        stroke_width=2.6 if node.won else 1.3,
        stroke_dasharray=None if node.kept else "3 3",
    )


def _mark(x: float, y: float, won: bool, kept: bool, theme: Theme) -> str:
    if won:
        return element("circle", cx=x, cy=y, r=4.2, fill=theme("accent"))
    if kept:
        ring = {"fill": theme("paper"), "stroke": theme("muted"), "stroke_width": 1.5}
        return element("circle", cx=x, cy=y, r=3.6, **ring)
    return element("circle", cx=x, cy=y, r=2.2, fill=theme("axis"))


def _root(y: float, theme: Theme) -> str:
    return element("circle", cx=ROOT, cy=y, r=4.2, fill=theme("ink"))


def _node(node: LatticeNode, column: tuple[float, float], y: float, theme: Theme) -> str:
    """The mark of a node, its word, and its log-probability at the end of the column."""
    x, end = column
    colour = theme("ink" if node.kept else "muted")
    weight = 700 if node.won else None
    return "".join(
        [
            _mark(x - 9, y, node.won, node.kept, theme),
            text(x, y + 4, node.word, size=WORD, font_weight=weight, fill=colour),
            text(
                end,
                y + 4,
                fixed(node.total, 2),
                size=LABEL,
                anchor="end",
                font_weight=weight,
                fill=colour,
            ),
        ]
    )


def _keys(top: float, theme: Theme) -> tuple[str, float]:
    """What the marks stand for, and the height that takes."""
    parts, x = [], ROOT - 4
    for name, won, kept in (
        ("written", True, True),
        ("kept", False, True),
        ("pruned", False, False),
    ):
        parts.append(_mark(x + 4, top + 8, won, kept, theme))
        parts.append(text(x + 14, top + 12, name, size=LABEL, fill=theme("muted")))
        x += text_width(name, LABEL) + 32
    return "".join(parts), 22.0


# -------------------------------------------------------------------------------------------- text


def lattice_lines(panel: LatticePanel) -> list[str]:
    """A search as lines of text."""
    rows, count = _places(panel)
    widths = [
        max(len(_header(panel, step)), *(len(_said(node)) for node in nodes))
        for step, nodes in enumerate(panel.steps)
    ]
    at = {(step, row): (step, n) for (step, n), row in rows.items()}
    headers = (f"{_header(panel, step):<{widths[step]}}" for step in range(len(widths)))
    lines = ["  " + "    ".join(headers)]
    for row in range(count):
        line, before = "", 0
        for step, width in enumerate(widths):
            place = at.get((step, row))
            said = "" if place is None else _said(panel.steps[step][place[1]])
            joint = _joint(panel, rows, step, row) if step else ""
            # A way leads from the end of a word to the next column.
            line = f"{line} ".ljust(before, "─" if joint in ("┬─", "──") else " ")
            line += f"{joint} {said}" if step else said
            before += width + (4 if step else 2)
        lines.append(" " + line)
    lines.append(f"  {WON} written   {KEPT} kept   {LOST} pruned")
    return [line.rstrip() for line in lines]


def _said(node: LatticeNode) -> str:
    mark = WON if node.won else KEPT if node.kept else LOST
    return f"{mark} {node.word} {fixed(node.total, 2)}"


def _joint(panel: LatticePanel, rows: dict[Place, int], step: int, row: int) -> str:
    """What stands before a column in a row: where ways branch, go on and end."""
    for (before, n), first in rows.items():
        if before != step - 1:
            continue
        ends = [rows[child] for child in _children(panel, step, n)]
        if ends and first <= row <= ends[-1]:
            right, down = row in ends, row < ends[-1]
            return {
                (True, True, True): "┬─",
                (True, True, False): "──",
                (False, True, True): "├─",
                (False, True, False): "└─",
                (False, False, True): "│ ",
            }[row == first, right, down]
    return "  "
