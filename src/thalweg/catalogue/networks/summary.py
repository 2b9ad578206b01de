"""Summaries: a network in a table, what it holds and does layer by layer.

It is found by abstract evaluation: nothing is computed.
Multiply-adds are those of the products in the program of a layer, so that any layer is counted,
whatever it is made of; what is added or multiplied elementwise is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
from jax import Array

from thalweg.catalogue.context import Context, Variables, Visit

__all__ = ["Cost", "LayerSummary", "Summary", "cost", "summary"]


@dataclass(frozen=True)
class LayerSummary:
    """One layer, per example.

    Args:
        name: with those of the layers around it.
        kind: class of the layer.
        output: shape, without the batch.
        parameters: trained numbers.
        neurons: numbers given out, by a layer with parameters.
        multiply_adds: of the products in it.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    neurons: int
    multiply_adds: int


@dataclass(frozen=True)
class Summary:
    """All innermost layers of a network in the order in which they run, and their sums.

    Args:
        input: shape of an example.
    """

    input: tuple[int, ...]
    layers: tuple[LayerSummary, ...]
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Cost:
    """What a program does.

    Args:
        multiply_adds: of its products.
        largest: numbers in the largest array that is made on the way.
        made: numbers in all arrays that are made on the way.
    """

    multiply_adds: int
    largest: int
    made: int


def summary(network: Any, example: Any) -> Summary:
    """The table of a network.

    Args:
        network: with its outputs given.
        example: shape and type of one input, with a batch axis of 1.
    """
    variables = jax.eval_shape(network.init, jax.random.key(0), example)
    visits: list[Visit] = []

    def run(variables: Variables, x: Array) -> Array:
        return network.apply(variables, x, Context("evaluate", visits=visits))[0]

    output = jax.eval_shape(run, variables, example)
    visits = visits or [Visit("", network, variables, example, output)]
    outer = {visit.name.rpartition(".")[0] for visit in visits} - {""}
    rows = tuple(_row(visit) for visit in visits if visit.name not in outer)
    whole = cost(run, variables, example)
    return Summary(
        tuple(example.shape[1:]), rows, _count(variables.parameters), whole.multiply_adds
    )


def _row(visit: Visit) -> LayerSummary:
    def run(variables: Variables, x: Array) -> Array:
        return visit.layer.apply(variables, x, Context("evaluate"))[0]

    given = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tuple(visit[2:4]))
    shape, parameters = tuple(visit.output.shape[1:]), _count(visit.variables.parameters)
    return LayerSummary(
        visit.name,
        type(visit.layer).__name__,
        shape,
        parameters,
        math.prod(shape) if parameters else 0,
        cost(run, *given).multiply_adds,
    )


def _count(tree: Any) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def cost(function: Any, *given: Any) -> Cost:
    """What a function does with arguments of these shapes and types."""
    return _cost_of(jax.make_jaxpr(function)(*given).jaxpr)


def _cost_of(program: Any) -> Cost:
    """Of all equations, those in loops as often as they run."""
    found = [_cost_of_one(equation) for equation in program.eqns]
    return Cost(
        sum(c.multiply_adds for c in found),
        max((c.largest for c in found), default=0),
        sum(c.made for c in found),
    )


def _cost_of_one(equation: Any) -> Cost:
    sizes = [math.prod(made.aval.shape) for made in equation.outvars]
    inner = [_cost_of(program) for program in _programs_in(equation.params.values())]
    times = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
    products = times * sum(c.multiply_adds for c in inner) + _products(equation)
    largest = max([*sizes, *(c.largest for c in inner)], default=0)
    return Cost(products, largest, sum(sizes) + times * sum(c.made for c in inner))


def _products(equation: Any) -> int:
    """Multiply-adds of one equation that is a product."""
    kind = equation.primitive.name
    if kind not in ("dot_general", "conv_general_dilated"):
        return 0
    output = math.prod(equation.outvars[0].aval.shape)
    other = equation.invars[1].aval.shape
    if kind == "dot_general":
        (_, contracted), _ = equation.params["dimension_numbers"]
        return output * math.prod(other[axis] for axis in contracted)
    features = equation.params["dimension_numbers"].rhs_spec[0]
    return output * math.prod(other) // other[features]


def _programs_in(parameters: Iterable[Any]) -> Iterable[Any]:
    """The programs among the parameters of an equation."""
    for held in parameters:
        for item in held if isinstance(held, tuple | list) else (held,):
            if hasattr(item, "eqns"):
                yield item
            elif hasattr(item, "jaxpr"):
                yield item.jaxpr
