"""Adam and AdamW."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.optimizers.adaptive import EpsilonIn, root
from thalweg.catalogue.optimizers.optimizer import Update, init_state, take_step
from thalweg.part import Number, choice, number, part

__all__ = ["Adam", "AdamW"]

State = dict[str, Array]


def _zeros(parameter: Array) -> State:
    return {"first": jnp.zeros_like(parameter), "second": jnp.zeros_like(parameter)}


def _adam(rule: Adam, gradient: Array, state: State, count: Array) -> Update:
    first = rule.beta1 * state["first"] + (1 - rule.beta1) * gradient
    second = rule.beta2 * state["second"] + (1 - rule.beta2) * gradient * gradient
    # The state keeps the uncorrected moments; correcting them in place would compound.
    corrected_first, corrected_second = first, second
    if rule.bias_correction != "none":
        corrected_first = first / (1 - rule.beta1**count)
    if rule.bias_correction == "both":
        corrected_second = second / (1 - rule.beta2**count)
    rate = rule.learning_rate / root(corrected_second, rule.epsilon, rule.epsilon_in)
    return Update(
        -rate * corrected_first,
        {"first": first, "second": second},
        {
            "corrected_first_moment": corrected_first,
            "corrected_second_moment": corrected_second,
            "effective_learning_rate": rate,
        },
    )


@part
class Adam:
    """Divides an average gradient by the root of an average squared gradient.

    Formula: m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;
        m̂ = m / (1 − β₁ᵗ);  v̂ = v / (1 − β₂ᵗ);  θ ← θ − η m̂ / (√v̂ + ε), or η m̂ / √(v̂ + ε)
    Numbers: learning_rate: η; beta1: β₁; beta2: β₂; epsilon: ε
    Choices: bias_correction: of ``both`` moments, of neither (``none``), or of the ``first``
        alone; epsilon_in: added to the root (``sum``) or under it (``root``)
    Shapes: those of the parameters; two arrays of state each
    Watch for: m̂ and v̂ are for the step only; storing them back breaks the averages. Without
        correction the first steps are (1 − β₁) / √(1 − β₂) = 3.2 times too long at the defaults.
        A corrected m̂ over an uncorrected v, in some lecture notes, is neither.
    Source: Kingma & Ba, Adam, 2015, algorithm 1
    Example:
        >>> rule, g = Adam(learning_rate=0.1), jnp.array([1e-3, 1.0])
        >>> rule.update(g, rule.init(g), g, 1).increment.round(4)
        Array([-0.1, -0.1], dtype=float32)
    """

    learning_rate: Number = number(default=1e-3, low=0, scale="log", search=(1e-5, 1e-1))
    beta1: Number = number(default=0.9, low=0, below=1)
    beta2: Number = number(default=0.999, low=0, below=1)
    epsilon: Number = number(default=1e-8, above=0, scale="log", search=(1e-10, 1e-3))
    bias_correction: Literal["both", "first", "none"] = choice(default="both")
    epsilon_in: EpsilonIn = choice(default="sum")

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return _zeros(parameter)

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        return _adam(self, gradient, state, count)


@part(name="adamw")
class AdamW:
    """Adam with weights that shrink beside the update.

    Formula: Adam's step, then θ ← θ − η λ θ, both from the same θ
    Numbers: learning_rate: η; beta1: β₁; beta2: β₂; epsilon: ε; weight_decay: λ
    Shapes: those of the parameters; two arrays of state each
    Watch for: every parameter decays, biases and the slopes of PReLU too, as in torch and optax.
        For decay without the factor η, or of weights alone, combine Adam with the regularizer
        DecoupledDecay.
    Source: Loshchilov & Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2
    Example:
        >>> rule, w = AdamW(learning_rate=0.1, weight_decay=0.5), jnp.array([2.0])
        >>> rule.update(0 * w, rule.init(w), w, 1).increment.round(4)
        Array([-0.1], dtype=float32)
    """

    learning_rate: Number = number(default=1e-3, low=0, scale="log", search=(1e-5, 1e-1))
    beta1: Number = number(default=0.9, low=0, below=1)
    beta2: Number = number(default=0.999, low=0, below=1)
    epsilon: Number = number(default=1e-8, above=0, scale="log", search=(1e-10, 1e-3))
    weight_decay: Number = number(default=1e-2, low=0, scale="log", search=(1e-5, 1))

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return _zeros(parameter)

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        adam = Adam(
            learning_rate=self.learning_rate,
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon,
        )
        step = _adam(adam, gradient, state, count)
        decay = self.learning_rate * self.weight_decay * parameter
        return step._replace(increment=step.increment - decay)
