"""Gradients of random programs by five ways: paths, backward pass, JAX, SciPy, formulas."""

from __future__ import annotations

import os
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.differentiate import derivative as by_scipy
from tests.explain.programs import Program, programs

from thalweg.explain.backward import backward
from thalweg.explain.checking import checked, differences
from thalweg.explain.graphs import Graph
from thalweg.explain.paths import count, paths
from thalweg.explain.symbols import agreement, derivative, formula
from thalweg.explain.tracing import graph

MANY = settings(
    max_examples=int(os.environ.get("THALWEG_PROGRAMS", "60")),
    derandomize="THALWEG_PROGRAMS" not in os.environ,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
ARGUMENTS = st.lists(st.floats(-2, 2).map(lambda x: round(x, 3)), min_size=3, max_size=3)


def traced(program: Program, at: list[float]) -> Graph:
    """The graph, where the program has a value and derivatives of a size that can be compared."""
    made = graph(program, *at)
    assume(all(np.all(np.isfinite(value.value)) for value in made.values))
    assume(not any(value.kink for value in made.values))
    assume(made.values[made.output].has_gradient)
    gradients = backward(made).gradients.values()
    assume(all(np.all(np.abs(gradient) < 1e4) for gradient in gradients))
    return made


@MANY
@given(programs(), ARGUMENTS)
def test_all_ways_agree(program: Program, at: list[float]) -> None:
    at = at[: program.inputs]
    made = traced(program, at)
    for check in checked(program, at, made, most=2000):
        np.testing.assert_allclose(check.by_backward, check.by_jax, rtol=1e-10, atol=1e-12)
        assert check.by_paths is None or check.largest_difference < 1e-8, check


@settings(MANY, max_examples=int(os.environ.get("THALWEG_PROGRAMS", "12")))
@given(programs(longest=6), ARGUMENTS)
def test_formulas_agree(program: Program, at: list[float]) -> None:
    at = at[: program.inputs]
    made = traced(program, at)
    expression = formula(made)
    names = [made.values[number].name for number in made.inputs]
    assert agreement(expression, names, program).difference < 1e-8
    lines = derivative(expression, names[0])
    # Where JAX divides what is left of a branch that was not taken, it has no derivative.
    slope = agreement(lines[-1].expression, names, jax.grad(program))
    assert slope.difference < 1e-6, (expression, lines[-1], slope)


@pytest.mark.parametrize(
    ("function", "at"),
    [
        (lambda x: np.exp(x) * np.sin(3 * x), 0.7),
        (lambda x: 1 / (1 + x * x), -1.2),
        (lambda x: np.log(x), 30.0),
    ],
)
def test_differences_are_those_of_scipy(function: Any, at: float) -> None:
    found = by_scipy(function, at)
    assert found.success
    np.testing.assert_allclose(differences(function, [at], 0), found.df, rtol=1e-9)


def test_a_wrong_gradient_is_seen() -> None:
    @jax.custom_jvp
    def cube(x: Any) -> Any:
        return x**3

    @cube.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        return cube(*primals), 2 * primals[0] ** 2 * tangents[0]  # should be 3

    (check,) = checked(cube, [2.0], graph(cube, 2.0))
    assert check.by_backward == check.by_jax == 8
    assert check.by_differences == pytest.approx(12)
    assert check.largest_difference == pytest.approx(0.5)


def test_paths_are_refused_where_they_are_too_many() -> None:
    def tower(x: Any) -> Any:
        a = b = x
        for _ in range(20):
            a, b = a + b, a * b
        return a + b

    made = graph(tower, 0.1)
    assert count(made, 0) == 2**21
    with pytest.raises(Exception, match="2,097,152 paths from x to the output"):
        paths(made, 0)
