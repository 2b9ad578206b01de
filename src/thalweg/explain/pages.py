"""Pages about one computation: forward, backward, all paths, formulas and checks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from thalweg.catalogue.families import FAMILIES, members
from thalweg.errors import SpecError
from thalweg.explain.backward import Backward, Step, backward
from thalweg.explain.checking import Check, checked
from thalweg.explain.explanation import Explanation
from thalweg.explain.graphs import Edge, Graph, Value
from thalweg.explain.paths import cost_of_backward, cost_of_paths, count, paths
from thalweg.explain.tracing import graph as traced
from thalweg.explain.words import amount, made_of
from thalweg.report import parts
from thalweg.report.graphs import MOST_NODES
from thalweg.report.words import short

__all__ = ["LOSS", "backpropagation", "formulas", "panel", "stepper"]

#: Paths in a table.
LISTED = 32
#: What the part of a graph is called that is a loss.
LOSS = "loss"


# --------------------------------------------------------------------------------------- the graph


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
        f"∂{last}/∂{value.name} = {_sum(graph, back, step)} = {amount(step.gradient)}.",
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


def _sum(graph: Graph, back: Backward, step: Step) -> str:
    """The sum that gives a gradient, with numbers where the values are numbers."""
    last = graph.values[graph.output].name

    def term(edge: Edge) -> str:
        target = graph.values[edge.target]
        local = graph.slopes.get(edge)
        if local is None:
            return f"∂{last}/∂{target.name} · ∂{target.name}/∂{graph.values[step.number].name}"
        arrived = short(float(back.gradients[edge.target]), 4)
        return f"{_bracketed(arrived)} · {_bracketed(short(local, 4))}"

    return " + ".join(term(arrival.edge) for arrival in step.arrivals)


def _bracketed(number: str) -> str:
    return f"({number})" if number.startswith("−") else number


# --------------------------------------------------------------------------------- backpropagation


def backpropagation(
    function: Callable[..., Any],
    arguments: Mapping[str, Any] | Sequence[Any],
    title: str,
    *,
    folds: Sequence[str] | None = None,
    direction: Any = None,
    most_paths: int = LISTED,
) -> Explanation:
    """All about a computation and its gradients: forward, backward, paths, formula and check.

    Args:
        function: of the arguments in their order; gives one array.
        arguments: numbers, arrays or trees of them; by name, if the function's are not to be used.
        title: of the page.
        folds: named parts that are shown as one value each; known functions, and a loss of the
            catalogue, if left out.
        direction: as in ``backward``.
        most_paths: paths that are listed; of more there is only the number.

    Raises:
        SpecError: there is no graph, or no gradient, or no such part.
    """
    by_name = isinstance(arguments, Mapping)
    given = tuple(arguments.values()) if by_name else tuple(arguments)
    whole = traced(function, *given, names=tuple(arguments) if by_name else ())
    shown = whole.without_plumbing()
    shown = shown.folded(*(_activations(shown) if folds is None else folds))
    back = backward(shown, direction)
    checks = checked(function, given, shown, direction)
    sections = [
        parts.Section("The graph", (_drawn(shown, back),)),
        parts.Section("Step by step", (_table(shown, back),)),
        *_path_sections(shown, direction, most_paths),
        *formulas(whole, function),
        parts.Section("Check", (_checks(checks),)),
    ]
    page = parts.Page(title, (*_remarks(shown, back), *sections))
    return Explanation(page, _data(shown, back, checks))


def _drawn(graph: Graph, back: Backward) -> parts.Part:
    """The graph, or which of its parts should be folded so that it can be drawn."""
    if len(graph.values) <= MOST_NODES:
        return stepper(graph, back)
    sizes = Counter(group for value in graph.values for group in value.groups)
    largest = ", ".join(f"{group!r} ({held:,})" for group, held in sizes.most_common(5))
    offered = f"Fold some of its parts: {largest}" if sizes else "Explain a part of it"
    there = f"The graph has {len(graph.values):,} values; at most {MOST_NODES} can be drawn."
    return parts.Paragraph(f"{there} {offered}.", "warning")


def _activations(graph: Graph) -> list[str]:
    """Parts of a graph that are known functions: activations, losses and what those are made of."""
    known = {*members(FAMILIES["activations"]), "log_softmax", "logsumexp", LOSS}
    found = dict.fromkeys(group for value in graph.values for group in value.groups)
    return [group for group in found if group.split(" ")[0] in known]


def _data(graph: Graph, back: Backward, checks: Sequence[Check]) -> dict[str, Any]:
    gradients = back.gradients
    return {
        "values": [
            {
                "name": value.name,
                "operation": value.operation,
                "made_of": made_of(graph, value),
                "value": value.value.tolist(),
                "gradient": gradients[number].tolist() if number in gradients else None,
                "kink": value.kink,
            }
            for number, value in enumerate(graph.values)
        ],
        "gradients": {
            check.name: {
                "backward": check.by_backward.tolist(),
                "paths": None if check.by_paths is None else np.asarray(check.by_paths).tolist(),
                "jax": check.by_jax.tolist(),
                "differences": None
                if check.by_differences is None
                else check.by_differences.tolist(),
            }
            for check in checks
        },
        "paths": {graph.values[number].name: count(graph, number) for number in graph.inputs},
    }


def _remarks(graph: Graph, back: Backward) -> Iterator[parts.Section]:
    """What must be known before the numbers are believed."""
    remarks = []
    if (first := graph.first_nan) is not None:
        value = graph.values[first]
        of = ", ".join(
            f"{graph.values[source].name} = {amount(graph.values[source].value)}"
            for source in dict.fromkeys(value.sources)
        )
        remarks.append(
            f"{value.name} = {made_of(graph, value)} is the first value that is not a number, "
            f"made of {of}; all that is made of it is none either."
        )
    for number, value in enumerate(graph.values):
        if value.kink and number in back.gradients:
            slopes = [
                f"{short(graph.slopes[edge], 4)} by {graph.values[edge.source].name}"
                for edge in graph.edges()
                if edge.target == number and edge in graph.slopes
            ]
            used = f" What is used is the convention of JAX: {', '.join(slopes)}." if slopes else ""
            remarks.append(
                f"{value.name} = {made_of(graph, value)} has no derivative here, as "
                f"{value.kink}.{used}"
            )
    if remarks:
        yield parts.Section(
            "To be known first", tuple(parts.Paragraph(text, "warning") for text in remarks)
        )


def _table(graph: Graph, back: Backward) -> parts.Table:
    """Every value with what it is made of and its gradient."""
    last, steps = graph.values[graph.output].name, {step.number: step for step in back.steps}
    rows = []
    for number, value in enumerate(graph.values):
        step = steps.get(number)
        arrived = "" if step is None or not step.arrivals else _sum(graph, back, step)
        rows.append(
            (
                value.name,
                "" if value.operation == "input" else made_of(graph, value),
                amount(value.value),
                "–" if step is None else amount(step.gradient),
                arrived or ("1" if step is not None else ""),
            )
        )
    columns = ("value", "made of", "is", f"∂{last}/∂value", "which is the sum of")
    return parts.Table(columns, tuple(rows), "llrrl")


def _path_sections(graph: Graph, direction: Any, most: int) -> Iterator[parts.Section]:
    held: list[parts.Part] = []
    counted = []
    for number in graph.inputs:
        value = graph.values[number]
        there = count(graph, number)
        if not value.has_gradient or not there:
            continue
        by_paths, by_backward = cost_of_paths(graph, number), cost_of_backward(graph, number)
        counted.append(
            (
                value.name,
                f"{there:,}",
                f"{by_paths.multiplications:,}",
                f"{by_paths.additions:,}",
                f"{by_backward.multiplications:,}",
                f"{by_backward.additions:,}",
            )
        )
        if there <= most:
            held.append(_paths(graph, number, direction, most))
    if counted:
        columns = ("from", "paths", "×, by paths", "+, by paths", "×, backward", "+, backward")
        caption = (
            "What the sum over all paths takes, and what the backward pass takes, which gathers "
            "at every value what arrives there."
        )
        held.insert(0, parts.Table(columns, tuple(counted), "lrrrrr", caption))
        yield parts.Section("All paths", tuple(held))


def _paths(graph: Graph, number: int, direction: Any, most: int) -> parts.Table:
    rows = []
    found = paths(graph, number, direction, most)
    for path in found:
        way = " → ".join(
            [graph.values[number].name, *(graph.values[edge.target].name for edge in path.edges)]
        )
        slopes = [graph.slopes.get(edge) for edge in path.edges]
        factors = " · ".join(_bracketed(short(s, 4)) for s in slopes if s is not None)
        rows.append((way, factors if None not in slopes else "", amount(path.product)))
    total = sum((path.product for path in found), np.zeros_like(graph.values[number].value))
    rows.append(("sum", "", amount(np.asarray(total))))
    caption = f"Paths from {graph.values[number].name}, with the local derivatives along each."
    return parts.Table(("path", "local derivatives", "product"), tuple(rows), "llr", caption)


def formulas(graph: Graph, function: Callable[..., Any]) -> Iterator[parts.Section]:
    """The function and its derivatives as formulas, where it is one of numbers that has one."""
    if not all(value.is_number for value in graph.values):
        return
    if find_spec("sympy") is None:
        text = "Formulas need SymPy: pip install 'thalweg[explain]'."
        yield parts.Section("As a formula", (parts.Paragraph(text, "note"),))
        return
    from thalweg.explain.symbols import formula

    try:
        expression = formula(graph)
    except SpecError as error:
        yield parts.Section("As a formula", (parts.Paragraph(f"There is none: {error}.", "note"),))
        return
    names = [graph.values[number].name for number in graph.inputs]
    yield parts.Section("As a formula", tuple(_lines_of(expression, names, function)))


def _lines_of(
    expression: Any, names: Sequence[str], function: Callable[..., Any]
) -> Iterator[parts.Formula]:
    import jax
    import sympy

    from thalweg.explain.symbols import agreement, derivative, in_words

    def line(own: Any, reason: str = "", checked: str = "", start: str = "") -> parts.Formula:
        return parts.Formula(
            start + sympy.latex(own), start + in_words(own), reason=reason, checked=checked
        )

    value = agreement(expression, names, function)
    yield line(expression, checked=str(value), start="f = ")
    for place, name in enumerate(names):
        lines = derivative(expression, name)
        slope = agreement(lines[-1].expression, names, jax.grad(function, place))
        for number, own in enumerate(lines):
            start = "= " if number else ""
            last = str(slope) if number == len(lines) - 1 else ""
            yield line(own.expression, "; ".join(own.rules), last, start)


def _checks(checks: Sequence[Check]) -> parts.Table:
    rows = tuple(
        (
            check.name,
            amount(check.by_backward),
            "too many" if check.by_paths is None else amount(np.asarray(check.by_paths)),
            amount(check.by_jax),
            "too many" if check.by_differences is None else amount(check.by_differences),
            short(check.largest_difference, 2),
        )
        for check in checks
    )
    columns = ("by", "backward pass", "all paths", "jax.grad", "differences", "differ by")
    return parts.Table(columns, rows, "lrrrrr", "The derivative of the output, by four ways.")
