"""A siamese network: two branches with the same weights, and what comes back through both."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import softmax

from thalweg.catalogue.activations import Softplus
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import Activate, Dense
from thalweg.catalogue.losses import BinaryCrossEntropy
from thalweg.catalogue.networks import Sequential, Siamese
from thalweg.catalogue.regularizers import LInfinity, LogSumExp
from thalweg.explain.derivations.claims import Equal
from thalweg.explain.derivations.frame import Derivation, Line

__all__ = ["siamese"]

_BETA, _PAIRS = 1.7, 5
_NETWORK = Siamese(
    branch=Sequential(layers=(Dense(units=4), Activate(function=Softplus(beta=_BETA)))), outputs=1
)
_H_P, _H_Q, _Z3 = "branch.dense_0.z", "branch_1.dense_0.z", "head.z"


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def _draw(random: np.random.Generator) -> Any:
    a = SimpleNamespace(
        p=random.normal(size=(_PAIRS, 3)),
        q=random.normal(size=(_PAIRS, 3)),
        y=random.permuted([0.0, 1.0, 0.0, 1.0, 1.0]),
        w1=random.normal(size=(4, 3)),
        b1=random.normal(size=4),
        w2=random.normal(size=4),
        b3=random.normal(),
    )
    a.h_p, a.h_q = a.p @ a.w1.T + a.b1, a.q @ a.w1.T + a.b1
    a.z = (np.log1p(np.exp(_BETA * a.h_p)) - np.log1p(np.exp(_BETA * a.h_q))) / _BETA
    a.z3 = a.z @ a.w2 + a.b3
    a.said = _sigmoid(a.z3)
    a.of_z3 = a.y - a.said
    a.of_z = np.outer(a.of_z3, a.w2)
    a.of_p, a.of_q = _sigmoid(_BETA * a.h_p) * a.of_z, -_sigmoid(_BETA * a.h_q) * a.of_z
    return a


def _held(a: Any) -> Any:
    return {
        "branch": {"dense_0": {"kernel": jnp.asarray(a.w1.T), "bias": jnp.asarray(a.b1)}},
        "head": {"kernel": jnp.asarray(a.w2)[:, None], "bias": jnp.asarray([a.b3])},
    }


def _likelihoods(held: Any, x: Any, y: Any, nudges: Any) -> Any:
    """ln-likelihood of every pair: minus the catalogue's loss of the catalogue's network."""
    outputs, _ = _NETWORK.apply(Variables(held, {}), x, Context("train", nudges=nudges))
    return -BinaryCrossEntropy()(outputs, y)


_BY_PAIR = jax.jit(_likelihoods)
_DIFFERENTIATED = jax.jit(
    jax.grad(lambda held, x, y, nudges: _likelihoods(held, x, y, nudges).sum(), (0, 3))
)


def _given(a: Any) -> Any:
    nudges = {name: jnp.zeros((_PAIRS, 4)) for name in (_H_P, _H_Q)}
    return _held(a), np.stack([a.p, a.q], axis=1), a.y, nudges | {_Z3: jnp.zeros((_PAIRS, 1))}


def _at(tap: str) -> Any:
    """δ at a tap, for every pair."""
    return lambda a: _DIFFERENTIATED(*_given(a))[1][tap]


def _of(layer: str, name: str) -> Any:
    """The gradient by a parameter, summed over the pairs."""

    def slope(a: Any) -> Any:
        found = _DIFFERENTIATED(*_given(a))[0]
        own = found["branch"]["dense_0"] if layer == "branch" else found["head"]
        return own[name].T

    return slope


@jax.jit
def _regularized_slopes(held: Any, x: Any, y: Any, nudges: Any) -> Any:
    """Of −(1/m) Σ ℓ + ln Σ exp(W₂) + ‖W₁‖_∞, with the catalogue's penalties."""

    def objective(held: Any) -> Any:
        first, second = held["branch"]["dense_0"], held["head"]
        smooth = LogSumExp(strength=1.0).penalty(second)
        largest = LInfinity(strength=1.0).penalty(first)
        return -_likelihoods(held, x, y, nudges).mean() + smooth + largest

    found = jax.grad(objective)(held)
    return found["branch"]["dense_0"]["kernel"].T, found["head"]["kernel"][:, 0]


