"""A network with one hidden layer that ends in sigmoids and a hinge."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.activations import Sigmoid
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.losses import SigmoidHinge
from thalweg.catalogue.networks import MLP
from thalweg.explain.derivations.claims import Equal
from thalweg.explain.derivations.frame import Derivation, Line

__all__ = ["hinge_network"]


def _draw(random: np.random.Generator) -> Any:
    a = SimpleNamespace(
        x=random.normal(size=3),
        y=np.array([1.0, 0.0, 1.0]),
        w1=random.normal(size=(4, 3)),
        b1=random.normal(size=4),
        w2=random.normal(size=(3, 4)),
        b2=random.normal(size=3),
    )
    a.h1 = a.w1 @ a.x + a.b1
    a.a1 = np.maximum(a.h1, 0)
    a.h2 = a.w2 @ a.a1 + a.b2
    a.said = 1 / (1 + np.exp(-a.h2))
    a.delta2 = -a.y * a.said * (1 - a.said)
    a.delta_a1 = a.w2.T @ a.delta2
    a.delta1 = (a.h1 > 0) * a.delta_a1
    return a


_NETWORK, _LOSS = MLP(hidden=(4,), outputs=3), SigmoidHinge()
_TAPS = {"h1": "dense_0.z", "a1": "activation_0.a", "h2": "dense_1.z"}


def _of_network(a: Any) -> Any:
    """Gradients by parameters and at taps, of the catalogue's network and loss."""
    held = {
        "dense_0": {"kernel": jnp.asarray(a.w1.T), "bias": jnp.asarray(a.b1)},
        "dense_1": {"kernel": jnp.asarray(a.w2.T), "bias": jnp.asarray(a.b2)},
    }

    def objective(held: Any, nudges: Any) -> Any:
        context = Context("train", nudges=nudges)
        outputs, _ = _NETWORK.apply(Variables(held, {}), jnp.asarray(a.x[None]), context)
        return _LOSS(outputs, jnp.asarray(a.y[None])).sum()

    nudges = {tap: jnp.zeros((1, len(getattr(a, name)))) for name, tap in _TAPS.items()}
    return jax.grad(objective, (0, 1))(held, nudges)


def _at(name: str) -> Any:
    return lambda a: _of_network(a)[1][_TAPS[name]][0]


def _of_weights(layer: str) -> Any:
    return lambda a: _of_network(a)[0][layer]["kernel"].T


def _by_outputs(a: Any) -> Any:
    return jax.grad(lambda said: jnp.maximum(0, 1 - a.y * said).sum())(jnp.asarray(a.said))


def _by_targets(a: Any) -> Any:
    h2 = jnp.asarray(a.h2[None])
    return jax.grad(lambda y: _LOSS(h2, y).sum())(jnp.asarray(a.y[None]))[0]


_OUTPUT = (
    Line(
        r"L = \sum_i\max(0, 1-y_i\hat y_i) = \sum_i (1 - y_i\hat y_i)",
        "L = Σ max(0, 1 − yᵢŷᵢ) = Σ (1 − yᵢŷᵢ)",
        "sigmoids stay below 1 and y is 0 or 1, so the hinge never closes; left: the catalogue's",
        Equal(
            lambda a: _LOSS(jnp.asarray(a.h2[None]), jnp.asarray(a.y[None]))[0],
            lambda a: np.maximum(0, 1 - a.y * a.said).sum(),
        ),
    ),
    Line(
        r"\partial L/\partial\hat y_i = -y_i",
        "∂L/∂ŷᵢ = −yᵢ",
        "the derivative of a line",
        Equal(_by_outputs, lambda a: -a.y),
    ),
    Line(
        r"\partial L/\partial y_i = -y_i",
        "∂L/∂yᵢ = −yᵢ",
        "printed beside the line above: the derivative by the target, with the target for it",
        Equal(_by_targets, lambda a: -a.y),
        wrong=True,
    ),
    Line(
        r"\partial L/\partial y_i = -\hat y_i",
        "∂L/∂yᵢ = −ŷᵢ",
        "by the target it is the output; nothing on the way back needs it",
        Equal(_by_targets, lambda a: -a.said),
    ),
    Line(
        r"\partial\hat y/\partial h_2 = \operatorname{diag}[\sigma(h_2)]",
        "∂ŷ/∂h₂ = diag[σ(h₂)]",
        "printed without the factor 1 − σ, and said of a softmax; it is a sigmoid, elementwise",
        Equal(
            lambda a: jax.jacobian(Sigmoid())(jnp.asarray(a.h2)),
            lambda a: np.diag(a.said),
        ),
        wrong=True,
    ),
    Line(
        r"\partial\hat y/\partial h_2 = \operatorname{diag}[\sigma(h_2)(1-\sigma(h_2))]",
        "∂ŷ/∂h₂ = diag[σ(h₂)(1 − σ(h₂))]",
        "the derivative of the sigmoid",
        Equal(
            lambda a: jax.jacobian(Sigmoid())(jnp.asarray(a.h2)),
            lambda a: np.diag(a.said * (1 - a.said)),
        ),
    ),
    Line(
        r"\delta_{h_2} = -\hat y\,\sigma(1-\hat y)\,\sigma(y)",
        "δ_h₂ = −ŷ σ(1 − ŷ) σ(y)",
        "printed with σ for ⊙",
        Equal(_at("h2"), lambda a: -a.said / (1 + np.exp(a.said - 1)) / (1 + np.exp(-a.y))),
        wrong=True,
    ),
    Line(
        r"\delta_{h_2} = -y\odot\hat y\odot(1-\hat y)",
        "δ_h₂ = −y ⊙ ŷ ⊙ (1 − ŷ)",
        "the chain rule; left: the gradient at h₂ in the catalogue's network",
        Equal(_at("h2"), lambda a: -a.y * a.said * (1 - a.said)),
    ),
)

