"""A penalty on squares, and weights that shrink beside the update."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.optimizers import Adam, GradientDescent
from thalweg.catalogue.regularizers import L2, DecoupledDecay
from thalweg.explain.derivations.claims import Equal
from thalweg.explain.derivations.frame import Derivation, Line, Numbers
from thalweg.explain.derivations.walking import first_step

__all__ = ["weight_decay"]


def _draw(random: np.random.Generator) -> Any:
    theta = random.normal(size=4)
    penalty = random.uniform(0.05, 0.4)
    # Longer than what the penalty adds, so that this does not turn the sign of the sum.
    slope = np.sign(random.normal(size=4)) * (2 * penalty * abs(theta) + random.uniform(0.5, 2, 4))
    return SimpleNamespace(
        theta=theta,
        penalty=penalty,
        slope=slope,
        rate=random.uniform(0.02, 0.2),
        decay=random.uniform(0.05, 0.3),
        small=random.uniform(0.01, 0.1),
    )


def _objective(theta: Any, a: Any) -> Any:
    """A loss with the gradient ``slope`` at θ, and the penalty γ ‖θ‖²."""
    away = theta - a.theta
    loss = jnp.asarray(a.slope) @ away + 0.3 * away @ away
    return loss + L2(strength=a.penalty, factor=1.0).penalty({"kernel": theta})


def _loss(theta: Any, a: Any) -> Any:
    return _objective(theta, a) - a.penalty * theta @ theta


def _after(rule: Any, objective: Any, a: Any) -> Any:
    """θ after the first step of an optimizer."""
    return first_step(rule, lambda theta: objective(theta, a), a.theta)


def _decayed(rule: Any, a: Any, share: float, times_learning_rate: bool = False) -> Any:
    """θ after the first step on the loss alone, and a decay beside it."""
    decay = DecoupledDecay(strength=share, times_learning_rate=times_learning_rate)
    lost = decay.shrinkage({"kernel": jnp.asarray(a.theta)}, rule.learning_rate)["kernel"]
    return _after(rule, _loss, a) - lost


def _descent(a: Any) -> Any:
    return GradientDescent(learning_rate=a.rate)


def _adam(a: Any, **fields: Any) -> Any:
    return Adam(learning_rate=a.rate, **fields)


def _first_of_adam(a: Any, slope: Any, root: bool = False) -> Any:
    """Adam's first Δθ by its formula, where ŝ = g and r̂ = g²; δ beside the root, or under it."""
    below = np.sqrt(slope**2 + a.small) if root else np.sqrt(slope**2) + a.small
    return -a.rate * slope / below


_PLAIN = (
    Line(
        r"\nabla\left(L + \gamma\lVert\theta\rVert_2^2\right) = \nabla L + 2\gamma\theta",
        "∇(L + γ‖θ‖²) = ∇L + 2γθ",
        "the derivative of a square",
        Equal(
            lambda a: jax.grad(_objective)(jnp.asarray(a.theta), a),
            lambda a: a.slope + 2 * a.penalty * a.theta,
        ),
    ),
    Line(
        r"\theta' = \theta - \eta\nabla L - 2\eta\gamma\,\theta",
        "θ′ = θ − η∇L − 2ηγ θ",
        "one step of descent on the penalized loss; left: the catalogue's",
        Equal(
            lambda a: _after(_descent(a), _objective, a),
            lambda a: a.theta - a.rate * a.slope - 2 * a.rate * a.penalty * a.theta,
        ),
    ),
    Line(
        r"\theta' = \theta - \eta\nabla L + \lambda\theta",
        "θ′ = θ − η∇L + λθ",
        "printed as decay by a factor λ: with a plus weights grow. It matches the line above only "
        "for λ = −2ηγ, a negative decay; left: the catalogue's decay",
        Equal(
            lambda a: _decayed(_descent(a), a, a.decay),
            lambda a: a.theta - a.rate * a.slope + a.decay * a.theta,
        ),
        wrong=True,
    ),
    Line(
        r"\theta' = \theta - \eta\nabla L - \lambda\theta",
        "θ′ = θ − η∇L − λθ",
        "decay takes a share λ of every weight away",
        Equal(
            lambda a: _decayed(_descent(a), a, a.decay),
            lambda a: a.theta - a.rate * a.slope - a.decay * a.theta,
        ),
    ),
    Line(
        r"\text{descent: decay } \lambda = 2\eta\gamma \;\Leftrightarrow\;"
        r" \text{penalty } \gamma\lVert\theta\rVert_2^2",
        "descent: decay λ = 2ηγ  ⇔  penalty γ‖θ‖²",
        "the coefficients of θ are compared; both sides are steps of the catalogue",
        Equal(
            lambda a: _after(_descent(a), _objective, a),
            lambda a: _decayed(_descent(a), a, 2 * a.rate * a.penalty),
        ),
    ),
    Line(
        r"\text{descent: decay } \eta\cdot 2\gamma \;\Leftrightarrow\;"
        r" \text{penalty } \gamma\lVert\theta\rVert_2^2",
        "descent: decay η · 2γ  ⇔  penalty γ‖θ‖²",
        "the same where the decay is given as a multiple of the learning rate",
        Equal(
            lambda a: _after(_descent(a), _objective, a),
            lambda a: _decayed(_descent(a), a, 2 * a.penalty, times_learning_rate=True),
        ),
    ),
)

