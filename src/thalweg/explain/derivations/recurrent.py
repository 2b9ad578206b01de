"""Plain recurrent networks: their two forms, and how gradients fare over many steps."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.activations import Activation, Identity, ReLU, Tanh
from thalweg.catalogue.cells import RNN
from thalweg.catalogue.context import Context
from thalweg.catalogue.layers import Recurrent
from thalweg.explain.derivations.claims import AtMost, Equal
from thalweg.explain.derivations.frame import Derivation, Line, Numbers

__all__ = ["rnn_forms", "vanishing_bound"]


@jax.jit
def _states(cell: Any, w: Any, x: Any, first: Any) -> Any:
    """States of the catalogue's cell after every step, [step, unit], from a given first one.

    ``x`` are the inputs as they enter the sum, U x + b of every step.
    """
    layer = Recurrent(cell=cell, units=len(w))
    # The kernel of the catalogue stands on the right: h W with W transposed.
    parameters = {"input_kernel": jnp.eye(len(w)), "recurrent_kernel": w.T}
    start = {"forward": {"hidden": first[None]}}
    return layer.run(parameters, x[None], Context("evaluate"), start)["forward"].outputs[0]


@jax.jit
def _slope_over_time(cell: Any, w: Any, x: Any, first: Any) -> Any:
    """∂h_T/∂h₀ by automatic differentiation."""
    return jax.jacobian(lambda h: _states(cell, w, x, h)[-1])(first)


# -------------------------------------------------------------------------------------- two forms


def _draw(random: np.random.Generator) -> Any:
    u, b = random.normal(size=(3, 2)), random.normal(size=3)
    return SimpleNamespace(
        w=random.normal(size=(3, 3)),
        h0=random.normal(size=3),
        x=random.normal(size=(5, 2)) @ u.T + b,
        h=random.normal(size=3),
        away=random.normal(size=3),
    )


_AFTER, _BEFORE = RNN(bias=None), RNN(applied="before", bias=None)


def _g(a: Any, w: Any = None) -> Any:
    return _states(_AFTER, a.w if w is None else w, a.x, np.tanh(a.h0))


def _h(a: Any, w: Any = None) -> Any:
    return _states(_BEFORE, a.w if w is None else w, a.x, a.h0)


def _last_slope(states: Any, a: Any) -> Any:
    """The gradient by W of a loss on the last g."""
    return jax.grad(lambda w: a.away @ states(w)[-1])(jnp.asarray(a.w))


_FORMS = (
    Line(
        r"g_1 = \sigma(Wg_0 + Ux_1 + b),\quad Wg_0 = W\cdot 0",
        "g₁ = σ(Wg₀ + Ux₁ + b),  Wg₀ = W · 0",
        "printed on the way of the base case: g₀ is σ(h₀), not 0",
        Equal(lambda a: a.w @ np.tanh(a.h0), lambda a: a.w @ np.zeros(3)),
        wrong=True,
    ),
    Line(
        r"g_0 = \sigma(h_0):\quad Ux_1 + b = h_1 - Wg_0",
        "g₀ = σ(h₀):  Ux₁ + b = h₁ − Wg₀",
        "the first step of h, solved for the inputs; h₁ is the catalogue's",
        Equal(lambda a: a.x[0], lambda a: np.asarray(_h(a)[0]) - a.w @ np.tanh(a.h0)),
    ),
    Line(
        r"g_1 = \sigma(Wg_0 + h_1 - Wg_0) = \sigma(h_1)",
        "g₁ = σ(Wg₀ + h₁ − Wg₀) = σ(h₁)",
        "the base case: it is put into the first step of g, where Wg₀ cancels",
        Equal(lambda a: _g(a)[0], lambda a: np.tanh(_h(a)[0])),
    ),
    Line(
        r"g_{t-1} = \sigma(h_{t-1}) \;\Rightarrow\;"
        r" g_t = \sigma(Wg_{t-1} + h_t - W\sigma(h_{t-1})) = \sigma(h_t)",
        "gₜ₋₁ = σ(hₜ₋₁)  ⇒  gₜ = σ(Wgₜ₋₁ + hₜ − Wσ(hₜ₋₁)) = σ(hₜ)",
        "the induction step, from any h before it",
        Equal(
            lambda a: _states(_AFTER, a.w, a.x[:1], np.tanh(a.h)),
            lambda a: np.tanh(a.w @ np.tanh(a.h) + a.x[0]),
        ),
    ),
    Line(
        r"g_t = \sigma(h_t) \text{ for all } t",
        "gₜ = σ(hₜ) for all t",
        "by induction; both sides run in the catalogue, over five steps",
        Equal(_g, lambda a: np.tanh(_h(a))),
    ),
    Line(
        r"\nabla_W L(g_T) = \nabla_W L(\sigma(h_T))",
        "∇_W L(g_T) = ∇_W L(σ(h_T))",
        "the same function of W has the same gradient",
        Equal(
            lambda a: _last_slope(partial(_g, a), a),
            lambda a: _last_slope(lambda w: jnp.tanh(_h(a, w)), a),
        ),
    ),
)


def rnn_forms() -> Derivation:
    """The activation before or after the sum makes one network."""
    return Derivation(
        "rnn-forms",
        "hₜ = Wσ(hₜ₋₁) + Uxₜ + b and gₜ = σ(Wgₜ₋₁ + Uxₜ + b) are one network: gₜ = σ(hₜ) for all t "
        "if g₀ = σ(h₀).",
        (
            ("hₜ, gₜ", "states, before and after the activation"),
            ("σ", "activation; here tanh"),
            ("W, U, b", "weights and bias"),
            ("xₜ", "input of step t"),
        ),
        _draw,
        _FORMS,
        "Goodfellow, Bengio & Courville, Deep Learning, 2016, equations 10.8 and 10.9; Pascanu, "
        "Mikolov & Bengio, On the Difficulty of Training Recurrent Neural Networks, 2013, "
        "footnote 1",
    )


# ------------------------------------------------------------------------------------- vanishing

_TANH, _STEPS = Tanh(), 6


def _draw_long(random: np.random.Generator) -> Any:
    w, delta = random.normal(size=(4, 4)), random.uniform(0.5, 0.95)
    turned, _ = np.linalg.qr(random.normal(size=(4, 4)))
    return SimpleNamespace(
        delta=delta,
        w=delta * w / np.linalg.norm(w, 2),
        turned=turned,
        # Every direction leads to saturation: large, and positive definite.
        large=turned @ np.diag(random.uniform(4, 5, size=4)) @ turned.T,
        any=random.normal(size=(4, 4)),
        h0=random.normal(size=4),
        x=0.3 * random.normal(size=(_STEPS, 4)),
    )


def _before(activation: Activation = _TANH) -> Any:
    return RNN(activation=activation, applied="before", bias=None)


def _over_all(a: Any, w: np.ndarray, activation: Activation = _TANH) -> np.ndarray:
    """∂h_T/∂h₀ of the catalogue's cell, by automatic differentiation."""
    return np.asarray(_slope_over_time(_before(activation), w, a.x, a.h0))


