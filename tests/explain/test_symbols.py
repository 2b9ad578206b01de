"""Formulas of what was computed, and derivatives line by line."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
import sympy

from thalweg.errors import SpecError
from thalweg.explain.expressions import FUNCTIONS, Expression
from thalweg.explain.symbols import agreement, derivative, formula, in_words
from thalweg.explain.tracing import graph


def of(text: str) -> tuple[sympy.Expr, Expression]:
    expression = Expression(text)
    made = graph(expression, *[0.7] * len(expression.names), names=expression.names)
    return formula(made), expression


@pytest.mark.parametrize("name", sorted(name for name, f in FUNCTIONS.items() if f.takes == 1))
def test_every_function_has_a_formula_and_a_derivative(name: str) -> None:
    found, expression = of(f"{name}(w)")
    value = agreement(found, ["w"], expression)
    assert value.points >= 10
    assert value.difference < 1e-12
    slope = agreement(derivative(found, "w")[-1].expression, ["w"], jax.grad(expression))
    assert slope.points >= 10
    assert slope.difference < 1e-10


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("cos(w**2)", "w", "-2*w*sin(w**2)"),
        ("cos(w**2) + sin(w**2)", "w", "2*w*(cos(w**2) - sin(w**2))"),
        ("2*x**4 - 7*y**20 + z + 5", "x", "8*x**3"),
        ("2*x**4 - 7*y**20 + z + 5", "y", "-140*y**19"),
        ("2*x**4 - 7*y**20 + z + 5", "z", "1"),
        ("x - 3 + 2*y", "x", "1"),
        ("x - 3 + 2*y", "y", "2"),
        ("sin(x)*cos(x)", "x", "cos(x)**2 - sin(x)**2"),
        ("x**2 + 3*x", "x", "2*x + 3"),
        ("x**w", "w", "x**w*log(x)"),
        ("x**x", "x", "x**x*(log(x) + 1)"),
        ("(x + 1)/(x**2 + 2)", "x", "(-x**2 - 2*x + 2)/(x**2 + 2)**2"),
        ("exp(-x)/x", "x", "-exp(-x)/x - exp(-x)/x**2"),
    ],
)
def test_derivatives_are_those_of_sympy_and_of_the_source(
    text: str, name: str, expected: str
) -> None:
    found, _ = of(text)
    last = derivative(found, name)[-1].expression
    symbols = {s.name: s for s in found.free_symbols}
    assert sympy.simplify(last - sympy.sympify(expected, locals=symbols)) == 0
    assert sympy.simplify(last - sympy.diff(found, symbols[name])) == 0


def test_every_line_equals_the_one_before() -> None:
    found, _ = of("w*sin(w)/(1 + exp(w))")
    (symbol,) = found.free_symbols
    values = [line.expression.doit().subs(symbol, 0.37).evalf() for line in derivative(found, "w")]
    assert len(values) >= 4
    assert all(abs(value - values[0]) < 1e-12 for value in values)


def test_rules_are_named() -> None:
    found, _ = of("w*cos(w**2)")
    rules = [rule for line in derivative(found, "w") for rule in line.rules]
    assert rules == ["product rule", "cos(u)′ = −sin(u), and chain rule", "power rule"]


def test_constants_are_recognized() -> None:
    assert in_words(of("0.1*w + pi*w**2 + 1.4142135623730951*w**3")[0]) == "√(2)·w³ + π·w² + w/10"


def test_words() -> None:
    assert in_words(of("where(w > 1, abs(w), max(w, 2))")[0]) == "{|w| if w > 1; else max(w, 2)}"
    assert in_words(of("sigmoid(w)*softplus(w)")[0]) == "sigmoid(w)·softplus(w)"


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(SpecError, match="for which there is no formula"):
        formula(graph(lambda x: jnp.sum(x), jnp.ones(2)))
