"""Pure optimization: the minimum of a function of one variable, with nothing to learn from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.optimizers import GradientDescent, Newton
from thalweg.explain.derivations.claims import AtMost, Equal, Exact
from thalweg.explain.derivations.frame import Derivation, Line, Numbers
from thalweg.explain.derivations.walking import first_step, on_quadratic

__all__ = ["parabola"]


def _f(x: Any) -> Any:
    return (x - 3.0) ** 2


def _newton(start: float) -> Any:
    return first_step(Newton(), lambda x: _f(x).sum(), jnp.array([start]))


def _x(sympy: Any) -> Any:
    return sympy.Symbol("x")


def _draw(random: np.random.Generator) -> Any:
    return SimpleNamespace(x=random.normal(3, 5), rate=random.uniform(0.05, 0.4), steps=6)


def _descended(a: Any) -> Any:
    # In d = x − 3 the parabola is ½ · 2 d².
    rule = GradientDescent(learning_rate=a.rate)
    return 3 + on_quadratic(rule, [[2.0]], [a.x - 3], a.steps).points[1:, 0]


_LINES = (
    Line(
        r"f'(x) = 2(x-3)",
        "f′(x) = 2 (x − 3)",
        "the chain rule: outer derivative 2u, inner derivative 1",
        Equal(lambda a: jax.grad(_f)(a.x), lambda a: 2 * (a.x - 3)),
    ),
    Line(
        r"f''(x) = 2",
        "f″(x) = 2",
        "a positive second derivative everywhere: the only stationary point is the minimum",
        Equal(lambda a: jax.grad(jax.grad(_f))(a.x), lambda a: 2.0),
    ),
    Line(
        r"f'(x^*) = 0 \;\Rightarrow\; x^* = 3",
        "f′(x*) = 0  ⇒  x* = 3",
        "solved in symbols",
        Exact(lambda s: s.solve(s.diff((_x(s) - 3) ** 2, _x(s)))[0], lambda s: s.Integer(3)),
    ),
    Line(
        r"x - f'(x)/f''(x) = 3",
        "x − f′(x) / f″(x) = 3",
        "Newton's method is there in one step, from anywhere; here the catalogue's",
        Equal(lambda a: _newton(a.x), lambda a: 3.0),
    ),
    Line(
        r"f(x) \ge f(3) = 0",
        "f(x) ≥ f(3) = 0",
        "a square is never negative",
        AtMost(lambda a: _f(3.0), lambda a: _f(a.x)),
    ),
    Line(
        r"x_t = 3 + (1-2\eta)^t (x_0 - 3)",
        "xₜ = 3 + (1 − 2η)ᵗ (x₀ − 3)",
        "descent multiplies the distance by 1 − 2η in every step: it converges for 0 < η < 1",
        Equal(
            _descended,
            lambda a: 3 + (1 - 2 * a.rate) ** np.arange(1, a.steps + 1) * (a.x - 3),
        ),
    ),
)


def _numbers() -> tuple[Numbers, ...]:
    at = float(_newton(-40.0)[0])
    rows = (
        ("x*", at),
        ("f(x*)", float(_f(at))),
        ("f″(x*)", float(jax.grad(jax.grad(_f))(at))),
    )
    return (Numbers("Newton's method from x = −40", ("quantity", "value"), rows),)


def parabola() -> Derivation:
    """f(x) = (x − 3)² is smallest at 3."""
    return Derivation(
        "parabola",
        "f(x) = (x − 3)² has its only minimum, 0, at x = 3: optimization alone, without data and "
        "with nothing that should generalize.",
        (("x", "a number"), ("η", "the learning rate of gradient descent")),
        _draw,
        _LINES,
        "Goodfellow, Bengio & Courville, Deep Learning, 2016, section 4.3",
        numbers=_numbers,
    )
