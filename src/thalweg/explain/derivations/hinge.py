"""Subgradients of the hinge loss, with penalties on the weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.losses import Hinge
from thalweg.catalogue.regularizers import L1, L2
from thalweg.explain.derivations.claims import AtMost, Equal
from thalweg.explain.derivations.frame import Derivation, Line, Numbers

__all__ = ["hinge"]


def _draw(random: np.random.Generator) -> Any:
    w = random.normal(size=3)
    w[random.integers(3)] = 0.0  # where |w| has no derivative
    y = random.permuted([-1.0, 1.0, -1.0, 1.0, 1.0])
    x = random.normal(size=(5, 3))
    x[0] = 3 * y[0] * w / (w @ w)  # one margin is met, one is missed: both cases are there
    x[1] = -y[1] * w / (w @ w)
    return SimpleNamespace(
        x=x,
        y=y,
        w=w,
        b=random.uniform(-0.5, 0.5),
        strength=random.uniform(0.1, 1),
        elsewhere=random.normal(size=3),
        between=random.uniform(-1, 1),
    )


def _losses(w: Any, b: Any, a: Any) -> Any:
    """The catalogue's hinge of every example."""
    scores = jnp.asarray(a.x) @ w + b
    return Hinge()(scores[:, None], jnp.asarray((a.y + 1) / 2))


def _slopes(a: Any) -> Any:
    """Gradients of the losses of all examples, [example, weight] and [example]."""
    return jax.jacobian(_losses, (0, 1))(jnp.asarray(a.w), jnp.asarray(a.b), a)


def _penalized(a: Any, penalty: Any) -> Any:
    def objective(w: Any) -> Any:
        return _losses(w, a.b, a).mean() + penalty.penalty({"kernel": w})

    return jax.grad(objective)(jnp.asarray(a.w))


def _margins(a: Any) -> np.ndarray:
    return a.y * (a.x @ a.w + a.b)


def _missed(a: Any) -> np.ndarray:
    return (_margins(a) < 1).astype(float)[:, None]


def _toward(a: Any) -> np.ndarray:
    return -a.y[:, None] * a.x


def _subgradient(a: Any) -> np.ndarray:
    """sgn(w), and any number between −1 and 1 where w is 0."""
    return np.where(a.w == 0, a.between, np.sign(a.w))


_DATA = (
    Line(
        r"\ell = \begin{cases} 0 & m \ge 1\\ 1-m & m < 1\end{cases},\quad"
        r" m = y(w^\top x + b)",
        "ℓ = 0 where m ≥ 1, 1 − m where m < 1;  m = y (wᵀx + b)",
        "max(0, 1 − m), piece by piece",
        Equal(
            lambda a: _losses(jnp.asarray(a.w), a.b, a),
            lambda a: np.where(_margins(a) >= 1, 0.0, 1 - _margins(a)),
        ),
    ),
    Line(
        r"\nabla_w\ell = \begin{cases} 0 & m < 1\\ -y\,x & m \ge 1\end{cases}",
        "∇_w ℓ = 0 where m < 1, −y x where m ≥ 1",
        "printed with the cases exchanged, and a product sign for an indicator",
        Equal(lambda a: _slopes(a)[0], lambda a: (1 - _missed(a)) * _toward(a)),
        wrong=True,
    ),
    Line(
        r"\nabla_w\ell = \mathbb 1(m < 1)\,(-y\,x)",
        "∇_w ℓ = 1(m < 1) · (−y x)",
        "a piece that is constant has the gradient 0, the other one −y x",
        Equal(lambda a: _slopes(a)[0], lambda a: _missed(a) * _toward(a)),
    ),
    Line(
        r"\partial\ell/\partial b = \begin{cases} 0 & m < 1\\ -y & m \ge 1\end{cases}",
        "∂ℓ/∂b = 0 where m < 1, −y where m ≥ 1",
        "printed with the cases exchanged",
        Equal(lambda a: _slopes(a)[1], lambda a: (_margins(a) >= 1) * -a.y),
        wrong=True,
    ),
    Line(
        r"\partial\ell/\partial b = \mathbb 1(m < 1)\,(-y)",
        "∂ℓ/∂b = 1(m < 1) · (−y)",
        "the same with 1 in the place of x",
        Equal(lambda a: _slopes(a)[1], lambda a: (_margins(a) < 1) * -a.y),
    ),
    Line(
        r"\nabla_w\Big(\tfrac1K\sum_i\ell_i + \lambda\lVert w\rVert_2^2\Big)"
        r" = \tfrac1K\sum_i \mathbb 1(m_i<1)(-y_i x_i) + 2\lambda w",
        "∇_w ((1/K) Σ ℓᵢ + λ‖w‖₂²) = (1/K) Σ 1(mᵢ < 1)(−yᵢxᵢ) + 2λw",
        "gradients add up; the penalty is the catalogue's L2 with factor 1",
        Equal(
            lambda a: _penalized(a, L2(strength=a.strength, factor=1.0)),
            lambda a: (_missed(a) * _toward(a)).mean(0) + 2 * a.strength * a.w,
        ),
    ),
)