def _mark(w: np.ndarray) -> np.ndarray:
    """The sign of the largest entry in its place, 0 elsewhere."""
    largest = abs(w) == abs(w).max()
    return np.where(largest, np.sign(w), 0.0)


_OUTPUT = (
    Line(
        r"L_{\mathrm{CE}} = y\ln\hat y + (1-y)\ln(1-\hat y)",
        "L_CE = y ln ŷ + (1 − y) ln(1 − ŷ)",
        "printed as the cross-entropy: it is the log-likelihood, the minus is missing",
        Equal(
            lambda a: BinaryCrossEntropy()(jnp.asarray(a.z3)[:, None], jnp.asarray(a.y)),
            lambda a: a.y * np.log(a.said) + (1 - a.y) * np.log(1 - a.said),
        ),
        wrong=True,
    ),
    Line(
        r"\ell = y\ln\hat y + (1-y)\ln(1-\hat y) = -L_{\mathrm{CE}}",
        "ℓ = y ln ŷ + (1 − y) ln(1 − ŷ) = −L_CE",
        "with this ℓ all that follows goes uphill, and L = −(1/m) Σ ℓ turns it round",
        Equal(
            lambda a: _BY_PAIR(*_given(a)),
            lambda a: a.y * np.log(a.said) + (1 - a.y) * np.log(1 - a.said),
        ),
    ),
    Line(
        r"\text{a)}\quad \delta_{\hat y} = \frac{y}{\hat y} - \frac{1-y}{1-\hat y}",
        "a)  δ_ŷ = y/ŷ − (1 − y)/(1 − ŷ)",
        "the derivative of the logarithm",
        Equal(
            lambda a: jax.grad(
                lambda said: (a.y * jnp.log(said) + (1 - a.y) * jnp.log(1 - said)).sum()
            )(jnp.asarray(a.said)),
            lambda a: a.y / a.said - (1 - a.y) / (1 - a.said),
        ),
    ),
    Line(
        r"\text{b)}\quad \delta_{z_3} = \sigma(z_3)(1-\sigma(z_3))\,\delta_{\hat y} = y-\hat y",
        "b)  δ_z₃ = σ(z₃)(1 − σ(z₃)) δ_ŷ = y − ŷ",
        "the derivative of the sigmoid cancels both denominators; left: automatic differentiation "
        "of the catalogue's network, here and below",
        Equal(lambda a: _at(_Z3)(a)[:, 0], lambda a: a.y - a.said),
    ),
    Line(
        r"\text{c)}\quad \nabla_{W_2}\ell = \delta_{z_3} z^\top",
        "c)  ∇_W₂ ℓ = δ_z₃ zᵀ",
        "z₃ = W₂z + b₃; summed over the pairs, here and below",
        Equal(_of("head", "kernel"), lambda a: a.of_z3 @ a.z),
    ),
    Line(
        r"\text{d)}\quad \delta_z = W_2^\top\delta_{z_3}",
        "d)  δ_z = W₂ᵀ δ_z₃",
        "the other factor",
        Equal(
            lambda a: jax.grad(
                lambda z: (
                    -BinaryCrossEntropy()(
                        (z @ jnp.asarray(a.w2) + a.b3)[:, None], jnp.asarray(a.y)
                    ).sum()
                )
            )(jnp.asarray(a.z)),
            lambda a: np.outer(a.y - a.said, a.w2),
        ),
    ),
)