def _one_by_one(a: Any, w: np.ndarray) -> list[np.ndarray]:
    """∂hₜ/∂hₜ₋₁ = W diag σ′(hₜ₋₁) for every t, first to last."""
    states = np.vstack([a.h0, np.asarray(_states(_before(), w, a.x, a.h0))])
    return [w @ np.diag(1 - np.tanh(h) ** 2) for h in states[:-1]]


def _norm(matrix: np.ndarray) -> float:
    return float(np.linalg.norm(matrix, 2))


def _root_of_largest(w: np.ndarray) -> float:
    return float(np.sqrt(np.linalg.eigvalsh(w.T @ w)[-1]))


_BOUND = (
    Line(
        r"\frac{\partial h_t}{\partial h_{t-1}} = W\operatorname{diag}\sigma'(h_{t-1})",
        "∂hₜ/∂hₜ₋₁ = W diag σ′(hₜ₋₁)",
        "the chain rule for one step; left: by automatic differentiation of the catalogue's cell",
        Equal(
            lambda a: _slope_over_time(_before(), a.w, a.x[:1], a.h0),
            lambda a: _one_by_one(a, a.w)[0],
        ),
    ),
    Line(
        r"\frac{\partial h_T}{\partial h_0} = \frac{\partial h_T}{\partial h_{T-1}}\cdots"
        r"\frac{\partial h_1}{\partial h_0}",
        "∂h_T/∂h₀ = ∂h_T/∂h_T₋₁ ⋯ ∂h₁/∂h₀",
        "the chain rule for all steps, the last one on the left",
        Equal(
            lambda a: _over_all(a, a.w),
            lambda a: np.linalg.multi_dot(_one_by_one(a, a.w)[::-1]),
        ),
    ),
    Line(
        r"\lVert W\rVert = \sqrt{\lambda_1(W^\top W)}",
        "‖W‖ = √λ₁(WᵀW)",
        "left: the largest singular value; right: the root of the largest eigenvalue",
        Equal(lambda a: _norm(a.any), lambda a: _root_of_largest(a.any)),
    ),
    Line(
        r"\left\lVert W\operatorname{diag}\sigma'\right\rVert"
        r" \le \lVert W\rVert\,\lVert\operatorname{diag}\sigma'\rVert",
        "‖W diag σ′‖ ≤ ‖W‖ ‖diag σ′‖",
        "the norm of a product is at most the product of the norms",
        AtMost(
            lambda a: _norm(_one_by_one(a, a.any)[0]),
            lambda a: _norm(a.any) * (1 - np.tanh(a.h0) ** 2).max(),
        ),
    ),
    Line(
        r"\lambda_1(W^\top W) \le \delta^2/\gamma^2:\quad"
        r" \left\lVert\frac{\partial h_t}{\partial h_{t-1}}\right\rVert"
        r" \le \frac{\delta}{\gamma}\cdot\gamma = \delta",
        "λ₁(WᵀW) ≤ δ²/γ²:  ‖∂hₜ/∂hₜ₋₁‖ ≤ (δ/γ) γ = δ",
        "both bounds are put in; γ = 1 for tanh",
        AtMost(
            lambda a: [_norm(step) for step in _one_by_one(a, a.w)],
            lambda a: np.full(_STEPS, a.delta),
        ),
    ),
    Line(
        r"\left\lVert\frac{\partial h_T}{\partial h_0}\right\rVert"
        r" \le \prod_{t=1}^T\left\lVert\frac{\partial h_t}{\partial h_{t-1}}\right\rVert",
        "‖∂h_T/∂h₀‖ ≤ Π ‖∂hₜ/∂hₜ₋₁‖",
        "the norm of a product again",
        AtMost(
            lambda a: _norm(_over_all(a, a.w)),
            lambda a: np.prod([_norm(step) for step in _one_by_one(a, a.w)]),
        ),
    ),
    Line(
        r"\left\lVert\frac{\partial h_T}{\partial h_0}\right\rVert \le \delta^T \to 0",
        "‖∂h_T/∂h₀‖ ≤ δ^T → 0",
        "as δ < 1",
        AtMost(lambda a: _norm(_over_all(a, a.w)), lambda a: a.delta**_STEPS),
    ),
    Line(
        r"\sigma(h)=h,\; W=\delta Q,\; Q^\top Q=I:\quad"
        r" \left\lVert\frac{\partial h_T}{\partial h_0}\right\rVert = \delta^T",
        "σ(h) = h, W = δQ, QᵀQ = I:  ‖∂h_T/∂h₀‖ = δ^T",
        "nothing better can be said in general: a linear network that turns its state meets the "
        "bound",
        Equal(
            lambda a: _norm(_over_all(a, a.delta * a.turned, Identity())),
            lambda a: a.delta**_STEPS,
        ),
    ),
    Line(
        r"\lambda_1(W^\top W) > \delta^2/\gamma^2:\quad"
        r" \left\lVert\frac{\partial h_T}{\partial h_0}\right\rVert \text{ explodes}",
        "λ₁(WᵀW) > δ²/γ²:  ‖∂h_T/∂h₀‖ explodes",
        "printed as what would happen. It may: here ‖W‖ is 4 to 5, tanh saturates, and the norm is "
        "below 1",
        AtMost(lambda a: 1.0, lambda a: _norm(_over_all(a, a.large))),
        wrong=True,
    ),
    Line(
        r"\left\lVert\frac{\partial h_T}{\partial h_0}\right\rVert^{1/T} \le \gamma\lVert W\rVert",
        "‖∂h_T/∂h₀‖^(1/T) ≤ γ ‖W‖",
        "for any W: gradients that grow need ‖W‖ > 1/γ. That is necessary, and not sufficient",
        AtMost(lambda a: _norm(_over_all(a, a.any)) ** (1 / _STEPS), lambda a: _norm(a.any)),
    ),
)


