"""Graphs that are gone through step by step: their states, and how they are shown.

On a page the drawing is made once, with room for the most that is ever said, and ``stepper.js``
writes into it; without it, and on paper, all steps are a list. Elsewhere the graph is shown as it
is after the last step, and then what each step changes.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

from thalweg.report.graphs import edge_lines, node_lines
from thalweg.report.parts import Figure, GraphPanel, Step, Stepper
from thalweg.report.svg import text_width

__all__ = [
    "changes",
    "last_figure",
    "last_state",
    "room_of",
    "states",
    "step_lines",
    "stepper_html",
]


def states(stepper: Stepper) -> list[GraphPanel]:
    """The graph before the first step, and after each."""
    found = [replace(stepper.graph, highlighted=())]
    for step in stepper.steps:
        before = found[-1]
        nodes = (
            replace(node, lines=tuple(step.nodes.get(node.name, node.lines)))
            for node in before.nodes
        )
        edges = (
            replace(edge, label=step.edges.get(edge.name, edge.label)) for edge in before.edges
        )
        found.append(GraphPanel(before.title, tuple(nodes), tuple(edges), step.active))
    return found


def last_state(stepper: Stepper) -> GraphPanel:
    """The graph after the last step, with what stands out in it apart from the steps."""
    return replace(states(stepper)[-1], highlighted=stepper.graph.highlighted)


def last_figure(stepper: Stepper) -> Figure:
    """What is shown where nothing moves."""
    return Figure(stepper.title, stepper.caption, (last_state(stepper),))


def room_of(stepper: Stepper) -> GraphPanel:
    """The graph with the longest of all lines and labels in every place."""
    graphs = states(stepper)
    nodes = (
        replace(node, lines=_longest([node_lines(g.nodes[index].lines) for g in graphs]))
        for index, node in enumerate(stepper.graph.nodes)
    )
    edges = (
        replace(edge, label="\n".join(_longest([edge_lines(g.edges[index].label) for g in graphs])))
        for index, edge in enumerate(stepper.graph.edges)
    )
    return GraphPanel(stepper.graph.title, tuple(nodes), tuple(edges))


def _longest(several: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Of several lists of lines, the longest first line, the longest second, and so on."""
    count = max(map(len, several))
    return tuple(
        max((lines[index] for lines in several if index < len(lines)), key=text_width)
        for index in range(count)
    )


# ------------------------------------------------------------------------------------- on a page


def stepper_html(stepper: Stepper, drawings: str) -> str:
    """A graph with what moves it, and the list of its steps.

    Args:
        stepper: what is shown.
        drawings: of ``room_of(stepper)``'s size, after the last step.
    """
    steps = "".join(
        f"<li>{escape(step.text)}{_changes_html(stepper.graph, step)}</li>"
        for step in stepper.steps
    )
    count = len(stepper.steps)
    # "<" would let data end the script early.
    data = json.dumps(_data(stepper), separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<figure class="stepper" tabindex="0" aria-label="{escape(stepper.title)}">'
        f"<figcaption><strong>{escape(stepper.title)}</strong> {escape(stepper.caption)}"
        f'</figcaption><div class="controls" hidden><button class="back">Back</button>'
        '<button class="next">Next</button><button class="play">Play</button>'
        f'<input type="range" min="0" max="{count}" value="0" aria-label="Step">'
        f'<output>0 of {count}</output></div><p class="now" aria-live="polite" hidden></p>'
        f'<div class="panel">{drawings}</div>'
        f'<details class="steps" open><summary>All {count} steps</summary><ol>{steps}</ol>'
        f'</details><script type="application/json">{data}</script></figure>'
    )


def _changes_html(graph: GraphPanel, step: Step) -> str:
    said = "; ".join(changes(graph, step))
    return f"<br><small>{escape(said)}</small>" if said else ""


def _data(stepper: Stepper) -> dict[str, object]:
    """What the script needs: what is said before the first step, and what each changes."""
    nodes = {name for step in stepper.steps for name in step.nodes}
    edges = {name for step in stepper.steps for name in step.edges}
    graph = stepper.graph
    start = {
        "text": "",
        "nodes": {node.name: node_lines(node.lines) for node in graph.nodes if node.name in nodes},
        "edges": {edge.name: edge_lines(edge.label) for edge in graph.edges if edge.name in edges},
        "active": (),
    }
    steps = [
        {
            "text": step.text,
            "nodes": {name: node_lines(lines) for name, lines in step.nodes.items()},
            "edges": {name: edge_lines(label) for name, label in step.edges.items()},
            "active": step.active,
        }
        for step in stepper.steps
    ]
    return {"states": [start, *steps]}


# --------------------------------------------------------------------------------------- in words


def step_lines(stepper: Stepper, width: int) -> list[str]:
    """The steps as a numbered list, each with what it changes."""
    lines: list[str] = []
    digits = len(str(len(stepper.steps)))
    indent = " " * (digits + 2)
    for number, step in enumerate(stepper.steps, 1):
        start = f"{number:>{digits}}. "
        lines += textwrap.wrap(step.text, width, initial_indent=start, subsequent_indent=indent)
        for said in changes(stepper.graph, step):
            more = indent + "  "
            lines += textwrap.wrap(said, width, initial_indent=more, subsequent_indent=more + "  ")
    return lines


def changes(graph: GraphPanel, step: Step) -> list[str]:
    """What a step changes, in words: ``sin: 0.78, adjoint 1``, ``w → sin: 0.07``."""
    names = node_names(graph)
    said = [f"{names[name]}: {', '.join(lines) or '·'}" for name, lines in step.nodes.items()]
    for name, label in step.edges.items():
        source, target = name.split(">")
        said.append(f"{names[source]} → {names[target]}: {label or '·'}")
    return said


def node_names(graph: GraphPanel) -> Mapping[str, str]:
    """What nodes are called in words: their labels, with their names where others have the same."""
    labels = [node.label for node in graph.nodes]
    return {
        node.name: node.label
        if labels.count(node.label) == 1 or node.label == node.name
        else f"{node.label} ({node.name})"
        for node in graph.nodes
    }