_BRANCHES = (
    Line(
        r"\text{e)}\quad \delta_{h_q} = \frac{e^{\beta h_q}}{1+e^{\beta h_q}}\odot\delta_z",
        "e)  δ_h_q = e^(βh_q) / (1 + e^(βh_q)) ⊙ δ_z",
        "printed without the minus of z = z₁ − z₂",
        Equal(_at(_H_Q), lambda a: np.exp(_BETA * a.h_q) / (1 + np.exp(_BETA * a.h_q)) * a.of_z),
        wrong=True,
    ),
    Line(
        r"\text{e)}\quad \delta_{h_q} = -\sigma(\beta h_q)\odot\delta_z",
        "e)  δ_h_q = −σ(βh_q) ⊙ δ_z",
        "∂z/∂z₂ = −1, and softplus′ is a sigmoid",
        Equal(_at(_H_Q), lambda a: -_sigmoid(_BETA * a.h_q) * a.of_z),
    ),
    Line(
        r"\text{f)}\quad \delta_{h_p} = \sigma(\beta h_p)\odot\delta_z",
        "f)  δ_h_p = σ(βh_p) ⊙ δ_z",
        "∂z/∂z₁ = 1",
        Equal(_at(_H_P), lambda a: _sigmoid(_BETA * a.h_p) * a.of_z),
    ),
    Line(
        r"\text{g)}\quad \nabla_b\ell = \delta_{h_p} + \delta_{h_q}",
        "g)  ∇_b ℓ = δ_h_p + δ_h_q",
        "b₁ is added in both branches",
        Equal(_of("branch", "bias"), lambda a: (a.of_p + a.of_q).sum(0)),
    ),
    Line(
        r"\text{h)}\quad \nabla_{W_1}\ell = \delta_{h_p}x_p^\top + \delta_{h_q}x_q^\top,\;"
        r" \delta_{h_q} \text{ of the printed e)}",
        "h)  ∇_W₁ ℓ = δ_h_p x_pᵀ + δ_h_q x_qᵀ, δ_h_q of the printed e)",
        "follows from the printed e), and is as wrong",
        Equal(_of("branch", "kernel"), lambda a: a.of_p.T @ a.p - a.of_q.T @ a.q),
        wrong=True,
    ),
    Line(
        r"\text{h)}\quad \nabla_{W_1}\ell = \delta_{h_p}x_p^\top + \delta_{h_q}x_q^\top",
        "h)  ∇_W₁ ℓ = δ_h_p x_pᵀ + δ_h_q x_qᵀ",
        "W₁ meets both inputs",
        Equal(_of("branch", "kernel"), lambda a: a.of_p.T @ a.p + a.of_q.T @ a.q),
    ),
    Line(
        r"\text{i)}\quad \nabla_{W_1}\tilde L = -\tfrac1m\sum_i\nabla_{W_1}\ell^{(i)}"
        r" + \operatorname{sgn}(w_j)\,e_j,\quad \lvert w_j\rvert = \lVert W_1\rVert_\infty",
        "i)  ∇_W₁ L̃ = −(1/m) Σ ∇_W₁ ℓ⁽ⁱ⁾ + sgn(w_j) e_j,  |w_j| = ‖W₁‖_∞",
        "L̃ = −(1/m) Σ ℓ⁽ⁱ⁾ + ln Σ exp(W₂) + ‖W₁‖_∞: gradients add up",
        Equal(
            lambda a: _regularized_slopes(*_given(a))[0],
            lambda a: -(a.of_p.T @ a.p + a.of_q.T @ a.q) / _PAIRS + _mark(a.w1),
        ),
    ),
    Line(
        r"\text{i)}\quad \nabla_{W_2}\tilde L = -\tfrac1m\sum_i\nabla_{W_2}\ell^{(i)}"
        r" + \operatorname{softmax}(W_2)",
        "i)  ∇_W₂ L̃ = −(1/m) Σ ∇_W₂ ℓ⁽ⁱ⁾ + softmax(W₂)",
        "the gradient of ln Σ exp is the softmax",
        Equal(
            lambda a: _regularized_slopes(*_given(a))[1],
            lambda a: -a.of_z3 @ a.z / _PAIRS + softmax(a.w2),
        ),
    ),
)


def siamese() -> Derivation:
    """The gradients of a siamese network with softplus branches."""
    return Derivation(
        "siamese",
        "For h = W₁x + b₁ of both inputs, z = softplus(h_p) − softplus(h_q), z₃ = W₂z + b₃ and "
        "ŷ = σ(z₃), the second branch gets its gradient with a minus, and shared weights get the "
        "sum of both.",
        (
            ("x_p, x_q, y", "two inputs, and 0 or 1"),
            ("ℓ", "log-likelihood of one pair, of m"),
            ("softplus", "ln(1 + e^(βh)) / β, here with β = 1.7"),
            ("W₁, b₁, W₂, b₃", "weights and biases; W₂ is a row"),
            ("δ_h", "gradient of ℓ by h"),
        ),
        _draw,
        (*_OUTPUT, *_BRANCHES),
        "Bromley et al., Signature Verification using a Siamese Time Delay Neural Network, 1993 "
        "(the network)",
        remarks=(
            "h_q = W₂x_q + b₂, as printed for the second branch, contradicts h), which shares W₁; "
            "nor do the sizes fit.",
        ),
    )