def _hundred_steps() -> tuple[Numbers, ...]:
    n, steps, random = 50, 100, np.random.default_rng(1)
    w, u = random.normal(size=(2, n, n))
    h0, x = random.normal(size=n), 0.5 * random.normal(size=(steps, n))
    a, rows = SimpleNamespace(x=x @ u.T, h0=h0), []
    for name, activation, norm in (
        ("linear", Identity(), 0.9),
        ("tanh", _TANH, 5.0),
        ("ReLU", ReLU(), 5.0),
    ):
        found = _norm(_over_all(a, norm * w / _norm(w), activation))
        rows.append((name, norm, found, norm**steps))
    columns = ("activation", "‖W‖", "‖∂h_T/∂h₀‖", "(γ ‖W‖)^T")
    return (Numbers("50 units, T = 100, γ = 1", columns, tuple(rows)),)


def vanishing_bound() -> Derivation:
    """Gradients over many steps vanish where weights are small."""
    return Derivation(
        "vanishing-bound",
        "If the slope of the activation is at most γ and λ₁(WᵀW) ≤ δ²/γ² with δ < 1, the gradient "
        "over T steps is at most δ^T long: it vanishes. If not, it may explode, and need not.",
        (
            ("hₜ = Wσ(hₜ₋₁) + Uxₜ + b", "state of a recurrent network"),
            ("‖·‖", "largest singular value"),
            ("λ₁", "largest eigenvalue"),
            ("γ", "largest slope of σ; 1 for tanh, ReLU and the identity"),
            ("T", "number of steps"),
        ),
        _draw_long,
        _BOUND,
        "Pascanu, Mikolov & Bengio, On the Difficulty of Training Recurrent Neural Networks, 2013, "
        "section 2.1",
        remarks=(
            "∂h_T/∂h₀ ≤ Π ‖∂hₜ/∂hₜ₋₁‖, as printed, compares a matrix with a number: the norm on "
            "the left is missing.",
        ),
        numbers=_hundred_steps,
    )
