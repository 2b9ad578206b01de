"""Graphs of computations as drawings, and the way through them step by step."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from thalweg.explain.backward import Backward, Step
from thalweg.explain.graphs import Edge, Graph, Value
from thalweg.explain.words import amount, made_of
from thalweg.report import parts
from thalweg.report.graphs import MOST_NODES
from thalweg.report.words import short

__all__ = ["bracketed", "drawn", "panel", "stepper", "sum_of"]


def drawn(graph: Graph, back: Backward) -> parts.Part:
    """The graph, or which of its parts should be folded so that it can be drawn."""
    if len(graph.values) <= MOST_NODES:
        return stepper(graph, back)
    sizes = Counter(group for value in graph.values for group in value.groups)
    largest = ", ".join(f"{group!r} ({held:,})" for group, held in sizes.most_common(5))
    offered = f"Fold some of its parts: {largest}" if sizes else "Explain a part of it"
    there = f"The graph has {len(graph.values):,} values; at most {MOST_NODES} can be drawn."
    return parts.Paragraph(f"{there} {offered}.", "warning")


def panel(graph: Graph, title: str, *, values: bool = True) -> parts.GraphPanel:
    """A graph to be drawn.

    Args:
        graph: a computation.
        title: what it computes.
        values: whether boxes say what values are.
    """
    nodes = tuple(
        parts.GraphNode(
            name=value.name,
            label=value.label or value.operation.replace("_", " "),
            lines=_lines(value) if values else (),
            kind=_kind(graph, number),
            groups=value.groups,
        )
        for number, value in enumerate(graph.values)
    )
    pairs = dict.fromkeys(
        (source, number) for number, value in enumerate(graph.values) for source in value.sources
    )
    edges = (
        parts.GraphEdge(graph.values[source].name, graph.values[target].name)
        for source, target in pairs
    )
    return parts.GraphPanel(title, nodes, tuple(edges))


def _kind(graph: Graph, number: int) -> parts.NodeKind:
    operation = graph.values[number].operation
    if operation == "input":
        return "input"
    if number == graph.output:
        return "output"
    return "fold" if operation == "fold" else "operation"


def _lines(value: Value) -> tuple[str, ...]:
    if value.operation == "input":
        return (amount(value.value),)
    return (f"{value.name} = {amount(value.value)}",)


def stepper(graph: Graph, back: Backward, title: str = "Forward, then backward") -> parts.Stepper:
    """Forward, then backward, value by value; what is not known yet is not shown."""
    blank = panel(graph, "", values=False)
    steps = [_forward(graph, number) for number in range(len(graph.values))]
    steps += [_back(graph, back, step) for step in back.steps]
    caption = (
        "First every value is computed from those before it, then, from the output back, the "
        "derivative of the output with respect to it (∂). Edges have the local derivatives."
    )
    return parts.Stepper(title, caption, blank, tuple(steps))


def _forward(graph: Graph, number: int) -> parts.Step:
    value = graph.values[number]
    sources = dict.fromkeys(graph.values[source].name for source in value.sources)
    made = "" if value.operation == "input" else f" = {made_of(graph, value)}"
    return parts.Step(
        f"{value.name}{made} = {amount(value.value)}.",
        nodes={value.name: _lines(value)},
        active=(value.name, *(f"{source}>{value.name}" for source in sources)),
    )


def _back(graph: Graph, back: Backward, step: Step) -> parts.Step:
    value, last = graph.values[step.number], graph.values[graph.output].name
    lines = (*_lines(value), f"∂ = {amount(step.gradient)}")
    if not step.arrivals:
        start = "is 1 by definition" if value.is_number else "is the direction that is given"
        return parts.Step(f"∂{last}/∂{last} {start}.", {value.name: lines}, active=(value.name,))
    edges = _edge_labels(graph, [arrival.edge for arrival in step.arrivals])
    uses = dict.fromkeys(graph.values[arrival.edge.target].name for arrival in step.arrivals)
    return parts.Step(
        f"∂{last}/∂{value.name} = {sum_of(graph, back, step)} = {amount(step.gradient)}.",
        nodes={value.name: lines},
        edges=edges,
        active=(value.name, *(f"{value.name}>{use}" for use in uses)),
    )


def _edge_labels(graph: Graph, edges: Sequence[Edge]) -> dict[str, str]:
    """Local derivatives by the name of the edge in a drawing; nothing where they are arrays."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for edge in sorted(edges, key=lambda edge: edge.place):
        name = f"{graph.values[edge.source].name}>{graph.values[edge.target].name}"
        if edge in graph.slopes:
            found[name].append(graph.slopes[edge])
    return {name: " + ".join(short(slope, 4) for slope in each) for name, each in found.items()}


def sum_of(graph: Graph, back: Backward, step: Step) -> str:
    """The sum that gives a gradient, with numbers where the values are numbers."""
    last = graph.values[graph.output].name

    def term(edge: Edge) -> str:
        target = graph.values[edge.target]
        local = graph.slopes.get(edge)
        if local is None:
            return f"∂{last}/∂{target.name} · ∂{target.name}/∂{graph.values[step.number].name}"
        arrived = short(float(back.gradients[edge.target]), 4)
        return f"{bracketed(arrived)} · {bracketed(short(local, 4))}"

    return " + ".join(term(arrival.edge) for arrival in step.arrivals)


def bracketed(number: str) -> str:
    """A number in words as a factor: negative ones in brackets."""
    return f"({number})" if number.startswith("−") else number