_ADAM = (
    Line(
        r"\text{Adam: } g \leftarrow \tfrac1m\nabla\textstyle\sum_j L_j"
        r" + \gamma\lVert\theta\rVert_2^2",
        "Adam:  g ← (1/m) ∇Σ Lⱼ + γ‖θ‖²",
        "printed on the way: a number added to a gradient; the ∇ is missing",
        Equal(
            lambda a: jax.grad(_objective)(jnp.asarray(a.theta), a),
            lambda a: a.slope + a.penalty * a.theta @ a.theta,
        ),
        wrong=True,
    ),
    Line(
        r"\text{Adam: } g \leftarrow \tfrac1m\nabla\textstyle\sum_j L_j + 2\gamma\theta",
        "Adam:  g ← (1/m) ∇Σ Lⱼ + 2γθ",
        "the one line that changes, before the moments are formed; here its first step",
        Equal(
            lambda a: _after(_adam(a, epsilon=a.small), _objective, a),
            lambda a: a.theta + _first_of_adam(a, a.slope + 2 * a.penalty * a.theta),
        ),
    ),
    Line(
        r"\Delta\theta = -\epsilon\,\frac{\hat s}{\sqrt{\hat r+\delta}}",
        "Δθ = −ε ŝ / √(r̂ + δ)",
        "printed with δ under the root, for an algorithm that has it beside the root: another one "
        "for small gradients",
        Equal(
            lambda a: _after(_adam(a, epsilon=a.small), _loss, a) - a.theta,
            lambda a: _first_of_adam(a, a.slope, root=True),
        ),
        wrong=True,
    ),
    Line(
        r"\Delta\theta = -\epsilon\,\frac{\hat s}{\sqrt{\hat r}+\delta}",
        "Δθ = −ε ŝ / (√r̂ + δ)",
        "algorithm 8.7 of the book",
        Equal(
            lambda a: _after(_adam(a, epsilon=a.small), _loss, a) - a.theta,
            lambda a: _first_of_adam(a, a.slope),
        ),
    ),
    Line(
        r"\text{Adam: decay } \lambda = 2\eta\gamma \;\Leftrightarrow\;"
        r" \text{penalty } \gamma\lVert\theta\rVert_2^2",
        "Adam: decay λ = 2ηγ  ⇔  penalty γ‖θ‖²",
        "what holds for descent, believed of Adam: the root divides what the penalty adds, and "
        "leaves the decay alone",
        Equal(
            lambda a: _after(_adam(a), _objective, a),
            lambda a: _decayed(_adam(a), a, 2 * a.rate * a.penalty),
        ),
        wrong=True,
    ),
    Line(
        r"\lvert\nabla L\rvert > 2\gamma\lvert\theta\rvert:\quad"
        r" \theta'_{\text{Adam, penalty}} = \theta'_{\text{Adam}}",
        "|∇L| > 2γ|θ|:  θ′ of Adam with penalty = θ′ of Adam",
        "the first step is −η sgn(g): a penalty that does not turn the sign leaves no trace. Later "
        "it counts as a share of √r̂, the more the smaller the gradients are",
        Equal(
            lambda a: _after(_adam(a, epsilon=1e-14), _objective, a),
            lambda a: _after(_adam(a, epsilon=1e-14), _loss, a),
        ),
    ),
    Line(
        r"\theta'_{\text{Adam, decay}} = \theta'_{\text{Adam}} - \lambda\theta",
        "θ′ of Adam with decay = θ′ of Adam − λθ",
        "the decay takes the same share of every weight, whatever its gradients are",
        Equal(
            lambda a: _decayed(_adam(a, epsilon=a.small), a, a.decay),
            lambda a: a.theta + _first_of_adam(a, a.slope) - a.decay * a.theta,
        ),
    ),
)