_ABSOLUTE = (
    Line(
        r"\lVert w\rVert_1 + s^\top(v-w) \le \lVert v\rVert_1,\quad"
        r" s_i = \operatorname{sgn}(w_i),\; s_i \in [-1,1] \text{ at } 0",
        "‖w‖₁ + sᵀ(v − w) ≤ ‖v‖₁;  sᵢ = sgn(wᵢ), any sᵢ in [−1, 1] where wᵢ = 0",
        "what a subgradient is: a plane through the point, nowhere above the function",
        AtMost(
            lambda a: abs(a.w).sum() + _subgradient(a) @ (a.elsewhere - a.w),
            lambda a: abs(a.elsewhere).sum(),
        ),
    ),
    Line(
        r"\nabla_w\lVert w\rVert_1 = \operatorname{sgn}(w)",
        "∇_w ‖w‖₁ = sgn(w)",
        "of them the one that is 0 at 0, which the catalogue's L1 takes",
        Equal(
            lambda a: jax.grad(L1(strength=1.0).penalty)({"kernel": jnp.asarray(a.w)})["kernel"],
            lambda a: np.sign(a.w),
        ),
    ),
    Line(
        r"\nabla_w\Big(\tfrac1K\sum_i\ell_i + \lambda\lVert w\rVert_1\Big) = \tfrac1K\sum_i"
        r"\begin{cases} 0 & m_i < 1\\ \operatorname{sgn}(w) & m_i \ge 1\end{cases}",
        "∇_w ((1/K) Σ ℓᵢ + λ‖w‖₁) = (1/K) Σ (0 where mᵢ < 1, sgn(w) where mᵢ ≥ 1)",
        "printed with the penalty's gradient among the cases of the data, where −yᵢxᵢ is lost",
        Equal(
            lambda a: _penalized(a, L1(strength=a.strength)),
            lambda a: ((1 - _missed(a)) * np.sign(a.w)).mean(0),
        ),
        wrong=True,
    ),
    Line(
        r"\nabla_w\Big(\tfrac1K\sum_i\ell_i + \lambda\lVert w\rVert_1\Big)"
        r" = \tfrac1K\sum_i \mathbb 1(m_i<1)(-y_i x_i) + \lambda\operatorname{sgn}(w)",
        "∇_w ((1/K) Σ ℓᵢ + λ‖w‖₁) = (1/K) Σ 1(mᵢ < 1)(−yᵢxᵢ) + λ sgn(w)",
        "gradients add up",
        Equal(
            lambda a: _penalized(a, L1(strength=a.strength)),
            lambda a: (_missed(a) * _toward(a)).mean(0) + a.strength * np.sign(a.w),
        ),
    ),
)


def _at_the_kink() -> tuple[Numbers, ...]:
    rows = []
    for convention in (0, 1):
        loss = Hinge(derivative_at_kink=convention)
        slope = jax.grad(lambda z, loss=loss: loss(z, jnp.array([1])).sum())(jnp.ones((1, 1)))
        rows.append((f"derivative_at_kink = {convention}", float(slope[0, 0])))
    return (
        Numbers(
            "Slope of the hinge by the score where y = 1 and the margin is 1 exactly",
            ("the catalogue's hinge", "slope"),
            tuple(rows),
        ),
    )


def hinge() -> Derivation:
    """Subgradients of the hinge loss with two penalties."""
    return Derivation(
        "hinge",
        "An example pulls by −y x where its margin y (wᵀx + b) is below 1, and not at all beyond; "
        "a penalty adds 2λw (L2) or λ sgn(w) (L1).",
        (
            ("x, y", "an example and its class, −1 or 1; there are K"),
            ("w, b", "weights and bias"),
            ("m", "margin"),
            ("λ", "strength of the penalty"),
            ("1(·)", "1 where it holds, 0 elsewhere"),
        ),
        _draw,
        (*_DATA, *_ABSOLUTE),
        "Cortes & Vapnik, Support-Vector Networks, 1995; Boyd & Vandenberghe, Subgradients, 2008",
        remarks=(
            "A text begins with ‖w‖₂² and goes on with ‖w‖₁: these are two problems.",
            "The pieces meet at m = 1, written m ≥ 1 in one place and m > 1 in another: both are "
            "subgradients, and both are in the catalogue. So is every number in [−1, 1] for |w| "
            "at 0, where a text has −1 in one line and 0 in the next.",
        ),
        numbers=_at_the_kink,
    )
