"""The variance that a layer with uniform weights lets through."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, stats

from thalweg.catalogue.initializers import InputUniform
from thalweg.explain.derivations.claims import Equal, Exact
from thalweg.explain.derivations.frame import Derivation, Line, Numbers

__all__ = ["initialization_variance"]

_WIDTH = 6


def _draw(random: np.random.Generator) -> Any:
    return SimpleNamespace(
        x=random.normal(size=_WIDTH),
        bound=random.uniform(0.1, 2),
        inputs=int(random.integers(2, 200)),
        layers=int(random.integers(2, 12)),
    )


def _variance(bound: float) -> float:
    """Of U(−bound, bound), by numerical integration."""
    return integrate.quad(lambda w: w * w / (2 * bound), -bound, bound)[0]


def _mean_square(a: Any) -> float:
    """E(Σ wᵢxᵢ)² over all 2^m sign patterns: independent weights of mean 0 and that variance."""
    size = np.sqrt(stats.uniform(-a.bound, 2 * a.bound).var())
    return float(
        np.mean([(size * np.array(s) @ a.x) ** 2 for s in product((-1, 1), repeat=_WIDTH)])
    )


def _through(a: Any, bound: float) -> float:
    """The factor on the standard deviation after all layers, one after the other."""
    variance = 1.0
    for _ in range(a.layers):
        variance *= a.inputs * _variance(bound)
    return variance**0.5


_LINES = (
    Line(
        r"\operatorname{Var}\,U(-b,b) = \frac{1}{2b}\int_{-b}^{b}w^2\,dw = \frac{b^2}{3}",
        "Var U(−b, b) = (1/2b) ∫ w² dw = b²/3",
        "the mean is 0; integrated in symbols",
        Exact(
            lambda s: s.integrate(
                s.Symbol("w") ** 2 / (2 * s.Symbol("b", positive=True)),
                (s.Symbol("w"), -s.Symbol("b", positive=True), s.Symbol("b", positive=True)),
            ),
            lambda s: s.Symbol("b", positive=True) ** 2 / 3,
        ),
    ),
    Line(
        r"\mathrm E\Big(\sum_i w_i x_i\Big)^2 = \operatorname{Var}(W)\sum_i x_i^2",
        "E(Σ wᵢxᵢ)² = Var(W) Σ xᵢ²",
        "weights are independent with mean 0, so mixed terms vanish; left: the mean over all signs "
        "of six weights",
        Equal(_mean_square, lambda a: a.bound**2 / 3 * a.x @ a.x),
    ),
    Line(
        r"b = 1/\sqrt m:\quad m\operatorname{Var}(W) = \tfrac13",
        "b = 1/√m:  m Var(W) = 1/3",
        "a linear layer of m inputs multiplies the mean square by m Var(W): here by the same for "
        "any width",
        Equal(lambda a: a.inputs * _variance(a.inputs**-0.5), lambda a: 1 / 3),
    ),
    Line(
        r"b = 1/m:\quad m\operatorname{Var}(W) = \tfrac13",
        "b = 1/m:  m Var(W) = 1/3",
        "printed under the same name as the line above: a root is lost",
        Equal(lambda a: a.inputs * _variance(1 / a.inputs), lambda a: 1 / 3),
        wrong=True,
    ),
    Line(
        r"b = 1/m:\quad m\operatorname{Var}(W) = \frac{1}{3m}",
        "b = 1/m:  m Var(W) = 1/(3m)",
        "the wider the layer, the less gets through",
        Equal(lambda a: a.inputs * _variance(1 / a.inputs), lambda a: 1 / (3 * a.inputs)),
    ),
    Line(
        r"b = 1/\sqrt m,\; L \text{ layers:}\quad \sigma_L/\sigma_0 = 3^{-L/2}",
        "b = 1/√m, L layers:  σ_L / σ₀ = 3^(−L/2)",
        "factors multiply; of the standard deviation it is the root",
        Equal(lambda a: _through(a, a.inputs**-0.5), lambda a: 3 ** (-a.layers / 2)),
    ),
    Line(
        r"b = 1/m,\; L \text{ layers:}\quad \sigma_L/\sigma_0 = (3m)^{-L/2}",
        "b = 1/m, L layers:  σ_L / σ₀ = (3m)^(−L/2)",
        "the same with the smaller factor",
        Equal(lambda a: _through(a, 1 / a.inputs), lambda a: (3 * a.inputs) ** (-a.layers / 2)),
    ),
)


def _numbers() -> tuple[Numbers, ...]:
    rows = []
    for name, rule, bound in (
        ("1/m", InputUniform(bound="inverse"), 0.01),
        ("1/√m", InputUniform(bound="root"), 0.1),
    ):
        gain = 100 * bound**2 / 3
        drawn = 100 * float(rule.sample(jax.random.key(0), (100, 2000)).var())
        x = jnp.eye(100)
        for key in jax.random.split(jax.random.key(1), 10):
            x = x @ rule.sample(key, (100, 100))
        # Of unit inputs along all axes: the mean square of what each makes, over 100 of them.
        seen = float(jnp.sqrt((x**2).sum() / 100))
        rows.append((name, gain, drawn, gain**5, seen))
    columns = ("b", "m Var(W)", "drawn", "after 10 layers", "drawn")
    caption = "m = 100: gain of one linear layer, factor on the deviation after ten"
    return (Numbers(caption, columns, tuple(rows)),)


def initialization_variance() -> Derivation:
    """What uniform weights do to the variance of values."""
    return Derivation(
        "initialization-variance",
        "Weights from U(−b, b) multiply the variance in a linear layer of m inputs by m b²/3: 1/3 "
        "with b = 1/√m, and 1/(3m) with b = 1/m, which lets next to nothing through.",
        (
            ("m", "inputs of a unit"),
            ("b", "bound of the weights"),
            ("σ_L", "standard deviation of the values after L layers"),
        ),
        _draw,
        _LINES,
        "Glorot & Bengio, Understanding the Difficulty of Training Deep Feedforward Neural "
        "Networks, 2010, equation 1",
        numbers=_numbers,
    )
