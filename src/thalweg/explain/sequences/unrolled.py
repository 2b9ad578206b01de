"""Recurrent networks over their steps: folded, unfolded, and the gradients that come back.

Every design is a small program on cells of the catalogue, with one copy of the weights for all
steps; its graph is traced, and where there is a layer of the catalogue for it, checked against it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from thalweg.catalogue.cells import RNN, JordanRNN
from thalweg.catalogue.cells.cell import Cell
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import Recurrent
from thalweg.errors import SpecError
from thalweg.explain.backward import Backward, backward
from thalweg.explain.drawing import stepper
from thalweg.explain.explanation import Explanation
from thalweg.explain.graphs import Graph
from thalweg.explain.sequences.designs import DESIGNS, LETTERS, UNITS, Network, at
from thalweg.explain.tracing import graph as traced
from thalweg.explain.words import amount
from thalweg.part import part_name
from thalweg.report import parts
from thalweg.report.words import count, short

__all__ = ["DESIGNS", "arrivals", "by_use", "drawn", "off_from_jax", "unrolled", "values_of"]

MOST_STEPS = 8
# A part that is entered a second time is called so.
_AGAIN = re.compile(r"(step \d+) \d+$")


def unrolled(
    cell: Cell | None = None,
    steps: int = 3,
    design: str = "every-step",
    truncation: int | None = None,
    seed: int = 0,
) -> Explanation:
    """A recurrent network, folded and unfolded, and the gradients that come back to each step.

    Args:
        cell: of the catalogue, a plain one if left out; designs that hand on outputs have their
            own.
        steps: how often it is applied.
        design: one of ``DESIGNS``.
        truncation: after so many steps no gradient goes back further.
        seed: of the weights and numbers.

    Raises:
        SpecError: there is no such design, or it does not go with the cell or the truncation.
    """
    if design not in DESIGNS:
        raise SpecError(f"there is no design {design!r}; there are {', '.join(DESIGNS)}")
    if not 1 <= steps <= MOST_STEPS:
        raise SpecError(f"steps must be from 1 to {MOST_STEPS}, got {steps}")
    fed = DESIGNS[design].fed
    if fed:
        if cell is not None:
            raise SpecError(f"design {design!r} has a cell of its own, JordanRNN; leave cell out")
        cell = JordanRNN(fed=fed)
    elif isinstance(cell, JordanRNN):
        raise SpecError("the cell JordanRNN hands on its outputs: design 'outputs'")
    if truncation is not None and design not in ("every-step", "last"):
        raise SpecError("truncation is shown for the designs 'every-step' and 'last'")
    if truncation is not None and truncation < 1:
        raise SpecError(f"truncation must be at least 1 step, got {truncation}")
    with jax.enable_x64(True):
        return _explained(cell or RNN(), steps, design, truncation, seed)


def _explained(
    cell: Cell, steps: int, design: str, truncation: int | None, seed: int
) -> Explanation:
    chosen, numbers = DESIGNS[design], np.random.default_rng(seed)
    key = jax.random.key(seed, impl="rbg")
    begun = cell.draw(key, 2 if chosen.fed == "targets" else 1, UNITS)
    flat, unravel = ravel_pytree(jax.tree.map(lambda leaf: leaf.astype(jnp.float64), begun))
    # Drawn anew: biases that start at 0 would show nothing.
    given: dict[str, Any] = {"θ": numbers.normal(size=flat.shape).round(2)}
    if chosen.second:
        given["φ"] = numbers.normal(size=flat.shape).round(2)
    if not chosen.fed:
        width = UNITS * (2 if design == "bidirectional" else 1)
        given["v"] = numbers.normal(size=width + 1).round(2)
    for t in range(1, (steps if chosen.reads else 1) + 1):
        given[at("x", t)] = round(float(numbers.normal()), 2)
    network = Network(cell, steps, numbers.normal(size=steps).round(2), truncation, unravel)

    def loss(*arguments: Any) -> Any:
        return chosen.loss(network, *arguments)

    whole = traced(loss, *given.values(), names=tuple(given)).without_plumbing()
    shown = whole.folded(
        *(
            name
            for name in (network.scope, "output", "loss")
            if any(name in value.groups for value in whole.values)
        )
    )
    shown = _in_steps(shown)
    back = backward(shown)
    off = off_from_jax(back, loss, given)
    layer = _by_layer(cell, design, given, network)
    title = f"{part_name(cell)} over {count(steps, 'step')}: {chosen.title}"
    page = parts.Page(
        title,
        (
            parts.Section("Folded", (_folded(network, design), parts.Paragraph(chosen.said))),
            parts.Section("Unfolded", (drawn(shown, back, "Unfolded", ("θ", "φ", "v")),)),
            parts.Section("What comes back to each step", tuple(_routes(shown, back, network))),
            parts.Section(
                "One set of weights", tuple(_shared(shown, back, unravel, chosen.second))
            ),
            parts.Section("Check", (_checks(off, layer),)),
        ),
        f"{UNITS} units that start at 0; weights and numbers of seed {seed}",
    )
    data = values_of(shown, back, given)
    data |= {"largest_difference": off, "differs_from_layer_by": layer}
    data["targets"] = network.targets.tolist()
    return Explanation(page, data)


def _in_steps(graph: Graph) -> Graph:
    """With all that belongs to a step in one part, however often the program came back to it."""
    values = tuple(
        replace(value, groups=tuple(_AGAIN.sub(r"\1", name) for name in value.groups))
        for value in graph.values
    )
    return Graph(values, graph.output)


# --------------------------------------------------------------------------------------- the page


def _folded(network: Network, design: str) -> parts.Figure:
    """The network as one step, and in loops what that hands to the next one."""
    letters = [LETTERS[name] for name in network.cell.states(UNITS)]

    def at_time(time: str, mark: str = "") -> str:
        return ", ".join(f"{letter}{mark}({time})" for letter in letters)

    def applied(name: str, weights: str, mark: str = "") -> parts.GraphNode:
        lines = (at_time("t", mark), f"one set of weights, {weights}")
        return parts.GraphNode(name, f"{network.scope} ×{network.steps}", lines, "fold")

    x = parts.GraphNode("x", "x(t)", kind="input")
    output = parts.GraphNode("o", "o(t)", kind="output")
    edge = parts.GraphEdge
    match design:
        case "outputs":
            nodes = [x, applied("cell", "θ")]
            edges = [edge("x", "cell"), edge("cell", "cell", at_time("t−1"))]
        case "teacher-forcing":
            target = parts.GraphNode("y", "y(t−1)", ("the target of the step before",), "input")
            nodes = [x, target, applied("cell", "θ")]
            edges = [edge("x", "cell"), edge("y", "cell")]
        case "bidirectional":
            nodes = [x, applied("cell", "θ", "→"), applied("back", "φ", "←"), output]
            edges = [
                *(edge("x", "cell"), edge("cell", "cell", at_time("t−1", "→")), edge("cell", "o")),
                *(edge("x", "back"), edge("back", "back", at_time("t+1", "←")), edge("back", "o")),
            ]
        case "encoder-decoder":
            output = replace(output, lines=("read by the next step",))
            nodes = [x, applied("cell", "θ"), applied("decoder", "φ", "′"), output]
            edges = [
                edge("x", "cell"),
                edge("cell", "cell", at_time("t−1")),
                edge("cell", "decoder", "after the last step"),
                edge("decoder", "decoder", at_time("t−1", "′")),
                edge("decoder", "o"),
            ]
        case _:
            first = ("o(t−1) from step 2 on",) if design == "generate" else ()
            last = ("after the last step",) if design == "last" else ()
            nodes = [replace(x, lines=first), applied("cell", "θ"), replace(output, lines=last)]
            edges = [edge("x", "cell"), edge("cell", "cell", at_time("t−1")), edge("cell", "o")]
    panel = parts.GraphPanel("", tuple(nodes), tuple(edges))
    caption = "One step, applied again and again; "
    if any(own.loops for own in edges):
        caption += "a loop brings what it hands on to the next."
    else:
        caption += "nothing goes from one to the next."
    return parts.Figure("Folded", caption, (panel,))


def drawn(graph: Graph, back: Backward, title: str, weights: Collection[str]) -> parts.Stepper:
    """A network forward and backward, without the weights, that all its parts read.

    Args:
        graph: whose folded parts have the names of what they make.
        back: its backward pass.
        title: of the drawing.
        weights: names of values that are left out.
    """
    whole = stepper(graph, back, title)
    nodes = tuple(
        replace(node, label=f"{node.label} {node.name}") if node.kind == "fold" else node
        for node in whole.graph.nodes
        if node.name not in weights
    )
    edges = tuple(edge for edge in whole.graph.edges if edge.source not in weights)
    kept = {*(node.name for node in nodes), *(edge.name for edge in edges)}
    steps = tuple(
        replace(
            step,
            edges={name: label for name, label in step.edges.items() if name in kept},
            active=tuple(name for name in step.active if name in kept),
        )
        for step in whole.steps
        if not step.nodes.keys() & set(weights)
    )
    caption = (
        "First every value is computed from those before it, then, from the loss L back, the "
        "derivative of L with respect to it (∂). Weights, which all parts share, are left out."
    )
    return parts.Stepper(title, caption, parts.GraphPanel("", nodes, edges), steps)


def arrivals(graph: Graph, back: Backward, name: str) -> dict[str, np.ndarray]:
    """What comes back to a value, by the name of the value it comes from."""
    number = graph.number_of(name)
    step = next((step for step in back.steps if step.number == number), None)
    found: dict[str, np.ndarray] = {}
    for arrival in step.arrivals if step else ():
        source = graph.values[arrival.edge.target].name
        found[source] = found[source] + arrival.gradient if source in found else arrival.gradient
    return found


def off_from_jax(back: Backward, loss: Callable[..., Any], given: Mapping[str, Any]) -> float:
    """How far the gradients of a backward pass are from those of ``jax.grad``, at most."""
    slopes = jax.grad(loss, tuple(range(len(given))))(*map(jnp.asarray, given.values()))
    return max(
        float(np.abs(own - np.asarray(slope)).max())
        for own, slope in zip(back.of_inputs().values(), slopes, strict=True)
    )


def _states(graph: Graph, network: Network) -> list[str]:
    """The names of all states, in the order of computation."""
    letters = {LETTERS[name] for name in network.cell.states(UNITS)}
    return [
        value.name
        for value in graph.values
        if value.name[0] in letters and value.label == network.scope
    ]


def _routes(graph: Graph, back: Backward, network: Network) -> Iterator[parts.Part]:
    rows = []
    for name in reversed(_states(graph, network)):
        routes = arrivals(graph, back, name)
        for place, (source, gradient) in enumerate(routes.items()):
            rows.append((name if not place else "", source, amount(gradient), _length(gradient)))
        if len(routes) > 1:
            whole = sum(routes.values())
            rows.append(("", "sum", amount(np.asarray(whole)), _length(np.asarray(whole))))
        if not routes:
            rows.append((name, "nothing", "0", "0"))
    yield parts.Table(
        ("state", "from", "gradient", "length"),
        tuple(rows),
        "lllr",
        "The derivative of L with respect to every state, the last first: what comes back from its "
        "own output, what from the next step, and their sum.",
    )
    if network.truncation:
        stops = [
            graph.values[value.sources[0]].name
            for value in graph.values
            if value.operation == "stop_gradient"
        ]
        said = ", ".join(dict.fromkeys(stops)) or "none: the stretch is as long as the sequence"
        yield parts.Paragraph(
            f"After {count(network.truncation, 'step')} the state goes on and no gradient goes "
            f"back. States that hand on a value and get no gradient for it: {said}.",
            "warning",
        )


def _length(gradient: np.ndarray) -> str:
    return short(float(np.linalg.norm(gradient)), 4)


def _shared(
    graph: Graph, back: Backward, unravel: Callable[[Any], Any], second: bool
) -> Iterator[parts.Part]:
    """What each step adds to the gradient of the weights."""
    for letter in ("θ", "φ") if second else ("θ",):
        caption = (
            f"Every step uses the same weights {letter}; the gradient is the sum over all uses."
        )
        yield by_use(graph, back, letter, unravel, caption)


def by_use(
    graph: Graph, back: Backward, name: str, unravel: Callable[[Any], Any], caption: str
) -> parts.Table:
    """What comes back to weights from each of their uses, and the sum of that.

    Args:
        graph, back: the program and its backward pass.
        name: of the weights, which are a vector.
        unravel: makes parameters by name of it.
        caption: of the table.
    """
    terms = arrivals(graph, back, name)
    uses = sorted(terms.items(), key=lambda pair: graph.number_of(pair[0]))
    rows = []
    names: list[str] = []
    for use, gradient in [*uses, ("sum", np.asarray(sum(terms.values())))]:
        held = unravel(jnp.asarray(gradient))
        names = [own.removesuffix("_kernel").replace("_", " ") for own in held]
        rows.append((use, *(_entries(np.asarray(leaf)) for leaf in held.values())))
    return parts.Table(("through", *names), tuple(rows), "l" * (len(names) + 1), caption)


def _entries(array: np.ndarray) -> str:
    """A small array row by row, a large one by its size."""
    if array.size > 8:
        return amount(array)
    rows = array if array.ndim == 2 else [array.ravel()]
    return "; ".join(" ".join(short(float(n), 3) for n in row) for row in rows)


def _by_layer(cell: Cell, design: str, given: dict[str, Any], network: Network) -> float | None:
    """How far the loss and its gradient by θ are from those through the layer of the catalogue."""
    if design not in ("every-step", "last"):
        return None
    layer = Recurrent(cell=cell, units=UNITS, truncation=network.truncation)
    xs = jnp.asarray([own for name, own in given.items() if name[0] == "x"])
    targets = jnp.asarray(network.targets)

    def through_layer(weights: Any) -> Any:
        held = Variables(network.unravel(weights), {})
        h, _ = layer.apply(held, xs[None, :, None], Context("train"))
        o = h[0] @ given["v"][:-1] + given["v"][-1]
        losses = 0.5 * (o - targets) ** 2
        return losses[-1] if design == "last" else losses.sum()

    def here(weights: Any) -> Any:
        others = [jnp.asarray(own) for name, own in given.items() if name != "θ"]
        return DESIGNS[design].loss(network, weights, *others)

    at = jnp.asarray(given["θ"])
    value, slope = jax.value_and_grad(through_layer)(at)
    own_value, own_slope = jax.value_and_grad(here)(at)
    return float(jnp.maximum(abs(value - own_value), jnp.abs(slope - own_slope).max()))


def _checks(off: float, layer: float | None) -> parts.Facts:
    said = [("jax.grad", f"all gradients differ by at most {short(off, 2)}")]
    if layer is not None:
        beside = (
            f"loss and gradient through the layer Recurrent differ by at most {short(layer, 2)}"
        )
        said.append(("catalogue", beside))
    return parts.Facts(tuple(said))


def values_of(graph: Graph, back: Backward, given: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs by name, and every value with its gradient and where that comes from, as data."""
    gradients = back.gradients
    return {
        "inputs": {name: np.asarray(own).tolist() for name, own in given.items()},
        "values": [
            {
                "name": value.name,
                "made_of": [graph.values[source].name for source in value.sources],
                "value": value.value.tolist(),
                "gradient": gradients[number].tolist() if number in gradients else None,
                "arrives": {
                    source: gradient.tolist()
                    for source, gradient in arrivals(graph, back, value.name).items()
                },
            }
            for number, value in enumerate(graph.values)
        ],
    }