@partial(jax.jit, static_argnames="penalized")
def _last(noise: Any, penalized: bool) -> Any:
    """Weights after Adam's steps on gradients that are noise, from 1."""
    rule, penalty = Adam(learning_rate=1e-3), L2(strength=0.01, factor=1.0)
    decay = DecoupledDecay(strength=1e-4, times_learning_rate=False)

    def advance(held: Any, given: Any) -> Any:
        w, state = held
        slope, count = given

        def objective(w: Any) -> Any:
            return slope @ w + (penalty.penalty({"kernel": w}) if penalized else 0.0), None

        step = rule.step(objective, w, state, count)
        moved = step.parameters
        if not penalized:
            moved = moved - decay.shrinkage({"kernel": w}, rule.learning_rate)["kernel"]
        return (moved, step.state), None

    start = jnp.ones(noise.shape[1])
    counted = noise, jnp.arange(1, len(noise) + 1)
    return jax.lax.scan(advance, (start, rule.start(start)), counted)[0][0]


def _numbers() -> tuple[Numbers, ...]:
    deviations = np.repeat([0.01, 1.0], 200)
    noise = jnp.asarray(np.random.default_rng(1).normal(size=(3000, 400)) * deviations)
    rows = []
    for name, penalized in (("penalty γ = 0.01", True), ("decay λ = 0.0001", False)):
        last = np.asarray(_last(noise, penalized))
        for deviation in (0.01, 1.0):
            group = last[deviations == deviation]
            rows.append((name, deviation, float(group.mean()), float(group.std())))
    return (
        Numbers(
            "Weights after 3000 steps of Adam from 1, η = 0.001, gradients being noise; 200 each",
            ("", "deviation of gradients", "mean weight", "deviation"),
            tuple(rows),
        ),
    )


def weight_decay() -> Derivation:
    """A penalty on squares is weight decay for descent, and something else for Adam."""
    return Derivation(
        "weight-decay",
        "For plain descent a penalty γ‖θ‖² is a decay by the share λ = 2ηγ per step. For Adam it "
        "is not: its penalty holds back weights with small gradients the most, its decay all of "
        "them alike.",
        (
            ("θ, L", "weights, and the loss"),
            ("γ", "strength of the penalty"),
            ("λ", "share of a weight that decays in one step"),
            ("η, ε", "learning rate"),
            ("ŝ, r̂, δ", "Adam's corrected moments and its small constant"),
        ),
        _draw,
        (*_PLAIN, *_ADAM),
        "Loshchilov & Hutter, Decoupled Weight Decay Regularization, 2019, propositions 1 and 2; "
        "Goodfellow, Bengio & Courville, Deep Learning, 2016, algorithm 8.7",
        remarks=(
            "That the penalty holds weights with small gradients back is argued in print from the "
            "formula of the decay, where it does not follow. It follows from g + 2γθ over √r̂.",
        ),
        numbers=_numbers,
    )
