"""Pages about one computation: forward, backward, all paths, formulas and checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from thalweg.catalogue.families import FAMILIES, members
from thalweg.errors import SpecError
from thalweg.explain.backward import Backward, backward
from thalweg.explain.checking import Check, checked
from thalweg.explain.drawing import bracketed, drawn, sum_of
from thalweg.explain.explanation import Explanation
from thalweg.explain.expressions import FUNCTIONS
from thalweg.explain.graphs import Graph
from thalweg.explain.paths import cost_of_backward, cost_of_paths, count, paths
from thalweg.explain.tracing import graph as traced
from thalweg.explain.words import amount, made_of
from thalweg.report import parts
from thalweg.report.words import short

__all__ = ["LOSS", "backpropagation", "formulas"]

#: Paths in a table.
LISTED = 32
#: Entries of an array that are shown.
MOST_ENTRIES = 10_000
#: Values of a graph whose formula is written out: of more nobody could read it.
MOST_OF_FORMULA = 80
#: What the part of a graph is called that is a loss.
LOSS = "loss"


def backpropagation(
    function: Callable[..., Any],
    arguments: Mapping[str, Any] | Sequence[Any],
    title: str,
    *,
    folds: Sequence[str] = (),
    unfold: bool = False,
    direction: Any = None,
    most_paths: int = LISTED,
    entries: Sequence[str] = (),
) -> Explanation:
    """All about a computation and its gradients: forward, backward, paths, formula and check.

    Args:
        function: of the arguments in their order; gives one array.
        arguments: numbers, arrays or trees of them; by name, if the function's are not to be used.
        title: of the page.
        folds: named parts that are shown as one value each, beside known functions and a loss of
            the catalogue.
        unfold: whether operations inside those are shown, too.
        direction: as in ``backward``.
        most_paths: paths that are listed; of more there is only the number.
        entries: names of values that are shown entry by entry, with their gradients.

    Raises:
        SpecError: there is no graph, or no gradient, or no such part or value.
    """
    by_name = isinstance(arguments, Mapping)
    given = tuple(arguments.values()) if by_name else tuple(arguments)
    whole = traced(function, *given, names=tuple(arguments) if by_name else ())
    shown = whole.without_plumbing()
    shown = shown.folded(*folds, *(() if unfold else _activations(shown)))
    back = backward(shown, direction)
    checks = checked(function, given, shown, direction)
    sections = [
        parts.Section("The graph", (drawn(shown, back),)),
        parts.Section("Step by step", (_table(shown, back),)),
        *_entries(shown, back, entries),
        *_path_sections(shown, direction, most_paths),
        *formulas(whole, function, given, back.direction),
        parts.Section("Check", (_checks(checks),)),
    ]
    page = parts.Page(title, (*_remarks(shown, back), *sections))
    return Explanation(page, _data(shown, back, checks))


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
        arrived = "" if step is None or not step.arrivals else sum_of(graph, back, step)
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


def _entries(graph: Graph, back: Backward, names: Sequence[str]) -> Iterator[parts.Section]:
    """Values and their gradients entry by entry, the last axis across."""
    tables = []
    for name in names:
        number = graph.number_of(name)
        held = {"value": graph.values[number].value, "gradient": back.gradients.get(number)}
        for kind, array in held.items():
            if array is not None:
                tables.append(_of_entries(f"{name}, {kind}", array))
    if tables:
        yield parts.Section("Entry by entry", tuple(tables))


def _of_entries(caption: str, array: np.ndarray) -> parts.Table:
    if array.size > MOST_ENTRIES:
        raise SpecError(f"{caption} has {array.size:,} entries; at most {MOST_ENTRIES:,} are shown")
    rows = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
    places = np.ndindex(array.shape[:-1]) if array.ndim > 1 else [()]
    columns = ("", *(str(place) for place in range(rows.shape[1])))
    listed = tuple(
        (", ".join(map(str, place)), *(short(float(entry), 6) for entry in row))
        for place, row in zip(places, rows, strict=True)
    )
    return parts.Table(columns, listed, "r" * len(columns), caption)


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
        factors = " · ".join(bracketed(short(s, 4)) for s in slopes if s is not None)
        rows.append((way, factors if None not in slopes else "", amount(path.product)))
    total = sum((path.product for path in found), np.zeros_like(graph.values[number].value))
    rows.append(("sum", "", amount(np.asarray(total))))
    caption = f"Paths from {graph.values[number].name}, with the local derivatives along each."
    return parts.Table(("path", "local derivatives", "product"), tuple(rows), "llr", caption)


def formulas(
    graph: Graph, function: Callable[..., Any], given: Sequence[Any], direction: np.ndarray
) -> Iterator[parts.Section]:
    """The function and its derivatives as formulas, if they are not too long to be read.

    Args:
        graph: with what only changes shapes, and not folded.
        function, given: what it is of.
        direction: of the gradient, of the shape of the output.
    """
    try:
        if all(value.is_number for value in graph.values):
            yield parts.Section("As a formula", tuple(_of_numbers(graph, function)))
        else:
            from thalweg.explain.arrays.pages import in_lines

            known = [name for name in _activations(graph) if name.split(" ")[0] in FUNCTIONS]
            yield in_lines(graph.folded(*known), function, given, direction)
    except SpecError as error:
        yield parts.Section("As a formula", (parts.Paragraph(f"There is none: {error}.", "note"),))


def _of_numbers(graph: Graph, function: Callable[..., Any]) -> Iterator[parts.Part]:
    """The formula of a number, and its derivatives."""
    if len(graph.values) > MOST_OF_FORMULA:
        raise SpecError(f"one of {len(graph.values):,} operations could not be read")
    if find_spec("sympy") is None:
        yield parts.Paragraph("Formulas need SymPy: pip install 'thalweg[explain]'.", "note")
        return
    from thalweg.explain.symbols import formula

    names = [graph.values[number].name for number in graph.inputs]
    yield from _lines_of(formula(graph), names, function)


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
