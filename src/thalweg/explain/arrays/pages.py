"""Formulas of arrays as a section of a page, checked at random points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.explain.arrays import terms
from thalweg.explain.arrays.lines import Formulas, Line, formulas_of, of_gradient
from thalweg.explain.graphs import Graph
from thalweg.explain.tracing import in_doubles
from thalweg.report import parts
from thalweg.report.words import short

__all__ = ["agreement", "in_lines"]

#: Random points at which the lines are computed.
POINTS = 20


def in_lines(
    graph: Graph, function: Callable[..., Any], given: Sequence[Any], direction: np.ndarray
) -> parts.Section:
    """A section with all lines of a graph, and how far they are from ``jax.grad``.

    Args:
        graph: with what only changes shapes in it.
        function, given: what it is of.
        direction: of the shape of the output.

    Raises:
        SpecError: there are too many lines.
    """
    found = formulas_of(graph)
    symbols = [(found.letters[name], name) for name in found.letters]
    facts = [(terms.letter(own)[0], f"{name}, {_size(found.shapes[own])}") for own, name in symbols]
    facts += [
        (terms.letter(own)[0], f"constant, {_size(array.shape)}")
        for own, array in found.constants.items()
    ]
    legend = (
        "⊙ multiplies entry by entry; Σᵢ sums over the first axis, Σⱼ over the second; arrays are "
        "repeated along leading axes they lack, and a 𝟏ᵀ has a in every column."
    )
    points, difference = agreement(found, graph, function, given, direction)
    checked = (
        f"Computed line by line at {points} random points, the gradients of the inputs differ from "
        f"those of JAX by {short(difference, 2) if difference else '0'} at most, relative to the "
        "largest entry or 1."
    )
    return parts.Section(
        "As formulas",
        (
            parts.Facts(tuple(facts)),
            parts.Paragraph(legend),
            *(_formula(line, found.shapes) for line in found.forward),
            *(_formula(line, found.shapes, "∂") for line in found.backward),
            parts.Paragraph(checked),
        ),
    )


def _formula(line: Line, shapes: Mapping[str, tuple[int, ...]], sign: str = "") -> parts.Formula:
    left = of_gradient(line.name, ()) if sign else terms.symbol(line.name, ())
    said = line.reason if sign else _size(shapes[line.name])
    return parts.Formula(
        f"{left.latex} = {line.term.latex}", f"{left.text} = {line.term.text}", said
    )


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "a number"


def agreement(
    found: Formulas,
    graph: Graph,
    function: Callable[..., Any],
    given: Sequence[Any],
    direction: np.ndarray,
) -> tuple[int, float]:
    """How far the lines are from ``jax.grad``, and at how many random points that was seen.

    Points at which a gradient of JAX is not finite are passed over.
    """
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        leaves, structure = jax.tree.flatten(tuple(given))
        arrays = [np.asarray(in_doubles(leaf)) for leaf in leaves]
        names = [graph.values[number].name for number in graph.inputs]
        moving = [n for n, array in enumerate(arrays) if array.dtype.kind == "f"]

        def weighted(floats: list[Any]) -> jax.Array:
            mixed = list(arrays)
            for n, array in zip(moving, floats, strict=True):
                mixed[n] = array
            return jnp.sum(function(*structure.unflatten(mixed)) * direction)

        gradients = jax.jit(jax.grad(weighted))
        points, largest = 0, 0.0
        for _ in range(POINTS):
            floats = [random.normal(size=arrays[n].shape) for n in moving]
            by_jax = [*map(np.asarray, gradients([jnp.asarray(array) for array in floats]))]
            if not all(np.all(np.isfinite(other)) for other in by_jax):
                continue
            points += 1
            at = dict(zip(names, arrays, strict=True))
            at |= {names[n]: array for n, array in zip(moving, floats, strict=True)}
            with np.errstate(all="ignore"):
                own = found.gradients(at, direction)
            for n, other in zip(moving, by_jax, strict=True):
                # What is no number is as far off as can be.
                apart = np.nan_to_num(np.abs(own[names[n]] - other), nan=np.inf)
                scale = max(1.0, float(np.max(np.abs(other), initial=0.0)))
                largest = max(largest, float(np.max(apart, initial=0.0)) / scale)
    return points, largest
