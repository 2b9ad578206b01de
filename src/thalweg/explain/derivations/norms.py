"""The largest entry of a vector, and a smooth function that is close to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import logsumexp, softmax

from thalweg.catalogue.regularizers import LInfinity, LogSumExp
from thalweg.explain.derivations.claims import AtMost, Equal
from thalweg.explain.derivations.frame import Derivation, Line, Numbers

__all__ = ["largest_and_log_sum_exp"]


def _draw(random: np.random.Generator) -> Any:
    return SimpleNamespace(
        w=random.normal(size=4), x=random.normal(size=4), elsewhere=random.normal(size=4)
    )


def _slope(penalty: Any, w: Any) -> Any:
    return jax.grad(penalty.penalty)({"kernel": jnp.asarray(w)})["kernel"]


def _largest(w: Any) -> Any:
    return _slope(LInfinity(strength=1.0), w)


def _smooth(w: Any) -> Any:
    return _slope(LogSumExp(strength=1.0), w)


def _mark(w: np.ndarray) -> np.ndarray:
    j = int(abs(w).argmax())
    return np.sign(w[j]) * np.eye(len(w))[j]


_LINES = (
    Line(
        r"\nabla\lVert w\rVert_\infty = \operatorname{sgn}(w_j)\,e_j,\quad"
        r" j = \operatorname{argmax}_i\lvert w_i\rvert",
        "∇‖w‖_∞ = sgn(w_j) e_j,  j = arg max |wᵢ|",
        "near w the norm is |w_j|, as long as no other entry is as large; left: the catalogue's",
        Equal(lambda a: _largest(a.w), lambda a: _mark(a.w)),
    ),
    Line(
        r"\lVert w\rVert_\infty + \operatorname{sgn}(w_j)\,(v_j-w_j) \le \lVert v\rVert_\infty",
        "‖w‖_∞ + sgn(w_j)(v_j − w_j) ≤ ‖v‖_∞",
        "it is a subgradient, at ties as well, where any of the largest entries may be taken",
        AtMost(
            lambda a: abs(a.w).max() + _mark(a.w) @ (a.elsewhere - a.w),
            lambda a: abs(a.elsewhere).max(),
        ),
    ),
    Line(
        r"\nabla_w\ln\sum_i e^{w_i} = \operatorname{softmax}(x)",
        "∇_w ln Σ eʷⁱ = softmax(x)",
        "printed with the inputs xᵢ in the place of the weights",
        Equal(lambda a: _smooth(a.w), lambda a: softmax(a.x)),
        wrong=True,
    ),
    Line(
        r"\nabla_w\ln\sum_i e^{w_i} = \frac{e^{w_i}}{\sum_k e^{w_k}} = \operatorname{softmax}(w)",
        "∇_w ln Σ eʷⁱ = eʷⁱ / Σ eʷᵏ = softmax(w)",
        "the chain rule: 1 over the sum, times eʷⁱ; left: the catalogue's penalty; right: SciPy",
        Equal(lambda a: _smooth(a.w), lambda a: softmax(a.w)),
    ),
    Line(
        r"\max_i w_i \le \ln\sum_i e^{w_i}",
        "max wᵢ ≤ ln Σ eʷⁱ",
        "one term of the sum is e to the largest",
        AtMost(lambda a: a.w.max(), lambda a: logsumexp(a.w)),
    ),
    Line(
        r"\ln\sum_i e^{w_i} \le \max_i w_i + \ln n",
        "ln Σ eʷⁱ ≤ max wᵢ + ln n",
        "none of the n terms is larger",
        AtMost(lambda a: logsumexp(a.w), lambda a: a.w.max() + np.log(4)),
    ),
)


def _numbers() -> tuple[Numbers, ...]:
    w, tie = np.array([0.3, -2.0, 1.0]), np.array([2.0, -2.0, 1.0])
    rows = (
        ("‖w‖_∞ at (0.3, −2, 1)", *map(float, _largest(w))),
        ("ln Σ eʷ at (0.3, −2, 1)", *map(float, _smooth(w))),
        ("softmax(0.3, −2, 1)", *map(float, softmax(w))),
        ("‖w‖_∞ at (2, −2, 1), a tie: shared", *map(float, _largest(tie))),
    )
    return (Numbers("Gradients of the catalogue's penalties", ("", "w₁", "w₂", "w₃"), rows),)


def largest_and_log_sum_exp() -> Derivation:
    """Gradients of the largest absolute value and of ln Σ exp."""
    return Derivation(
        "largest-and-log-sum-exp",
        "‖w‖_∞ has the gradient sgn(w_j) at its largest entry and 0 elsewhere; ln Σ eʷⁱ has the "
        "softmax.",
        (("w, v", "vectors of n entries"), ("e_j", "1 at place j, 0 elsewhere")),
        _draw,
        _LINES,
        "Boyd & Vandenberghe, Convex Optimization, 2004, sections 3.1.5 and 6.1.1",
        numbers=_numbers,
    )