_BACK = (
    Line(
        r"\partial L/\partial b_2 = \delta_{h_2}",
        "∂L/∂b₂ = δ_h₂",
        "⊕ hands a gradient on as it is",
        Equal(lambda a: _of_network(a)[0]["dense_1"]["bias"], lambda a: a.delta2),
    ),
    Line(
        r"\partial L/\partial W_2 = \delta_{h_2} a_1^\top",
        "∂L/∂W₂ = δ_h₂ a₁ᵀ",
        "⊗ hands it on times the other factor: an outer product in place of a tensor",
        Equal(_of_weights("dense_1"), lambda a: np.outer(a.delta2, a.a1)),
    ),
    Line(
        r"\delta_{a_1} = W_2^\top\delta_{h_2}",
        "δ_a₁ = W₂ᵀ δ_h₂",
        "the other factor of the same product",
        Equal(_at("a1"), lambda a: a.w2.T @ a.delta2),
    ),
    Line(
        r"\delta_{h_1} = \mathbb 1(h_1 > 0)\odot\delta_{a_1}",
        "δ_h₁ = 1(h₁ > 0) ⊙ δ_a₁",
        "ReLU lets through what was positive",
        Equal(_at("h1"), lambda a: (a.h1 > 0) * a.delta_a1),
    ),
    Line(
        r"\partial L/\partial b_1 = \delta_{h_1}",
        "∂L/∂b₁ = δ_h₁",
        "⊕ again",
        Equal(lambda a: _of_network(a)[0]["dense_0"]["bias"], lambda a: a.delta1),
    ),
    Line(
        r"\partial L/\partial W_1 = \delta_{h_1} x^\top",
        "∂L/∂W₁ = δ_h₁ xᵀ",
        "⊗ again",
        Equal(_of_weights("dense_0"), lambda a: np.outer(a.delta1, a.x)),
    ),
)


def hinge_network() -> Derivation:
    """The gradients of a network with one hidden layer, sigmoids and a hinge."""
    return Derivation(
        "hinge-network",
        "For h₁ = W₁x + b₁, a₁ = ReLU(h₁), h₂ = W₂a₁ + b₂, ŷ = σ(h₂) and "
        "L = Σ max(0, 1 − yᵢŷᵢ): δ_h₂ = −y ⊙ ŷ ⊙ (1 − ŷ), and the rest follows by W₂ᵀ and ReLU.",
        (
            ("x, y", "an example, and its K labels, each 0 or 1"),
            ("W₁, b₁, W₂, b₂", "weights and biases"),
            ("δ_h", "gradient of L by h"),
            ("⊙", "product entry by entry"),
        ),
        _draw,
        (*_OUTPUT, *_BACK),
        "Rumelhart, Hinton & Williams, Learning Representations by Back-Propagating Errors, 1986",
        remarks=("Where y is 0 no gradient comes back at all: nothing pushes a wrong class down.",),
    )
