"""Formulas as text: what is read, what is refused, and that nothing is ever run."""

from __future__ import annotations

import math

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.errors import SpecError
from thalweg.explain.expressions import FUNCTIONS, Expression, assignments


@pytest.mark.parametrize(
    ("text", "names", "values", "expected"),
    [
        ("cos(w**2) + sin(w**2)", ("w",), (0.8,), math.cos(0.64) + math.sin(0.64)),
        ("-x + 3*y/2", ("x", "y"), (1.0, 4.0), 5.0),
        ("2 * pi * r", ("r",), (1.5,), 3 * math.pi),
        ("where(x > 0, x, 2*x)", ("x",), (-3.0,), -6.0),
        ("max(x, y) - min(x, y)", ("x", "y"), (2.0, 5.0), 3.0),
        ("x**-2", ("x",), (-2.0,), 0.25),
        ("(x)**3", ("x",), (-2.0,), -8.0),
        ("x**0.5", ("x",), (9.0,), 3.0),
        ("relu(w) + leaky_relu(w)", ("w",), (-2.0,), -0.02),
    ],
)
def test_value(
    text: str, names: tuple[str, ...], values: tuple[float, ...], expected: float
) -> None:
    expression = Expression(text)
    assert expression.names == names
    with jax.enable_x64(True):
        assert float(expression(*values)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the expression is empty"),
        ("1 +", "is no expression: not understood at letter"),
        ("w^2", "powers are written"),
        ("rleu(x)", "there is no function 'rleu'; did you mean 'relu'?"),
        ("relu(x, 1)", "has 2 arguments; relu takes 1"),
        ("sin", "'sin' is a function; write sin"),
        ("where(x, 1, 2)", "'x' is no condition"),
        ("x < 1", "is not among numbers, names"),
        ("1e999", "is too large a number"),
        ("True", "is no number"),
        ("1j", "is no number"),
        ("'a'", "is no number"),
        ("...", "is not among"),
        ("x = 1", "is no expression"),
        ("__import__('os').getcwd()", "is not among"),
        ("(lambda: 1)()", "is not among"),
        ("[y for y in x]", "is not among"),
        ("x.real", "is not among"),
        ("sin(*x)", "is not among"),
        ("-" * 5000 + "x", "nested"),
        ("x+" * 6000 + "x", "at most 10,000 are read"),
        ("abs(" * 150 + "x" + ")" * 150, "nested more than 100 deep"),
        ("\0", "is no expression"),
    ],
)
def test_refused(text: str, sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence.replace("(", r"\(").replace("?", r"\?")):
        Expression(text)


def test_powers_of_large_numbers_end() -> None:
    assert float(Expression("9**9**9**9")()) == math.inf


def test_every_activation_that_treats_units_alone_is_a_function() -> None:
    assert {"relu", "gelu", "swish", "softplus"} <= set(FUNCTIONS)
    assert "softmax" not in FUNCTIONS


@given(st.text(alphabet="xy+-*/()., 0123456789<>=sincomax_'[]{}:", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        names = Expression(text).names
    except SpecError:
        return
    assert all(name.isidentifier() for name in names)


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        (["w"], "'w' is no value; write name=number"),
        (["v=1"], "there is no 'v' in the expression"),
        (["w=x"], "w must be a number, got 'x'"),
        (["w=1", "w=2"], "w is given twice"),
        ([], "no value for w; add numbers, such as w=1"),
    ],
)
def test_values_refused(given_: list[str], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        assignments(given_, ("w",))
    assert assignments(["w=1.5"], ("w",)) == {"w": 1.5}
